-- What a client learns of its servers' limits from their responses. All in virtual time.

local clock = require "lurcher.clock"
local http = require "lurcher.http"
local server = require "lurcher.server"
local task = require "lurcher.task"

local function numbers(count)
  local list = {}
  for i = 1, count do list[i] = i end
  return list
end

-- Calls fn(client, site) in a virtual run; site.answer(number of the request, time since the start) gives the
-- response, site.at has the times of requests.
local function run(opts, answer, fn)
  return clock.virtual(function()
    local site = { at = {}, statuses = {} }
    local begun = task.now()
    function site.now() return task.now() - begun end
    local s = assert(server.start(function()
      local n = #site.at + 1
      site.at[n] = site.now()
      local response = answer(n, site.at[n], site) or { status = 200, body = "ok" }
      site.statuses[response.status] = (site.statuses[response.status] or 0) + 1
      return response
    end, { grace = 0 }))
    local client = http.client(opts)
    task.defer(function()
      client:close()
      s:stop(0)
    end)
    site.url = s.url .. "/"
    return fn(client, site)
  end, { time = 1700000000 })
end

local function refusal(status, headers) return { status = status, headers = headers or {} } end

local NO_RETRY = { retry = false }

describe("a response with Retry-After", function()
  for _, status in ipairs { 429, 503 } do
    it("and status " .. status .. " holds all requests of its origin until then", function()
      run(NO_RETRY, function(n)
        return n == 1 and refusal(status, { ["Retry-After"] = "10" })
      end, function(client, site)
        assert.equal(status, client:get(site.url).status)
        task.map(numbers(20), function() assert.equal(200, client:get(site.url).status) end)
        for i = 2, 21 do assert.is_true(site.at[i] >= 10 and site.at[i] < 10.5) end
      end)
    end)
  end

  it("holds the attempts of others that are repeated, too", function()
    run(nil, function(n)
      return n == 1 and refusal(429, { ["Retry-After"] = "5" }) or n == 2 and refusal(500)
    end, function(client, site)
      task.map(numbers(2), function() assert.equal(200, client:get(site.url).status) end)
      assert.equal(4, #site.at)
      for i = 3, 4 do assert.is_true(site.at[i] >= 5, "request " .. i .. " at " .. site.at[i]) end
    end)
  end)

  it("that is a date holds until that date", function()
    run(NO_RETRY, function(n)
      return n == 1 and refusal(503, { ["Retry-After"] = "Tue, 14 Nov 2023 22:13:50 GMT" })
    end, function(client, site)
      client:get(site.url)
      client:get(site.url)
      assert.is_true(site.at[2] >= 29 and site.at[2] <= 31)
    end)
  end)

  it("holds nobody with retry.retry_after=false", function()
    for honoured, wait in pairs { [true] = 3, [false] = 0 } do
      run({ retry = { attempts = 1, retry_after = honoured } }, function(n)
        return n == 1 and refusal(429, { ["Retry-After"] = "3" })
      end, function(client, site)
        assert.equal(429, client:get(site.url).status)
        assert.equal(200, client:get(site.url).status)
        assert.equal(wait, math.floor(site.at[2] - site.at[1] + 0.1))
      end)
    end
  end)

  it("holds nobody for longer than retry.max_retry_after", function()
    for _, asked in ipairs { "61", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT" } do
      run(NO_RETRY, function(n)
        return n == 1 and refusal(429, { ["Retry-After"] = asked })
      end, function(client, site)
        client:get(site.url)
        client:get(site.url)
        assert.is_true(site.at[2] < 1)
      end)
    end
    run({ retry = { attempts = 1, max_retry_after = 3 } }, function(n)
      return n == 1 and refusal(429, { ["Retry-After"] = "4" })
    end, function(client, site)
      client:get(site.url)
      client:get(site.url)
      assert.is_true(site.at[2] < 1)
    end)
  end)

  it("that makes no sense, and a status that is no refusal, hold nobody", function()
    run(NO_RETRY, function(n)
      if n == 1 then return refusal(429, { ["Retry-After"] = "-5" }) end
      return n == 2 and refusal(500, { ["Retry-After"] = "9" })
    end, function(client, site)
      for _ = 1, 3 do client:get(site.url) end
      assert.is_true(site.at[3] < 1)
    end)
  end)

  it("holds nobody with limits.learn=false", function()
    run({ retry = false, limits = { learn = false } }, function(n)
      return n == 1 and refusal(429, { ["Retry-After"] = "9" })
    end, function(client, site)
      for _ = 1, 2 do client:get(site.url) end
      client:extend({}):get(site.url)
      assert.is_true(site.at[3] < 1)
    end)
  end)

  it("does not hold up other origins", function()
    run(NO_RETRY, function(n)
      return n == 1 and refusal(429, { ["Retry-After"] = "9" })
    end, function(client, site)
      local other = assert(server.start(function() return { status = 200 } end))
      task.defer(function() other:stop(0) end)
      client:get(site.url)
      assert(client:get(other.url))
      assert.is_true(site.now() < 1)
    end)
  end)

  it("of a stream holds, too", function()
    run(NO_RETRY, function(n)
      return n == 1 and refusal(429, { ["Retry-After"] = "7" })
    end, function(client, site)
      client:get(site.url, { stream = true, expect = 429 }):close()
      client:get(site.url)
      assert.is_true(site.at[2] >= 7)
    end)
  end)
end)

describe("RateLimit headers", function()
  -- A window of so many requests for so many seconds; what is beyond is refused.
  local function window(most, seconds, style)
    return function(_, now, site)
      local index = math.floor(now / seconds)
      if site.window ~= index then site.window, site.used = index, 0 end
      site.used = site.used + 1
      local left, reset = math.max(0, most - site.used), math.ceil((index + 1) * seconds - now)
      local moment = math.ceil(1700000000 + now) + reset
      local styles = {
        new = { RateLimit = ('"a";r=%d;t=%d'):format(left, reset) },
        unix = { ["X-RateLimit-Remaining"] = "" .. left, ["X-RateLimit-Reset"] = "" .. moment },
        three = { ["RateLimit-Remaining"] = "" .. left, ["RateLimit-Reset"] = "" .. reset },
      }
      return { status = site.used > most and 429 or 200, headers = styles[style] }
    end
  end

  for _, style in ipairs { "three", "new", "unix" } do
    it("keep many requests within the quota: no 429 is provoked (" .. style .. ")", function()
      run(NO_RETRY, window(20, 10, style), function(client, site)
        client:get(site.url)
        task.map(numbers(99), function() assert.equal(200, client:get(site.url).status) end,
          { concurrency = 10 })
        assert.same({ [200] = 100 }, site.statuses)
        assert.is_true(site.now() >= 40 and site.now() < 62, "took " .. site.now())
      end)
    end)
  end

  it("slow down no script that stays within them", function()
    run(NO_RETRY, window(100, 60, "three"), function(client, site)
      for _ = 1, 100 do assert.equal(200, client:get(site.url).status) end
      assert.is_true(site.now() < 1)
    end)
  end)

  it("with a reset that is too far away keep nobody waiting", function()
    run(NO_RETRY, function()
      return refusal(200, { ["RateLimit-Remaining"] = "0", ["RateLimit-Reset"] = "3600" })
    end, function(client, site)
      for _ = 1, 5 do client:get(site.url) end
      assert.is_true(site.now() < 1)
    end)
  end)

  it("are told as hold, once", function()
    local told = {}
    run(NO_RETRY, function(n)
      return n == 1 and refusal(200, { ["RateLimit-Remaining"] = "0", ["RateLimit-Reset"] = "5" })
    end, function(client, site)
      local observer = {}
      function observer.event(_, what, event) told[#told + 1] = { what, event.wait, event.why } end
      require("lurcher.http.observe").add(observer)
      client:get(site.url)
      client:get(site.url)
      observer.event = nil
      assert.is_true(site.at[2] >= 5)
    end)
    assert.same({ { "hold", 5, "the server's quota is used up until its reset" } }, told)
  end)
end)

describe("refusals without a hint", function()
  -- Takes `rate` requests a second, one more at once for each tenth of a second.
  local function bucket(rate)
    return function(_, now, site)
      site.tokens = math.min(rate / 10, (site.tokens or rate / 10) + (now - (site.seen or 0)) * rate)
      site.seen = now
      if site.tokens < 1 then return refusal(429) end
      site.tokens = site.tokens - 1
      task.sleep(0.01)
    end
  end

  it("cut the rate, which then stays near what the server takes", function()
    run({ retry = false, limits = { per_origin = 10 } }, bucket(100), function(client, site)
      local stop
      local senders = task.spawn(function()
        task.map(numbers(10), function()
          while not stop do client:get(site.url) end
        end)
      end)
      task.sleep(10)
      local before, refused = #site.at, site.statuses[429]
      task.sleep(30)
      local rate = (#site.at - before) / 30
      refused = (site.statuses[429] - refused) / (#site.at - before)
      stop = true
      senders:join()
      assert.is_true(rate > 65 and rate < 125, "rate " .. rate)
      assert.is_true(refused < 0.12, "refused: " .. refused)
    end)
  end)

  it("are forgotten when nobody had to wait for 10 s", function()
    run({ retry = false, limits = { per_origin = 10 } }, function(n) return n == 190 and refusal(429) end,
      function(client, site)
        task.map(numbers(200), function() client:get(site.url) end)
        assert.is_number(client.pool:flow(site.url).learned_rate)
        task.sleep(11)
        assert.is_nil(client.pool:flow(site.url).learned_rate)
      end)
  end)

  it("are no limit when they are failures (503)", function()
    run({ retry = false, limits = { per_origin = 10 } }, function(n) return n % 20 == 0 and refusal(503) end,
      function(client, site)
        task.map(numbers(400), function() client:get(site.url) end)
        assert.equal(20, site.statuses[503])
        assert.is_nil(client.pool:flow(site.url).learned_rate)
      end)
  end)

  it("do not slow down a script that has one request at a time", function()
    run({ retry = { attempts = 40, base = 0.01, factor = 1, jitter = "none", budget = false } },
      function(n) return n < 40 and refusal(429) end,
      function(client, site)
        assert.equal(40, client:get(site.url).attempts)
        assert.is_true(site.now() < 0.5, "took " .. site.now())
      end)
  end)

  it("are too few to tell at first", function()
    run(NO_RETRY, function(n) return n <= 5 and refusal(429) end, function(client, site)
      task.map(numbers(8), function() client:get(site.url) end)
      assert.is_nil(client.pool:flow(site.url).learned_rate)
      assert.is_true(site.now() < 1)
    end)
  end)
end)

describe("a fan-out against a silent limit", function()
  -- Each: what may be taken at once, and what comes in a second; or as many in each second.
  local function bucket(rate, capacity)
    local tokens, last = capacity, 0
    return function(now)
      tokens, last = math.min(capacity, tokens + (now - last) * rate), now
      local fine = tokens >= 1
      if fine then tokens = tokens - 1 end
      return fine
    end
  end

  local function window(rate)
    local at, used
    return function(now)
      if at ~= math.floor(now) then at, used = math.floor(now), 0 end
      used = used + 1
      return used <= rate
    end
  end

  for name, case in pairs {
    ["of 5 a second, answers after 0.3 s"] = { takes = window(5), count = 100, latency = 0.3, ideal = 19.3 },
    ["of 10 a second, answers after 0.3 s"] = { takes = window(10), count = 200, latency = 0.3, ideal = 19.3 },
    ["of 10 a second"] = { takes = bucket(10, 10), count = 200, latency = 0.05, ideal = 19.05 },
    ["of 10 a second that takes no two at once"] =
      { takes = bucket(10, 1), count = 200, latency = 0.05, ideal = 19.95 },
    ["of 50 a second that takes 5 at once, and a long hold"] =
      { takes = bucket(50, 5), count = 1000, latency = 0.3, ideal = 20.2, hold = "2", ratio = 1.5 },
  } do
    it(name .. ", fails nobody and takes little more than it has to", function()
      run({ timeout = { total = 600 } }, function(_, now)
        local taken = case.takes(now)
        task.sleep(case.latency)
        return not taken and refusal(429, { ["Retry-After"] = case.hold or "1" })
      end, function(client, site)
        task.map(numbers(case.count), function() assert.equal(200, client:get(site.url).status) end,
          { concurrency = 64 })
        assert.is_true(site.now() < (case.ratio or 1.3) * case.ideal, "took " .. site.now())
      end)
    end)
  end
end)
