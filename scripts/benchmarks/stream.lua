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
  local runs = { {}, {} }
  for round = 1, bench.rounds() do
    for i, row in ipairs(rows) do
      bench.progress("stream: round %d, %s", round, row.name)
      local run = bench.run(row.command)
      row.failure = row.failure or run.failure
      runs[i][round] = run
    end
  end
  nginx:stop()
  for i, row in ipairs(rows) do
    local result = bench.medians(runs[i], { "wall_s", "cpu_s", "rss_mb" })
    row.wall_s, row.cpu_s, row.rss_mb, row.command = result.wall_s, result.cpu_s, result.rss_mb, nil
    row.ratio = row.cpu_s and rows[1].cpu_s and row.cpu_s / rows[1].cpu_s
  end
  bench.report("stream", "1 GiB streamed", {
    { "", "name", "%s" }, { "CPU s", "cpu_s", "%.3f" }, { "of curl's", "ratio", "%.2f" },
    { "wall s", "wall_s", "%.3f" }, { "peak MB", "rss_mb", "%.1f" },
  }, rows)
end
