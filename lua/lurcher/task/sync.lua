--- What tasks use to wait for each other: semaphores, queues, events, limiters. First come, first served.

local native = require "lurcher.native.task"
local native_limiter = require "lurcher.native.limiter"
local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local rows = require "lurcher.base.rows"

local argument, method = check.argument, check.method
local current, suspend, wake, raise_if_stopping = native.current, native.suspend, native.wake,
  native.raise_if_stopping
local xpcall, trace = native.raw_xpcall, native.trace

local sync = {}

-- ---- tasks that wait, in their order ----

-- A ring of entries; who leaves it, woken or not, leaves nothing behind, however long others go on waiting.
local function new_waiters()
  local waiters = {}
  waiters.next, waiters.previous = waiters, waiters
  return waiters
end

local function append(waiters, entry)
  entry.next, entry.previous = waiters, waiters.previous
  entry.previous.next, waiters.previous = entry, entry
end

local function remove(entry)
  if not entry.next then return end
  entry.next.previous, entry.previous.next = entry.previous, entry.next
  entry.next, entry.previous = nil, nil
end

local function take(waiters)
  local entry = waiters.next
  if entry == waiters then return nil end
  remove(entry)
  return entry
end

-- Waits until woken; a cancelled task leaves and raises. `entry`, if given, is what stands for the task.
local function wait_among(waiters, what, entry)
  entry = entry or {}
  entry.task = current()
  append(waiters, entry)
  local woken, value = suspend(what)
  if not woken then
    remove(entry)
    raise_if_stopping()
  end
  return value
end

-- Wakes the first that still waits and returns its entry; nil when there is none.
local function wake_first(waiters, ...)
  local entry = take(waiters)
  while entry do
    if wake(entry.task, ...) then return entry end
    entry = take(waiters)
  end
end

-- ---- semaphore ----

---@class lurcher.Semaphore
local Semaphore = {}
Semaphore.__index = Semaphore

---Takes a place; waits until one is free.
function Semaphore:acquire()
  method(self, Semaphore, "semaphore:acquire")
  raise_if_stopping()
  if self.free > 0 then
    self.free = self.free - 1
  else
    wait_among(self.waiters, "a place in a semaphore")
  end
end

---Gives a place back.
function Semaphore:release()
  method(self, Semaphore, "semaphore:release")
  if self.free >= self.size then
    errors.raise("semaphore:release was called more often than semaphore:acquire")
  end
  if not wake_first(self.waiters) then self.free = self.free + 1 end
end

local function released(self, ok, ...)
  self:release()
  if not ok then error((...), 0) end
  return ...
end

---Calls `fn` with a place taken, gives it back however `fn` ends, and returns what `fn` returned.
---@param fn function
---@param ... any its arguments
function Semaphore:with(fn, ...)
  method(self, Semaphore, "semaphore:with")
  argument(fn, "callable", 1, "semaphore:with")
  self:acquire()
  return released(self, xpcall(fn, trace, ...))
end

---@param size integer how many tasks may hold it at once
---@return lurcher.Semaphore
function sync.semaphore(size)
  argument(size, "count", 1, "task.semaphore")
  return setmetatable({ size = size, free = size, waiters = new_waiters() }, Semaphore)
end

-- ---- queue ----

---@class lurcher.Queue
---@overload fun(): any
local Queue = {}
Queue.__index = Queue

local function append_value(self, value)
  self.last = self.last + 1
  self.values[self.last] = value
end

---Appends a value; waits while the queue is full.
---@param value any not nil
function Queue:put(value)
  method(self, Queue, "queue:put")
  if value == nil then errors.raise("queue:put: nil cannot be put into a queue") end
  if self.closed then errors.raise("queue:put: the queue is closed") end
  raise_if_stopping()
  if wake_first(self.getters, value) then return end
  if self.last - self.first + 1 < self.capacity then return append_value(self, value) end
  if wait_among(self.putters, "room in a queue", { value = value }) == "closed" then
    errors.raise("queue:put: the queue was closed")
  end
end

---Takes the first value; waits while there is none. Nil once the queue is closed and empty.
---@return any
function Queue:get()
  method(self, Queue, "queue:get")
  raise_if_stopping()
  if self.first > self.last then
    if self.closed then return nil end
    return wait_among(self.getters, "a value in a queue")
  end
  local value = self.values[self.first]
  self.values[self.first] = nil
  self.first = self.first + 1
  local putter = wake_first(self.putters)
  if putter then append_value(self, putter.value) end
  return value
end

---No more values: tasks that wait in `get` get nil, tasks that wait in `put` raise.
function Queue:close()
  method(self, Queue, "queue:close")
  if self.closed then return end
  self.closed = true
  while wake_first(self.getters) do end
  while wake_first(self.putters, "closed") do end
end

function Queue:__call()
  return self:get()
end

---@param capacity? integer how many values it holds before `put` waits; default: no limit
---@return lurcher.Queue
function sync.queue(capacity)
  argument(capacity, "nil|count", 1, "task.queue")
  return setmetatable({
    capacity = capacity or math.huge,
    values = {}, first = 1, last = 0,
    getters = new_waiters(), putters = new_waiters(),
  }, Queue)
end

-- ---- event ----

---@class lurcher.Event
local Event = {}
Event.__index = Event

---Lets every task that waits go on, and those that come later pass.
function Event:set()
  method(self, Event, "event:set")
  self.happened = true
  while wake_first(self.waiters) do end
end

---Waits until it is set.
function Event:wait()
  method(self, Event, "event:wait")
  raise_if_stopping()
  if not self.happened then wait_among(self.waiters, "an event") end
end

---@return lurcher.Event
function sync.event()
  return setmetatable({ happened = false, waiters = new_waiters() }, Event)
end

-- ---- limiter ----

---@class lurcher.Limiter
local Limiter = { __name = "lurcher.Limiter" }
Limiter.__index = Limiter

---Waits until it is this task's turn. `count` turns are taken at once.
---@param count? number default 1
function Limiter:wait(count)
  method(self, Limiter, "limiter:wait")
  argument(count, "nil|positive", 1, "limiter:wait")
  native_limiter.wait(self.native, count or 1)
end

local LIMITER_OPTIONS, LIMITER_DEFAULT = rows.of("task.limiter", "lurcher.LimiterOptions", {
  { "rate", check = "positive", required = true, help = "so many in a second",
    example = "rate = 5" },
  { "burst", check = "count", default = 1, help = "so many may come at once after a pause",
    example = "burst = 10" },
})

---A rate that tasks share, by `:wait()`, and clients, by the option `limits = { limiter = … }`: whoever comes
---first goes first.
---@param opts lurcher.LimiterOptions
---@return lurcher.Limiter
function sync.limiter(opts)
  argument(opts, "table", 1, "task.limiter")
  check.options(opts, LIMITER_OPTIONS, "task.limiter")
  if not opts.rate then errors.raise("task.limiter: the option 'rate' (per second) is missing") end
  return setmetatable({ native = native_limiter.new(opts.rate, opts.burst or LIMITER_DEFAULT.burst) },
    Limiter)
end

---@param value any
---@return boolean
function sync.is_limiter(value)
  return type(value) == "table" and getmetatable(value) == Limiter
end

return sync
