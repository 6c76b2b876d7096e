--- `lurcher test`: runs busted inside the runtime. Every block (it, before_each, setup, …) runs in a task
--- of its own, so it may wait; an `it` that leaves connections or handles behind fails, and so does a block
--- whose tasks have not ended one second after it, or that takes longer than 120 seconds (the environment
--- variable LURCHER_TEST_LIMIT says how long).

local clock = require "lurcher.clock"
local left = require "lurcher.command.test.left"
local libraries = require "lurcher.command.test.libraries"
local native = require "lurcher.native.task"
local options = require "lurcher.command.test.options"
local reports = require "lurcher.command.test.reports"
local tags = require "lurcher.command.test.tags"
local task = require "lurcher.task"
local text = require "lurcher.base.text"

local test = {}

local xpcall = xpcall

local HELP = [[

Of lurcher test:
  --jobs=N                    run each file in a process of its own, N at
                              once
  --watch                     run again when a Lua file has changed
  --coverage                  count the lines that ran: luacov.stats.out
A name with #virtual runs in virtual time, one with #limit=5 may take five
seconds.]]

local limit = tonumber(os.getenv("LURCHER_TEST_LIMIT")) or 120

local blocks = {
  it = true, finally = true, before_each = true, after_each = true, setup = true, teardown = true,
  strict_setup = true, strict_teardown = true, lazy_setup = true, lazy_teardown = true,
}

-- A hang should say what it waits for, so this is not left to task.timeout.
local function watch(last_task, seconds)
  task.sleep(seconds)
  error(("took longer than %g s%s"):format(seconds, native.waiting(last_task)), 0)
end

local HUNG_LATER = 2 -- seconds after the limit: that of a task ends those that wait

-- Of the command's process; specs may run this module in another.
local set_watch = debug.getregistry()["lurcher.watch_hung"] or function() end

-- A task that never waits cannot be ended: the run ends, and says with which spec.
local function watch_hung(element, seconds)
  local at = element.trace or {}
  local told = '\nlurcher test: "%s" (%s:%d) took longer than %g s, and the run ends here: '
  local name = text.cut(text.printable(tostring(element.name)), 100)
  set_watch(seconds + HUNG_LATER, told:format(name, at.short_src or "?", at.currentline or 0, seconds))
end

-- The mock that is under all clients; false: none. Modules are loaded anew for each file.
local function installed()
  local client = package.loaded["lurcher.http.client"]
  if not client then return nil end
  local before = client.install(false)
  client.install(before)
  return before
end

local function restore(mock)
  local client = package.loaded["lurcher.http.client"]
  if client and installed() ~= (mock or false) then client.install(mock or false) end
end

-- Tasks that were told to end may need a moment; the others were left behind.
local function await_tasks(last_task)
  for _ = 1, 50 do task.sleep(0.02) end -- in turns of the loop: the whole process may have stood still for a second
  error("the spec ended, but left open: tasks that had not ended 1 s later" .. native.waiting(last_task), 0)
end

-- os.exit would end the run with all its specs, and its status would be taken for theirs.
local called_exit

local function refuse_exit(code)
  called_exit = ("os.exit(%s) was called in a spec: it would end the whole run"):format(tostring(code or ""))
  error(called_exit, 2)
end

local function servers()
  local list = {}
  for server in pairs(package.loaded["lurcher.server.running"] or {}) do list[server] = true end
  return list
end

-- What a spec left must not be in the way of the next.
local function stop_servers(before)
  for server in pairs(servers()) do
    if not before[server] and not server.stopping then pcall(server.stop, server, 0) end
  end
end

-- What Lua's own libraries were when the `it` began that runs.
local replaceable

local function put_back()
  if replaceable then libraries.restore(replaceable) end
end

-- Also in front of busted's handler of errors, which needs them.
local function xpcall_with_libraries(fn, handler)
  local function restored(...)
    put_back()
    return ...
  end
  return restored(xpcall(fn, function(raised)
    put_back()
    return handler(raised)
  end))
end

