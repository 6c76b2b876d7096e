-- What retries and circuit breakers make of an outage of 10 s, simulated in virtual time with 1,000 clients
-- (spec/support/outage.lua): how much is sent, and how evenly the clients come back.

return function(bench)
  local rows = {}
  while true do
    bench.progress("outage: %d", #rows + 1)
    local row = bench.run(("%s %soutage.lua %d"):format(bench.lurcher, bench.scripts, #rows + 1))
    if not row.name and not row.failure then break end
    row.output, row.log = nil, nil
    rows[#rows + 1] = row
    if row.failure then break end
  end
  bench.report("outage", "A server is down for 10 s, 1,000 clients ask once a second", {
    { "", "name", "%s" }, { "calls", "calls", "%d" }, { "sent per call", "total", "%.2f" },
    { "down, to normal", "total_down", "%.2f" }, { "back: peak in 100 ms", "peak", "%d" },
    { "of the mean", "peak_ratio", "%.2f" }, { "retries in it", "peak_again", "%d" },
  }, rows)
end
