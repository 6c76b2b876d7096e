-- limits.per_origin = "auto" beside fixed numbers, against servers that serve 8 and 32 requests at once, let
-- as many more wait, and refuse the others: in virtual time, so that only the choice counts.

local LIMITS = { "2", "4", "8", "16", "32", "64", "128", "auto" }

return function(bench)
  for _, serves in ipairs { 8, 32 } do
    local rows = {}
    for i, limit in ipairs(LIMITS) do
      bench.progress("adaptive: %d at once, per_origin = %s", serves, limit)
      rows[i] = bench.run(("%s %sadaptive.lua %s %d"):format(bench.lurcher, bench.scripts, limit, serves))
      rows[i].name = "per_origin = " .. limit
      rows[i].output, rows[i].log = nil, nil
    end
    bench.report("adaptive_" .. serves, ("A server that serves %d at once in 0.1 s"):format(serves), {
      { "", "name", "%s" }, { "served/s", "rate", "%.1f" }, { "refused", "refused", "%d" },
      { "first byte s", "latency", "%.3f" }, { "limit at the end", "limit", "%d" },
    }, rows)
  end
end
