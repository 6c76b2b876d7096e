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

-- ---- lists of waiting tasks ----

local function new_list()
  return { first = 1, last = 0 }
end

local function append(list, value)
  list.last = list.last + 1
  list[list.last] = value
end

local function take(list)
  while list.first <= list.last do
    local value = list[list.first]
    list[list.first] = nil
    list.first = list.first + 1
    if value then return value end
  end
end

-- Waits in `list` until woken; a cancelled task leaves the list and raises. `entry` stands for the task, if
-- given.
local function wait_in(list, what, entry)
  entry = entry or current()
  append(list, entry)
  local place = list.last
  local woken, value = suspend(what)
  if not woken then
    if list[place] == entry then list[place] = false end
    raise_if_stopping()
  end
  return value
end

-- Wakes the first task in the list that still waits; false when there is none.
local function wake_first(list, ...)
  local waiter = take(list)
  while waiter do
    if wake(waiter, ...) then return true end
    waiter = take(list)
  end
  return false
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
    wait_in(self.waiters, "a place in a semaphore")
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
  return setmetatable({ size = size, free = size, waiters = new_list() }, Semaphore)
end

-- ---- queue ----

---@class lurcher.Queue
---@overload fun(): any
local Queue = {}
Queue.__index = Queue

---Appends a value; waits while the queue is full.
---@param value any not nil
function Queue:put(value)
  method(self, Queue, "queue:put")
  if value == nil then errors.raise("queue:put: nil cannot be put into a queue") end
  if self.closed then errors.raise("queue:put: the queue is closed") end
  raise_if_stopping()
  if wake_first(self.getters, value) then return end
  if self.count < self.capacity then
    self.count = self.count + 1
    append(self.values, { value = value })
    return
  end
  local entry = { value = value, task = current() }
  if wait_in(self.putters, "room in a queue", entry) == "closed" then
    errors.raise("queue:put: the queue was closed")
  end
end

-- Moves the value of a task that waits for room into the queue.
local function admit_putter(self)
  local entry = take(self.putters)
  while entry do
    if wake(entry.task) then
      self.count = self.count + 1
      append(self.values, entry)
      return
    end
    entry = take(self.putters)
  end
end

---Takes the first value; waits while there is none. Nil once the queue is closed and empty.
---@return any
function Queue:get()
  method(self, Queue, "queue:get")
  raise_if_stopping()
  local entry = take(self.values)
  if entry then
    self.count = self.count - 1
    admit_putter(self)
    return entry.value
  end
  if self.closed then return nil end
  return wait_in(self.getters, "a value in a queue")
end

---No more values: tasks that wait in `get` get nil, tasks that wait in `put` raise.
function Queue:close()
  method(self, Queue, "queue:close")
  if self.closed then return end
  self.closed = true
  while wake_first(self.getters) do end
  local entry = take(self.putters)
  while entry do
    wake(entry.task, "closed")
    entry = take(self.putters)
  end
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
    count = 0,
    values = new_list(),
    getters = new_list(),
    putters = new_list(),
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
  if not self.happened then wait_in(self.waiters, "an event") end
end

---@return lurcher.Event
function sync.event()
  return setmetatable({ happened = false, waiters = new_list() }, Event)
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
