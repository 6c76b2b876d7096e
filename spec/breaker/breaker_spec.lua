local breaker = require "lurcher.breaker"
local clock = require "lurcher.clock"
local errors = require "lurcher.base.errors"
local task = require "lurcher.task"

local function virtually(name, fn)
  it(name, function() clock.virtual(fn) end)
end

local function failure(kind, fields)
  local err = { kind = kind or "connect", message = "refused" }
  for key, value in pairs(fields or {}) do err[key] = value end
  return errors.new(err)
end

local function good() return "good" end
local function bad() return nil, failure() end

local function times(count, b, fn)
  for _ = 1, count do b:call(fn) end
end

-- A circuit that opens after two failures in a row, for 10 s; and the events of its changes.
local function circuit(opts)
  local events, all = {}, { failures = 2, cooldown = 10, on_change = false }
  all.on_change = function(event) events[#events + 1] = event end
  for key, value in pairs(opts or {}) do all[key] = value end
  return breaker.new(all), events
end

local function open_circuit(opts)
  local b, events = circuit(opts)
  times(2, b, bad)
  assert.equal("open", b.state)
  return b, events
end

local function refused(b)
  local res, err = b:call(function() error("it was called") end)
  assert.is_nil(res)
  assert.equal("circuit_open", err.kind)
  return err
end

describe("a closed circuit", function()
  it("hands arguments and results on", function()
    local b = circuit()
    local results = (function(...) return { n = select("#", ...), ... } end)(
      b:call(function(...) return ... end, 1, nil, nil))
    assert.same({ n = 3, 1 }, results)
    assert.equal(0, select("#", b:call(function() end)))
  end)

  it("raises what the function raises, and counts it", function()
    local b = circuit()
    for _ = 1, 2 do
      local ok, err = pcall(b.call, b, function() error("my own", 0) end)
      assert.is_false(ok)
      assert.equal("my own", err)
    end
    assert.equal("open", b.state)
  end)

  it("opens after so many failures in a row", function()
    local b = circuit { failures = 3 }
    times(2, b, bad)
    b:call(good)
    times(2, b, bad)
    assert.equal("closed", b.state)
    b:call(bad)
    assert.equal("open", b.state)
  end)

  virtually("opens when the share of failures is too large, with enough requests", function()
    local b = circuit { failures = false, ratio = 0.5, min_requests = 20, window = 10 }
    for _ = 1, 9 do
      b:call(good)
      b:call(bad)
    end
    b:call(bad)
    assert.equal("closed", b.state)
    b:call(good)
    assert.equal("open", b.state)
    assert.matches("10 of 20 failed within 10 s", refused(b).message)
  end)

  virtually("forgets what is older than the window", function()
    local b = circuit { failures = false, ratio = 0.5, min_requests = 4, window = 10 }
    times(3, b, bad)
    task.sleep(10)
    times(3, b, bad)
    assert.equal("closed", b.state)
    assert.equal(3, b:stats().requests)
    b:call(bad)
    assert.equal("open", b.state)
  end)

  virtually("never opens by a rule that is off", function()
    local b = circuit { failures = false, ratio = false }
    times(1000, b, bad)
    assert.equal("closed", b.state)
    b = circuit { failures = 5, ratio = false, min_requests = 1 }
    for _ = 1, 100 do
      times(4, b, bad)
      b:call(good)
    end
    assert.equal("closed", b.state)
  end)

  virtually("takes slow successes for failures", function()
    local b = circuit { slow = 3 }
    local function slow(seconds)
      b:call(function()
        task.sleep(seconds)
        return "good"
      end)
    end
    slow(2.9)
    slow(3)
    slow(2)
    slow(3.1)
    assert.equal("closed", b.state)
    slow(3.1)
    assert.equal("open", b.state)
    assert.matches("slow: it took 3.1 s", refused(b).cause.message)
  end)

  virtually("takes a success of exactly `slow` seconds for a failure", function()
    -- powers of two: the clock's seconds are exact
    local b = circuit { slow = 4, failures = 1 }
    local function lasting(seconds)
      return b:call(function()
        task.sleep(seconds)
        return "good"
      end)
    end
    lasting(4 - 2 ^ -9)
    assert.equal("closed", b.state)
    lasting(4)
    assert.equal("open", b.state)
  end)

  it("counts neither what says nothing about the other side", function()
    local b = circuit()
    for _, err in ipairs { failure "canceled", failure "denied", failure "circuit_open", failure "too_large",
      failure("timeout", { phase = "queue" }), failure("status", { response = { status = 404 } }) } do
      b:call(function() return nil, err end)
      b:call(function() return nil, err end)
      assert.equal("closed", b.state)
    end
    times(2, b, function() return nil, failure("status", { response = { status = 503 } }) end)
    assert.equal("open", b.state)
  end)

  it("asks `counts`, which may also say that something is neither", function()
    local seen = {}
    local b = circuit { counts = function(res, err)
      seen[#seen + 1] = { res or false, err or false }
      if res == "odd" then return nil end
      return res ~= "good"
    end }
    b:call(function() return "bad" end)
    b:call(function() return "odd" end)
    assert.equal(1, b:stats().failures_in_row)
    b:call(good)
    assert.equal(0, b:stats().failures_in_row)
    b:call(function() return "bad" end)
    b:call(function() return nil, "failed" end)
    assert.equal("open", b.state)
    assert.same({ false, "failed" }, seen[5])
  end)
end)

describe("an open circuit", function()
  virtually("refuses, and says since when, why, and until when", function()
    local b = open_circuit { name = "the database" }
    task.sleep(3.25)
    local err = refused(b)
    assert.matches("^the circuit of the database has been open for 3.[23] s %(2 failures in a row%); "
      .. "the next probe is due in 6.[78] s$", err.message)
    assert.equal("connect", err.cause.kind)
    assert.is_false(err.retryable)
    assert.is_true(math.abs(err.retry_after - 6.75) < 1e-6)
  end)

  virtually("is half open once the cooldown is over", function()
    local b = open_circuit()
    task.sleep(9.9)
    assert.equal("open", b.state)
    task.sleep(0.2)
    assert.equal("half_open", b.state)
  end)

  virtually("is not concerned by what began before it opened", function()
    local b = circuit()
    local slow = task.spawn(function()
      b:call(function()
        task.sleep(11)
        return "good"
      end)
    end)
    task.sleep(1)
    times(2, b, bad)
    task.sleep(10.5)
    slow:join()
    assert.equal("half_open", b.state)
    assert.equal("good", b:call(good))
    assert.equal("closed", b.state)
  end)
end)

describe("a half open circuit", function()
  local function half_open(opts)
    local b, events = open_circuit(opts)
    task.sleep(10)
    return b, events
  end

  virtually("closes when a probe succeeds, and starts afresh", function()
    local b = half_open()
    assert.equal("good", b:call(good))
    assert.equal("closed", b.state)
    b:call(bad)
    assert.equal("closed", b.state)
  end)

  virtually("opens again when a probe fails, for longer each time, up to a limit", function()
    local b = half_open { cooldown_factor = 3, max_cooldown = 50 }
    local waits = {}
    for i = 1, 4 do
      b:call(bad)
      waits[i] = math.floor(b:stats().next_probe + 0.5)
      task.sleep(waits[i])
    end
    assert.same({ 30, 50, 50, 50 }, waits)
    b:call(good)
    times(2, b, bad)
    assert.equal(10, math.floor(b:stats().next_probe + 0.5))
  end)

  -- Starts calls that take a second; how many of them were let through.
  local function probing(b, count, outcome)
    local through = 0
    task.map(count, function()
      b:call(function()
        through = through + 1
        task.sleep(1)
        return outcome()
      end)
    end, { concurrency = 100 })
    return through
  end

  virtually("lets through at most so many probes at once", function()
    for probes = 1, 4 do
      local b = half_open { probes = probes }
      local list = {}
      for i = 1, 20 do list[i] = i end
      assert.equal(probes, probing(b, list, bad))
      assert.equal("open", b.state)
      assert.equal(20 - probes, b:stats().refused)
    end
  end)

  virtually("says how many probes are under way to what it refuses", function()
    local b = half_open { probes = 2 }
    for _ = 1, 2 do task.spawn(b.call, b, task.sleep, 5) end
    task.yield()
    local err = refused(b)
    assert.equal("the circuit is half open, and 2 of 2 probes are under way", err.message)
    assert.is_nil(err.retry_after)
    assert.equal("connect", err.cause.kind)
  end)

  virtually("gives the place of a cancelled probe to another", function()
    local b = half_open()
    local probe = task.spawn(b.call, b, task.sleep, 1000)
    task.yield()
    refused(b)
    probe:cancel()
    pcall(probe.join, probe)
    assert.equal("half_open", b.state)
    assert.equal("good", b:call(good))
    assert.equal("closed", b.state)
  end)

  virtually("gives the place of what counts as neither, or of a `counts` that raises, to another", function()
    local what
    local b = half_open { counts = function(res)
      if what == "raise" then error("my own", 0) end
      if what == "neither" then return nil end
      return res == nil
    end }
    what = "neither"
    b:call(good)
    what = "raise"
    local ok, err = pcall(b.call, b, good)
    assert.is_false(ok)
    assert.equal("my own", err)
    assert.equal("half_open", b.state)
    what = nil
    b:call(good)
    assert.equal("closed", b.state)
  end)
end)

describe("changes", function()
  virtually("are told, with the reason", function()
    local b, events = open_circuit { name = "x" }
    task.sleep(10)
    b:call(bad)
    task.sleep(20)
    b:call(good)
    local shown = {}
    for i, event in ipairs(events) do
      assert.equal("x", event.name)
      shown[i] = ("%s %s %s"):format(event.from, event.to, event.why)
    end
    assert.same({
      "closed open 2 failures in a row", "open half_open the cooldown is over",
      "half_open open a probe failed", "open half_open the cooldown is over",
      "half_open closed a probe succeeded",
    }, shown)
    assert.equal("connect", events[1].cause.kind)
    assert.equal(10, math.floor(events[1].wait + 0.5))
    assert.equal(20, math.floor(events[3].wait + 0.5))
  end)

  virtually("have happened when the callback raises, and lose no place", function()
    local raises = true
    local b = circuit { on_change = function()
      if raises then error("my own", 0) end
    end }
    b:call(bad)
    assert.same({ false, "my own" }, { pcall(b.call, b, bad) })
    assert.equal("open", b.state)
    task.sleep(10)
    assert.same({ false, "my own" }, { pcall(b.call, b, good) })
    assert.equal("half_open", b.state)
    assert.same({ false, "my own" }, { pcall(b.call, b, good) })
    assert.equal("closed", b.state)
    raises = false
    assert.equal("good", b:call(good))
  end)
end)

describe("by hand a circuit", function()
  virtually("is opened, for as long as asked, and closed", function()
    local b, events = circuit()
    b:open()
    assert.equal("open", b.state)
    assert.matches("opened by hand", refused(b).message)
    task.sleep(10)
    assert.equal("half_open", b.state)
    b:open(100)
    task.sleep(99)
    assert.equal("open", b.state)
    b:close()
    assert.equal("closed", b.state)
    assert.equal("good", b:call(good))
    b:open(math.huge)
    task.sleep(1e6)
    assert.matches("it will be closed by hand", refused(b).message)
    assert.equal("closed by hand", events[3].why)
  end)
end)

describe("with `wait` a call", function()
  virtually("waits for the next state and goes on", function()
    local b = open_circuit { wait = true }
    local started = task.now()
    assert.equal("good", b:call(good))
    assert.is_true(math.abs(task.now() - started - 10) < 0.001)
  end)

  virtually("waits while others probe, and goes on when they are through", function()
    local b = open_circuit { wait = true }
    local order, list = {}, {}
    for i = 1, 10 do list[i] = i end
    task.map(list, function(i)
      b:call(function()
        order[#order + 1] = math.floor(task.now())
        task.sleep(i == 1 and 5 or 0)
        return i > 1 and "good" or nil, i == 1 and failure() or nil
      end)
    end, { concurrency = 10 })
    assert.equal(10, #order)
    assert.equal(25, order[2] - order[1]) -- 5 s of the probe, 20 s of cooldown
    assert.equal(order[2], order[10])
  end)

  virtually("waits so many seconds at most", function()
    local b = open_circuit { wait = 4 }
    local started = task.now()
    refused(b)
    assert.is_true(math.abs(task.now() - started - 4) < 0.001)
    task.sleep(3)
    assert.equal("good", b:call(good))
  end)

  virtually("goes on at once when the circuit is closed by hand", function()
    local b = open_circuit { wait = true }
    local started = task.now()
    task.spawn(function()
      task.sleep(2)
      b:close()
    end)
    assert.equal("good", b:call(good))
    assert.is_true(math.abs(task.now() - started - 2) < 0.001)
  end)

  virtually("ends when its task is cancelled, and takes no place", function()
    local b = open_circuit { wait = true }
    local handle = task.spawn(b.call, b, good)
    task.sleep(1)
    handle:cancel()
    pcall(handle.join, handle)
    assert.equal("canceled", handle.status)
    task.sleep(9)
    assert.equal("good", b:call(good))
  end)
end)

describe("statistics of a circuit", function()
  virtually("tell its state and counts", function()
    local b = circuit()
    b:call(good)
    b:call(bad)
    local stats = b:stats()
    assert.equal("closed", stats.state)
    assert.equal(2, stats.requests)
    assert.equal(1, stats.failures)
    assert.equal(1, stats.failures_in_row)
    assert.is_nil(stats.next_probe)
    b:call(bad)
    task.sleep(4)
    refused(b)
    stats = b:stats()
    assert.equal("open", stats.state)
    assert.equal(1, stats.opened)
    assert.equal(1, stats.refused)
    assert.equal(4, math.floor(stats.since + 0.5))
    assert.equal(6, math.floor(stats.next_probe + 0.5))
    assert.equal("2 failures in a row", stats.why)
    assert.equal("connect", stats.cause.kind)
    assert.equal("lurcher.Breaker (open)", tostring(b))
  end)
end)

describe("options of a circuit that make no sense", function()
  for what, case in pairs {
    ["no failures"] = { { failures = 0 }, "'failures' must be a whole number of at least 1 or false" },
    ["a ratio of 0"] = { { ratio = 0 }, "'ratio' must be a share above 0 and at most 1, or false, got 0" },
    ["a ratio of 2"] = { { ratio = 2 }, "'ratio' must be a share above 0 and at most 1, or false" },
    ["a negative cooldown"] = { { cooldown = -1 }, "option 'cooldown' must be a number above 0, got %-1" },
    ["a shrinking cooldown"] = { { cooldown_factor = 0.5 }, "must be a number of at least 1" },
    ["no probes"] = { { probes = 0 }, "option 'probes' must be" },
    ["no function"] = { { counts = 1 }, "option 'counts' must be a function or false, got 1" },
    ["another library's key"] = { { fail_max = 3 }, "unknown option 'fail_max'; it is written failures" },
    ["an unknown key"] = { { treshold = 1 }, "unknown option 'treshold'" },
    ["a misspelt key"] = { { cooldwn = 1 }, "unknown option 'cooldwn'; did you mean 'cooldown'%?" },
  } do
    it("raise with the caller's line: " .. what, function()
      local ok, err = pcall(breaker.new, case[1])
      assert.is_false(ok)
      assert.matches("^spec/breaker/breaker_spec.lua:%d+: breaker.new: ", err)
      assert.matches(case[2], err)
    end)
  end

  it("raise when methods are called otherwise than they should be", function()
    local b = circuit()
    for message, fn in pairs {
      ["call it with a colon: breaker:call"] = function() b.call(good) end,
      ["function expected"] = function() b:call(5) end,
      ["number above 0"] = function() b:open(-1) end,
    } do
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.matches(message, err)
    end
  end)
end)
