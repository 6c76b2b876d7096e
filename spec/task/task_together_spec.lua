local task = require "lurcher.task"
local errors = require "lurcher.base.errors"
local fs = require "lurcher.fs"
local native = require "lurcher.native.task"
local message_of = require("spec.support.raising").message

local function world_error() return errors.new { kind = "dns", message = "no such host" } end

local function forever() native.park("the end of time") end

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
    assert.equal("task.race: the list of functions is empty", message_of(function() task.race {} end))
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
    local spawned
    local ok, message = pcall(task.map, function()
      if spawned then forever() end
      spawned = true
      return 1
    end, function()
      task.yield()
      error("item failed", 0)
    end)
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
    assert.equal("task.map: option 'concurrency' must be a whole number of at least 1, got 0",
      message_of(function() task.map({}, forever, { concurrency = 0 }) end))
    assert.equal("bad argument #1 to 'task.map' (table or a function expected, got \"list\")",
      message_of(function() task.map("list", forever) end))
    assert.same({}, task.map({}, forever))
  end)
end)

describe("an iterator that returns nil and an error", function()
  local function failing(after, failure)
    local at = 0
    return function()
      at = at + 1
      if at > after then return nil, failure end
      return at
    end
  end

  it("fails task.map, whatever the error is", function()
    for _, failure in ipairs { world_error(), "cut off", { code = 3 } } do
      local seen = {}
      local ok, err = pcall(task.map, failing(2, failure), function(item) seen[#seen + 1] = item end)
      assert.is_false(ok)
      assert.equal(failure, err)
      ok, err = pcall(task.map, failing(2, failure), function(item) return item end, { errors = "collect" })
      assert.is_false(ok)
      assert.equal(failure, err)
    end
  end)

  it("fails task.stream behind the items before it", function()
    for _, ordered in ipairs { true, false } do
      local seen = {}
      local ok, err = pcall(function()
        local stream = task.stream(failing(3, "cut off"), function(item) return item end, { ordered = ordered })
        for _, value in stream do seen[#seen + 1] = value end
      end)
      assert.is_false(ok)
      assert.equal("cut off", err)
      assert.same({ 1, 2, 3 }, seen)
    end
  end)

  it("is a file that cannot be read", function()
    local file = assert(fs.open("/"))
    local ok, err = pcall(task.map, function() return file:line() end, function() end)
    assert.is_false(ok)
    assert.equal("EISDIR", err.code)
    file:close()
  end)
end)

describe("nil and a text", function()
  it("is a failure of map, of stream, of all, of race and of any", function()
    local function fails() return nil, "bad" end
    local values, failures = task.map({ 1, 2, 3 }, function(item)
      if item == 2 then return nil, "bad" end
      return item
    end, { errors = "collect" })
    assert.same({ 1, nil, 3 }, values)
    assert.same({ [2] = "bad" }, failures)
    for _, run in ipairs {
      function() task.map({ 1 }, fails) end,
      function() for _ in task.stream({ 1 }, fails) do error("given", 0) end end,
      function() task.all { fails } end,
      function() task.race { fails } end,
      function() task.any { fails } end,
      function() task.spawn(fails):join() end,
    } do
      local ok, err = pcall(task.scope, run)
      assert.is_false(ok)
      assert.equal("bad", err)
    end
    assert.equal("good", task.any { fails, function() return "good" end })
  end)
end)

describe("a result that is passed on", function()
  it("is as many values as there are", function()
    local function one() return 1 end
    assert.equal(1, select("#", task.race { one }))
    assert.equal(1, select("#", task.any { one }))
    assert.equal(0, select("#", task.race { function() end }))
    assert.equal(1, select("#", task.map({}, one)))
    assert.equal(2, select("#", task.map({}, one, { errors = "collect" })))
  end)
end)

describe("what is no list", function()
  it("raises for a map, which would be an empty list", function()
    for name, call in pairs { map = task.map, stream = task.stream, all = task.all, race = task.race } do
      local ok, message = pcall(call, { first = print }, print)
      assert.is_false(ok)
      assert.matches("task." .. name .. ": the table has the key 'first', but no item 1", message, 1, true)
    end
    assert.same({}, task.map({ n = 0 }, print))
  end)

  it("raises for pairs and ipairs, telling what to give", function()
    for _, step in ipairs { (pairs {}), (ipairs {}) } do
      local ok, message = pcall(task.map, step, print)
      assert.is_false(ok)
      assert.matches("give the list itself", message, 1, true)
    end
  end)
end)

describe("task.stream", function()
  it("says so when the task that made it has ended, instead of waiting for ever", function()
    local stream = task.spawn(function() return task.stream({ 1, 2 }, task.yield) end):join()
    local ok, err = pcall(function() for _ in stream do error "there is nothing" end end)
    assert.is_false(ok)
    assert.matches("^[^:]*task_together_spec.lua:%d+: the task that made this iterator has ended", err)
  end)

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

  it("gives what the iterator of items gave before it raised", function()
    for _, ordered in ipairs { true, false } do
      local at, seen = 0, {}
      local function items()
        at = at + 1
        if at > 5 then error("cut off", 0) end
        return at
      end
      local ok, err = pcall(function()
        for _, value in task.stream(items, function(item) task.yield() return item end, { ordered = ordered }) do
          seen[#seen + 1] = value
        end
      end)
      assert.is_false(ok)
      assert.equal("cut off", err)
      assert.same({ 1, 2, 3, 4, 5 }, seen)
    end
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
