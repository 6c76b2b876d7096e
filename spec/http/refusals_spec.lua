-- A fan-out against a limit of the server: no call ends refused. All in virtual time.

local clock = require "lurcher.clock"
local http = require "lurcher.http"
local server = require "lurcher.server"
local task = require "lurcher.task"

-- `count` GETs, so many at once. How many ended with which status (or kind of error), the requests that the server
-- saw as { time, status }, and the seconds it took.
local function fan_out(opts, count, concurrency, answer)
  return clock.virtual(function()
    local begun, ended, seen = task.now(), {}, {}
    local s = assert(server.start(function()
      local entry = { task.now() - begun }
      seen[#seen + 1] = entry
      local response = answer(entry[1])
      entry[2] = response.status
      return response
    end, { grace = 0 }))
    local client = http.client(opts)
    local list = {}
    for i = 1, count do list[i] = i end
    task.map(list, function(i)
      local res, err = client:get(s.url .. "/" .. i)
      local how = res and res.status or err.kind
      ended[how] = (ended[how] or 0) + 1
    end, { concurrency = concurrency })
    local took = task.now() - begun
    client:close()
    s:stop(0)
    return ended, seen, took
  end, { time = 1700000000 })
end

-- Gives `rate` a second and `capacity` at once; answers `latency` later.
local function bucket(rate, capacity, latency, refusal)
  local tokens, last = capacity, 0
  return function(now)
    tokens, last = math.min(capacity, tokens + (now - last) * rate), now
    task.sleep(latency)
    if tokens < 1 then return refusal end
    tokens = tokens - 1
    return { status = 200, body = "ok" }
  end
end

-- Gives `quota` in each second, by the clock or in any span of a second.
local function per_second(quota, sliding, latency)
  local times = {}
  return function(now)
    local begin = sliding and now - 1 or math.floor(now)
    while times[1] and (sliding and times[1] <= begin or times[1] < begin) do table.remove(times, 1) end
    local is_full = #times >= quota
    if not is_full then times[#times + 1] = now end
    task.sleep(latency)
    return is_full and { status = 429, headers = { ["Retry-After"] = "1" } } or { status = 200 }
  end
end

local function refusal(status) return { status = status, headers = { ["Retry-After"] = "1" } } end

-- Gives `quota` in each window, and says so.
local function window(quota, seconds, latency, with_policy)
  local at, used
  return function(now)
    local index = math.floor(now / seconds)
    if at ~= index then at, used = index, 0 end
    used = used + 1
    local status, left = used > quota and 429 or 200, math.max(0, quota - used)
    task.sleep(latency)
    return { status = status, headers = {
      ["RateLimit-Limit"] = tostring(quota), ["RateLimit-Remaining"] = tostring(left),
      ["RateLimit-Policy"] = with_policy and ('"a";q=%d;w=%d'):format(quota, seconds) or nil,
      ["RateLimit-Reset"] = tostring(math.ceil((index + 1) * seconds - now)),
    } }
  end
end

describe("a fan-out against a rate of 10 a second that answers with Retry-After: 1", function()
  for _, status in ipairs { 429, 503, 403 } do
    it("and status " .. status .. " succeeds in little more than the ideal time", function()
      for _, latency in ipairs { 0.02, 0.2 } do
        local ended, _, took = fan_out(nil, 200, 64, bucket(10, 10, latency, refusal(status)))
        assert.same({ [200] = 200 }, ended)
        assert.is_true(took < 1.3 * 19, took)
      end
    end)
  end

  it("succeeds whatever retry.attempts and the retry budget are", function()
    for _, retry in ipairs { 2, { attempts = 2, budget = { ratio = 0, min_per_second = 0 } } } do
      local ended = fan_out({ retry = retry }, 100, 64, bucket(10, 10, 0.02, refusal(429)))
      assert.same({ [200] = 100 }, ended)
    end
  end)

  it("succeeds so when it counts by windows, fixed or sliding", function()
    for _, sliding in ipairs { false, true } do
      for _, latency in ipairs { 0.005, 0.1, 0.2 } do
        local ended, seen, took = fan_out(nil, 200, 64, per_second(10, sliding, latency))
        assert.same({ [200] = 200 }, ended)
        assert.is_true(took < 1.32 * (19 + latency), took)
        assert.is_true(#seen < 270, #seen)
      end
    end
  end)

  it("finds the rate when the bucket is small", function()
    for _, row in ipairs { { 5, 0.02, 24.5 }, { 5, 0.2, 24.5 }, { 1, 0.02, 29.5 }, { 1, 0.2, 31 } } do
      local capacity, latency, most = unpack(row)
      local ended, seen, took = fan_out(nil, 200, 64, bucket(10, capacity, latency, refusal(429)))
      assert.same({ [200] = 200 }, ended)
      assert.is_true(took < most, took)
      assert.is_true(#seen < 290, #seen)
    end
  end)

  it("needs two holds where answers are quick, whatever the limit is", function()
    for _, seconds in ipairs { 1, 2 } do
      local asked = { status = 429, headers = { ["Retry-After"] = tostring(seconds) } }
      for _, row in ipairs { { 5, 1 }, { 10, 1 }, { 10, 3 }, { 10, 20 }, { 30, 30 } } do
        local rate, capacity = unpack(row)
        for _, concurrency in ipairs { 8, 64 } do
          local ended, seen, took = fan_out(nil, 20 * rate, concurrency, bucket(rate, capacity, 0.005, asked))
          assert.same({ [200] = 20 * rate }, ended)
          local refused, ideal = #seen - 20 * rate, 20 - capacity / rate
          assert.is_true(took < 1.36 * ideal, table.concat({ rate, capacity, seconds, concurrency, took }, " "))
          assert.is_true(refused < 3 * concurrency, refused)
        end
      end
    end
  end)

  it("finds a limit that has become higher or lower", function()
    for _, row in ipairs { { 10, 20, 16 }, { 20, 10, 7 } } do
      local before, after, least = unpack(row)
      local early, late = bucket(before, 1, 0.02, refusal(429)), bucket(after, 1, 0.02, refusal(429))
      local function answer(now) return (now < 40 and early or late)(now) end
      local count = 0
      local _, seen = fan_out(nil, 40 * before + 60 * after, 64, answer)
      for _, entry in ipairs(seen) do
        if entry[1] >= 75 and entry[1] < 85 and entry[2] == 200 then count = count + 1 end
      end
      assert.is_true(count >= 10 * least, count)
    end
  end)

  it("ends refused without retries", function()
    local ended = fan_out({ retry = false }, 30, 64, bucket(10, 10, 0.02, refusal(429)))
    assert.is_true(ended[429] > 0)
  end)

  it("goes on until timeout.total, no longer", function()
    local ended, _, took = fan_out({ timeout = { total = 10 } }, 5, 5, function() return refusal(429) end)
    assert.equal(5, (ended[429] or 0) + (ended.timeout or 0)) -- the hold of one ends the others
    assert.is_true(took > 5 and took <= 12, took)
  end)

  it("counts attempts where there is no timeout.total", function()
    for _, total in ipairs { false, math.huge } do
      local ended, seen = fan_out({ timeout = { total = total } }, 1, 1, function() return refusal(429) end)
      assert.same({ [429] = 1 }, ended)
      assert.equal(3, #seen)
    end
  end)
end)

describe("a fan-out against a limit that gives no hint", function()
  local SILENT = { status = 429 }

  it("ends no call refused, whatever the limit is, and in a time that is near the ideal", function()
    for _, row in ipairs {
      { 10, 10, 0.02 }, { 10, 1, 0.05 }, { 10, 5, 0.2 }, { 5, 5, 0.005 }, { 50, 50, 0.05 }, { 50, 5, 0.3 },
    } do
      local rate, capacity, latency = unpack(row)
      for _, concurrency in ipairs { 8, 64 } do
        local what = table.concat({ rate, capacity, latency, concurrency }, " ")
        local ended, seen, took = fan_out(nil, 20 * rate, concurrency, bucket(rate, capacity, latency, SILENT))
        assert.same({ [200] = 20 * rate }, ended, what)
        local ideal = math.max(20, 20 * rate / concurrency * latency)
        assert.is_true(took < 1.5 * ideal, what .. " took " .. took)
        local refused = #seen - 20 * rate
        assert.is_true(refused < 150 + concurrency, what .. " refused " .. refused)
      end
    end
  end)

  it("ends none where only two or three are sent at once", function()
    for _, concurrency in ipairs { 2, 3 } do
      local ended, _, took = fan_out(nil, 100, concurrency, bucket(5, 5, 0.01, SILENT))
      assert.same({ [200] = 100 }, ended)
      assert.is_true(took < 1.5 * 19, took)
    end
  end)

  it("ends none in windows of a minute", function()
    local used, at = 0, 0
    local ended, _, took = fan_out(nil, 60, 64, function(now)
      if at ~= math.floor(now / 60) then used, at = 0, math.floor(now / 60) end
      used = used + 1
      local answer = used > 20 and SILENT or { status = 200 }
      task.sleep(0.02)
      return answer
    end)
    assert.same({ [200] = 60 }, ended)
    assert.is_true(took < 160, took)
  end)

  it("counts the attempts of what is refused for ever, while others are not", function()
    local ended, most = clock.virtual(function()
      local s = server.start(function(request)
        task.sleep(0.01)
        return { status = request.path == "/never" and 429 or 200 }
      end)
      local client, ended, most = http.client(), {}, 0
      task.map({ "1", "2", "3", "never", "5", "never", "7", "8", "9", "10", "never" }, function(path)
        local res = assert(client:get(s.url .. "/" .. path))
        ended[res.status], most = (ended[res.status] or 0) + 1, math.max(most, res.attempts)
      end)
      client:close()
      s:stop(0)
      return ended, most
    end)
    assert.same({ [200] = 8, [429] = 3 }, ended)
    assert.is_true(most <= 13, most)
  end)

  it("makes nobody wait who has one request at a time", function()
    clock.virtual(function()
      local s = server.start(function(request) return { status = request.path == "/never" and 429 or 200 } end)
      local client = http.client()
      for _ = 1, 20 do assert(client:get(s.url)) end
      assert.equal(3, client:get(s.url .. "/never").attempts)
      assert.is_nil(client.pool:flow(s.url).learned_rate)
      client:close()
      s:stop(0)
    end)
  end)

  it("tells once that all wait", function()
    local told, observer = {}, {}
    function observer.event(_, what, event)
      if what == "hold" then told[#told + 1] = event.why end
    end
    require("lurcher.http.observe").add(observer)
    fan_out(nil, 12, 12, bucket(10, 5, 0.02, SILENT))
    observer.event = nil
    assert.equal("status 429 without a hint, several in turn: all wait", told[1])
    assert.is_true(#told <= 3, #told)
  end)

  it("does not take chance for a limit", function()
    local n = 0
    local ended, _, took = fan_out(nil, 600, 32, function()
      n = n + 1
      local status = n % 37 == 0 and 429 or 200
      task.sleep(0.02)
      return { status = status }
    end)
    assert.same({ [200] = 600 }, ended)
    assert.is_true(took < 5, took)
  end)

  it("waits no longer than retry.max_retry_after, and ends no call that has less time", function()
    for _, opts in ipairs { { retry = { max_retry_after = 1 } }, { timeout = { total = 60 } } } do
      assert.same({ [200] = 60 }, (fan_out(opts, 60, 60, bucket(10, 10, 0.02, SILENT))))
    end
  end)
end)

describe("what is sent again", function()
  it("goes before what was not sent yet, since its time runs", function()
    local ended = fan_out({ timeout = { total = 20 } }, 300, 300, bucket(10, 10, 0.02, refusal(429)))
    assert.same({ [200] = 300 }, ended)
  end)
end)

describe("a reset at a moment", function()
  it("is waited for when it is at most max_retry_after away, for all that whole seconds tell", function()
    local used, at = 0, 0
    local ended = fan_out(nil, 40, 64, function(now)
      if at ~= math.floor(now / 60) then used, at = 0, math.floor(now / 60) end
      used = used + 1
      return { status = used > 20 and 429 or 200, headers = {
        ["X-RateLimit-Limit"] = "20", ["X-RateLimit-Remaining"] = tostring(math.max(0, 20 - used)),
        ["X-RateLimit-Reset"] = tostring(1700000000 + (at + 1) * 60 + 1) } }
    end)
    assert.same({ [200] = 40 }, ended)
  end)
end)

describe("a stated quota", function()
  for _, with_policy in ipairs { true, false } do
    it(("%s its window refuses no call, at any concurrency"):format(with_policy and "with" or "without"), function()
      for _, concurrency in ipairs { 1, 5, 19, 30, 64, 100 } do
        local ended, seen, took = fan_out(nil, 100, concurrency, window(20, 10, 0.05, with_policy))
        assert.same({ [200] = 100 }, ended)
        assert.is_true(took < 45, took)
        local later = 0
        for _, entry in ipairs(seen) do
          if entry[2] == 429 and entry[1] > 1 then later = later + 1 end
        end
        assert.equal(0, later) -- once it is known
      end
    end)
  end

  it("holds in windows that begin while nobody asks", function()
    clock.virtual(function()
      local begun, answer, refused = task.now(), window(5, 10, 0.01, true), 0
      local s = server.start(function()
        local response = answer(task.now() - begun)
        if response.status == 429 then refused = refused + 1 end
        return response
      end)
      local client = http.client()
      for _ = 1, 3 do assert(client:get(s.url)) end
      task.sleep(35)
      task.map({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, function() assert(client:get(s.url)) end)
      assert.equal(0, refused)
      client:close()
      s:stop(0)
    end, { time = 1700000000 })
  end)
end)

describe("after a hold requests start slowly", function()
  it("one, two more, eight more: twice as many with each answer that is no refusal", function()
    local held = false
    local _, seen = fan_out(nil, 100, 100, function(now)
      task.sleep(1)
      if not held then
        held = now
        return { status = 429, headers = { ["Retry-After"] = "10" } }
      end
      return { status = now < 5 and 429 or 200, headers = now < 5 and { ["Retry-After"] = "10" } or {} }
    end)
    local began, counts = nil, {}
    for _, entry in ipairs(seen) do
      if entry[1] > 5 then
        began = began or entry[1]
        local step = math.floor(entry[1] - began + 0.01) + 1
        counts[step] = (counts[step] or 0) + 1
      end
    end
    assert.same({ 1, 2, 8 }, { counts[1], counts[2], counts[3] })
  end)

  it("and start again with one when that is refused, or fails", function()
    local n = 0
    local ended, seen = fan_out({ retry = { attempts = 5, base = 0 } }, 20, 20, function(now)
      n = n + 1
      task.sleep(0.1)
      if now < 1 or now > 2 and now < 3 then return { status = 429, headers = { ["Retry-After"] = "2" } } end
      return { status = 200 }
    end)
    assert.same({ [200] = 20 }, ended)
    local between = 0
    for _, entry in ipairs(seen) do
      if entry[1] > 1.5 and entry[1] < 4 then between = between + 1 end
    end
    assert.equal(1, between)
  end)
end)

describe("a hold that is longer than timeout.total", function()
  local function server_with_hold(seconds)
    local n = 0
    return server.start(function()
      n = n + 1
      return n == 1 and { status = 429, headers = { ["Retry-After"] = tostring(seconds) } } or { status = 200 }
    end)
  end

  it("ends a call at once, kind 'timeout', phase 'queue'", function()
    clock.virtual(function()
      local s, client = server_with_hold(50), http.client { timeout = 5 }
      assert.equal(429, client:get(s.url).status)
      local begun = task.now()
      local _, err = client:get(s.url .. "/other")
      assert.equal("timeout", err.kind)
      assert.equal("queue", err.phase)
      assert.equal(5, err.limit)
      assert.matches("held by Retry%-After for .* s more, longer than the request may take", err.message)
      assert.matches("; raise timeout%.total", err.message)
      assert.is_true(task.now() - begun < 0.1)
      assert.equal(200, client:get(s.url, { timeout = { total = 60 } }).status)
      client:close()
      s:stop(0)
    end)
  end)

  it("ends those that wait already", function()
    clock.virtual(function()
      local go = task.event()
      local n = 0
      local s = server.start(function()
        n = n + 1
        if n > 1 then return { status = 200 } end
        go:wait()
        return { status = 503, headers = { ["Retry-After"] = "30" } }
      end)
      local client = http.client { limits = { per_origin = 1 }, retry = false }
      task.spawn(function() client:get(s.url) end)
      task.sleep(0.01)
      local waiting = task.spawn(function() return select(2, client:get(s.url, { timeout = 20 })) end)
      local patient = task.spawn(function() return client:get(s.url, { timeout = 40 }) end)
      task.sleep(0.01)
      local begun = task.now()
      go:set()
      local err = waiting:join()
      assert.equal("timeout", err.kind)
      assert.is_true(task.now() - begun < 1)
      assert.equal(200, patient:join().status)
      client:close()
      s:stop(0)
    end)
  end)
end)
