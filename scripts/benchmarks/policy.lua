-- What the policies cost while nothing fails: the same requests with none and with all of them on, in turn,
-- at 64 in flight; and what the hook and limits cost, which switch the JIT off. Metrics are always kept.

local SETS = {
  { name = "none", policies = "" },
  { name = "retry", policies = "retry" },
  { name = "breaker", policies = "breaker" },
  { name = "rate", policies = "rate" },
  { name = "all", policies = "retry breaker rate cookies redirects" },
  { name = "hook", policies = "", options = "--memory=1G --burst=60 " },
  { name = "limits", policies = "", options = "--memory=1G --cpu=1e6 --burst=60 " }, -- reads the thread's clock, too
}

local ROUNDS = 5

return function(bench)
  local nginx = bench.nginx()
  local total, runs = bench.options.quick and 50000 or 150000, {}
  for round = 1, bench.options.quick and 1 or ROUNDS do
    local base
    for _, set in ipairs(SETS) do
      bench.progress("policy: round %d, %s", round, set.name)
      local run = bench.run(("%s %s%spolicy.lua %s/small %d 64 %s"):format(bench.lurcher, set.options or "",
        bench.scripts, nginx.http, total, set.policies))
      run.cpu_us = run.requests and run.cpu_s and run.cpu_s / run.requests * 1e6
      base = base or run
      run.ratio = base.rps and run.rps and run.rps / base.rps
      run.cpu_ratio = base.cpu_us and run.cpu_us and run.cpu_us / base.cpu_us
      runs[set] = runs[set] or {}
      table.insert(runs[set], run)
    end
  end
  nginx:stop()
  local rows = {}
  for i, set in ipairs(SETS) do
    rows[i] = bench.medians(runs[set], { "rps", "ratio", "cpu_us", "cpu_ratio" })
    rows[i].name = set.name
    for _, run in ipairs(runs[set]) do rows[i].failure = rows[i].failure or run.failure end
  end
  bench.report("policy", "What policies cost at 64 in flight", {
    { "on", "name", "%s" }, { "requests/s", "rps", "%.0f" }, { "of none", "ratio", "%.3f" },
    { "µs CPU/request", "cpu_us", "%.2f" }, { "of none's", "cpu_ratio", "%.3f" },
  }, rows)
end
