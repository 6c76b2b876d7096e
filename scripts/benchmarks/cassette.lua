-- Requests that a cassette answers, through all policies: of 10,000 entries, one after the other and in any order.

return function(bench)
  local total, rows = bench.options.quick and 10000 or 100000, {}
  for i, order in ipairs { "in order", "in any order" } do
    bench.progress("cassette: %s", order)
    local run = bench.run(("%s %scassette.lua %d '%s'"):format(bench.lurcher, bench.scripts, total, order))
    run.name = order
    run.cpu_us = run.requests and run.cpu_s and run.cpu_s / run.requests * 1e6
    rows[i] = run
  end
  for _, row in ipairs(rows) do row.output, row.log = nil, nil end
  bench.report("cassette", "Requests replayed from a cassette of 10,000 entries (opening it included in CPU time)", {
    { "", "name", "%s" }, { "requests/s", "rps", "%.0f" }, { "µs CPU/request", "cpu_us", "%.2f" },
    { "peak MB", "rss_mb", "%.1f" },
  }, rows)
end
