-- Start, one request, exit: the wall time of a whole process, one of each in turn.

return function(bench)
  local nginx = bench.nginx()
  local url = nginx.http .. "/small"
  local rows = {
    { name = "curl", command = "curl -s " .. url },
    { name = "lurcher", command = ("%s %sonce.lua %s"):format(bench.lurcher, bench.scripts, url) },
  }
  local runs = { {}, {} }
  for n = 1, bench.options.quick and 15 or 50 do
    bench.progress("start: %d", n)
    for i, row in ipairs(rows) do
      local run = bench.run(row.command)
      row.failure = row.failure or run.failure
      runs[i][n] = run
    end
  end
  nginx:stop()
  for i, row in ipairs(rows) do
    local result = bench.medians(runs[i], { "wall_s", "cpu_s", "rss_mb" })
    row.wall_ms, row.cpu_ms = result.wall_s and result.wall_s * 1000, result.cpu_s and result.cpu_s * 1000
    row.rss_mb, row.command = result.rss_mb, nil
    row.ratio = row.wall_ms and rows[1].wall_ms and row.wall_ms / rows[1].wall_ms
  end
  bench.report("start", "Start, one request, exit (medians)", {
    { "", "name", "%s" }, { "wall ms", "wall_ms", "%.1f" }, { "of curl's", "ratio", "%.2f" },
    { "CPU ms", "cpu_ms", "%.1f" }, { "peak MB", "rss_mb", "%.1f" },
  }, rows)
end
