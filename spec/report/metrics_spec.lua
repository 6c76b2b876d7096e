-- What is counted of requests. Every spec has a server, and so an origin, of its own.

local http = require "lurcher.http"
local metrics = require "lurcher.metrics"
local origin = require "spec.support.origin"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local QUICK = { base = 0.001, max_wait = 0.001 }

-- The series of a site's requests with this name.
local function series_of(site, name)
  for _, series in ipairs(metrics.snapshot()) do
    if series.origin == site.url and series.name == (name or "") then return series end
  end
end

describe("the metrics", function()
  local site, client

  before_each(function()
    site = origin.start()
    client = http.client { retry = QUICK }
  end)

  after_each(function()
    client:close()
    site:stop()
  end)

  it("count attempts by status", function()
    site.paths["/missing"] = { status = 404 }
    for _ = 1, 3 do assert(client:get(site.url)) end
    assert(client:get(site.url .. "/missing"))
    local series = series_of(site)
    assert.same({ ["200"] = 3, ["404"] = 1 }, series.statuses)
    assert.same({}, series.errors)
    assert.equal(4, series.requests)
  end)

  it("count attempts by name and origin", function()
    assert(client:get(site.url, { name = "a" }))
    assert(client:get(site.url, { name = "b" }))
    local named = client:extend { name = "a" }
    assert(named:get(site.url))
    assert(named:get(site.url, { name = false }))
    assert(client:stream("GET", site.url, { name = "b" })):close()
    assert.equal(2, series_of(site, "a").requests)
    assert.equal(2, series_of(site, "b").requests)
    assert.equal(1, series_of(site).requests)
  end)

  it("count retries and the time they waited, beside the attempts themselves", function()
    local answers = 0
    site.answer = function()
      answers = answers + 1
      return { status = answers < 3 and 503 or 200 }
    end
    assert.equal(3, assert(client:get(site.url)).attempts)
    local series = series_of(site)
    assert.equal(3, series.requests)
    assert.equal(2, series.retries)
    assert.is_true(series.waited.retry > 0 and series.waited.retry <= 0.002)
    assert.same({ ["200"] = 1, ["503"] = 2 }, series.statuses)
  end)

  it("count the hops of redirects, each at its origin", function()
    local other = serving.start(function() return "there" end)
    site.paths["/away"] = { status = 302, headers = { Location = other.url .. "/" } }
    assert(client:get(site.url .. "/away"))
    assert.same({ ["302"] = 1 }, series_of(site).statuses)
    assert.same({ redirect = 1 }, series_of(site).events)
    assert.same({ ["200"] = 1 }, series_of(other).statuses)
  end)

  it("count errors by kind", function()
    local s = serving.raw(function(conn)
      conn:read_request()
      conn:close()
    end)
    assert.is_nil(client:get(s.url, { retry = false }))
    assert.is_nil(client:get(s.url, { retry = false }))
    local series = series_of(s)
    assert.same({ closed = 2 }, series.errors)
    assert.same({}, series.statuses)
    assert.is_true(series.retries == 0 and series.requests == 2)
  end)

  it("count a body that is cut as an error, not by its status", function()
    local s = serving.raw(function(conn)
      conn:read_request()
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
      conn:close()
    end)
    local res = assert(client:stream("GET", s.url))
    assert.is_nil(res:read_all())
    local series = series_of(s)
    assert.same({ truncated = 1 }, series.errors)
    assert.same({}, series.statuses)
  end)

  it("count a stream by its status when the reader has enough of it", function()
    site.answer = { body = ("x"):rep(1e6) }
    assert(client:stream("GET", site.url)):close()
    assert.same({ ["200"] = 1 }, series_of(site).statuses)
  end)

  it("count cancelled attempts, running or waiting, but not their times", function()
    local arrived = task.event()
    site.answer = function()
      arrived:set()
      task.sleep(100)
    end
    local narrow = http.client { limits = { per_origin = 1 } }
    local running = task.spawn(narrow.get, narrow, site.url)
    local waiting = task.spawn(narrow.get, narrow, site.url)
    arrived:wait()
    assert.equal(1, series_of(site).in_flight)
    assert.equal(1, series_of(site).waiting)
    waiting:cancel()
    running:cancel()
    serving.eventually(function() return series_of(site).requests == 2 end)
    local series = series_of(site)
    assert.same({ canceled = 2 }, series.errors)
    assert.equal(0, series.duration.count)
    assert.equal(0, series.in_flight)
    assert.equal(0, series.waiting)
    narrow:close()
  end)

  it("count what a circuit breaker refuses as an attempt of kind 'circuit_open'", function()
    local careful = http.client { breaker = { failures = 2 }, retry = false }
    site.answer = { status = 500 }
    for _ = 1, 5 do careful:get(site.url, { name = "broken" }) end
    local series = series_of(site, "broken")
    assert.same({ ["500"] = 2 }, series.statuses)
    assert.same({ circuit_open = 3 }, series.errors)
    assert.equal(5, series.requests)
    assert.equal(2, series.duration.count)
    assert.equal(1, series.events.breaker)
    careful:close()
  end)

  it("count what a closed client refuses", function()
    local closed = http.client()
    closed:close()
    assert.is_nil(closed:get(site.url, { name = "late" }))
    assert.same({ canceled = 1 }, series_of(site, "late").errors)
    assert.equal(0, series_of(site, "late").waiting)
  end)

  it("count the time spent waiting for a circuit breaker", function()
    local patient = http.client { breaker = { failures = 1, cooldown = 0.3, wait = true }, retry = false }
    site.answer = { status = 500 }
    assert(patient:get(site.url))
    site.answer = { status = 200 }
    assert.equal(200, assert(patient:get(site.url)).status)
    local waited = series_of(site).waited.breaker
    assert.is_true(waited > 0 and waited < 20)
    patient:close()
  end)

  it("count the time spent waiting for a slot", function()
    site.answer = function() task.sleep(0.02) end
    local narrow = http.client { limits = { per_origin = 1 } }
    task.map({ 1, 2, 3 }, function() return narrow:get(site.url) end)
    assert.is_true(series_of(site).waited.slot >= 0.06) -- 0.02 and 0.04
    narrow:close()
  end)

  it("count the time spent waiting for the rate, apart from that for a slot", function()
    local steady = http.client { limits = { rate = 10, burst = 1 } }
    task.map({ 1, 2, 3 }, function() return steady:get(site.url) end)
    local waited = series_of(site).waited
    assert.is_true(waited.rate >= 0.1, waited.rate) -- 0.1 and 0.2, less what passed before they asked
    assert.is_true(waited.slot < waited.rate / 2)
    steady:close()
  end)

  it("tell how long attempts took", function()
    site.answer = function() task.sleep(0.01) end
    for _ = 1, 4 do assert(client:get(site.url)) end
    local series = series_of(site)
    for _, spread in ipairs { series.duration, series.first_byte } do
      assert.equal(4, spread.count)
      assert.is_true(0.009 < spread.min and spread.min <= spread.p50 and spread.p50 <= spread.p95)
      assert.is_true(spread.p95 <= spread.p99 and spread.p99 <= spread.max and spread.max <= spread.sum)
    end
  end)

  it("tell times of the virtual clock in a virtual run", function()
    site:stop()
    require("lurcher.clock").virtual(function()
      local slow = serving.start(function() task.sleep(20) end)
      assert(http.client():get(slow.url))
      local duration = series_of(slow).duration
      assert.is_true(duration.p50 > 19 and duration.p50 < 21, duration.p50)
    end)
  end)

  it("count bytes and the reuse of connections", function()
    site.answer = { body = ("x"):rep(1000) }
    local res = assert(client:get(site.url))
    assert(client:post(site.url, { body = ("y"):rep(500) }))
    local series = series_of(site)
    assert.is_true(series.bytes_received >= 2000 + res.bytes_received - 1000)
    assert.is_true(series.bytes_sent > 500)
    assert.same({ made = 1, reused = 1 }, series.connections)
  end)

  it("are JSON", function()
    assert(client:get(site.url))
    assert.matches('"statuses":{"200":1}', (require("lurcher.json").encode(metrics.snapshot())))
  end)

  it("cut a long name, between characters", function()
    assert(client:get(site.url, { name = ("x"):rep(199) .. "é and more" }))
    assert(client:get(site.url, { name = ("x"):rep(199) .. "é and less" }))
    assert.equal(2, series_of(site, ("x"):rep(199)).requests)
  end)
end)

