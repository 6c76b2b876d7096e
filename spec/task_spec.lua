local task = require "lurcher.task"
local errors = require "lurcher.errors"
local native = require "lurcher.native.task"

local function world_error() return errors.new { kind = "dns", message = "no such host" } end

local function forever() native.park("the end of time") end

describe("task.spawn", function()
  it("runs a function with its arguments later, and join gives its results", function()
    local ran = false
    local handle = task.spawn(function(...)
      ran = true
      return select("#", ...), ...
    end, 1, nil, 3)
    assert.is_false(ran)
    assert.equal("running", handle.status)
    assert.same({ 3, 1, nil, 3 }, { handle:join() })
    assert.equal("done", handle.status)
    assert.same({ 3, 1, nil, 3 }, { handle:join() })
  end)

  it("lets tasks take turns in the order they were started", function()
    local order = {}
    task.scope(function()
      for i = 1, 3 do
        task.spawn(function()
          for _ = 1, 2 do
            order[#order + 1] = i
            task.yield()
          end
        end)
      end
    end)
    assert.same({ 1, 2, 3, 1, 2, 3 }, order)
  end)

  it("raises for what cannot be called, at the caller's line", function()
    local ok, message = pcall(function() task.spawn("text") end)
    assert.is_false(ok)
    assert.matches("task_spec.lua:%d+: bad argument #1 to 'task.spawn'", message)
  end)

  it("knows the running task", function()
    local handle
    handle = task.spawn(function() return task.current() == handle, task.current().id end)
    local same, id = handle:join()
    assert.is_true(same)
    assert.equal(handle.id, id)
    assert.equal("task " .. id, tostring(handle))
    local me = task.current()
    task.scope(function() assert.equal(me, task.current()) end)
  end)

  it("holds 100,000 tasks at once", function()
    local count = 0
    local start = task.now()
    task.scope(function()
      for _ = 1, 100000 do
        task.spawn(function()
          task.sleep(0.05)
          count = count + 1
        end)
      end
    end)
    assert.equal(100000, count)
    assert.is_true(task.now() - start < 60)
  end)
end)

describe("task.sleep", function()
  it("waits at least so long, and tasks wake in the order of their times", function()
    local start, order = task.now(), {}
    task.scope(function()
      for _, seconds in ipairs { 0.03, 0.01, 0.02 } do
        task.spawn(function()
          task.sleep(seconds)
          order[#order + 1] = seconds
        end)
      end
    end)
    assert.same({ 0.01, 0.02, 0.03 }, order)
    assert.is_true(task.now() - start >= 0.03)
  end)

  it("gives way to others with 0 or less, and raises for what is no number", function()
    local ran
    task.spawn(function() ran = true end)
    task.sleep(0)
    assert.is_true(ran)
    task.sleep(-1)
    assert.has_error(function() task.sleep("x") end)
    assert.has_error(function() task.sleep(0 / 0) end)
  end)
end)

describe("task.scope", function()
  it("returns what its function returned, after all tasks have ended", function()
    local ended = 0
    local results = { task.scope(function(scope)
      for _ = 1, 3 do
        scope:spawn(function()
          task.sleep(0.001)
          ended = ended + 1
        end)
      end
      return 1, nil, 3
    end) }
    assert.same({ 1, nil, 3 }, results)
    assert.equal(3, ended)
  end)

  it("cancels its tasks and its function when a child fails, and raises the child's error", function()
    local canceled = 0
    local object = { "any value can be an error" }
    local ok, err = pcall(task.scope, function(scope)
      for _ = 1, 3 do
        scope:spawn(function()
          scope:defer(function() canceled = canceled + 1 end)
          forever()
        end)
      end
      scope:spawn(function()
        task.yield()
        error(object)
      end)
      forever()
    end)
    assert.is_false(ok)
    assert.equal(object, err)
    assert.equal(3, canceled)
  end)

  it("takes nil and a Lurcher error as a failure", function()
    local object = world_error()
    local ok, err = pcall(task.scope, function(scope)
      scope:spawn(function() return nil, object end)
      forever()
    end)
    assert.is_false(ok)
    assert.equal(object, err)
    ok = pcall(task.scope, function(scope) scope:spawn(function() return nil, "just a text" end) end)
    assert.is_true(ok)
  end)

  it("returns nil and the error that its own function returned", function()
    local object = world_error()
    assert.same({ nil, object }, { task.scope(function() return nil, object end) })
  end)

  it("raises its function's error after cancelling the tasks", function()
    local handle
    local ok, message = pcall(task.scope, function(scope)
      handle = scope:spawn(forever)
      error("from the body", 0)
    end)
    assert.is_false(ok)
    assert.equal("from the body", message)
    assert.equal("canceled", handle.status)
  end)

  it("goes on when a child was cancelled by its handle", function()
    local result = task.scope(function(scope)
      local handle = scope:spawn(forever)
      task.yield()
      handle:cancel("not needed")
      local ok, err = pcall(handle.join, handle)
      assert.is_false(ok)
      assert.equal("canceled", err.kind)
      assert.matches("not needed", err.message)
      return handle.status
    end)
    assert.equal("canceled", result)
  end)

  it("takes in tasks that its tasks spawn, and not those of a scope around it", function()
    local inner, outer
    task.scope(function(scope)
      task.scope(function()
        task.spawn(function() inner = task.spawn(task.sleep, 0.001) end)
        outer = scope:spawn(forever)
      end)
      assert.equal("done", inner.status)
      assert.equal("running", outer.status)
      outer:cancel()
    end)
  end)

  it("cannot be used when it has ended", function()
    local kept
    task.scope(function(scope) kept = scope end)
    local ok, message = pcall(function() kept:spawn(forever) end)
    assert.is_false(ok)
    assert.matches("task_spec.lua:%d+: this scope has ended", message)
    assert.has_error(function() kept:defer(forever) end)
  end)

  it("never runs a task that was cancelled before its start", function()
    local ran = false
    local handle = task.spawn(function() ran = true end)
    handle:cancel()
    assert.has_error(function() handle:join() end)
    assert.is_false(ran)
  end)
end)

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
    assert.same({ "no limit" }, { task.timeout(false, function() return "no limit" end) })
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
    for _, seconds in ipairs { -1, "1", 0 / 0, math.huge, true } do
      local ok, message = pcall(task.timeout, seconds, forever)
      assert.is_false(ok)
      assert.matches("task.timeout", message)
    end
  end)
end)

