-- Start, one request, exit, by a script and by the command alone, beside curl: the wall time of a whole process, one
-- of each in turn. A page of the manual beside them, and the time until the prompt is there, beside LuaJIT's.

local FIELDS = { "wall_s", "cpu_s", "rss_mb", "prompt_ms" }

-- Runs the commands of `rows` in turn, and gives each row its medians.
local function measure(bench, rows)
  local runs = {}
  for n = 1, bench.options.quick and 15 or 50 do
    bench.progress("start: %d", n)
    for i, row in ipairs(rows) do
      local run = bench.run(row.command)
      row.failure = row.failure or run.failure
      runs[i] = runs[i] or {}
      runs[i][n] = run
    end
  end
  for i, row in ipairs(rows) do
    local result = bench.medians(runs[i], FIELDS)
    row.wall_ms, row.cpu_ms = result.wall_s and result.wall_s * 1000, result.cpu_s and result.cpu_s * 1000
    row.rss_mb, row.prompt_ms, row.command = result.rss_mb, result.prompt_ms, nil
    row.ratio = row.wall_ms and rows[1].wall_ms and row.wall_ms / rows[1].wall_ms
  end
end

local function requests(bench)
  local nginx = bench.nginx()
  local url = nginx.http .. "/small"
  local rows = {
    { name = "curl", command = "curl -s " .. url },
    { name = "lurcher get", command = ("%s get %s"):format(bench.lurcher, url) },
    { name = "lurcher script", command = ("%s %sonce.lua %s"):format(bench.lurcher, bench.scripts, url) },
    { name = "lurcher help retries", command = bench.lurcher .. " help retries" },
  }
  measure(bench, rows)
  nginx:stop()
  bench.report("start", "Start, one request, exit (medians)", {
    { "", "name", "%s" }, { "wall ms", "wall_ms", "%.1f" }, { "of curl's", "ratio", "%.2f" },
    { "CPU ms", "cpu_ms", "%.1f" }, { "peak MB", "rss_mb", "%.1f" },
  }, rows)
end

local function prompts(bench)
  local rows = {
    { name = "lurcher", command = ("%sprompt_time '> ' %s"):format(bench.programs, bench.lurcher) },
    { name = "luajit", command = ("%sprompt_time '> ' luajit"):format(bench.programs) },
  }
  measure(bench, rows)
  bench.report("prompt", "Until the prompt is there (medians)", {
    { "", "name", "%s" }, { "ms", "prompt_ms", "%.1f" }, { "CPU ms", "cpu_ms", "%.1f" },
    { "peak MB", "rss_mb", "%.1f" },
  }, rows)
end

return function(bench)
  requests(bench)
  prompts(bench)
end
