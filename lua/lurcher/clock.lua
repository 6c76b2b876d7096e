--- Time for tests: what would take hours runs at once, and the same way each time.
---
---     local clock = require "lurcher.clock"
---     clock.virtual(function()
---       task.sleep(3600) -- takes no time
---     end)
---
--- In a virtual run time stands still while anything can still happen, and then skips to the next moment at
--- which something is due.

local native = require "lurcher.native.task"
local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local rows = require "lurcher.base.rows"

local xpcall, trace = native.raw_xpcall, native.trace

-- A flag of native.spawn, with which the task of a scope's function is started.
local VIRTUAL_BODY = 2 + 4

local clock = {}

---The time of day: seconds since 1970, with fractions. In a virtual run, that run's.
---@type fun(): number
clock.time = native.time

-- The function runs as the first task of a scope, so that all it starts has ended when the run ends.
local function run(fn)
  local scope = native.scope()
  local body = native.spawn(scope, VIRTUAL_BODY, fn)
  native.scope_wait(scope)
  native.raise_if_stopping()
  local failed = native.scope_failed(scope)
  if failed then native.results(failed) end -- raises
  return native.results(body)
end

local function ended(ok, ...)
  native.virtual_end()
  math.randomseed(native.unit() * 2 ^ 53)
  if not ok then error((...), 0) end
  return ...
end

local OPTIONS, DEFAULT = rows.of("clock.virtual", "lurcher.VirtualOptions", {
  { "seed", check = "number", default = 1, help = "of the waits that are drawn at random, and of math.random",
    example = "seed = 7" },
  { "time", check = "seconds", shown = "the present, in whole seconds",
    help = "the time of day at which the run begins, in seconds since 1970", example = "time = 1700000000" },
  { "patience", check = "seconds", default = 0.05,
    help = "after so many real seconds without an answer from another process, time skips",
    example = "patience = 1" },
})

---Calls `fn` in virtual time: it, and all tasks it starts, wait for sleeps, time limits, rates and dates
---without that real time passes, and in the order in which they would be over. Returns what `fn` returned,
---once those tasks have ended. Servers, whoever started them, answer in virtual time meanwhile; other tasks
---keep real time. One virtual run can be on at a time.
---@param fn fun(): ...
---@param opts? lurcher.VirtualOptions
function clock.virtual(fn, opts)
  check.argument(fn, "callable", 1, "clock.virtual")
  opts = check.options(opts, OPTIONS, "clock.virtual") or {}
  native.ready_to_wait()
  local inside, on = native.virtual()
  if inside then errors.raise("clock.virtual: this task is in a virtual run already") end
  if on then errors.raise("clock.virtual: another task's virtual run is on, and there can be only one") end
  native.virtual_begin(opts.seed or DEFAULT.seed, opts.time or math.floor(native.time()),
    opts.patience or DEFAULT.patience)
  math.randomseed(opts.seed or DEFAULT.seed)
  return ended(xpcall(run, trace, fn))
end

return clock
