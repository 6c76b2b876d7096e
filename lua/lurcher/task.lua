--- Structured concurrency: tasks run in scopes, and a scope ends when all of its tasks have. Built on the
--- scheduler's primitives (`lurcher.native.task`).

local native = require "lurcher.native.task"
local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local sync = require "lurcher.task.sync"

local argument, method = check.argument, check.method
local is_error = errors.is_error
local error, select, unpack, xpcall = error, select, unpack, native.raw_xpcall
local new_native_scope, spawn, results, trace = native.scope, native.spawn, native.results, native.trace
local scope_wait, scope_cancel, scope_failed = native.scope_wait, native.scope_cancel, native.scope_failed
local cleanup, raise_if_stopping, locals = native.cleanup, native.raise_if_stopping, native.locals

-- Flags of native.spawn.
local ISOLATED, BODY = 1, 2

local task = {
  sleep = native.sleep,
  yield = native.yield,
  now = native.now,
  semaphore = sync.semaphore,
  queue = sync.queue,
  event = sync.event,
  limiter = sync.limiter,
}

-- ---- scopes ----

---@class lurcher.Scope
---@field private native userdata
---@field private owner lurcher.Task the task that opened it
---@field private deferred? function[]
---@field private ended? boolean
local Scope = {}
Scope.__index = Scope

---@class lurcher.Task
---@field status "running"|"done"|"failed"|"canceled"
---@field id integer
---@field join fun(self: lurcher.Task): ... its results, or its error raised
---@field cancel fun(self: lurcher.Task, reason?: string)

---Starts a child task.
---@param fn function
---@param ... any its arguments
---@return lurcher.Task
function Scope:spawn(fn, ...)
  method(self, Scope, "scope:spawn")
  argument(fn, "callable", 1, "scope:spawn")
  if self.ended then errors.raise("this scope has ended: no task can be spawned in it") end
  return spawn(self.native, 0, fn, ...)
end

