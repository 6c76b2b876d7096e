local clock = require "lurcher.clock"
local process = require "spec.support.process"
local random = require "lurcher.base.random"
local task = require "lurcher.task"

local HOUR, DAY = 3600, 86400

-- Virtual seconds that `fn` takes.
local function elapsed(fn, ...)
  local start = task.now()
  fn(...)
  return task.now() - start
end

local function near(expected, got)
  assert.is_true(math.abs(expected - got) < 1e-6, ("expected %.9f, got %.9f"):format(expected, got))
end

describe("clock.virtual", function()
  it("sleeps 30 days at once", function()
    local real = elapsed(function()
      clock.virtual(function() near(30 * DAY, elapsed(task.sleep, 30 * DAY)) end)
    end)
    assert.is_true(real < 10)
  end)

  it("never ends a sleep without end", function()
    clock.virtual(function()
      near(10 * 365 * DAY, elapsed(task.timeout, 10 * 365 * DAY, task.sleep, math.huge))
    end)
    clock.virtual(function() near(DAY, elapsed(task.sleep, DAY)) end)
  end)

  it("returns what the function returned", function()
    assert.same({ 1, nil, 3, n = 3 }, (function(...)
      return { n = select("#", ...), ... }
    end)(clock.virtual(function() return 1, nil, 3 end)))
  end)

  it("raises what the function raised, and leaves virtual time", function()
    local failure = {}
    local ok, err = pcall(clock.virtual, function()
      task.sleep(HOUR)
      error(failure)
    end)
    assert.is_false(ok)
    assert.equal(failure, err)
    assert.equal(4, clock.virtual(function() return 4 end))
  end)

  it("raises the error of a task that the function started, and cancels the others", function()
    local reached
    local ok, err = pcall(clock.virtual, function()
      task.spawn(function()
        task.sleep(2)
        error("from a child", 0)
      end)
      task.sleep(3)
      reached = true
    end)
    assert.is_false(ok)
    assert.equal("from a child", err)
    assert.is_nil(reached)
  end)

  it("waits for the tasks that the function started", function()
    local ended
    clock.virtual(function()
      task.spawn(function()
        task.sleep(DAY)
        ended = true
      end)
    end)
    assert.is_true(ended)
  end)

  it("keeps the order of what is due", function()
    local order = {}
    clock.virtual(function()
      for _, seconds in ipairs { 5, 0.001, 3600, 2, 2 } do
        task.spawn(function()
          task.sleep(seconds)
          order[#order + 1] = seconds
        end)
      end
    end)
    assert.same({ 0.001, 2, 2, 5, 3600 }, order)
  end)

  it("runs time limits within time limits", function()
    clock.virtual(function()
      local outer, inner
      local took = elapsed(function()
        local _, err = task.timeout(100, function()
          local _, inner_err = task.timeout(60, task.sleep, HOUR)
          inner = inner_err
          task.sleep(HOUR)
        end)
        outer = err
      end)
      assert.equal("timeout", inner.kind)
      assert.equal("timeout", outer.kind)
      near(100, took)
    end)
  end)

  it("runs a limiter at its rate", function()
    clock.virtual(function()
      local limiter = task.limiter { rate = 10, burst = 5 }
      near(2, elapsed(function()
        for _ = 1, 25 do limiter:wait() end
      end))
    end)
  end)

  it("counts for tasks of map and stream", function()
    clock.virtual(function()
      near(30, elapsed(function()
        task.map({ 10, 10, 10, 10, 10, 10 }, task.sleep, { concurrency = 2 })
      end))
      local order = {}
      near(9, elapsed(function()
        for index in task.stream({ 9, 3, 6 }, task.sleep) do order[#order + 1] = index end
      end))
      assert.same({ 2, 3, 1 }, order)
    end)
  end)

  it("gives deferred functions 5 virtual seconds", function()
    local slept = 0
    local ok, err = pcall(clock.virtual, function()
      task.defer(function()
        while true do
          task.sleep(1)
          slept = slept + 1
        end
      end)
    end)
    assert.is_false(ok)
    assert.matches("clean-up took longer than 5 seconds", tostring(err), 1, true)
    assert.is_true(slept == 4 or slept == 5)
  end)

  it("wakes 10,000 tasks in their order", function()
    clock.virtual(function()
      local woken, ordered = 0, true
      local start = task.now()
      for i = 1, 10000 do
        task.spawn(function()
          task.sleep(i)
          woken = woken + 1
          ordered = ordered and woken == i and math.abs(task.now() - start - i) < 1e-6
        end)
      end
      task.sleep(10000)
      task.yield()
      assert.equal(10000, woken)
      assert.is_true(ordered)
    end)
  end)

  it("leaves real time to other tasks", function()
    local outside = task.spawn(function()
      return elapsed(task.sleep, 0.02)
    end)
    local inside = clock.virtual(function() return elapsed(task.sleep, DAY) end)
    near(DAY, inside)
    local took = outside:join()
    assert.is_true(took >= 0.019 and took < 10)
  end)

  it("goes on while other tasks wait in real time", function()
    local outside = task.spawn(task.sleep, 60)
    near(DAY, clock.virtual(function() return elapsed(task.sleep, DAY) end))
    outside:cancel()
  end)

  it("ends when its task is cancelled, and lets the next one begin", function()
    local cleaned = false
    local started = task.event()
    local handle = task.spawn(function()
      clock.virtual(function()
        task.defer(function() cleaned = true end)
        started:set()
        task.queue():get()
      end)
    end)
    started:wait()
    handle:cancel()
    pcall(handle.join, handle)
    assert.equal("canceled", handle.status)
    assert.is_true(cleaned)
    near(1, clock.virtual(function() return elapsed(task.sleep, 1) end))
  end)

  it("cannot be nested, nor run twice at once", function()
    local ok, err = pcall(clock.virtual, function() clock.virtual(task.yield) end)
    assert.is_false(ok)
    assert.matches("clock_spec.lua:%d+: clock.virtual: this task is in a virtual run already", err)
    local handle = task.spawn(clock.virtual, function() task.queue():get() end)
    task.yield()
    task.yield()
    ok, err = pcall(clock.virtual, task.yield)
    assert.is_false(ok)
    assert.matches("another task's virtual run is on", err)
    handle:cancel()
  end)

  it("refuses nonsense with the caller's line", function()
    for _, case in ipairs {
      { { nil }, "a function" },
      { { print, { sed = 1 } }, "did you mean 'seed'" },
      { { print, { seed = "x" } }, "seed" },
      { { print, { patience = -1 } }, "patience" },
    } do
      local ok, err = pcall(function() clock.virtual(case[1][1], case[1][2]) end)
      assert.is_false(ok)
      assert.matches("^[^\n]*clock_spec.lua:%d+: ", err)
      assert.matches(case[2], err, 1, true)
    end
  end)

  it("draws the same numbers for the same seed, and others for another", function()
    local function draw(seed)
      return clock.virtual(function()
        local drawn = {}
        for i = 1, 20 do drawn[i] = random.unit() end
        return drawn
      end, { seed = seed })
    end
    assert.same(draw(1), draw(1))
    assert.same(draw(1), draw(nil))
    assert.is_not.same(draw(1), draw(2))
  end)

  it("has a time of day that moves with it, from whole seconds", function()
    clock.virtual(function()
      local start = clock.time()
      assert.is_true(math.abs(start - os.time()) < 10)
      assert.equal(0, start % 1)
      task.sleep(DAY)
      near(DAY, clock.time() - start)
      assert.equal(start + DAY, os.time())
      assert.equal(os.date("!%c", start + DAY), os.date("!%c"))
    end)
    clock.virtual(function() assert.equal(1e9, clock.time()) end, { time = 1e9 })
    assert.is_true(math.abs(clock.time() - os.time()) < 10)
  end)

  it("reads files while time stands still", function()
    local fs = require "lurcher.fs"
    local path = os.tmpname()
    clock.virtual(function()
      local sleeper = task.spawn(task.sleep, 0.001)
      near(0, elapsed(function()
        assert(fs.write(path, ("x"):rep(100000)))
        assert.equal(100000, #assert(fs.read(path)))
      end))
      assert.equal("running", sleeper.status)
    end)
    os.remove(path)
  end)

  it("ends at a signal, however busily time skips", function()
    local child = process.start { process.script [[
      local clock, task = require "lurcher.clock", require "lurcher.task"
      clock.virtual(function()
        task.defer(function() io.stderr:write "cleaned up\n" end)
        io.stderr:write "ready\n"
        while true do task.sleep(1) end
      end)
    ]] }
    child:wait_for("ready\n", "err")
    child:kill "INT"
    local ended = child:wait()
    assert.equal(130, ended.status)
    assert.equal("ready\ncleaned up\n", ended.err)
  end)

  it("reports a deadlock instead of waiting for ever", function()
    local ended = process.run { "-e", [[
      require "lurcher.clock".virtual(function()
        local task = require "lurcher.task"
        task.sleep(10)
        task.event():wait()
      end)
    ]] }
    assert.equal(1, ended.status)
    assert.matches("deadlock: every task waits for another", ended.err, 1, true)
    assert.matches("waits for an event", ended.err, 1, true)
  end)
end)
