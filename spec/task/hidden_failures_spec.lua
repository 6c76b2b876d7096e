-- What tasks raise while they are being cancelled, where nobody is told.

local process = require "spec.support.process"

local PRELUDE = [[
local task = require "lurcher.task"
local function work() task.shield(task.sleep, 0.02) error("the child's work failed") end
local function clean() task.defer(function() error("the child's clean-up failed") end) task.sleep(10) end
local function quiet() task.sleep(10) end
local function cancelled(fn)
  task.scope(function(scope)
    local outer = scope:spawn(function()
      task.scope(function(inner) inner:spawn(fn) task.sleep(10) end)
    end)
    task.sleep(0.01)
    outer:cancel("enough")
    pcall(outer.join, outer)
  end)
end
]]

local function log_of(code, options)
  local arguments = options or {}
  table.insert(arguments, process.script(PRELUDE .. code))
  return process.run(arguments).err
end

local function count(text, words)
  return select(2, text:gsub(words, ""))
end

describe("what a task raises while it is being cancelled", function()
  it("is logged as a warning with its traceback where nobody is told", function()
    for code, words in pairs {
      ["cancelled(work)"] = "work", ["cancelled(clean)"] = "clean%-up",
      ["task.timeout(0.01, function() task.scope(function(s) s:spawn(clean) task.sleep(10) end) end)"] = "clean%-up",
      ["task.race { function() task.sleep(0.01) return 1 end, clean }"] = "clean%-up",
      ["task.any { function() task.sleep(0.01) return 1 end, clean }"] = "clean%-up",
      ["pcall(task.map, { 1, 2 }, function(i) if i == 1 then task.sleep(0.01) error 'first' end clean() end)"]
        = "clean%-up",
      ["pcall(task.all, { function() task.sleep(0.01) error 'first' end, work })"] = "work",
      ["local s = task.stream({ 1, 2 }, function(i) if i == 2 then work() end end) s() s:close()"] = "work",
    } do
      local log = log_of(code)
      assert.matches("WARN  a task failed while it was being cancelled error=\"[^\n]*the child's " .. words
        .. " failed\"[^\n]*\nstack traceback:\n", log, code)
      assert.matches("_spec%.lua:[23]: in function", log)
      assert.are.equal(1, count(log, "WARN"), code .. "\n" .. log)
    end
  end)

  it("is one object in format json", function()
    local log = log_of 'require("lurcher.log").format "json" cancelled(work)'
    local object = assert(require("lurcher.json").decode(log))
    assert.are.equal("warn", object.level)
    assert.matches("the child's work failed", object.error)
    assert.matches("^stack traceback:\n", object.traceback)
  end)

  it("is not logged where somebody is told, or where it is the cancellation", function()
    for _, code in ipairs {
      "cancelled(quiet)", "task.race { function() task.sleep(0.01) end, quiet }",
      "local h = task.spawn(quiet) task.sleep(0) h:cancel() pcall(h.join, h)",
      "local ok = pcall(task.scope, function(s) local h = s:spawn(work) task.sleep(0.001) h:cancel() h:join() end) \z
        assert(not ok)",
      "task.timeout(0.01, quiet)", "task.spawn(cancelled, quiet)",
      "pcall(task.scope, function(s) s:spawn(function() error 'told' end) task.sleep(10) end)",
    } do
      assert.are.equal("", log_of(code), code)
    end
  end)

  it("is told of the clean-up of scopes, too", function()
    local log = log_of [[
      task.scope(function(scope)
        local h = scope:spawn(function()
          task.scope(function(inner)
            inner:defer(function() error "the scope's clean-up failed" end)
            task.sleep(10)
          end)
        end)
        task.sleep(0.01)
        h:cancel()
      end)]]
    assert.matches("WARN  clean%-up failed, too error=\"[^\n]*the scope's clean%-up failed\"[^\n]*\n"
      .. "stack traceback:\n\t", log)
  end)
end)
