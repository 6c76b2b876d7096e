local task = require "lurcher.task"
local native = require "lurcher.native.task"

local function forever() native.park("the end of time") end

describe("a cancellation", function()
  it("reaches a task at every kind of wait", function()
    local waits = {
      sleep = function() task.sleep(60) end,
      park = forever,
      join = function() task.scope(function() task.spawn(forever):join() end) end,
      semaphore = function()
        local semaphore = task.semaphore(1)
        semaphore:acquire()
        semaphore:acquire()
      end,
      get = function() task.queue():get() end,
      put = function()
        local queue = task.queue(1)
        queue:put(1)
        queue:put(2)
      end,
      event = function() task.event():wait() end,
      limiter = function()
        local limiter = task.limiter { rate = 0.001 }
        limiter:wait()
        limiter:wait()
      end,
      scope = function() task.scope(function(scope) scope:spawn(forever) end) end,
      all = function() task.all { forever, forever } end,
      race = function() task.race { forever, forever } end,
      any = function() task.any { forever, forever } end,
      map = function() task.map({ 1, 2 }, forever) end,
      stream = function() for _ in task.stream({ 1, 2 }, forever) do error("unexpected") end end,
      timeout = function() task.timeout(60, forever) end,
      coroutine = function() coroutine.wrap(function() coroutine.wrap(forever)() end)() end,
    }
    local before = native.counts().task
    for name, wait in pairs(waits) do
      local unwound = false
      task.scope(function(scope)
        local handle = scope:spawn(function()
          task.defer(function() unwound = true end)
          wait()
          error("passed the wait: " .. name)
        end)
        for _ = 1, 5 do task.yield() end
        assert.equal("running", handle.status, name)
        handle:cancel()
      end)
      assert.is_true(unwound, name)
      assert.equal(before, native.counts().task, name)
    end
  end)

  it("reaches a task at each of its waits in turn", function()
    for at = 1, 6 do
      local steps = 0
      local handle
      handle = task.spawn(function()
        for _ = 1, 5 do
          steps = steps + 1
          if steps == at then handle:cancel() end
          task.sleep(0)
        end
        return "ended"
      end)
      local ok, result = pcall(handle.join, handle)
      if at <= 5 then
        assert.is_false(ok)
        assert.equal("canceled", result.kind)
        assert.equal(at, steps)
      else
        assert.equal("ended", result)
      end
    end
  end)

  it("cannot be swallowed by pcall, xpcall or a coroutine", function()
    for name, swallow in pairs {
      pcall = function() pcall(forever) end,
      xpcall = function() xpcall(forever, function() return "something else" end) end,
      resume = function() coroutine.resume(coroutine.create(forever)) end,
      wrap = function() pcall(coroutine.wrap(forever)) end,
      loop = function() while true do pcall(pcall, forever) end end,
      replaced = function() pcall(function() xpcall(forever, function() error("another", 0) end) end) end,
    } do
      local passed = false
      local handle = task.spawn(function()
        swallow()
        passed = true
      end)
      task.yield()
      handle:cancel()
      pcall(handle.join, handle)
      assert.equal("canceled", handle.status, name)
      assert.is_false(passed, name)
    end
  end)

  it("is raised again by each further wait", function()
    local kinds = {}
    local handle = task.spawn(function()
      for _ = 1, 3 do
        local _, err = native.raw_pcall(task.sleep, 60)
        kinds[#kinds + 1] = err.kind
      end
    end)
    task.yield()
    handle:cancel()
    handle:join()
    assert.same({ "canceled", "canceled", "canceled" }, kinds)
    assert.equal("done", handle.status)
  end)

  it("leaves pcall alone in a task that is not cancelled", function()
    local child = task.spawn(forever)
    task.yield()
    child:cancel()
    local ok, err = pcall(child.join, child)
    assert.is_false(ok)
    assert.is_true(err:is("canceled"))
    assert.same({ false, "as usual" }, { pcall(error, "as usual", 0) })
  end)

  it("does not lose a value handed over at the same moment", function()
    local queue, got = task.queue(), nil
    local handle = task.spawn(function() got = queue:get() end)
    task.yield()
    queue:put("value")
    handle:cancel()
    pcall(handle.join, handle)
    assert.equal("value", got)
  end)
end)

describe("task.defer", function()
  it("runs functions in reverse order however the task ends", function()
    for _, ending in ipairs { "return", "error", "cancel" } do
      local order = {}
      local handle
      pcall(task.scope, function(scope)
        handle = scope:spawn(function()
          for i = 1, 3 do task.defer(function() order[#order + 1] = i end) end
          if ending == "error" then error("failed") end
          if ending == "cancel" then forever() end
        end)
        task.yield()
        if ending == "cancel" then handle:cancel() end
      end)
      assert.same({ 3, 2, 1 }, order, ending)
    end
  end)

  it("may wait in a cancelled task, shielded from the cancellation", function()
    local steps = {}
    local handle = task.spawn(function()
      task.defer(function()
        task.sleep(0.001)
        local ok = pcall(error, "caught as usual")
        steps[#steps + 1] = ok
        task.scope(function(scope) scope:spawn(function() steps[#steps + 1] = "in a scope" end) end)
      end)
      forever()
    end)
    task.yield()
    handle:cancel()
    assert.equal("running", handle.status)
    pcall(handle.join, handle)
    assert.equal("canceled", handle.status)
    assert.same({ false, "in a scope" }, steps)
  end)

  it("runs all functions when one fails, and the task fails with that error", function()
    local ran = {}
    local handle
    local ok, message = pcall(task.scope, function(scope)
      handle = scope:spawn(function()
        task.defer(function() ran[#ran + 1] = "first" end)
        task.defer(function() error("clean-up failed", 0) end)
        task.defer(function() ran[#ran + 1] = "last" end)
        return "fine"
      end)
    end)
    assert.same({ "last", "first" }, ran)
    assert.is_false(ok)
    assert.equal("clean-up failed", message)
    assert.equal("failed", handle.status)
  end)

  it("keeps the error that ended the task when clean-up fails, too", function()
    local ok, message = pcall(task.scope, function(scope)
      scope:spawn(function()
        task.defer(function() error("second", 0) end)
        error("first", 0)
      end)
    end)
    assert.is_false(ok)
    assert.equal("first", message)
  end)

  it("keeps results", function()
    assert.same({ 1, 2 }, { task.spawn(function()
      task.defer(task.yield)
      return 1, 2
    end):join() })
  end)

  it("belongs to the scope inside a scope's function, and runs after its tasks", function()
    local order = {}
    task.scope(function(scope)
      task.defer(function() order[#order + 1] = "deferred first" end)
      scope:defer(function() order[#order + 1] = "deferred last" end)
      scope:spawn(function()
        task.sleep(0.001)
        order[#order + 1] = "child"
      end)
      order[#order + 1] = "body"
    end)
    assert.same({ "body", "child", "deferred last", "deferred first" }, order)
  end)

  it("runs what is deferred during clean-up", function()
    local order = {}
    task.spawn(function()
      task.defer(function()
        task.defer(function() order[#order + 1] = "added" end)
        order[#order + 1] = "first"
      end)
    end):join()
    assert.same({ "first", "added" }, order)
  end)

  it("gives up clean-up that takes longer than 5 seconds", function()
    local start, kind = task.now(), nil
    local handle = task.spawn(function()
      task.defer(function()
        local _, err = native.raw_pcall(forever)
        kind = err.kind
        assert.matches("5 seconds", err.message)
      end)
    end)
    handle:join()
    assert.equal("canceled", kind)
    local took = task.now() - start
    assert.is_true(took >= 4.9 and took < 30)
  end)
end)

describe("task.shield", function()
  it("keeps a cancellation away, which takes effect at the first wait afterwards", function()
    local steps = {}
    local handle = task.spawn(function()
      local value = task.shield(function(a)
        task.sleep(0.001)
        steps[#steps + 1] = "shielded"
        return a
      end, "argument")
      steps[#steps + 1] = value
      task.sleep(60)
      steps[#steps + 1] = "not reached"
    end)
    task.yield()
    handle:cancel()
    pcall(handle.join, handle)
    assert.same({ "shielded", "argument" }, steps)
    assert.equal("canceled", handle.status)
  end)

  it("ends when its function raises", function()
    local handle = task.spawn(function()
      pcall(task.shield, error, "inside")
      forever()
    end)
    task.yield()
    handle:cancel()
    pcall(handle.join, handle)
    assert.equal("canceled", handle.status)
  end)

  it("keeps scopes inside it running", function()
    local ended
    local handle = task.spawn(function()
      task.shield(function()
        task.scope(function(scope) scope:spawn(function() task.sleep(0.001) ended = true end) end)
      end)
    end)
    task.yield()
    handle:cancel()
    pcall(handle.join, handle)
    assert.is_true(ended)
  end)
end)

describe("task.timeout", function()
  it("returns the results of a function that is in time", function()
    assert.same({ 1, nil, 3 }, { task.timeout(60, function(...) return ... end, 1, nil, 3) })
    for _, limit in ipairs { false, math.huge, 1e300 } do
      local results = { task.timeout(limit, function()
        task.sleep(0.001)
        return "no limit"
      end) }
      assert.same({ "no limit" }, results)
    end
  end)

  it("cancels the function at the deadline, waits for its clean-up, and returns nil and an error", function()
    local cleaned = false
    local value, err = task.timeout(0.01, function()
      task.defer(function()
        task.sleep(0.001)
        cleaned = true
      end)
      forever()
    end)
    assert.is_nil(value)
    assert.equal("timeout", err.kind)
    assert.equal("task", err.phase)
    assert.is_true(cleaned)
  end)

  it("nests: the earliest deadline counts", function()
    local inner_returned = false
    local start = task.now()
    local value, err = task.timeout(0.01, function()
      local _, inner = task.timeout(60, forever)
      inner_returned = inner
      return "unreachable"
    end)
    assert.is_nil(value)
    assert.is_true(err:is("timeout"))
    assert.is_false(inner_returned)
    assert.is_true(task.now() - start < 30)

    local outer = task.timeout(60, function()
      local _, inner = task.timeout(0.01, forever)
      return inner.kind
    end)
    assert.equal("timeout", outer)
  end)

  it("raises the function's error", function()
    local ok, message = pcall(task.timeout, 60, function() error("inside", 0) end)
    assert.is_false(ok)
    assert.equal("inside", message)
  end)

  it("passes a cancellation of the task around it on", function()
    local handle = task.spawn(function() return task.timeout(60, forever) end)
    task.yield()
    handle:cancel()
    pcall(handle.join, handle)
    assert.equal("canceled", handle.status)
  end)

  it("raises for a limit that is no time", function()
    for _, seconds in ipairs { -1, "1", 0 / 0, true } do
      local ok, message = pcall(task.timeout, seconds, forever)
      assert.is_false(ok)
      assert.matches("task.timeout", message)
    end
  end)
end)
