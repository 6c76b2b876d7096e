--- `task.stream`: one function over many items, read ahead of the loop that takes the results.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local items = require "lurcher.task.items"
local native = require "lurcher.native.task"
local rows = require "lurcher.base.rows"
local scopes = require "lurcher.task.scope"

local argument, method, failed = check.argument, check.method, items.failed
local error, select, unpack, xpcall = error, select, unpack, native.raw_xpcall
local spawn, results, trace, locals = native.spawn, native.results, native.trace, native.locals
local raise_if_stopping = native.raise_if_stopping
local ISOLATED = scopes.FLAGS.ISOLATED

---@class lurcher.Stream
---@overload fun(): integer?, any
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
  if failed(value, err) then return nil, err end
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
    local item, err = next_item()
    if failed(item, err) then error(err, 0) end
    if item == nil then return end
    index = index + 1
    spawn(scope.native, 0, run_streamed, self, fn, item, index)
  end
end

-- What a source gave before it failed is done and given first, as a loop over the source would have had it.
local function drain_source(self, scope, next_item, fn)
  local ok, err = xpcall(produce_items, trace, self, scope, next_item, fn)
  if ok then return end
  raise_if_stopping()
  self.source_failure = { err }
end

local function produce(self, next_item, fn)
  local scope = scopes.open()
  local ok, err = xpcall(scopes.run, trace, scope, nil, drain_source, self, scope, next_item, fn)
  self.over = true
  wake_waiter(self, "consumer")
  if not ok then error(err, 0) end
  if self.source_failure then error(self.source_failure[1], 0) end
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
  if self.release then self.release() end
end

-- Streams end with the task that made them.
local function stream_scope()
  local own = locals()
  if not own.stream_scope then
    own.stream_scope = native.scope()
    native.needs_cleanup()
  end
  return own.stream_scope
end

local OPTIONS, DEFAULT = rows.of("task.stream", "lurcher.StreamOptions", {
  { "concurrency", check = "count", default = 16,
    help = "how many are started ahead of the loop",
    example = "concurrency = 50" },
  { "ordered", check = "boolean", default = false, help = "give results in the order of the items",
    example = "ordered = true" },
  { "progress", check = "boolean|string", default = false, help = "show how far it is; a string is the label",
    example = 'progress = "orders"' },
})

---As `task.map`, but gives index and results as they come: `for index, value in task.stream(list, fn) do`,
---with `ordered = true` in the order of the items. At most `concurrency` (16) are started ahead of the
---loop. After a `break`, `stream:close()` cancels the rest; so does the end of the task.
---@param source table|function a list, or an iterator that gives one item per call
---@param fn fun(item: any, index: integer): ...
---@param opts? lurcher.StreamOptions
---@return lurcher.Stream
return function(source, fn, opts)
  local next_item, consumed, release = items.iterator(source, "task.stream")
  argument(fn, "callable", 2, "task.stream")
  opts = check.options(opts, OPTIONS, "task.stream") or {}
  local self = setmetatable({
    concurrency = opts.concurrency or DEFAULT.concurrency, ordered = opts.ordered, ready = {}, taken = 0,
      delivered = 0,
    consumed = consumed, release = release, bar = items.progress_bar(source, opts.progress),
  }, Stream)
  self.producer = spawn(stream_scope(), ISOLATED, produce, self, next_item, fn)
  return self
end
