local breaker = require "lurcher.breaker"
local clock = require "lurcher.clock"
local errors = require "lurcher.base.errors"
local http = require "lurcher.http"
local origin = require "spec.support.origin"
local retry = require "lurcher.retry"
local task = require "lurcher.task"

local stop, wait, when = retry.stop, retry.wait, retry.when

local function virtually(name, fn)
  it(name, function() clock.virtual(fn) end)
end

local function failure(kind, fields)
  local err = { kind = kind or "timeout", message = "it failed" }
  for key, value in pairs(fields or {}) do err[key] = value end
  return errors.new(err)
end

-- A function that fails so many times (nil and an error), then returns "done" and its argument; and the
-- virtual moments at which it was called.
local function failing(times, err)
  local moments = {}
  return function(argument)
    moments[#moments + 1] = task.now()
    if #moments <= times then return nil, err or failure() end
    return "done", argument
  end, moments
end

-- The waits between the attempts of a policy at a function that always fails.
local function waits_of(policy)
  local fn, moments = failing(math.huge)
  retry.call(fn, policy)
  local waits = {}
  for i = 2, #moments do waits[i - 1] = math.floor((moments[i] - moments[i - 1]) * 1e6 + 0.5) / 1e6 end
  return waits
end

describe("retry.call", function()
  virtually("returns what the function returned, and passes the arguments", function()
    local fn, moments = failing(2)
    local first, second = retry.call(fn, nil, "argument")
    assert.equal("done", first)
    assert.equal("argument", second)
    assert.equal(3, #moments)
  end)

  virtually("makes three attempts, and returns the last error with their number", function()
    local fn, moments = failing(9)
    local res, err = retry.call(fn)
    assert.is_nil(res)
    assert.equal("timeout", err.kind)
    assert.equal(3, err.attempts)
    assert.equal(3, #moments)
    assert.matches("after 3 attempts", tostring(err))
  end)

  virtually("raises as the function did", function()
    local raised, count = failure("connect", { cause = failure "dns" }), 0
    local ok, err = pcall(retry.call, function()
      count = count + 1
      error(raised)
    end, 4)
    assert.is_false(ok)
    assert.equal(raised, err)
    assert.equal(4, err.attempts)
    assert.equal("dns", err.cause.kind)
    assert.equal(4, count)
  end)

  virtually("repeats what returns nil and any error, as io does, but not nil alone", function()
    local count = 0
    local function counted(...)
      count = count + 1
      return ...
    end
    local res, message, code = retry.call(counted, 3, nil, "no such file", 2)
    assert.same({ nil, "no such file", 2 }, { res, message, code })
    assert.equal(3, count)
    assert.equal(0, select("#", retry.call(function() end, 3)))
    retry.call(counted, 3, nil)
    assert.equal(4, count)
  end)

  virtually("tells that it gave up on a result, which is in the error", function()
    local pending = when.result(function(value) return value == "pending" end)
    local function ask() return "pending" end
    for _, policy in ipairs { { attempts = 3, when = pending, base = 0 }, { attempts = 1, when = pending },
      { stop = stop.attempts(2), when = pending, base = 0 } } do
      local value, err = retry.call(ask, policy)
      assert.is_nil(value)
      assert.equal("limit", err.kind)
      assert.equal("pending", err.result)
      assert.equal(policy.attempts or 2, err.attempts)
      assert.matches("^limit: gave up after %d attempts? in [%d.]+ s: no attempts are left", tostring(err))
    end
    for _, policy in ipairs { { time = 10, when = pending }, { stop = stop.elapsed(5), when = pending },
      { stop = stop.any(stop.attempts(1000), stop.before(5)), when = pending } } do
      local _, err = retry.policy(policy):call(ask)
      assert.equal("timeout", err.kind)
      assert.equal("pending", err.result)
      assert.matches("the time is up", err.message)
    end
    local _, err = retry.policy({ attempts = 2, base = 0, when = pending }):wrap(ask)()
    assert.equal("limit", err.kind)
  end)

  virtually("leaves what was returned or raised as a failure alone", function()
    local nothing, err = retry.call(function() return nil, "busy" end, { attempts = 2, base = 0 })
    assert.is_nil(nothing)
    assert.equal("busy", err)
    assert.equal("done", (retry.call(function() return "done" end, { attempts = 1 })))
  end)

  virtually("keeps nils among the results", function()
    local results = (function(...) return { n = select("#", ...), ... } end)(
      retry.call(function() return 1, nil, nil end))
    assert.same({ n = 3, 1 }, results)
  end)

  virtually("does not repeat what can come to nothing else", function()
    for _, kind in ipairs { "limit", "denied", "url", "canceled" } do
      local fn, moments = failing(9, failure(kind))
      local _, err = retry.call(fn, 5)
      assert.equal(kind, err.kind)
      assert.equal(1, #moments)
    end
  end)

  virtually("never repeats a cancellation, whatever the condition", function()
    local fn, moments = failing(9, failure "canceled")
    retry.call(fn, { attempts = 5, when = when.failed })
    assert.equal(1, #moments)
  end)

  virtually("ends when its task is cancelled, in the function or in a wait", function()
    for _, fn in ipairs { function() task.sleep(1000) end, function() return nil, "failed" end } do
      local count = 0
      local policy = retry.policy { attempts = false, wait = 600 }
      local handle = task.spawn(function()
        policy:call(function()
          count = count + 1
          return fn()
        end)
      end)
      task.sleep(1)
      handle:cancel()
      assert.is_false((pcall(handle.join, handle)))
      assert.equal("canceled", handle.status)
      assert.equal(1, count)
      assert.equal(1, policy:stats().interrupted)
    end
  end)

  it("tries requests again, and obeys what responses ask for", function()
    local site = origin.start()
    local count = 0
    site.answer = function()
      count = count + 1
      return { status = count < 3 and 503 or 200, headers = { ["Retry-After"] = "40" } }
    end
    clock.virtual(function()
      local started = task.now()
      local res = assert(retry.call(http.get, {
        when = when.result(function(res) return res.status == 503 end), wait = wait.asked(),
      }, site.url, { retry = false }))
      assert.equal(200, res.status)
      assert.is_true(task.now() - started >= 79.9)
    end)
    site:stop()
  end)
end)

describe("stops", function()
  -- How many attempts a policy makes at what always fails.
  local function attempts(policy)
    local fn, moments = failing(math.huge)
    retry.call(fn, policy)
    return #moments
  end

  virtually("count attempts", function()
    assert.equal(1, attempts(1))
    assert.equal(7, attempts { attempts = 7 })
    assert.equal(7, attempts { stop = stop.attempts(7) })
  end)

  virtually("look at the time: before the next attempt, or once it is over", function()
    assert.equal(6, attempts { time = 10, wait = 2 })
    assert.equal(5, attempts { time = 9.9, wait = 2 })
    assert.equal(5, attempts { stop = stop.before(9.9), wait = 2 })
    assert.equal(6, attempts { stop = stop.elapsed(9.9), wait = 2 })
  end)

  virtually("look at an event, and with the option a wait ends with it", function()
    local event = task.event()
    task.spawn(function()
      task.sleep(25)
      event:set()
    end)
    local started = task.now()
    assert.equal(4, attempts { stop = stop.event(event), wait = 10 })
    assert.is_true(task.now() - started > 29)

    event = task.event()
    task.spawn(function()
      task.sleep(25)
      event:set()
    end)
    started = task.now()
    assert.equal(3, attempts { event = event, wait = 10 })
    assert.is_true(task.now() - started < 25.1)
  end)

  virtually("are combined", function()
    assert.equal(3, attempts { stop = stop.any(stop.attempts(3), stop.before(100)), wait = 1 })
    assert.equal(11, attempts { stop = stop.all(stop.attempts(3), stop.elapsed(10)), wait = 1 })
    assert.equal(4, attempts { stop = stop.before(100), attempts = 4, wait = 1 })
  end)

  virtually("may be a function", function()
    assert.equal(5, attempts { stop = function(call) return call.waited >= 8 end, wait = 2 })
  end)
end)

describe("waits", function()
  virtually("are fixed, or a number", function()
    assert.same({ 3, 3, 3 }, waits_of { attempts = 4, wait = 3 })
    assert.same({ 3, 3, 3 }, waits_of { attempts = 4, wait = wait.fixed(3) })
  end)

  virtually("increment", function()
    assert.same({ 1, 3, 5, 6, 6 }, waits_of { attempts = 6, wait = wait.incrementing(1, 2, 6) })
  end)

  virtually("grow exponentially", function()
    local policy = { attempts = 5, base = 1, factor = 3, jitter = "none", max_wait = 20 }
    assert.same({ 1, 3, 9, 20 }, waits_of(policy))
    assert.same({ 1, 3, 9, 20 }, waits_of { attempts = 5,
      wait = wait.exponential { base = 1, factor = 3, jitter = "none", max_wait = 20 } })
  end)

  virtually("grow as Fibonacci's numbers", function()
    assert.same({ 1, 1, 2, 3, 5, 8, 13 }, waits_of { attempts = 8, wait = wait.fibonacci() })
    assert.same({ 2, 2, 4, 6, 7, 7 }, waits_of { attempts = 7, wait = wait.fibonacci(2, 7) })
    assert.equal(9, wait.fibonacci(1, 9) { attempts = 100000 })
  end)

  virtually("come one after the other", function()
    assert.same({ 1, 5, 9, 9 }, waits_of { attempts = 5, wait = wait.chain(1, wait.fixed(5), 9) })
  end)

  virtually("add up", function()
    assert.same({ 11, 12, 13 }, waits_of { attempts = 4, wait = wait.sum(10, wait.incrementing(1, 1)) })
  end)

  virtually("are drawn at random", function()
    local function between(low, high, policy)
      local least, most = math.huge, 0
      policy.attempts = 500
      for _, seconds in ipairs(waits_of(policy)) do
        least, most = math.min(least, seconds), math.max(most, seconds)
      end
      local slack = (high - low) * 0.1
      assert.is_true(least >= low and least < low + slack and most <= high and most > high - slack)
    end
    between(2, 4, { wait = wait.random(2, 4) })
    between(0, 6, { wait = wait.jitter(6) })
    between(3, 6, { wait = wait.jitter(wait.fixed(6), "equal") })
    between(0, 20, { base = 20 })
    between(1, 7, { base = 1, jitter = "decorrelated", max_wait = 7 })
  end)

  virtually("are what the error asks for, or another", function()
    local asking = failing(9, failure("circuit_open", { retry_after = 30 }))
    local started = task.now()
    retry.call(asking, { attempts = 2, wait = wait.asked(1) })
    assert.is_true(math.abs(task.now() - started - 30) < 1e-6)
    started = task.now()
    retry.call(asking, { attempts = 2, wait = wait.asked(1, 7) })
    assert.is_true(math.abs(task.now() - started - 7) < 1e-6)
    assert.same({ 1, 1 }, waits_of { attempts = 3, wait = wait.asked(1) })
  end)

  virtually("may be a function", function()
    assert.same({ 10, 20 }, waits_of { wait = function(call) return call.attempts * 10 end })
  end)

  virtually("raise when the function gives no number of seconds", function()
    for _, value in ipairs { -1, "1", 0 / 0 } do
      local ok, err = pcall(retry.call, failing(9), { wait = function() return value end })
      assert.is_false(ok)
      assert.matches("the wait of a retry policy must be a number of seconds, got", err)
    end
  end)
end)

describe("what a circuit breaker refuses", function()
  local function attempts(policy)
    local b, count = breaker.new { failures = 1, cooldown = 10 }, 0
    b:call(function() return nil, "down" end)
    local result, err = retry.call(function()
      count = count + 1
      return b:call(function() return "up" end)
    end, policy)
    return count, result, err
  end

  virtually("is tried again, after as long as the breaker asks for", function()
    local count, result = attempts { attempts = 2, wait = wait.asked() }
    assert.equal(2, count)
    assert.equal("up", result)
  end)
end)

describe("conditions", function()
  local function attempts(condition, ...)
    local results, count = { n = select("#", ...), ... }, 0
    retry.call(function()
      count = count + 1
      return unpack(results, 1, results.n)
    end, { attempts = 3, wait = 0, when = condition })
    return count
  end

  it("look at the kind", function()
    assert.equal(3, attempts(when.kind("dns", "timeout"), nil, failure "timeout"))
    assert.equal(1, attempts(when.kind("dns"), nil, failure "timeout"))
    assert.equal(1, attempts(when.kind("dns"), nil, "a string"))
    assert.equal(3, select(2, retry.call(failing(9), { kinds = { "timeout" }, wait = 0 })).attempts)
  end)

  it("look at the message", function()
    assert.equal(3, attempts(when.message("^it f"), nil, failure()))
    assert.equal(3, attempts(when.message("locked"), nil, "database is locked"))
    assert.equal(1, attempts(when.message("locked"), nil, "no such table"))
    assert.equal(1, attempts(when.message("ok"), "ok"))
  end)

  it("look at the cause, however deep", function()
    local deep = failure("proxy", { cause = failure("status", { cause = failure "dns" }) })
    assert.equal(3, attempts(when.cause("dns"), nil, deep))
    assert.equal(1, attempts(when.cause("proxy"), nil, deep))
    assert.equal(3, attempts(when.cause(function(err) return err.kind == "status" end), nil, deep))
  end)

  it("look at the results", function()
    assert.equal(3, attempts(when.result(function(a, b) return a == 1 and b == nil end), 1, nil))
    assert.equal(1, attempts(when.result(function() return true end), nil, failure()))
  end)

  it("look at whether it was raised", function()
    local count = 0
    pcall(retry.call, function()
      count = count + 1
      error("x", 0)
    end, { when = when.raised, wait = 0 })
    assert.equal(3, count)
    assert.equal(1, attempts(when.raised, nil, failure()))
  end)

  it("are combined", function()
    local dns = when.kind("dns")
    assert.equal(3, attempts(when.any(dns, when.message("failed")), nil, failure()))
    assert.equal(1, attempts(when.all(dns, when.message("failed")), nil, failure()))
    assert.equal(1, attempts(when.unless(when.failed), nil, failure()))
    assert.equal(3, attempts(when.all(when.failed, when.unless(dns)), nil, failure()))
  end)

  it("may be a function", function()
    assert.equal(2, attempts(function(call) return call.attempts < 2 end, "fine"))
  end)
end)

describe("callbacks", function()
  virtually("are told what happens, in order", function()
    local told, policy = {}, { attempts = 2, wait = 5 }
    for _, name in ipairs { "before", "after", "before_sleep", "on_giving_up" } do
      policy[name] = function(call)
        local elapsed = math.floor(call.elapsed + 0.5)
        told[#told + 1] = ("%s %d %g %g %s"):format(name, call.attempts, elapsed, call.wait or 0,
          tostring(call.failed))
      end
    end
    retry.call(failing(9), policy)
    assert.same({ "before 1 0 0 false", "after 1 0 0 true", "before_sleep 1 0 5 true", "before 2 5 5 true",
      "after 2 5 5 true", "on_giving_up 2 5 5 true" }, told)
  end)

  it("raise to the caller", function()
    for _, name in ipairs { "before", "after", "before_sleep", "on_giving_up", "stop", "when", "wait" } do
      local ok, err = pcall(retry.call, failing(9), { [name] = function() error("my own", 0) end,
        attempts = name == "on_giving_up" and 1 or nil })
      assert.is_false(ok)
      assert.equal("my own", err)
    end
  end)
end)

describe("a policy", function()
  virtually("calls, wraps, and counts", function()
    local policy = retry.policy { attempts = 3, wait = 2 }
    assert.equal("done", (policy:call(failing(1))))
    local wrapped = policy:wrap(failing(2))
    assert.same({ "done", "x" }, { wrapped "x" })
    policy:call(failing(9))
    policy:call(failing(9, failure "url"))
    local stats = policy:stats()
    assert.equal(4, stats.calls)
    assert.equal(2 + 3 + 3 + 1, stats.attempts)
    assert.equal(2, stats.succeeded)
    assert.equal(1, stats.gave_up)
    assert.equal(1, stats.failed)
    assert.is_true(math.abs(stats.waited - 10) < 1e-6)
    assert.equal("failed", stats.last.outcome)
    assert.equal("url", stats.last.err.kind)
  end)

  virtually("has the statistics of each call", function()
    local policy = retry.policy { attempts = 3, wait = 2 }
    policy:call(failing(9))
    local last = policy:stats().last
    assert.equal(3, last.attempts)
    assert.equal("gave_up", last.outcome)
    assert.equal("timeout", last.err.kind)
    assert.is_true(math.abs(last.waited - 4) < 1e-6 and math.abs(last.elapsed - 4) < 1e-6)
  end)

  virtually("serves many tasks at once", function()
    local policy = retry.policy { attempts = 3, wait = 2 }
    local results = task.map({ 0, 1, 2, 0, 1, 2 }, function(times) return (policy:call(failing(times))) end)
    assert.same({ "done", "done", "done", "done", "done", "done" }, results)
    assert.equal(12, policy:stats().attempts)
  end)

  for what, case in pairs {
    ["no attempts"] = { { attempts = 0 }, "retry.policy: option 'attempts' must be a whole number" },
    ["a negative time"] = { { time = -1 }, "option 'time' must be a number of seconds" },
    ["no event"] = { { event = {} }, "option 'event' must be an event %(task.event%(%)%), got a table" },
    ["a negative wait"] = { { wait = -1 }, "option 'wait' must be a number of seconds" },
    ["another jitter"] = { { jitter = "fll" }, "option 'jitter' must be" },
    ["an unknown kind"] = { { kinds = { "timout" } }, "unknown kind 'timout'; did you mean 'timeout'%?" },
    ["cancellations"] = { { kinds = { "canceled" } }, "when.kind: a cancellation is never repeated" },
    ["an unknown key"] = { { on_give_up = print }, "did you mean 'on_giving_up'%?" },
    ["another library's key"] = { { max_attempts = 3 }, "'max_attempts'; it is written attempts" },
    ["waits of two kinds"] = { { wait = 1, base = 2 }, "'wait' and 'base' exclude each other" },
    ["conditions of two kinds"] = { { when = print, kinds = {} }, "'when' and 'kinds' exclude each other" },
  } do
    it("that makes no sense raises with the caller's line: " .. what, function()
      local ok, err = pcall(retry.policy, case[1])
      assert.is_false(ok)
      assert.matches("^spec/retry/retry_spec.lua:%d+: ", err)
      assert.matches(case[2], err)
      assert.is_false((pcall(retry.call, print, case[1])))
    end)
  end

  it("wants parts that make sense", function()
    for _, case in ipairs {
      { stop.attempts, 0 }, { stop.before, "x" }, { stop.event, 5 }, { stop.any, 5 }, { stop.all },
      { wait.fixed, -1 }, { wait.random, 2, 1 }, { wait.chain }, { wait.sum, "x" },
      { wait.jitter, 1, "decorrelated" }, { wait.exponential, { bse = 1 } },
      { when.kind, "timout" }, { when.message, 5 }, { when.any, 5 },
      { when.cause, "tiemout" }, { when.unless }, { when.result, 1 }, { retry.call, 5 },
      { retry.call, print, "x" },
    } do
      local ok, err = pcall(unpack(case, 1, 3))
      assert.is_false(ok)
      assert.matches("^spec/retry/retry_spec.lua:%d+: ", err)
    end
  end)
end)
