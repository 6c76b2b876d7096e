-- Rates: of origins, and of limiters that clients and tasks share.

local clock = require "lurcher.clock"
local faults = require "spec.support.faults"
local http = require "lurcher.http"
local server = require "lurcher.server"
local task = require "lurcher.task"

local function numbers(count)
  local list = {}
  for i = 1, count do list[i] = i end
  return list
end

-- A server that notes when and for which path a request came.
local function server_with_log(opts)
  local log = { at = {}, paths = {} }
  local s = assert(server.start(function(req)
    log.at[#log.at + 1], log.paths[#log.paths + 1] = task.now(), req.path
    return { status = 200, body = "ok" }
  end, opts or { grace = 0 }))
  task.defer(function() s:stop(0) end)
  log.url = s.url
  return log
end

local function client_of(opts)
  local client = http.client(opts)
  task.defer(function() client:close() end)
  return client
end

-- By how many the fullest window of the log has more than burst + rate * t.
local function excess(at, rate, burst)
  local least, worst = math.huge, -math.huge
  for i, moment in ipairs(at) do
    local here = i - rate * (moment - at[1])
    least = math.min(least, here)
    worst = math.max(worst, here - least + 1 - burst)
  end
  return worst
end

local function together(count, fn) return task.map(numbers(count), fn, { concurrency = count }) end

describe("limits.rate", function()
  for _, case in ipairs { { 1000, 1 }, { 3, 1 }, { 50, 7 } } do
    local rate, burst = case[1], case[2]
    it(("of %d/s with burst %d is exact"):format(rate, burst), function()
      clock.virtual(function()
        local log = server_with_log()
        local client = client_of { limits = { rate = rate, burst = burst } }
        local count = rate * 10 + burst
        task.map(numbers(count), function() assert(client:get(log.url)) end, { concurrency = 100 })
        local span = log.at[count] - log.at[1]
        assert.is_true(math.abs(span - 10) < 0.01, "took " .. span)
        assert.is_true(excess(log.at, rate, burst) < 0.01, "excess " .. excess(log.at, rate, burst))
      end)
    end)
  end

  it("gives no more than its burst after a pause", function()
    clock.virtual(function()
      local log = server_with_log()
      local client = client_of { limits = { rate = 10, burst = 5 } }
      assert(client:get(log.url))
      task.sleep(1000)
      together(20, function() assert(client:get(log.url)) end)
      assert.is_true(excess(log.at, 10, 5) < 0.01)
    end)
  end)

  it("counts retries and redirects", function()
    clock.virtual(function()
      local count = 0
      local s = assert(server.start(function()
        count = count + 1
        if count == 1 then return { status = 302, headers = { Location = "/b" } } end
        return { status = count < 4 and 503 or 200 }
      end))
      task.defer(function() s:stop(0) end)
      local client = client_of { limits = { rate = 1 }, retry = { base = 0, attempts = 5 } }
      local begun = task.now()
      assert.equal(200, client:get(s.url).status)
      assert.is_true(task.now() - begun >= 2.99)
    end)
  end)

  it("is the same for requests with other TLS settings", function()
    clock.virtual(function()
      local log = server_with_log()
      local client = client_of { limits = { rate = 1 } }
      local begun = task.now()
      assert(client:get(log.url))
      assert(client:get(log.url, { tls = { min = "1.3" } }))
      assert.is_true(task.now() - begun >= 0.99)
    end)
  end)

  it("is told apart from waiting for a slot", function()
    clock.virtual(function()
      local log = server_with_log()
      local client = client_of { limits = { rate = 1 } }
      assert(client:get(log.url))
      local res = assert(client:get(log.url))
      assert.is_true(res.timings.rate > 0.9 and res.timings.rate <= res.timings.queue)
      local slow = client_of { limits = { per_origin = 1 } }
      local results = together(3, function() return assert(slow:get(log.url)) end)
      assert.equal(0, results[3].timings.rate)
    end)
  end)

  it("is named by the message of timeout.queue", function()
    clock.virtual(function()
      local log = server_with_log()
      local client = client_of { limits = { rate = 0.1 }, timeout = { queue = 2 }, retry = false }
      assert(client:get(log.url))
      faults.check({ kind = "timeout", phase = "queue", message = "held by its rate of 0.1/s" },
        client:get(log.url))
    end)
  end)

  it("loses nothing to those who were cancelled while they waited", function()
    clock.virtual(function()
      local log = server_with_log()
      local client = client_of { limits = { rate = 10 } }
      assert(client:get(log.url))
      local handles = {}
      for i = 1, 50 do handles[i] = task.spawn(function() return client:get(log.url) end) end
      task.sleep(0.05)
      for i = 1, 50 do handles[i]:cancel() end
      task.sleep(0.049)
      local begun = task.now()
      assert(client:get(log.url))
      assert.is_true(task.now() - begun < 0.01)
      faults.settled(client)
    end)
  end)
end)

describe("a limiter that is shared", function()
  it("limits all its clients and tasks together, in the order in which they come", function()
    clock.virtual(function()
      local log = server_with_log()
      local limiter = task.limiter { rate = 10, burst = 1 }
      local a, b = client_of { limits = { limiter = limiter } }, client_of { limits = { limiter = limiter } }
      local begun, wanted, handles = task.now(), {}, {}
      for i = 1, 30 do
        local path = "/" .. i
        handles[i] = task.spawn(function()
          if i % 3 == 0 then
            limiter:wait()
            log.paths[#log.paths + 1], log.at[#log.at + 1] = path, task.now()
          else
            assert((i % 3 == 1 and a or b):get(log.url .. path))
          end
        end)
        wanted[i] = path
      end
      for i = 1, 30 do handles[i]:join() end
      assert.same(wanted, log.paths)
      assert.is_true(math.abs(task.now() - begun - 2.9) < 0.01)
      assert.is_true(excess(log.at, 10, 1) < 0.01)
    end)
  end)

  it("serves several origins, and those that have no slot do not keep others waiting", function()
    clock.virtual(function()
      local fast, go = server_with_log(), task.event()
      local stuck = assert(server.start(function()
        go:wait()
        return { status = 200 }
      end))
      task.defer(function() stuck:stop(0) end)
      local limiter = task.limiter { rate = 10 }
      local client = client_of { limits = { limiter = limiter, inflight = 1 } }
      local other = client_of { limits = { limiter = limiter } }
      local handles = {}
      for i = 1, 3 do handles[i] = task.spawn(function() assert(client:get(stuck.url)) end) end
      task.sleep(0.01)
      together(10, function() assert(other:get(fast.url)) end)
      assert.is_true(excess(fast.at, 10, 1) < 0.01)
      assert.is_true(task.now() - fast.at[1] < 1)
      go:set()
      for i = 1, 3 do handles[i]:join() end
    end)
  end)

  it("gets back what a cancelled request or task had waited for", function()
    clock.virtual(function()
      local log = server_with_log()
      local limiter = task.limiter { rate = 1 }
      local client = client_of { limits = { limiter = limiter } }
      limiter:wait()
      local handles = {}
      for i = 1, 20 do
        handles[i] = task.spawn(function()
          if i % 2 == 0 then limiter:wait(3) else client:get(log.url) end
        end)
      end
      task.sleep(0.5)
      for i = 1, 20 do handles[i]:cancel() end
      local begun = task.now()
      assert(client:get(log.url))
      assert.is_true(task.now() - begun < 0.51)
      faults.settled(client)
    end)
  end)

  it("may be combined with a rate for each origin", function()
    clock.virtual(function()
      local log = server_with_log()
      local limiter = task.limiter { rate = 100, burst = 10 }
      local client = client_of { limits = { limiter = limiter, rate = 5 } }
      together(11, function() assert(client:get(log.url)) end)
      assert.is_true(excess(log.at, 5, 1) < 0.01)
    end)
  end)

  it("is nothing else than what task.limiter gives", function()
    for _, wrong in ipairs { { rate = 1 }, 5, task.semaphore(1), "x" } do
      local ok, err = pcall(http.client, { limits = { limiter = wrong } })
      assert.is_false(ok)
      local wanted = "option 'limiter' must be what task.limiter gave"
      assert.truthy(tostring(err):find(wanted, 1, true), tostring(err))
    end
  end)

  it("is left behind by closed clients", function()
    clock.virtual(function()
      local log = server_with_log()
      local limiter = task.limiter { rate = 1 }
      local client = http.client { limits = { limiter = limiter }, retry = false }
      limiter:wait()
      local waiting = task.spawn(function()
        local _, err = client:get(log.url)
        return err.kind
      end)
      task.sleep(0.1)
      client:close()
      assert.equal("canceled", waiting:join())
      local begun = task.now()
      limiter:wait()
      assert.is_true(task.now() - begun < 0.91)
    end)
  end)
end)

describe("with a real clock", function()
  it("1,000 requests a second are 1,000 a second", function()
    local log = server_with_log()
    local client = client_of { limits = { rate = 1000 } }
    task.map(numbers(1001), function() assert(client:get(log.url)) end, { concurrency = 50 })
    local span = log.at[1001] - log.at[1]
    assert.is_true(span >= 0.99, "took " .. span)
    assert.is_true(span < 10)
  end)
end)

describe("priority", function()
  -- Holds an origin, has the requests come in this order, lets them go one at a time; the order they went in.
  local function order(requests, opts)
    return clock.virtual(function()
      local log = server_with_log()
      local client = client_of { limits = { per_origin = 1 } }
      client.pool:hold(log.url .. "/", 5)
      local handles = {}
      for i, priority in ipairs(requests) do
        handles[i] = task.spawn(function()
          local target = opts and client:extend { priority = priority } or client
          assert(target:get(("%s/%d"):format(log.url, i), not opts and { priority = priority } or nil))
        end)
      end
      for i = 1, #handles do handles[i]:join() end
      local paths = {}
      for i, path in ipairs(log.paths) do paths[i] = tonumber(path:match "%d+") end
      return paths
    end)
  end

  it("goes before age, and age within one priority", function()
    assert.same({ 3, 6, 2, 5, 1, 4 }, order { -8, 0, 7, -8, 0, 7 })
  end)

  it("may be a client's", function()
    assert.same({ 2, 3, 1 }, order({ -1, 5, 0 }, "client"))
  end)

  it("starves nobody: each eighth start goes to the one that waited longest", function()
    local requests = { -8, -8 }
    for i = 3, 40 do requests[i] = 7 end
    local went = order(requests)
    assert.equal(1, went[8])
    assert.equal(2, went[16])
  end)

  it("is a whole number from -8 to 7", function()
    local client = faults.client()
    for _, wrong in ipairs { -9, 8, 0.5, "high", false } do
      local ok, err = pcall(client.get, client, "http://h/", { priority = wrong })
      assert.is_false(ok)
      assert.truthy(tostring(err):find("option 'priority' must be a whole number from -8 to 7", 1, true))
    end
  end)
end)
