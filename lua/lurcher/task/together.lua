--- Several functions at once, and one function over many items.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local items = require "lurcher.task.items"
local native = require "lurcher.native.task"
local rows = require "lurcher.base.rows"
local scopes = require "lurcher.task.scope"

local argument, failed = check.argument, items.failed
local error, select, unpack, pcall = error, select, unpack, pcall
local spawn, results, scope_cancel = native.spawn, native.results, native.scope_cancel
local ISOLATED = scopes.FLAGS.ISOLATED

local together = {}

local function check_functions(list, name, least)
  argument(list, "table", 1, name)
  items.check_list(list, name)
  for i = 1, #list do
    local wanted = check.mismatch(list[i], "callable")
    if wanted then
      local got = check.shown(list[i])
      errors.raise(("%s: item %d of the list must be %s, got %s"):format(name, i, wanted, got))
    end
  end
  if #list < least then errors.raise(name .. ": the list of functions is empty") end
end

---Runs all functions together and returns the first result of each, in order. The first to fail cancels the
---others, and its error is raised.
---@param list function[]
function together.all(list)
  check_functions(list, "task.all", 0)
  local self, handles, count = scopes.open(), {}, #list
  for i = 1, count do handles[i] = spawn(self.native, 0, list[i]) end
  scopes.close(self)
  local values = {}
  for i = 1, count do values[i] = (results(handles[i])) end
  return unpack(values, 1, count)
end

-- The first to call this settles the scope: the others are cancelled, and no longer matter.
local function settle(self, ...)
  local value, err = ...
  if failed(value, err) then return value, err end
  if not self.winner then
    self.winner = { n = select("#", ...), ... }
    scope_cancel(self.native, true)
  end
end

local function compete(self, fn)
  return settle(self, fn())
end

local function start_competition(list, flags)
  local self, handles = scopes.open(), {}
  for i = 1, #list do handles[i] = spawn(self.native, flags, compete, self, list[i]) end
  scopes.close(self)
  return self.winner, handles
end

---The results of the first function to end; its error is raised if it failed. The others are cancelled.
---@param list function[]
function together.race(list)
  check_functions(list, "task.race", 1)
  local winner = start_competition(list, 0)
  return unpack(winner, 1, winner.n)
end

---The results of the first function to succeed; the others are cancelled. If all fail, the error of the
---first in the list is raised.
---@param list function[]
function together.any(list)
  check_functions(list, "task.any", 1)
  local winner, handles = start_competition(list, ISOLATED)
  if not winner then return results(handles[1]) end
  return unpack(winner, 1, winner.n)
end

-- ---- one function over many items ----

-- One task per item, so that what it defers and opens ends with it.
local function start_each(self, concurrency, next_item, run)
  local index = 0
  while true do
    native.scope_room(self.native, concurrency) -- the one that does this is in the scope, too
    local item, err = next_item()
    if failed(item, err) then error(err, 0) end
    if item == nil then return end
    index = index + 1
    spawn(self.native, 0, run, item, index)
  end
end

local MAP_OPTIONS, MAP_DEFAULT = rows.of("task.map", "lurcher.MapOptions", {
  { "concurrency", check = "count", default = 16,
    help = "how many run at once",
    example = "concurrency = 50" },
  { "errors", check = "'collect'",
    help = "`collect` goes on after a failure, and returns two tables by index: results and errors",
    example = 'errors = "collect"' },
  { "progress", check = "boolean|string", default = false, help = "show how far it is; a string is the label",
    example = 'progress = "orders"' },
})

---Calls `fn(item, index)` for every item, `concurrency` (16) at a time, and returns the list of first
---results, in order. The first to fail cancels the others, and its error is raised; with `errors =
---"collect"`, two tables by index are returned: results and errors. `progress` (true or a label) shows how
---far it is.
---@param source table|function a list, or an iterator that gives one item per call
---@param fn fun(item: any, index: integer): any
---@param opts? lurcher.MapOptions
function together.map(source, fn, opts)
  local next_item, consumed, release = items.iterator(source, "task.map")
  argument(fn, "callable", 2, "task.map")
  opts = check.options(opts, MAP_OPTIONS, "task.map") or {}
  local values, failures = {}, opts.errors and {}
  local bar = items.progress_bar(source, opts.progress)
  local function run(item, index)
    local value, err = fn(item, index)
    if failed(value, err) then return nil, err end
    values[index] = value
    if consumed then consumed(index) end
    if bar then bar:add() end
  end
  local function run_and_collect(item, index)
    local ok, value, err = pcall(fn, item, index)
    if not ok then
      failures[index] = value
    elseif failed(value, err) then
      failures[index] = err
    else
      values[index] = value
    end
    if consumed then consumed(index) end
    if bar then bar:add() end
  end
  local self, one = scopes.open(), failures and run_and_collect or run
  if bar then self:defer(function() bar:done() end) end
  if release then self:defer(release) end
  scopes.run(self, nil, start_each, self, opts.concurrency or MAP_DEFAULT.concurrency, next_item, one)
  if failures then return values, failures end
  return values
end

return together
