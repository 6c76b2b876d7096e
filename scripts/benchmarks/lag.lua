-- How late a 10 ms timer fires while 1,000 requests are in flight, a host name takes three seconds to
-- resolve, and the task that waits for one of those is cancelled.

return function(bench)
  local nginx = bench.nginx()
  local rows = {}
  for round = 1, bench.rounds() do
    bench.progress("lag: round %d", round)
    local run = bench.run(("LD_PRELOAD=%sslow_dns.so %s %slag.lua %s/small 1000"):format(bench.programs,
      bench.lurcher, bench.scripts, nginx.http))
    run.name, run.output, run.log = "round " .. round, nil, nil
    rows[round] = run
  end
  nginx:stop()
  bench.report("lag", "Lag of a 10 ms timer, 1,000 in flight, slow DNS", {
    { "", "name", "%s" }, { "worst ms", "worst_ms", "%.1f" }, { "99 % ms", "p99_ms", "%.1f" },
    { "requests", "requests", "%d" }, { "failed", "failed", "%d" },
  }, rows)
end
