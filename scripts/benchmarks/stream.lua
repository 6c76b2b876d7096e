-- One GiB: Lurcher passing every chunk through Lua, beside curl writing to the null device.

local SIZE = 1073741824

return function(bench)
  local nginx = bench.nginx()
  assert(os.execute(("truncate -s %d %s/www/large"):format(SIZE, nginx.directory)) == 0, "no room for 1 GiB")
  local url = nginx.http .. "/large"
  local rows = {
    { name = "curl", command = "curl -s -o /dev/null " .. url },
    { name = "lurcher", command = ("%s %sstream.lua %s %d"):format(bench.lurcher, bench.scripts, url, SIZE) },
  }
  bench.beside_first("stream", rows)
  nginx:stop()
  bench.report("stream", "1 GiB streamed", bench.BESIDE_FIRST, rows)
end