-- busted's `safe` runs every block; ours runs it as a child task, and waits for all that it started.
local function run_in_tasks(busted)
  local safe = busted.safe
  local function run_in_task(descriptor, run, element)
    local results
    local wanted = tags.of(busted, element)
    watch_hung(element, wanted.limit or limit)
    local ok, err = pcall(task.scope, function(scope)
      local watchdog = scope:spawn(watch, native.last_id() + 1, wanted.limit or limit)
      local leaving
      task.scope(function(inner)
        local function run_block()
          results = { safe(descriptor, run, element) }
        end
        -- An `it` may cancel task.current(), and what it defers runs at its end. What other blocks start has
        -- to outlive them, so they run in the run's own task.
        if descriptor ~= "it" then
          run_block()
        elseif wanted.virtual then
          inner:spawn(clock.virtual, run_block):join()
        else
          inner:spawn(run_block):join()
        end
        leaving = scope:spawn(await_tasks, watchdog.id)
      end)
      leaving:cancel()
      watchdog:cancel()
    end)
    set_watch()
    if not results then busted.context.pop() end -- cancelled in mid-run, or a task that it started failed
    if called_exit and ok then ok, err = false, called_exit end -- and the script went on
    called_exit = nil
    if not ok and (not results or results[1]:success()) then
      return { safe(descriptor, function() error(err, 0) end, element) }
    end
    return results
  end

  function busted.safe(descriptor, run, element)
    local is_block = blocks[descriptor] and (run == element.run or descriptor == "finally")
    if not is_block then return safe(descriptor, run, element) end
    if descriptor ~= "it" then return unpack(run_in_task(descriptor, run, element)) end
    local before, mock, running = left.snapshot(), installed(), servers()
    replaceable = libraries.now()
    local results = run_in_task(descriptor, run, element)
    put_back()
    replaceable = nil
    restore(mock)
    local remains = left.behind(before)
    native.note_openings(nil)
    stop_servers(running)
    if remains and results[1]:success() then
      local message = "the spec ended, but left open: " .. remains
      return safe(descriptor, function() busted.fail(message) end, element)
    end
    return unpack(results)
  end
end

-- The seed of an order that was drawn, so that it can be had again.
local function tell_seed(busted)
  busted.subscribe({ "suite", "start" }, function(root, _, _, seed)
    seed = seed or root.randomseed
    local told = "shuffled by seed %d: --shuffle --seed=%d gives this order again\n"
    if seed then io.stderr:write(told:format(seed, seed)) end
    return nil, true
  end)
end

local function run_otherwise(own, words)
  if own.watch then
    if own.coverage then table.insert(words, 1, "--coverage") end
    if own.jobs > 1 then table.insert(words, 1, "--jobs=" .. own.jobs) end
    return require("lurcher.command.test.watch").run(words)
  end
  os.exit(require("lurcher.command.test.jobs").run(words, own.jobs))
end

---@param ... string busted's options and paths, and those of command/test/options.lua
function test.run(...)
  local own, words = options.take { ... }
  if not own then
    io.stderr:write("lurcher test: ", words, "\n")
    os.exit(2)
  end
  if own.coverage and own.jobs > 1 then
    io.stderr:write "lurcher test: --coverage counts the lines of one process: leave --jobs out\n"
    os.exit(2)
  end
  if own.watch or own.jobs > 1 then return run_otherwise(own, words) end
  words[0] = "lurcher test"
  _G.arg = words
  local exit = os.exit
  _G.os.exit = refuse_exit
  left.watch(_G.io)
  if not package.searchpath("busted.runner", package.path) then
    error("lurcher test needs busted, which is not installed: Debian's package is lua-busted", 0)
  end
  package.preload["busted.core"] = function()
    local path = assert(package.searchpath("busted.core", package.path))
    local chunk = assert(loadfile(path))
    -- It finds the position of a failure by counting levels, between which our pcall would be one too many.
    setfenv(chunk, setmetatable({ pcall = native.raw_pcall, xpcall = xpcall_with_libraries }, { __index = _G }))
    local make = chunk("busted.core")
    return function()
      local busted = make()
      run_in_tasks(busted)
      tell_seed(busted)
      require("lurcher.command.test.difference").install()
      reports.install(select(3, options.split(words)))
      return busted
    end
  end
  -- The answer to --help is no error.
  local make_arguments = require "cliargs.core"
  package.loaded["cliargs.core"] = function(...)
    local arguments = make_arguments(...)
    local parse = arguments.parse
    function arguments:parse(...)
      local parsed, problem = parse(self, ...)
      if not parsed and problem:find("^Usage:") then
        print(problem .. HELP)
        exit(0)
      end
      return parsed, problem
    end
    return arguments
  end
  local coverage = own.coverage and require "lurcher.command.test.coverage"
  local function finish(status)
    for _, line in ipairs(coverage and coverage.finish() or {}) do print(line) end
    exit(status)
  end
  -- busted ends a failed run with error() to spare finalizers; here the exit code is enough.
  require "busted.compatibility".exit = function(code)
    finish(code == 0 and 0 or 1)
  end
  -- busted loads modules anew for each file, but not those that are there before: one recording for all.
  if require("lurcher.native.log").recording() then require "lurcher.report.recorder" end
  -- It takes its name from that of the chunk that calls it.
  local run = load('require "busted.runner" { standalone = false }', "@lurcher test")
  if coverage then coverage.start() end
  run()
  finish(0)
end

return test
