local task = require "lurcher.task"
local errors = require "lurcher.base.errors"
local native = require "lurcher.native.task"
local failure_of = require("spec.support.raising").failure
local message_of = require("spec.support.raising").message

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
    assert.equal("bad argument #1 to 'task.sleep' (a number of seconds expected, got string)",
      message_of(function() task.sleep("x") end))
    assert.equal("bad argument #1 to 'task.sleep' (a number of seconds expected, got nan)",
      message_of(function() task.sleep(0 / 0) end))
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

  it("takes nil and anything that is not nil as a failure", function()
    for _, failure in ipairs { world_error(), "just a text", { a = 1 }, 7, false } do
      local ok, err = pcall(task.scope, function(scope)
        scope:spawn(function() return nil, failure end)
        forever()
      end)
      assert.is_false(ok)
      assert.equal(failure, err)
    end
    local ok = pcall(task.scope, function(scope)
      scope:spawn(function() return nil, nil end)
      scope:spawn(function() return false, "no failure" end)
    end)
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
    for _, name in ipairs { "spawn", "defer" } do
      assert.matches("task_spec.lua:%d+: this scope has ended",
        failure_of(function() kept[name](kept, forever) end))
    end
  end)

  it("never runs a task that was cancelled before its start", function()
    local ran = false
    local handle = task.spawn(function() ran = true end)
    handle:cancel()
    assert.equal("canceled: the task was cancelled", message_of(function() handle:join() end))
    assert.is_false(ran)
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
