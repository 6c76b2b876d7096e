-- Peak memory: 10,000 requests in flight against a server that answers after one second, in two waves (the
-- second must find the connections of the first), and 100,000 sleeping tasks.

return function(bench)
  local count = 10000
  local server = bench.slow_server(1000)
  bench.progress("memory: %d in flight", count)
  local waves = bench.run(("%s %swaves.lua %s %d"):format(bench.lurcher, bench.scripts, server.http, count))
  server:stop()
  waves.name = ("%d in flight, two waves"):format(count)

  bench.progress("memory: sleeping tasks")
  local sleepers = bench.run(("%s %ssleepers.lua 100000"):format(bench.lurcher, bench.scripts))
  sleepers.name = "100000 sleeping tasks"

  for _, row in ipairs { waves, sleepers } do row.output, row.log = nil, nil end
  bench.report("memory", "Memory", {
    { "", "name", "%s" }, { "peak MB", "rss_mb", "%.1f" }, { "wall s", "wall_s", "%.2f" },
    { "CPU s", "cpu_s", "%.2f" }, { "failed", "failed", "%d" }, { "connections", "connections", "%d" },
  }, { waves, sleepers })
end