describe("task.all", function()
  it("returns the first result of each, in order", function()
    assert.same({ 1, nil, 3 }, { task.all {
      function() task.sleep(0.002) return 1, "second" end,
      function() end,
      function() return 3 end,
    } })
    assert.same({}, { task.all {} })
  end)

  it("raises the first failure and cancels the rest", function()
    local object, cancelled = world_error(), false
    local ok, err = pcall(task.all, {
      function()
        task.defer(function() cancelled = true end)
        forever()
      end,
      function()
        task.yield()
        return nil, object
      end,
    })
    assert.is_false(ok)
    assert.equal(object, err)
    assert.is_true(cancelled)
  end)

  it("names the item that is no function", function()
    local ok, message = pcall(task.all, { forever, 5 })
    assert.is_false(ok)
    assert.matches("task.all: item 2", message)
  end)
end)

describe("task.race", function()
  it("returns the results of the first to end and cancels the others", function()
    local cancelled = false
    assert.same({ 1, nil, 3 }, { task.race {
      function()
        task.defer(function() cancelled = true end)
        forever()
      end,
      function()
        task.yield()
        return 1, nil, 3
      end,
    } })
    assert.is_true(cancelled)
  end)

  it("raises when the first to end failed", function()
    local ok, message = pcall(task.race, { forever, function() error("lost", 0) end })
    assert.is_false(ok)
    assert.equal("lost", message)
    assert.has_error(function() task.race {} end)
  end)
end)

