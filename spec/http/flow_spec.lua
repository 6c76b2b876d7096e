-- What the pool does with an origin: holds, refusals, figures.

local clock = require "lurcher.clock"
local faults = require "spec.support.faults"
local origin = require "spec.support.origin"
local process = require "spec.support.process"
local task = require "lurcher.task"
local message_of = require("spec.support.raising").message

local function site()
  local s = origin.start()
  task.defer(function() s:stop() end)
  return s
end

-- Starts `count` requests and waits until they are in the queue.
local function queue_up(client, s, count)
  local handles = {}
  for i = 1, count do
    handles[i] = task.spawn(function()
      local res, err = client:get(s.url)
      return { res = res, err = err }
    end)
  end
  faults.eventually(function() return client:stats().waiting == count end)
  return handles
end

describe("an origin that is held", function()
  it("gets no request before the hold is over", function()
    clock.virtual(function()
      local client, s = faults.client(), site()
      client.pool:hold(s.url .. "/", 0.1)
      local begun = task.now()
      local res = assert(client:get(s.url))
      assert.is_true(math.abs(task.now() - begun - 0.1) < 0.001)
      assert.is_true(math.abs(res.timings.rate - 0.1) < 0.001 and res.timings.rate <= res.timings.queue)
    end)
  end)

  it("does not hold up others", function()
    local client, held, free = faults.client(), site(), site()
    client.pool:hold(held.url .. "/", 60)
    assert(client:get(free.url))
    assert.is_true(client.pool:flow(held.url .. "/").held > 50)
    assert.equal(0, client.pool:flow(free.url .. "/").held)
  end)

  it("stays held until the later end, and is let go by 0", function()
    local client, s = faults.client(), site()
    client.pool:hold(s.url .. "/", 60)
    client.pool:hold(s.url .. "/", 1)
    assert.is_true(client.pool:flow(s.url .. "/").held > 50)
    local waiting = queue_up(client, s, 3)
    client.pool:hold(s.url .. "/", 0)
    for i = 1, 3 do assert.equal(200, waiting[i]:join().res.status) end
    faults.settled(client)
  end)

  it("is named by the message of timeout.queue", function()
    local client, s = faults.client { timeout = { queue = 0.05 } }, site()
    client.pool:hold(s.url .. "/", 60, "Retry-After")
    faults.check({ kind = "timeout", phase = "queue", message = "held by Retry%-After for 59%.%d s more" },
      client:get(s.url))
  end)
end)