---Has `fn` called when the scope ends, after its tasks; the function deferred last is called first.
---@param fn function
function Scope:defer(fn)
  method(self, Scope, "scope:defer")
  argument(fn, "callable", 1, "scope:defer")
  if self.ended then errors.raise("this scope has ended: nothing can be deferred to its end") end
  local deferred = self.deferred
  if not deferred then
    deferred = {}
    self.deferred = deferred
  end
  deferred[#deferred + 1] = fn
end

-- Raises in a cancelled task, and where it cannot wait, before anything is started.
local function open_scope()
  native.ready_to_wait()
  return setmetatable({ native = new_native_scope(), owner = native.current() }, Scope)
end

-- Waits for all tasks and runs what was deferred. Returns whether the time was over, and the first error of a
-- deferred function.
local function close_scope(self, seconds)
  local timed_out = scope_wait(self.native, seconds)
  local deferred, failed, failure = self.deferred, false, nil
  if deferred then
    cleanup(true)
    while #deferred > 0 do
      local ok, err = xpcall(table.remove(deferred), trace)
      if not ok and (failed or scope_failed(self.native)) then
        native.tell_hidden(err)
      elseif not ok then
        failed, failure = true, err
      end
    end
    cleanup(false)
  end
  self.ended = true
  raise_if_stopping()
  local child = scope_failed(self.native)
  if child then results(child) end -- raises
  if failed then error(failure, 0) end
  return timed_out
end

-- The body of a scope runs as a child, so that the failure of another child can cancel it.
local function enter(self, fn, ...)
  locals().scope = self
  return fn(...)
end

local function run_in_scope(self, seconds, fn, ...)
  local body = spawn(self.native, BODY, enter, self, fn, ...)
  return body, close_scope(self, seconds)
end

---Calls `fn(scope)`, waits for all tasks started in it, and returns what `fn` returned. The first child to
---fail cancels the others, and its error is raised.
---@param fn fun(scope: lurcher.Scope): ...
function task.scope(fn)
  argument(fn, "callable", 1, "task.scope")
  local self = open_scope()
  return results((run_in_scope(self, nil, fn, self)))
end

---Starts a child of the current scope: the innermost one that this task was spawned in or has opened.
---@param fn function
---@param ... any its arguments
---@return lurcher.Task
function task.spawn(fn, ...)
  argument(fn, "callable", 1, "task.spawn")
  return spawn(nil, 0, fn, ...)
end

---The running task; inside the function of a scope, the one that opened it.
---@return lurcher.Task
function task.current()
  local scope = native.body_scope()
  local handle = native.current()
  while scope do
    handle = scope.owner
    scope = native.body_scope(handle)
  end
  return handle
end

---Has `fn` called when the task ends, or the scope inside whose function this is called; last deferred, first
---called. Deferred functions may wait; they are not cancelled, but have 5 seconds in all.
---@param fn function
function task.defer(fn)
  argument(fn, "callable", 1, "task.defer")
  local scope = native.body_scope()
  if scope then return scope:defer(fn) end
  local own = locals()
  local deferred = own.deferred
  if not deferred then
    deferred = {}
    own.deferred = deferred
    native.needs_cleanup()
  end
  deferred[#deferred + 1] = fn
end

local function unshielded(ok, ...)
  native.shield(-1)
  if not ok then error((...), 0) end
  return ...
end

---Calls `fn` so that a cancellation does not reach it. It takes effect at the first wait afterwards.
---@param fn function
---@param ... any its arguments
function task.shield(fn, ...)
  argument(fn, "callable", 1, "task.shield")
  native.shield(1)
  return unshielded(xpcall(fn, trace, ...))
end

---The results of `fn`, or nil and an error of kind "timeout" when it took longer. It is cancelled then, and
---its clean-up waited for.
---@param seconds number|false false: no limit
---@param fn function
---@param ... any its arguments
function task.timeout(seconds, fn, ...)
  argument(seconds, "seconds|false", 1, "task.timeout")
  argument(fn, "callable", 2, "task.timeout")
  local body, timed_out = run_in_scope(open_scope(), seconds or nil, fn, ...)
  if timed_out and body.status == "canceled" then
    return nil, errors.new {
      kind = "timeout", phase = "task", message = ("it took longer than %g s"):format(seconds),
    }
  end
  return results(body)
end

-- ---- several functions at once ----

-- A map given for a list would silently be empty.
local function check_list(list, name)
  if list[1] ~= nil or getmetatable(list) ~= nil then return end
  for key in pairs(list) do
    if key ~= "n" then
      errors.raise(("%s: the table has the key '%s', but no item 1; it takes a list, or an iterator such as "
        .. "coroutine.wrap makes"):format(name, tostring(key)))
    end
  end
end

local function check_functions(list, name, least)
  argument(list, "table", 1, name)
  check_list(list, name)
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
function task.all(list)
  check_functions(list, "task.all", 0)
  local self, handles, count = open_scope(), {}, #list
  for i = 1, count do handles[i] = spawn(self.native, 0, list[i]) end
  close_scope(self)
  local values = {}
  for i = 1, count do values[i] = (results(handles[i])) end
  return unpack(values, 1, count)
end

-- The first to call this settles the scope: the others are cancelled, and no longer matter.
local function settle(self, ...)
  local value, err = ...
  if value == nil and is_error(err) then return value, err end
  if not self.winner then
    self.winner = { n = select("#", ...), ... }
    scope_cancel(self.native, true)
  end
end

local function compete(self, fn)
  return settle(self, fn())
end

local function start_competition(list, flags)
  local self, handles = open_scope(), {}
  for i = 1, #list do handles[i] = spawn(self.native, flags, compete, self, list[i]) end
  close_scope(self)
  return self.winner, handles
end

---The results of the first function to end; its error is raised if it failed. The others are cancelled.
---@param list function[]
function task.race(list)
  check_functions(list, "task.race", 1)
  local winner = start_competition(list, 0)
  return unpack(winner, 1, winner.n)
end

---The results of the first function to succeed; the others are cancelled. If all fail, the error of the
---first in the list is raised.
---@param list function[]
function task.any(list)
  check_functions(list, "task.any", 1)
  local winner, handles = start_competition(list, ISOLATED)
  if not winner then return results(handles[1]) end
  return unpack(winner, 1, winner.n)
end

-- ---- one function over many items ----

local ipairs_step = ipairs({})

-- A function that returns the next item, or nil at the end. And, for sources that keep track of what becomes
-- of their items, a function to be told the numbers of those that are done with.
local function items(source, name)
  local metatable = type(source) == "table" and getmetatable(source)
  if metatable and metatable.__tracked then return metatable.__tracked(source) end
  if source == next or source == ipairs_step then
    errors.raise(name .. ": pairs and ipairs need a state that an iterator here does not get; give the list "
      .. "itself, or a function that returns the next item at each call")
  end
  if check.mismatch(source, "callable") == nil then return source end
  argument(source, "table|callable", 1, name)
  check_list(source, name)
  local index = 0
  return function()
    index = index + 1
    return source[index]
  end
end

-- One task per item, so that what it defers and opens ends with it.
local function start_each(self, concurrency, next_item, run)
  local index = 0
  while true do
    native.scope_room(self.native, concurrency) -- the one that does this is in the scope, too
    local item = next_item()
    if item == nil then return end
    index = index + 1
    spawn(self.native, 0, run, item, index)
  end
end

-- The bar for an option `progress`. Loaded when it is wanted, because it stands on this module.
local function progress_bar(opts, source)
  if not opts.progress then return nil end
  return require("lurcher.progress").of_option(opts.progress, type(source) == "table" and source[1] ~= nil
    and #source or nil)
end

local map_options = { concurrency = "count", errors = "'collect'", progress = "boolean|string" }

---Calls `fn(item, index)` for every item, `concurrency` (16) at a time, and returns the list of first
---results, in order. The first to fail cancels the others, and its error is raised; with `errors =
---"collect"`, two tables by index are returned: results and errors. `progress` (true or a label) shows how
---far it is.
---@param source table|function a list, or an iterator that gives one item per call
---@param fn fun(item: any, index: integer): any
---@param opts? { concurrency?: integer, errors?: "collect", progress?: boolean|string }
function task.map(source, fn, opts)
  local next_item, consumed = items(source, "task.map")
  argument(fn, "callable", 2, "task.map")
  opts = check.options(opts, map_options, "task.map") or {}
  local values, failures = {}, opts.errors and {}
  local bar = progress_bar(opts, source)
  local function run(item, index)
    local value, err = fn(item, index)
    if value == nil and is_error(err) then return nil, err end
    values[index] = value
    if consumed then consumed(index) end
    if bar then bar:add() end
  end
  local function run_and_collect(item, index)
    local ok, value, err = pcall(fn, item, index)
    if not ok then
      failures[index] = value
    elseif value == nil and is_error(err) then
      failures[index] = err
    else
      values[index] = value
    end
    if consumed then consumed(index) end
    if bar then bar:add() end
  end
  local self, one = open_scope(), failures and run_and_collect or run
  if bar then self:defer(function() bar:done() end) end
  run_in_scope(self, nil, start_each, self, opts.concurrency or 16, next_item, one)
  if failures then return values, failures end
  return values
end

-- ---- streams ----

---@class lurcher.Stream
local Stream = {}
Stream.__index = Stream

local function wake_waiter(self, name)
  local waiter = self[name]
  self[name] = nil
  if waiter then native.wake(waiter) end
end

local function wait_as(self, name, what)
  self[name] = native.current()
  local woken = native.suspend(what)
  self[name] = nil
  if not woken then raise_if_stopping() end
end

local function deliver(self, index, value, err, ...)
  if value == nil and is_error(err) then return nil, err end
  local place = index
  if not self.ordered then
    place = self.delivered + 1
    self.delivered = place
  end
  self.ready[place] = { n = select("#", value, err, ...) + 1, index, value, err, ... }
  wake_waiter(self, "consumer")
end

local function run_streamed(self, fn, item, index)
  return deliver(self, index, fn(item, index))
end

-- What was started and not yet taken by the loop is at most `concurrency`: memory stays bounded.
local function produce_items(self, scope, next_item, fn)
  local index = 0
  while true do
    while index - self.taken >= self.concurrency do
      wait_as(self, "producer_waiting", "the loop over a stream to go on")
    end
    local item = next_item()
    if item == nil then return end
    index = index + 1
    spawn(scope.native, 0, run_streamed, self, fn, item, index)
  end
end

local function produce(self, next_item, fn)
  local scope = open_scope()
  local ok, err = xpcall(run_in_scope, trace, scope, nil, produce_items, self, scope, next_item, fn)
  self.over = true
  wake_waiter(self, "consumer")
  if not ok then error(err, 0) end
end

function Stream:__call()
  if self.consumed and self.in_hand then
    self.consumed(self.in_hand)
    self.in_hand = nil
  end
  while true do
    local place = self.taken + 1
    local entry = self.ready[place]
    if entry then
      self.ready[place] = nil
      self.taken, self.in_hand = place, entry[1]
      if self.bar then self.bar:add() end
      wake_waiter(self, "producer_waiting")
      return unpack(entry, 1, entry.n)
    end
    if self.closed then return nil end
    if self.over or self.producer.status ~= "running" then -- it may have been cancelled before it began
      if self.bar then self.bar:done() end
      native.join(self.producer)
      if self.producer.status == "canceled" then
        errors.raise("the task that made this iterator has ended, and with it what runs ahead of the loop")
      end
      results(self.producer) -- raises if it failed
      return nil
    end
    wait_as(self, "consumer", "the next result of a stream")
  end
end

---Cancels what is still running, and waits for its end.
function Stream:close()
  method(self, Stream, "stream:close")
  if self.closed then return end
  self.closed = true
  if self.bar then self.bar:done() end
  self.ready = {}
  native.cancel(self.producer)
  wake_waiter(self, "consumer")
  native.join(self.producer)
end

-- Streams end with the task that made them.
local function stream_scope()
  local own = locals()
  if not own.stream_scope then
    own.stream_scope = new_native_scope()
    native.needs_cleanup()
  end
  return own.stream_scope
end

local stream_options = { concurrency = "count", ordered = "boolean", progress = "boolean|string" }

---As `task.map`, but gives index and results as they come: `for index, value in task.stream(list, fn) do`,
---with `ordered = true` in the order of the items. At most `concurrency` (16) are started ahead of the
---loop. After a `break`, `stream:close()` cancels the rest; so does the end of the task.
---@param source table|function a list, or an iterator that gives one item per call
---@param fn fun(item: any, index: integer): ...
---@param opts? { concurrency?: integer, ordered?: boolean, progress?: boolean|string }
---@return lurcher.Stream
function task.stream(source, fn, opts)
  local next_item, consumed = items(source, "task.stream")
  argument(fn, "callable", 2, "task.stream")
  opts = check.options(opts, stream_options, "task.stream") or {}
  local self = setmetatable({
    concurrency = opts.concurrency or 16, ordered = opts.ordered, ready = {}, taken = 0, delivered = 0,
    consumed = consumed, bar = progress_bar(opts, source),
  }, Stream)
  self.producer = spawn(stream_scope(), ISOLATED, produce, self, next_item, fn)
  return self
end

return task
