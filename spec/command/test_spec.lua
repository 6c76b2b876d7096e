local process = require "spec.support.process"

local path

-- Runs `lurcher test` on a spec file with this text; gives the exit status and all output.
local function run_spec(text, ...)
  local file = assert(io.open(path, "w"))
  assert(file:write('local task, native = require "lurcher.task", require "lurcher.native.task"\n', text))
  assert(file:close())
  local arguments = { ... }
  for _, word in ipairs { process.lurcher, "test", "-o", "plainTerminal", path } do
    arguments[#arguments + 1] = word
  end
  local ended = process.run(arguments, { command = "env" })
  return ended.status, ended.out .. ended.err
end

describe("lurcher test", function()
  before_each(function()
    path = os.tmpname()
    os.remove(path)
    path = path .. "_spec.lua"
  end)

  after_each(function() os.remove(path) end)

  it("lets every kind of block wait", function()
    local status, output = run_spec [[
      local seen = {}
      local function note(name)
        task.sleep(0.001)
        seen[#seen + 1] = name
      end
      describe("blocks", function()
        setup(function() note "setup" end)
        lazy_setup(function() note "lazy_setup" end)
        before_each(function() note "before_each" end)
        after_each(function() note "after_each" end)
        teardown(function()
          note "teardown"
          print(table.concat(seen, " "))
        end)
        it("one", function()
          finally(function() note "finally" end)
          note "it"
        end)
      end)
      task.sleep(0.001)
      describe("file level", function() task.sleep(0.001) end)
    ]]
    assert.equal(0, status)
    assert.matches("1 success / 0 failures / 0 errors / 0 pending", output, 1, true)
    assert.matches("setup lazy_setup before_each it finally after_each teardown", output, 1, true)
  end)

  it("names the line of a failure and of an error, and exits with 1", function()
    local status, output = run_spec [[
      it("fails", function()
        task.yield()
        assert.equal(1, 2)
      end)
      it("raises", function() error("broken") end)
      it("is fine", function() end)
    ]]
    assert.equal(1, status)
    assert.matches("1 success / 1 failure / 1 error / 0 pending", output, 1, true)
    assert.matches("_spec.lua:4: Expected objects to be equal", output, 1, true)
    assert.matches("_spec.lua:6: broken", output, 1, true)
  end)

  it("waits for the tasks a spec has started", function()
    local status = run_spec [[
      local ended = false
      it("one", function() task.spawn(function() task.sleep(0.01) ended = true end) end)
      it("two", function() assert.is_true(ended) end)
    ]]
    assert.equal(0, status)
  end)

  it("fails a spec whose task fails, also when that cancels the spec in mid-wait", function()
    local status, output = run_spec [[
      it("ends first", function() task.spawn(function() task.sleep(0.001) error("late") end) end)
      it("is cancelled", function()
        task.spawn(function() error("early") end)
        task.sleep(60)
      end)
      it("is fine", function() task.yield() end)
    ]]
    assert.equal(1, status)
    assert.matches("1 success / 0 failures / 2 errors / 0 pending", output, 1, true)
    assert.matches("_spec.lua:2: late", output, 1, true)
    assert.matches("_spec.lua:4: early", output, 1, true)
  end)

  it("fails a spec that leaves something open, and says what", function()
    local status, output = run_spec [[
      it("leaves things", function() native.count("thing", 2) end)
      it("closes them", function()
        native.count("thing", 1)
        native.count("thing", -3)
      end)
    ]]
    assert.equal(1, status)
    assert.matches("1 success / 1 failure / 0 errors / 0 pending", output, 1, true)
    assert.matches("left open: 2 things", output, 1, true)
  end)

  it("fails a spec whose tasks go on after it, and says what they wait for", function()
    local status, output = run_spec [[
      it("leaves a task", function()
        task.spawn(function() task.sleep(60) end)
      end)
      it("is fine", function() end)
    ]]
    assert.equal(1, status)
    assert.matches("1 success / 0 failures / 1 error / 0 pending", output, 1, true)
    assert.matches("left open: tasks that had not ended 1 s later", output, 1, true)
    assert.matches("waits for a sleep at [^\n]*_spec.lua:3", output)
  end)

  it("ends a spec that hangs, and says what it waits for", function()
    local status, output = run_spec([[
      it("hangs", function()
        native.daemon(function() task.sleep(60) end) -- no deadlock: something may still happen
        task.spawn(function() task.event():wait() end)
        finally(function() print("finally runs") end)
        task.queue():get()
      end)
    ]], "LURCHER_TEST_LIMIT=0.3")
    assert.equal(1, status)
    assert.matches("took longer than 0.3 s", output, 1, true)
    assert.matches("waits for an event at [^\n]*_spec.lua:4", output)
    assert.matches("waits for a value in a queue at [^\n]*_spec.lua:6", output)
    assert.matches("finally runs", output, 1, true)
  end)

  it("survives specs that cancel their own task or call os.exit", function()
    local status, output = run_spec [[
      it("cancels itself", function()
        task.current():cancel()
        task.yield()
      end)
      it("exits", function() os.exit(0) end)
      it("exits, and does not want to know", function() pcall(os.exit, true) end)
      it("exits in a task", function() task.spawn(os.exit) end)
      it("is fine", function() task.yield() end)
      it("fails", function() assert.equal(1, 2) end)
    ]]
    assert.equal(1, status)
    assert.matches("1 success / 1 failure / 4 errors / 0 pending", output, 1, true)
    assert.matches("canceled: the task was cancelled", output, 1, true)
    assert.matches("_spec.lua:6: os.exit(0) was called in a spec", output, 1, true)
    assert.matches("os.exit(true) was called in a spec", output, 1, true)
  end)

  it("runs what a spec defers when that spec ends", function()
    local status, output = run_spec [[
      local ended = 0
      it("one", function() task.defer(function() ended = ended + 1 end) end)
      it("two", function() assert.equal(1, ended) end)
    ]]
    assert.equal(0, status, output)
  end)

  it("shows its options when asked", function()
    local ended = process.run { "test", "--help" }
    assert.equal(0, ended.status)
    assert.equal("", ended.err)
    assert.matches("^Usage: lurcher test", ended.out)
  end)

  it("calls itself by its name in messages", function()
    local refused = process.run { "test", "--coverage", "--jobs=2" }
    assert.equal(2, refused.status)
    assert.equal("lurcher test: --coverage counts the lines of one process: leave --jobs out\n", refused.err)
    local ended = process.run { "test", "--no-such-option" }
    assert.is_true(ended.status > 0)
    assert.matches("^lurcher test: error: ", ended.err)
  end)
end)
