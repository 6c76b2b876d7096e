local task = require "lurcher.task"
local message_of = require("spec.support.raising").message

local function settle()
  for _ = 1, 10 do task.yield() end
end

describe("task.semaphore", function()
  it("lets at most so many tasks in, first come, first served", function()
    local semaphore, inside, most, order = task.semaphore(2), 0, 0, {}
    task.scope(function(scope)
      for i = 1, 6 do
        scope:spawn(function()
          semaphore:acquire()
          inside = inside + 1
          most = math.max(most, inside)
          order[#order + 1] = i
          task.yield()
          inside = inside - 1
          semaphore:release()
        end)
      end
    end)
    assert.equal(2, most)
    assert.same({ 1, 2, 3, 4, 5, 6 }, order)
  end)

  it("gives a place back however the function given to `with` ends", function()
    local semaphore = task.semaphore(1)
    assert.same({ 1, nil, 3 }, { semaphore:with(function(...) return ... end, 1, nil, 3) })
    assert.equal("failed", message_of(function() semaphore:with(error, "failed") end))
    local handle = task.spawn(function() semaphore:with(task.sleep, 60) end)
    settle()
    handle:cancel()
    settle()
    semaphore:acquire()
    semaphore:release()
  end)

  it("loses no place when a waiting task is cancelled", function()
    local semaphore = task.semaphore(1)
    semaphore:acquire()
    local first = task.spawn(function() semaphore:acquire() end)
    local second = task.spawn(function() semaphore:acquire() return "second" end)
    settle()
    first:cancel()
    semaphore:release()
    assert.equal("second", second:join())
    semaphore:release()
    semaphore:acquire()
  end)

  it("raises for a release too many, and a size that is none", function()
    local ok, message = pcall(function() task.semaphore(1):release() end)
    assert.is_false(ok)
    assert.matches("sync_spec.lua:%d+: semaphore:release was called more often", message)
    for _, size in pairs { 0, 1.5, -1, "1", [6] = false } do
      assert.matches("whole number", message_of(task.semaphore, size or nil))
    end
  end)
end)

describe("task.queue", function()
  it("gives values in order, and ends loops when it is closed and empty", function()
    local queue, seen = task.queue(2), {}
    task.scope(function(scope)
      scope:spawn(function()
        for i = 1, 5 do queue:put(i) end
        queue:close()
      end)
      for value in queue do seen[#seen + 1] = value end
    end)
    assert.same({ 1, 2, 3, 4, 5 }, seen)
    assert.is_nil(queue:get())
  end)

  it("makes `put` wait while it is full", function()
    local queue, put = task.queue(2), 0
    local handle = task.spawn(function()
      for i = 1, 4 do
        queue:put(i)
        put = put + 1
      end
    end)
    settle()
    assert.equal(2, put)
    assert.equal(1, queue:get())
    settle()
    assert.equal(3, put)
    assert.same({ 2, 3, 4 }, { queue:get(), queue:get(), queue:get() })
    handle:join()
  end)

  it("keeps false as a value and refuses nil", function()
    local queue = task.queue()
    queue:put(false)
    assert.is_false(queue:get())
    assert.equal("queue:put: nil cannot be put into a queue", message_of(function() queue:put(nil) end))
  end)

  it("hands values to waiting tasks in the order they came", function()
    local queue, got = task.queue(), {}
    task.scope(function(scope)
      for i = 1, 3 do
        scope:spawn(function() got[i] = queue:get() end)
      end
      settle()
      for i = 1, 3 do queue:put(i * 10) end
    end)
    assert.same({ 10, 20, 30 }, got)
  end)

  it("forgets tasks that were cancelled while they waited", function()
    local queue = task.queue(1)
    local getter = task.spawn(function() return queue:get() end)
    settle()
    getter:cancel()
    queue:put("first")
    local putter = task.spawn(function() queue:put("never") end)
    settle()
    putter:cancel()
    assert.equal("first", queue:get())
    queue:put("second")
    assert.equal("second", queue:get())
  end)

  it("ends all who wait when it is closed", function()
    local empty, full = task.queue(), task.queue(1)
    full:put(1)
    local getter = task.spawn(function() return "got", empty:get() end)
    local outcome
    local putter = task.spawn(function() outcome = { pcall(full.put, full, 2) } end)
    settle()
    empty:close()
    full:close()
    full:close()
    assert.same({ "got", nil }, { getter:join() })
    putter:join()
    assert.is_false(outcome[1])
    assert.matches("the queue was closed", outcome[2])
    assert.equal(1, full:get())
    assert.is_nil(full:get())
    assert.equal("queue:put: the queue is closed", message_of(function() full:put(3) end))
  end)

  it("works as a worker pool that loses and doubles nothing", function()
    local queue, seen, count = task.queue(8), {}, 0
    task.scope(function(scope)
      for _ = 1, 7 do
        scope:spawn(function()
          for value in queue do
            assert.is_nil(seen[value])
            seen[value] = true
            count = count + 1
            if value % 3 == 0 then task.yield() end
          end
        end)
      end
      for i = 1, 1000 do queue:put(i) end
      queue:close()
    end)
    assert.equal(1000, count)
  end)
end)

describe("task.event", function()
  it("lets all who wait go on, and those who come later pass", function()
    local event, passed = task.event(), 0
    task.scope(function(scope)
      for _ = 1, 3 do
        scope:spawn(function()
          event:wait()
          passed = passed + 1
        end)
      end
      settle()
      assert.equal(0, passed)
      event:set()
      event:set()
    end)
    assert.equal(3, passed)
    event:wait()
  end)
end)

describe("task.limiter", function()
  it("lets a burst through at once and then keeps its rate", function()
    local limiter = task.limiter { rate = 200, burst = 3 }
    local start = task.now()
    for _ = 1, 3 do limiter:wait() end
    local burst = task.now() - start
    for _ = 1, 4 do limiter:wait() end
    local took = task.now() - start
    assert.is_true(burst < 0.02 + took / 2)
    assert.is_true(took >= 4 / 200 - 0.001)
  end)

  it("takes several turns at once and keeps the order of tasks", function()
    local limiter, order = task.limiter { rate = 500 }, {}
    task.scope(function(scope)
      for i = 1, 4 do
        scope:spawn(function()
          limiter:wait(i)
          order[#order + 1] = i
        end)
      end
    end)
    assert.same({ 1, 2, 3, 4 }, order)
  end)

  it("gives turns back that a cancelled task waited for", function()
    local limiter = task.limiter { rate = 100 }
    local start = task.now()
    limiter:wait()
    local handle = task.spawn(function() limiter:wait(100000) end)
    settle()
    handle:cancel()
    settle()
    limiter:wait()
    assert.is_true(task.now() - start < 60)
  end)

  it("checks its options", function()
    assert.equal("task.limiter: the option 'rate' (per second) is missing",
      message_of(function() task.limiter {} end))
    assert.equal("task.limiter: option 'rate' must be a number above 0, got 0",
      message_of(function() task.limiter { rate = 0 } end))
    local ok, message = pcall(task.limiter, { rates = 1 })
    assert.is_false(ok)
    assert.matches("did you mean 'rate'", message)
  end)
end)

describe("methods called with a dot", function()
  it("raise at the caller's line, saying how to call them", function()
    local handle = task.spawn(function() end)
    for name, call in pairs {
      ["semaphore:acquire"] = function() task.semaphore(1).acquire() end,
      ["queue:put"] = function() task.queue().put(1) end,
      ["queue:get"] = function() task.queue().get() end,
      ["event:wait"] = function() task.event().wait() end,
      ["limiter:wait"] = function() task.limiter({ rate = 1 }).wait(1) end,
      ["handle:join"] = function() handle.join() end,
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.matches("sync_spec.lua:%d+: .*with a colon: " .. name, message)
    end
  end)
end)
