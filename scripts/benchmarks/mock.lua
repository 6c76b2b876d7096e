-- Requests that a mock answers, through all policies: one at a time, and 64 in flight.

return function(bench)
  local total, rows = bench.options.quick and 50000 or 200000, {}
  for i, in_flight in ipairs { 1, 64 } do
    bench.progress("mock: %d in flight", in_flight)
    local run = bench.run(("%s %smock.lua %d %d"):format(bench.lurcher, bench.scripts, total, in_flight))
    run.name = ("%d in flight"):format(in_flight)
    run.cpu_us = run.requests and run.cpu_s and run.cpu_s / run.requests * 1e6
    rows[i] = run
  end
  for _, row in ipairs(rows) do row.output, row.log = nil, nil end
  bench.report("mock", "Mocked requests through all policies", {
    { "", "name", "%s" }, { "requests/s", "rps", "%.0f" }, { "µs CPU/request", "cpu_us", "%.2f" },
    { "peak MB", "rss_mb", "%.1f" },
  }, rows)
end
