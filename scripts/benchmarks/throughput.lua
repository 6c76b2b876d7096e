-- Requests a second: each client does the same GETs of 127 bytes of JSON, in rounds one after the other, so
-- that a noisy machine meets all of them alike. Ratios are taken within a round.

local throughput = {}

local SHARDS = { [64] = 4, [1000] = 16, [4000] = 64 }

-- One row of the table: `command(url, total, in_flight)`, and about how many requests a second to expect at
-- each level, which sets the length of a run.
local function lurcher(bench, protocol)
  return { name = "lurcher", rates = { [64] = 60000, [1000] = 45000, [4000] = 25000 },
    command = function(url, total, in_flight)
      return ("%s %sfetch.lua %s %d %d %s"):format(bench.lurcher, bench.scripts, url, total, in_flight,
        protocol or "")
    end }
end

local function ceiling(bench, protocol, shards)
  return { name = "ceiling", title = "ceiling (libcurl + libuv alone)",
    rates = { [64] = 60000, [1000] = 45000, [4000] = 25000 },
    command = function(url, total, in_flight)
      return ("%sceiling %s %d %d %d %s"):format(bench.programs, url, total, in_flight,
        shards or SHARDS[in_flight], protocol or "")
    end }
end

local function wrk(seconds)
  return { name = "wrk", title = "wrk (no library: the limit)",
    command = function(url, _, in_flight)
      return ("wrk -t1 -c%d -d%ds --timeout 20s %s"):format(in_flight, seconds, url)
    end,
    result = function(run)
      run.rps = tonumber(run.output:match("Requests/sec:%s*([%d.]+)"))
      run.requests = tonumber(run.output:match("(%d+) requests in"))
      run.failed = tonumber(run.output:match("Non%-2xx or 3xx responses: (%d+)")) or 0
    end }
end

-- Another client, given by the program in front of URL TOTAL IN_FLIGHT; `needs` must be there.
local function peer(name, needs, program, rates, environment)
  return { name = name, needs = needs, rates = { [64] = rates[1], [1000] = rates[2], [4000] = rates[3] },
    command = function(url, total, in_flight)
      local before = environment and environment:format(in_flight) .. " " or ""
      return ("%s%s %s %d %d"):format(before, program, url, total, in_flight)
    end }
end

local function peers(bench)
  local installed, fetch = bench.build .. "/peers/", bench.peers .. "fetch.mjs"
  local npm, python = installed .. "node_modules/", "/usr/lib/python3/dist-packages/"
  return {
    peer("bun", npm .. ".bin/bun", npm .. ".bin/bun " .. fetch, { 70000, 20000, 20000 },
      "BUN_CONFIG_MAX_HTTP_REQUESTS=%d"),
    peer("go", installed .. "go", installed .. "go", { 50000, 25000, 20000 }, "GOMAXPROCS=1"),
    peer("undici", npm .. "undici", "node " .. installed .. "undici.mjs", { 35000, 18000, 12000 }),
    peer("deno", npm .. ".bin/deno", npm .. ".bin/deno run -A --quiet " .. fetch, { 20000, 15000, 10000 }),
    peer("node fetch", "node", "node " .. fetch, { 10000, 6000, 5000 }),
    peer("aiohttp", python .. "aiohttp", "/usr/bin/python3 " .. bench.peers .. "client_aiohttp.py",
      { 4000, 4000, 3000 }),
    peer("httpx", python .. "httpx", "/usr/bin/python3 " .. bench.peers .. "client_httpx.py",
      { 900, 500, 300 }),
  }
end

-- A path, or a command.
local function exists(name)
  return name == nil or os.execute(("test -e %s || command -v %s >/dev/null"):format(name, name)) == 0
end

local function total_of(row, level, seconds)
  return math.floor(math.max(row.rates and row.rates[level] * seconds or 0, 3 * level))
end

-- Runs all rows at one level and reports them.
function throughput.level(bench, section, title, url, level, rows)
  local seconds = bench.options.quick and 1 or 3
  local runs = {}
  for round = 1, bench.rounds() do
    local base, base_cpu
    for _, row in ipairs(rows) do
      bench.progress("%s: %d in flight, round %d, %s", section, level, round, row.name)
      local total = total_of(row, level, seconds)
      local run = bench.run(row.command(url, total, level))
      if row.result then row.result(run) end
      run.cpu_us = run.requests and run.cpu_s and run.cpu_s / run.requests * 1e6
      if row.name == "ceiling" then base, base_cpu = run.rps, run.cpu_us end
      run.ratio = base and run.rps and run.rps / base
      run.cpu_ratio = base_cpu and run.cpu_us and run.cpu_us / base_cpu
      runs[row] = runs[row] or {}
      table.insert(runs[row], run)
    end
  end
  local report = {}
  for i, row in ipairs(rows) do
    local result = bench.medians(runs[row], { "rps", "cpu_us", "rss_mb", "ratio", "cpu_ratio" })
    result.name, result.in_flight, result.failed = row.title or row.name, level, 0
    for _, run in ipairs(runs[row]) do
      result.failed = result.failed + (run.failed or 0)
      result.failure = result.failure or run.failure
    end
    report[i] = result
  end
  bench.report(section, ("%s, %d in flight"):format(title, level), {
    { "client", "name", "%s" }, { "requests/s", "rps", "%.0f" }, { "of ceiling", "ratio", "%.2f" },
    { "µs CPU/request", "cpu_us", "%.1f" }, { "of ceiling's", "cpu_ratio", "%.2f" },
    { "peak MB", "rss_mb", "%.1f" }, { "failed", "failed", "%d" },
  }, report)
end

-- Lurcher and libcurl alone over TLS: `field` is the server's URL field, `version` the protocol.
function throughput.secure(bench, section, title, field, version, shards)
  local nginx = bench.nginx()
  local protocol = nginx.ca .. " " .. version
  for _, level in ipairs { 64, 1000 } do
    throughput.level(bench, section, title, nginx[field] .. "/small", level,
      { ceiling(bench, protocol, shards), lurcher(bench, protocol) })
  end
  nginx:stop()
end

function throughput.all(bench)
  local rows = { ceiling(bench) }
  local function add(row)
    if bench.wanted(row.name) and exists(row.needs) then rows[#rows + 1] = row end
  end
  add(lurcher(bench))
  add(wrk(bench.options.quick and 1 or 3))
  for _, row in ipairs(peers(bench)) do add(row) end

  local nginx = bench.nginx()
  for _, level in ipairs { 64, 1000, 4000 } do
    throughput.level(bench, "throughput", "GET and JSON decode", nginx.http .. "/small", level, rows)
  end
  nginx:stop()
end

return setmetatable(throughput, { __call = function(_, bench) throughput.all(bench) end })
