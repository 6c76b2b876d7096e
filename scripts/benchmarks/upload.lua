-- One GiB sent from a file, beside curl -T. The server reads it, and answers when it has all.

local SIZE = 1073741824

return function(bench)
  local nginx = bench.nginx()
  local path = nginx.directory .. "/upload.bin"
  assert(os.execute(("truncate -s %d %s"):format(SIZE, path)) == 0, "no room for 1 GiB")
  local url = nginx.http .. "/upload"
  local rows = {
    { name = "curl", command = ("curl -s -o /dev/null -T %s %s"):format(path, url) },
    { name = "lurcher", command = ("%s %supload.lua %s %s"):format(bench.lurcher, bench.scripts, url, path) },
  }
  bench.beside_first("upload", rows)
  nginx:stop()
  bench.report("upload", "1 GiB sent from a file", bench.BESIDE_FIRST, rows)
end
