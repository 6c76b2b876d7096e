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
  local runs = { {}, {} }
  for round = 1, bench.rounds() do
    for i, row in ipairs(rows) do
      bench.progress("upload: round %d, %s", round, row.name)
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
  bench.report("upload", "1 GiB sent from a file", {
    { "", "name", "%s" }, { "CPU s", "cpu_s", "%.3f" }, { "of curl's", "ratio", "%.2f" },
    { "wall s", "wall_s", "%.3f" }, { "peak MB", "rss_mb", "%.1f" },
  }, rows)
end
