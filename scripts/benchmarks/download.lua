-- One GiB to a file: Lurcher beside curl -o, without and with a SHA-256 to verify, and 100 files of 10 MB at once.

local SIZE, MANY, PIECE = 1073741824, 100, 10000000

-- Writes what `command` downloads, and removes it.
local function measured(bench, folder, command)
  local run = bench.run(command)
  os.execute(("rm -f %s/*"):format(folder))
  return run
end

local function sum_of(path)
  local pipe = assert(io.popen("sha256sum " .. path))
  local sum = pipe:read("*l"):match "^%x+"
  pipe:close()
  return sum
end

return function(bench)
  local nginx = bench.nginx()
  local folder = nginx.directory .. "/downloads"
  local function make(name, size)
    assert(os.execute(("truncate -s %d %s/www/%s"):format(size, nginx.directory, name)) == 0, "no room for " .. name)
    return nginx.http .. "/" .. name
  end
  assert(os.execute("mkdir -p " .. folder) == 0)
  local large, piece = make("large", SIZE), make("piece", PIECE)
  local run = ("%s %sdownload.lua %%s %s %%d %%s"):format(bench.lurcher, bench.scripts, folder)
  local rows = {
    { name = "curl -o", command = ("curl -s -o %s/1 %s"):format(folder, large) },
    { name = "lurcher", command = run:format(large, 1, "") },
    { name = "lurcher, sha256", command = run:format(large, 1, sum_of(nginx.directory .. "/www/large")) },
    { name = "sha256 alone", command = "openssl sha256 " .. nginx.directory .. "/www/large" },
    { name = ("lurcher, %d at once"):format(MANY), command = run:format(piece, MANY, "") },
  }
  bench.beside_first("download", rows, function(command) return measured(bench, folder, command) end)
  nginx:stop()
  bench.report("download", "1 GiB to a file", bench.BESIDE_FIRST, rows)
end
