-- What a host pays for its functions, and for a runtime that it opens for each job.

local ROWS = {
  { "a function that returns at once", "function_us" },
  { "a function that pends and completes within", "pending_us" },
  { "one that another thread completes, 64 in flight", "thread_us" },
  { "a runtime: opened, an empty script, closed", "open_us", "open_kib" },
  { "the same with one request", "request_us", "request_kib" },
  { "the same with a client and options", "options_us", "options_kib" },
  { "one request of many over one connection", "plain_us" },
  { "the same, and the host is asked", "permit_us" },
}

return function(bench)
  local nginx, runs = bench.nginx(), {}
  for round = 1, bench.rounds() do
    bench.progress("host: round %d", round)
    runs[round] = bench.run(("%shost %s/small %d"):format(bench.programs, nginx.http,
      bench.options.quick and 64000 or 320000))
  end
  nginx:stop()
  local fields = {}
  for _, row in ipairs(ROWS) do
    fields[#fields + 1] = row[2]
    fields[#fields + 1] = row[3]
  end
  local medians, rows = bench.medians(runs, fields), {}
  for i, row in ipairs(ROWS) do
    rows[i] = { name = row[1], us = medians[row[2]], kib = row[3] and medians[row[3]], failure = runs[1].failure }
  end
  bench.report("host", "What a host pays", {
    { "for", "name", "%s" }, { "µs", "us", "%.2f" }, { "KiB", "kib", "%.0f" },
  }, rows)
end
