local task = require "lurcher.task"
local native = require "lurcher.native.task"
local message_of = require("spec.support.raising").message

local unyieldable = "LuaJIT cannot suspend"

describe("waiting inside a coroutine", function()
  it("works in a generator made by coroutine.wrap", function()
    local seen = {}
    for value in coroutine.wrap(function()
      for i = 1, 3 do
        task.yield()
        coroutine.yield(i)
      end
    end) do
      seen[#seen + 1] = value
    end
    assert.same({ 1, 2, 3 }, seen)
  end)

  it("works in coroutines nested several deep, and keeps values in both directions", function()
    local function pack(...) return { n = select("#", ...), ... } end
    local function nest(levels)
      return coroutine.create(function(...)
        task.yield()
        local arguments
        if levels == 0 then
          arguments = pack(coroutine.yield(...))
        else
          local inner = nest(levels - 1)
          arguments = pack(coroutine.yield(select(2, coroutine.resume(inner, ...))))
          arguments = pack(select(2, coroutine.resume(inner, unpack(arguments, 1, arguments.n))))
        end
        task.yield()
        return unpack(arguments, 1, arguments.n)
      end)
    end
    local co = nest(3)
    assert.same({ n = 4, true, "in", nil, 1 }, pack(coroutine.resume(co, "in", nil, 1)))
    assert.equal("suspended", coroutine.status(co))
    assert.same({ n = 3, true, "out", nil }, pack(coroutine.resume(co, "out", nil)))
    assert.equal("dead", coroutine.status(co))
  end)

  it("passes what wake gave to the innermost coroutine", function()
    local me = native.current()
    local function pack(...) return { n = select("#", ...), ... } end
    task.spawn(function() native.wake(me, "a", nil, "c") end)
    local got = coroutine.wrap(function()
      return coroutine.wrap(function() return pack(native.park()) end)()
    end)()
    assert.same({ n = 3, "a", nil, "c" }, got)
  end)

  it("lets several tasks wait in coroutines of their own at once", function()
    local sums = task.map({ 10, 20, 30 }, function(count)
      local sum = 0
      for value in coroutine.wrap(function()
        for i = 1, count do
          task.yield()
          coroutine.yield(i)
        end
      end) do
        sum = sum + value
      end
      return sum
    end)
    assert.same({ 55, 210, 465 }, sums)
  end)

  it("refuses to resume a coroutine in which another task waits", function()
    local event = task.event()
    local co = coroutine.create(function() event:wait() return "done" end)
    local first = task.spawn(function() return coroutine.resume(co) end)
    task.yield()
    assert.equal("normal", coroutine.status(co))
    local ok, message = coroutine.resume(co)
    assert.is_false(ok)
    assert.matches("another task waits", message)
    event:set()
    assert.same({ true, "done" }, { first:join() })
    assert.equal("dead", coroutine.status(co))
  end)

  it("raises the cancellation in the innermost coroutine, and through every resume around it", function()
    local seen = {}
    local child = task.spawn(function()
      coroutine.resume(coroutine.create(function()
        local ok = native.raw_pcall(coroutine.wrap(function()
          local fine, err = native.raw_pcall(task.sleep, 60)
          seen[#seen + 1] = not fine and err.kind
          error(err, 0)
        end))
        seen[#seen + 1] = ok
        task.sleep(60)
      end))
      seen[#seen + 1] = "not reached"
    end)
    task.yield()
    child:cancel()
    assert.is_false((pcall(child.join, child)))
    assert.same({ "canceled", false }, seen)
    assert.equal("canceled", child.status)
  end)
end)

describe("coroutines", function()
  it("behave as in plain Lua where nothing waits", function()
    local co = coroutine.create(function(a, b)
      local c = coroutine.yield(a + b)
      local d, e = coroutine.yield(c * 2)
      return d + e
    end)
    assert.equal("suspended", coroutine.status(co))
    assert.same({ true, 3 }, { coroutine.resume(co, 1, 2) })
    assert.same({ true, 20 }, { coroutine.resume(co, 10) })
    assert.same({ true, 7 }, { coroutine.resume(co, 3, 4) })
    assert.equal("dead", coroutine.status(co))
    assert.same({ false, "cannot resume dead coroutine" }, { coroutine.resume(co) })
  end)

  it("give errors back by resume and raise them by wrap, unchanged", function()
    local object = setmetatable({}, { __tostring = function() return "object" end })
    local ok, err = coroutine.resume(coroutine.create(function() error(object) end))
    assert.is_false(ok)
    assert.equal(object, err)
    ok, err = pcall(coroutine.wrap(function() error(object) end))
    assert.is_false(ok)
    assert.equal(object, err)
  end)

  it("cannot yield from the task itself", function()
    local ok, message = pcall(coroutine.yield, 1)
    assert.is_false(ok)
    assert.matches("outside a coroutine", message)
    assert.is_false(coroutine.isyieldable())
    assert.is_true(coroutine.wrap(coroutine.isyieldable)())
  end)

  it("are not what a task is: it cannot be resumed by hand", function()
    assert.equal(1, select("#", coroutine.running())) -- type(coroutine.running()) works
    assert.is_nil((coroutine.running()))
    coroutine.wrap(function()
      local me = coroutine.running()
      assert.equal("thread", type(me))
      assert.equal("running", coroutine.status(me))
      task.yield()
      assert.equal(me, coroutine.running())
    end)()
  end)

  it("are known from the task, whatever an attempt to resume raises", function()
    local ok, message = pcall(coroutine.resume, 1)
    assert.is_false(ok)
    assert.matches("bad argument #1 to 'resume' %(coroutine expected, got number%)", message)
    assert.is_nil((coroutine.running()))
  end)

  it("are known from the task when its stack has no room for their results", function()
    local results = {}
    for i = 1, 7000 do results[i] = i end
    local function give() while true do coroutine.yield(unpack(results)) end end
    local co, failures = coroutine.create(give), 0
    local function deep(n)
      if n > 0 then return (deep(n - 1)) end
      return select("#", coroutine.resume(co))
    end
    local function fill()
      for n = 14000, 30000, 50 do
        if not pcall(deep, n) then failures = failures + 1 end
        if coroutine.status(co) == "dead" then co = coroutine.create(give) end
        if coroutine.running() and failures > 0 then return false end
      end
      return true
    end
    assert.is_true(fill())
    assert.is_true(failures > 0)
    assert.is_false(pcall(coroutine.yield))
    assert.is_false(pcall(task.scope, function(scope) scope:spawn(deep, 30000) end))
    assert.is_nil((coroutine.running()))
  end)

  it("end an endless nesting with a clear error", function()
    local function nest() return coroutine.wrap(nest)() end
    local ok, message = pcall(nest)
    assert.is_false(ok)
    assert.matches("nested more than %d+ deep", message)
    assert.equal(1, coroutine.wrap(function() return 1 end)())
  end)

  it("may be nested 150 deep, also while something inside waits", function()
    local function nest(levels)
      if levels == 0 then
        task.yield()
        return "bottom"
      end
      return coroutine.wrap(nest)(levels - 1)
    end
    assert.equal("bottom", nest(150))
  end)
end)

describe("waiting", function()
  it("works in pcall, xpcall, metamethods and iterators", function()
    local function wait(value)
      task.yield()
      return value
    end
    assert.same({ true, 1 }, { pcall(wait, 1) })
    assert.same({ true, 2 }, { xpcall(wait, debug.traceback, 2) })
    local object = setmetatable({}, {
      __index = function(_, key) return wait(key) end,
      __newindex = function(t, key, value) rawset(t, key, wait(value)) end,
      __call = function(_, value) return wait(value) end,
      __add = function(_, value) return wait(value) end,
      __concat = function(_, value) return wait(value) end,
      __unm = function() return wait("minus") end,
      __lt = function() return wait(true) end,
      __eq = function() return wait(true) end,
    })
    local other = setmetatable({}, getmetatable(object))
    assert.equal("key", object.key)
    object.new = "value"
    assert.equal("value", rawget(object, "new"))
    assert.equal(3, object(3))
    assert.equal(4, object + 4)
    assert.equal("text", object .. "text")
    assert.equal("minus", -object)
    assert.is_true(object < other)
    assert.is_true(object == other)
    local sum = 0
    for i in function(_, last)
      last = last or 0
      return wait(last < 3 and last + 1 or nil)
    end do
      sum = sum + i
    end
    assert.equal(6, sum)
  end)

  it("works in a chunk from load and in a reader given to load", function()
    local pieces = { "local task = require 'lurcher.task' ", "task.yield() ", "return 42" }
    local index = 0
    local chunk = assert(load(function()
      task.yield()
      index = index + 1
      return pieces[index]
    end))
    assert.equal(42, chunk())
    local failed, message = load(function() return 1 end)
    assert.is_nil(failed)
    assert.matches("reader function must return a string", message)
  end)

  it("names what is wrong where LuaJIT cannot suspend", function()
    local cases = {
      ["a table.sort comparator"] = function()
        table.sort({ 3, 2, 1 }, function(a, b)
          task.yield()
          return a < b
        end)
      end,
      ["a gsub callback"] = function() return (("x"):gsub("x", function() task.sleep(0.01) end)) end,
      ["a coroutine in a gsub callback"] = function()
        return (("x"):gsub("x", function() coroutine.wrap(function() task.sleep(0.01) end)() end))
      end,
      ["a scope in a coroutine in a comparator"] = function()
        table.sort({ 3, 2, 1 }, function(a, b)
          coroutine.wrap(function() task.scope(function() task.sleep(0.01) end) end)()
          return a < b
        end)
      end,
    }
    for name, fn in pairs(cases) do
      local ok, message = pcall(fn)
      assert.is_false(ok, name)
      assert.matches(unyieldable, message)
      assert.matches("coroutine_spec.lua:%d+", message)
    end
    local reason
    xpcall(error, function()
      local _, message = native.raw_pcall(task.sleep, 0.01)
      reason = message
    end)
    assert.matches(unyieldable, reason)
    task.yield() -- and the task goes on well
  end)
end)

describe("require", function()
  local directory, path

  local function write(name, text)
    local file = assert(io.open(("%s/%s.lua"):format(directory, name), "w"))
    file:write(text)
    file:close()
  end

  before_each(function()
    directory = os.tmpname()
    os.remove(directory)
    assert(require("lfs").mkdir(directory))
    path = package.path
    package.path = directory .. "/?.lua;" .. path
  end)

  after_each(function()
    package.path = path
    for name in require("lfs").dir(directory) do
      if name:match("%.lua$") then
        package.loaded[name:sub(1, -5)] = nil
        os.remove(directory .. "/" .. name)
      end
    end
    require("lfs").rmdir(directory)
  end)

  it("runs a module whose body waits, once, also when two tasks want it at the same time", function()
    write("spec_slow_module", [[
      spec_slow_module_runs = (rawget(_G, "spec_slow_module_runs") or 0) + 1
      require("lurcher.task").sleep(0.001)
      return { name = ... }
    ]])
    local first, second, third = task.all {
      function() return require "spec_slow_module" end,
      function() return require "spec_slow_module" end,
      function() return require "spec_slow_module" end,
    }
    assert.equal("spec_slow_module", first.name)
    assert.equal(first, second)
    assert.equal(first, third)
    assert.equal(1, rawget(_G, "spec_slow_module_runs"))
    rawset(_G, "spec_slow_module_runs", nil)
  end)

  it("finds a loop, within a task and across two", function()
    write("spec_loop_a", "require('lurcher.task').yield() return require 'spec_loop_b'")
    write("spec_loop_b", "require('lurcher.task').yield() return require 'spec_loop_a'")
    local ok, message = pcall(require, "spec_loop_a")
    assert.is_false(ok)
    assert.matches("loop or previous error loading module 'spec_loop_a'", message)
    local outcomes = task.map({ "spec_loop_a", "spec_loop_b" }, function(name)
      return (pcall(require, name))
    end)
    assert.same({ false, false }, outcomes)
  end)

  it("raises what the module raised, and tries again the next time", function()
    write("spec_failing_module", "error('broken', 0)")
    for _ = 1, 2 do assert.equal("broken", message_of(require, "spec_failing_module")) end
    write("spec_failing_module", "return 'mended'")
    assert.equal("mended", require "spec_failing_module")
  end)

  it("lists the places it has looked in", function()
    local ok, message = pcall(require, "spec_no_such_module")
    assert.is_false(ok)
    assert.matches("module 'spec_no_such_module' not found:", message)
    assert.matches("no file", message)
  end)

  it("lets the others go on when the task that loads is cancelled", function()
    write("spec_stuck_module", [[
      local native = require "lurcher.native.task"
      if not rawget(_G, "spec_stuck") then
        rawset(_G, "spec_stuck", true)
        native.park()
      end
      return "loaded"
    ]])
    local first = task.spawn(function() return require "spec_stuck_module" end)
    local second = task.spawn(function() return require "spec_stuck_module" end)
    task.yield()
    task.yield()
    first:cancel()
    assert.equal("loaded", second:join())
    rawset(_G, "spec_stuck", nil)
  end)

  it("lets a task that waits for a module be cancelled", function()
    write("spec_parked_module", "return require('lurcher.native.task').park()")
    local first = task.spawn(function() return require "spec_parked_module" end)
    local second = task.spawn(function() return require "spec_parked_module" end)
    task.yield()
    task.yield()
    second:cancel()
    task.yield()
    assert.equal("canceled", second.status)
    native.wake(first, "value")
    assert.equal("value", first:join())
  end)
end)

describe("dofile", function()
  it("runs a file that waits", function()
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write("require('lurcher.task').yield() return 'result'")
    file:close()
    assert.equal("result", dofile(name))
    os.remove(name)
    assert.equal(("cannot open %s: No such file or directory"):format(name),
      message_of(function() dofile(name) end))
  end)
end)