describe("requests that wait", function()
  it("are refused with the kind and message that are given", function()
    local client, s = faults.client(), site()
    client.pool:hold(s.url .. "/", 60)
    local waiting = queue_up(client, s, 5)
    client.pool:refuse_waiting(s.url .. "/", "limit", "no more of these")
    for i = 1, 5 do
      local err = waiting[i]:join().err
      assert.equal("limit", err.kind)
      assert.equal("no more of these", err.message)
    end
    faults.settled(client)
    assert.equal(0, #s:requests())
  end)

  it("for other origins are not", function()
    local client, a, b = faults.client(), site(), site()
    client.pool:hold(a.url .. "/", 60)
    local waiting = queue_up(client, a, 2)
    client.pool:refuse_waiting(b.url .. "/", "circuit_open", "no")
    assert.equal(2, client:stats().waiting)
    client.pool:hold(a.url .. "/", 0)
    for i = 1, 2 do assert.is_table(waiting[i]:join().res) end
  end)

  it("are cancelled when the client is closed, and when their task is", function()
    local client, s = faults.client(), site()
    client.pool:hold(s.url .. "/", 60)
    local waiting = queue_up(client, s, 4)
    waiting[1]:cancel()
    faults.eventually(function() return client:stats().waiting == 3 end)
    client:close()
    for i = 2, 4 do assert.equal("canceled", waiting[i]:join().err.kind) end
  end)
end)

describe("client:stats with a URL", function()
  it("tells how things are at its origin", function()
    local client, s = faults.client { limits = { rate = 100, per_origin = 7 } }, site()
    client.pool:hold(s.url .. "/", 60)
    local waiting = queue_up(client, s, 2)
    local flow = client:stats(s.url .. "/other")
    assert.equal(0, flow.in_flight)
    assert.equal(2, flow.waiting)
    assert.equal(7, flow.per_origin)
    assert.equal(100, flow.rate)
    client.pool:hold(s.url .. "/", 0)
    for i = 1, 2 do waiting[i]:join() end
  end)

  it("refuses what is no URL", function()
    local client = faults.client()
    local stats, err = client:stats "ftp://h/"
    assert.is_nil(stats)
    assert.equal("url", err.kind)
    assert.equal("bad argument #1 to 'flow' (no scheme: write https://…)",
      message_of(function() client.pool:flow "nonsense" end))
    assert.equal("bad argument #1 to 'hold' (the scheme \"ftp\" cannot be requested, only http and https)",
      message_of(function() client.pool:hold("ftp://h/", 1) end))
    assert.equal("bad argument #2 to 'refuse_waiting' (not an error kind)",
      message_of(function() client.pool:refuse_waiting("http://h/", "nonsense", "") end))
  end)
end)

describe("cancelling", function()
  -- Requests at an origin with every limit at once, of which each is cancelled after another time.
  it("at any instant gives back slots, tokens, places and memory", function()
    clock.virtual(function()
      local s = origin.start()
      s.answer = function()
        task.sleep(0.03)
        return { status = 200, headers = { ["RateLimit-Remaining"] = "5", ["RateLimit-Reset"] = "1" } }
      end
      local limiter = task.limiter { rate = 90, burst = 2 }
      local client = faults.client { limits = { rate = 100, burst = 2, per_origin = 2, limiter = limiter } }
      local before = faults.count "transfer"
      for round = 1, 10 do
        local handles = {}
        for i = 1, 40 do
          handles[i] = task.spawn(function()
            client:get(s.url, { priority = i % 16 - 8 })
            return true
          end)
        end
        for i = 1, 40 do
          task.sleep(0.001 * (i % 7) + 0.0001 * round)
          handles[(i * 7) % 40 + 1]:cancel()
        end
        for i = 1, 40 do pcall(handles[i].join, handles[i]) end
        faults.settled(client)
      end
      task.sleep(2)
      local stats = client:stats(s.url)
      assert.equal(0, stats.in_flight + stats.waiting)
      assert.equal(before, faults.count "transfer")
      local begun = task.now()
      task.map({ 1, 2 }, function() assert(client:get(s.url)) end)
      assert.is_true(task.now() - begun < 0.04, "a slot or a token is missing")
      s:stop()
    end)
  end)

  it("what waits for a hold, a quota, a rate or a limiter at once leaves nothing", function()
    local limiter = task.limiter { rate = 0.001 }
    limiter:wait()
    for what, opts in pairs {
      hold = { timeout = { total = false } }, quota = {}, rate = { limits = { rate = 0.001 } },
      limiter = { limits = { limiter = limiter } },
    } do
      local client, s = faults.client(opts), site()
      if what == "hold" then client.pool:hold(s.url .. "/", 1000) end
      if what == "quota" then client.pool:quota(s.url .. "/", 2000, 0, 1000) end
      if what == "rate" then assert(client:get(s.url)) end
      local handles = queue_up(client, s, 100)
      for i = 1, 50 do handles[i]:cancel() end
      faults.eventually(function() return client:stats().waiting == 50 end, what)
      client:close()
      for i = 51, 100 do assert.equal("canceled", handles[i]:join().err.kind) end
      faults.settled(client)
    end
  end)
end)

describe("requests that wait", function()
  it("cost less than 1 KB each beyond their task, and no time", function()
    if faults.memory_slack() > 1 then return end -- not what the sanitizer adds
    local function measure(what)
      local ended = process.run { "scripts/benchmarks/lurcher/waiting.lua", what, "50000" }
      local bytes, idle = ended.out:match '"bytes":([%d.]+),"idle_ms":([%d.]+)'
      return assert(tonumber(bytes), ended.out .. ended.err), tonumber(idle)
    end
    local tasks = measure "tasks"
    local requests, idle = measure "requests"
    assert.is_true(requests - tasks < 1000, requests - tasks .. " bytes")
    assert.is_true(idle < 50, idle .. " ms of CPU time in a second")
  end)
end)

describe("a slot", function()
  it("is not lost to what raises", function()
    local s = site()
    local fails = false
    local function failing() if fails then error "on purpose" end end
    local client = faults.client {
      limits = { per_origin = 1, limiter = task.limiter { rate = 1e6, burst = 1e6 } },
      hooks = { request = { failing }, response = { failing }, retry = { failing } },
      middleware = { function(request, next)
        local res, err = next(request)
        failing()
        return res, err
      end },
      retry = { attempts = 2, base = 0, on = failing },
    }
    for _, status in ipairs { 200, 503 } do
      s.answer = { status = status }
      fails = true
      for _ = 1, 3 do assert.equal("on purpose", message_of(function() client:get(s.url) end)) end
      assert.equal("on purpose",
        message_of(function() client:stream("GET", s.url, { expect = status }, failing) end))
      fails = false
      assert.equal(status, client:get(s.url).status)
    end
    faults.settled(client)
  end)
end)

describe("origins that are no longer used", function()
  it("are forgotten, but not what was learned of them or waits there", function()
    clock.virtual(function()
      local s = site()
      local resolve, port = {}, s.port
      for i = 1, 300 do resolve[("h%d.test:%d"):format(i, port)] = "127.0.0.1" end
      local function url(i) return ("http://h%d.test:%d/"):format(i, port) end
      local client = faults.client { resolve = resolve, limits = { idle_timeout = 0.5 } }
      for i = 1, 300 do assert(client:get(url(i))) end
      local open = client:get(url(3), { stream = true })
      client.pool:hold(url(1), 3600)
      client.pool:quota(url(2), 60, 10, 3600)
      assert.equal(300, client:stats().origins)
      task.sleep(10)
      assert.equal(3, client:stats().origins)
      assert.equal("ok", open:read_all())
      assert.is_true(client:stats(url(1)).held > 3500)
      assert.equal(10, client:stats(url(2)).quota)
    end)
  end)
end)