describe("the text for Prometheus", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  -- The samples of this site: { [metric{labels without name and origin}] = value }.
  local function samples(name)
    local found = {}
    local labels = ('name="%s",origin="%s"'):format(name or "", site.url)
    for line in metrics.prometheus():gmatch("[^\n]+") do
      local metric, more, value = line:match("^([%w_]+){" .. labels:gsub("%p", "%%%0") .. ",?(.*)} (%S+)$")
      if metric then found[metric .. "{" .. more .. "}"] = tonumber(value) end
    end
    return found
  end

  it("has every line in the form of version 0.0.4, each metric announced once", function()
    assert(http.get(site.url))
    local text, announced, current = metrics.prometheus(), {}, nil
    assert.equal("\n", text:sub(-1))
    for line in text:gmatch("[^\n]+") do
      local name = line:match("^# TYPE ([%a_]+) %l+$")
      if name then
        assert.is_nil(announced[name])
        announced[name], current = true, name
      elseif not line:find("^# HELP ") then
        local metric = line:match('^([%a_]+){name=".*",origin=".*"} [%d.e+-]+$')
        assert.is_truthy(metric, line)
        assert.equal(current, (metric:gsub("_bucket$", ""):gsub("_sum$", ""):gsub("_count$", "")))
      end
    end
  end)

  it("has the counts", function()
    site.paths["/busy"] = { status = 503 }
    assert(http.get(site.url))
    assert(http.get(site.url .. "/busy", { retry = { attempts = 2, base = 0.001 } }))
    local found = samples()
    assert.equal(1, found['lurcher_requests_total{status="200"}'])
    assert.equal(2, found['lurcher_requests_total{status="503"}'])
    assert.equal(1, found["lurcher_request_retries_total{}"])
    assert.equal(0, found["lurcher_requests_in_flight{}"])
    assert.equal(3, found["lurcher_request_duration_seconds_count{}"])
    assert.equal(3, found['lurcher_request_duration_seconds_bucket{le="+Inf"}'])
    assert.equal(3, found['lurcher_request_duration_seconds_bucket{le="300"}'])
  end)

  it("has errors by kind, and among the requests as status 'error'", function()
    site:stop()
    assert.is_nil(http.get(site.url, { retry = false }))
    local found = samples()
    assert.equal(1, found['lurcher_request_errors_total{kind="connect"}'])
    assert.equal(1, found['lurcher_requests_total{status="error"}'])
  end)

  it("has buckets that count up", function()
    site.answer = function() task.sleep(0.02) end
    for _ = 1, 3 do assert(http.get(site.url)) end
    local found, bounds, last = samples(), {}, 0
    for name in pairs(found) do
      bounds[#bounds + 1] = tonumber(name:match('^lurcher_request_first_byte_seconds_bucket{le="([%d.]+)"}'))
    end
    table.sort(bounds)
    assert.is_true(#bounds > 10)
    for _, bound in ipairs(bounds) do
      local count = found[('lurcher_request_first_byte_seconds_bucket{le="%g"}'):format(bound)]
      assert.is_true(count >= last)
      last = count
    end
    assert.equal(0, found['lurcher_request_first_byte_seconds_bucket{le="0.01"}'])
  end)

  it("escapes names", function()
    assert(http.get(site.url, { name = 'a"b\\c\nd\255' }))
    assert.is_truthy(metrics.prometheus():find([[name="a\"b\\c\nd\\xff"]], 1, true))
  end)
end)

-- In a process of its own, since it uses up the series.
describe("a program with endless names", function()
  it("is counted in bounded memory: beyond 1,000 series as 'other'", function()
    local process = require "spec.support.process"
    local ended = process.run { process.script [[
      local http, metrics = require "lurcher.http", require "lurcher.metrics"
      local s = require("lurcher.server").start(function() return "" end)
      for i = 1, 1200 do http.get(s.url, { name = "item " .. i }) end
      local list = metrics.snapshot()
      local last = list[#list]
      print(#list, last.name, last.origin, last.requests)]] }
    assert.equal("1001\tother\tother\t200\n", ended.out, ended.err)
  end)
end)