describe("task.any", function()
  it("returns the first success, whatever failed before", function()
    assert.same({ "good", 2 }, { task.any {
      function() error("bad") end,
      function() return nil, world_error() end,
      function()
        task.sleep(0.001)
        return "good", 2
      end,
      forever,
    } })
  end)

  it("raises the error of the first in the list when all fail", function()
    local object = world_error()
    local ok, err = pcall(task.any, {
      function()
        task.sleep(0.001)
        return nil, object
      end,
      function() error("other") end,
    })
    assert.is_false(ok)
    assert.equal(object, err)
  end)
end)

describe("task.map", function()
  it("keeps the order of a list, and runs at most `concurrency` at once", function()
    local running, most = 0, 0
    local results = task.map({ 5, 4, 3, 2, 1 }, function(item, index)
      running = running + 1
      most = math.max(most, running)
      task.sleep(item / 1000)
      running = running - 1
      return item * 10 + index
    end, { concurrency = 2 })
    assert.same({ 51, 42, 33, 24, 15 }, results)
    assert.equal(2, most)
  end)

  it("takes 16 at once by default", function()
    local running, most = 0, 0
    local list = {}
    for i = 1, 40 do list[i] = i end
    task.map(list, function()
      running = running + 1
      most = math.max(most, running)
      task.sleep(0.001)
      running = running - 1
    end)
    assert.equal(16, most)
  end)

  it("pulls from an iterator that waits, no faster than needed", function()
    local given, started = 0, 0
    local results = task.map(function()
      task.yield()
      assert.is_true(given - started <= 2)
      given = given + 1
      return given <= 6 and given or nil
    end, function(item)
      started = started + 1
      task.sleep(0.001)
      return item
    end, { concurrency = 2 })
    assert.same({ 1, 2, 3, 4, 5, 6 }, results)
  end)

  it("raises the first failure, cancels the rest, and interrupts an iterator that waits", function()
    local ok, message = pcall(task.map, function()
      if task.spawned then forever() end
      task.spawned = true
      return 1
    end, function()
      task.yield()
      error("item failed", 0)
    end)
    task.spawned = nil
    assert.is_false(ok)
    assert.equal("item failed", message)
  end)

  it("collects errors by index with errors = 'collect'", function()
    local object = world_error()
    local results, failures = task.map({ 1, 2, 3, 4 }, function(item)
      if item == 2 then error("two", 0) end
      if item == 3 then return nil, object end
      return item
    end, { errors = "collect" })
    assert.same({ [1] = 1, [4] = 4 }, results)
    assert.same({ [2] = "two", [3] = object }, failures)
  end)

  it("ends what an item deferred with the item", function()
    local order = {}
    task.map({ 1, 2 }, function(item)
      task.defer(function() order[#order + 1] = "end " .. item end)
      order[#order + 1] = "item " .. item
    end, { concurrency = 1 })
    assert.same({ "item 1", "end 1", "item 2", "end 2" }, order)
  end)

  it("checks its options", function()
    local ok, message = pcall(task.map, {}, forever, { concurency = 3 })
    assert.is_false(ok)
    assert.matches("did you mean 'concurrency'", message)
    assert.has_error(function() task.map({}, forever, { concurrency = 0 }) end)
    assert.has_error(function() task.map("list", forever) end)
    assert.same({}, task.map({}, forever))
  end)
end)

describe("task.stream", function()
  local function slow(item)
    task.sleep(item / 200)
    return item * 10, "more"
  end

  it("gives index and results in the order of completion", function()
    local seen = {}
    for index, value, more in task.stream({ 3, 1, 2 }, slow) do seen[#seen + 1] = { index, value, more } end
    assert.same({ { 2, 10, "more" }, { 3, 20, "more" }, { 1, 30, "more" } }, seen)
  end)

  it("gives them in the order of the items when asked", function()
    local seen = {}
    for index, value in task.stream({ 3, 1, 2 }, slow, { ordered = true }) do
      seen[#seen + 1] = { index, value }
    end
    assert.same({ { 1, 30 }, { 2, 10 }, { 3, 20 } }, seen)
  end)

  it("starts at most `concurrency` items ahead of the loop", function()
    local started, taken = 0, 0
    for _ in task.stream({ 1, 2, 3, 4, 5, 6, 7, 8 }, function()
      started = started + 1
      assert.is_true(started - taken <= 3 + 1) -- and the one the loop has in hand
    end, { concurrency = 3 }) do
      for _ = 1, 10 do task.yield() end
      taken = taken + 1
    end
    assert.equal(8, taken)
  end)

  it("raises a failure in the loop, after what came before it", function()
    local seen, object = {}, world_error()
    local ok, err = pcall(function()
      for _, value in task.stream({ 1, 2, 3 }, function(item)
        if item == 2 then
          task.sleep(0.01)
          return nil, object
        elseif item == 3 then
          forever()
        end
        return item
      end) do
        seen[#seen + 1] = value
      end
    end)
    assert.is_false(ok)
    assert.equal(object, err)
    assert.same({ 1 }, seen)
  end)

  it("raises what the iterator of items raises", function()
    local ok, message = pcall(function()
      for _ in task.stream(function() error("no items", 0) end, forever) do error("unexpected") end
    end)
    assert.is_false(ok)
    assert.equal("no items", message)
  end)

  it("is ended by close, and gives nothing afterwards", function()
    local before = native.counts().task
    local stream = task.stream({ 1, 2, 3 }, function(item)
      if item > 1 then forever() end
      return item
    end)
    assert.equal(1, (stream()))
    stream:close()
    assert.equal(before, native.counts().task)
    assert.is_nil((stream()))
    stream:close()
  end)

  it("ends with its task after a break", function()
    local before = native.counts().task
    task.spawn(function()
      for index in task.stream({ 1, 2, 3 }, function(item)
        if item > 1 then forever() end
        return item
      end) do
        if index == 1 then break end
      end
    end):join()
    assert.equal(before, native.counts().task)
  end)

  it("ends with a scope's function after a break", function()
    local before = native.counts().task
    task.scope(function()
      for index in task.stream({ 1, 2, 3 }, function(item)
        if item > 1 then forever() end
        return item
      end) do
        if index == 1 then break end
      end
    end)
    assert.equal(before, native.counts().task)
  end)
end)

describe("handle:join", function()
  it("raises the task's error to everyone who joins", function()
    local object = {}
    local caught = 0
    pcall(task.scope, function(scope)
      local failing = native.spawn(nil, 1, function()
        task.yield()
        error(object)
      end)
      for _ = 1, 3 do
        scope:spawn(function()
          local ok, err = pcall(failing.join, failing)
          if not ok and err == object then caught = caught + 1 end
        end)
      end
    end)
    assert.equal(3, caught)
  end)

  it("refuses to wait for itself", function()
    local ok, message = pcall(task.scope, function(scope)
      local handle
      handle = scope:spawn(function() handle:join() end)
    end)
    assert.is_false(ok)
    assert.matches("its own end", message)
  end)
end)

describe("a report", function()
  it("shows the lines of every task and coroutine an error came through", function()
    local function innermost() error("deep down") end
    local handle = native.spawn(nil, 1, function()
      task.scope(function(scope)
        scope:spawn(function()
          coroutine.wrap(function()
            innermost()
          end)()
        end)
      end)
    end)
    native.join(handle)
    local report = native.report(handle)
    local first = report:match("^[^\n]*task_spec.lua:(%d+): deep down\n")
    assert.is_truthy(first)
    local line = tonumber(first)
    local _, spawned_at = report:gsub("spawned at [^\n]*task_spec.lua:%d+", "")
    assert.equal(2, spawned_at)
    for _, offset in ipairs { 0, 5, 4, 3, 2, 1 } do
      assert.matches("task_spec.lua:" .. (line + offset) .. "%f[%D]", report)
    end
    assert.is_nil(report:find("lurcher/", 1, true))
  end)
end)
