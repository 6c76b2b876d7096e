-- Rates. What the log of a server says of limits.rate over 10 s: how exact it is, and by how many requests
-- the fullest window has more than burst + rate * t. And what 100,000 requests cost that wait for a rate,
-- beside as many tasks that wait for nothing.

local RATES = { { 1000, 1 }, { 1000, 10 }, { 100, 1 }, { 7, 3 } }
local WAITING = 100000

return function(bench)
  local rows = {}
  for i, case in ipairs(RATES) do
    local seconds = bench.options.quick and 2 or 10
    bench.progress("rate: %d/s, burst %d", case[1], case[2])
    rows[i] = bench.run(("%s %srate.lua %d %d %d"):format(bench.lurcher, bench.scripts, case[1], case[2],
      seconds))
    rows[i].name = ("%d/s, burst %d"):format(case[1], case[2])
    rows[i].output, rows[i].log = nil, nil
  end
  bench.report("rate", "limits.rate, by the server's log", {
    { "", "name", "%s" }, { "requests", "requests", "%d" }, { "off by", "off", "%.3f %%" },
    { "over the bound by", "excess", "%.2f" }, { "CPU s", "cpu_s", "%.2f" },
  }, rows)

  local base = { bytes = 0 }
  rows = {}
  for i, what in ipairs { "tasks", "requests" } do
    bench.progress("rate: waiting %s", what)
    rows[i] = bench.run(("%s %swaiting.lua %s %d"):format(bench.lurcher, bench.scripts, what, WAITING))
    rows[i].name = ("%d %s"):format(WAITING, what)
    rows[i].output, rows[i].log = nil, nil
    rows[i].beyond = rows[i].bytes and rows[i].bytes - base.bytes
    base = rows[1]
  end
  rows[1].beyond = nil
  bench.report("waiting", "Waiting", {
    { "", "name", "%s" }, { "bytes each", "bytes", "%.0f" }, { "beyond its task", "beyond", "%.0f" },
    { "CPU ms in 1 s", "idle_ms", "%.2f" },
  }, rows)
end
