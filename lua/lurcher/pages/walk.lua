--- A walk through a paged list: pages fetched ahead, taken in turn, items handed out one by one, and noted in
--- a checkpoint when they are consumed. What scripts hold is the iterator of lurcher.pages.

local consumed = require "lurcher.pages.consumed"
local dedupe = require "lurcher.pages.dedupe"
local hash32 = require "lurcher.base.hash32"
local json = require "lurcher.json"
local native = require "lurcher.native.task"
local owned = require "lurcher.task.owned"
local path = require "lurcher.pages.path"
local schedule = require "lurcher.pages.schedule"
local sync = require "lurcher.task.sync"
local task = require "lurcher.task"

local current, raise_if_stopping = native.current, native.raise_if_stopping

---@class lurcher.Walk
---@field page integer the number of the page in hand
---@field count integer how many were given so far
local Walk = {}
Walk.__index = Walk

-- ---- fetching ahead ----

-- The task that fetches belongs to the task that made the iterator, but does nothing before the first item is
-- asked for.
function Walk:prepare(ahead, concurrency)
  local parallel, source, received = concurrency > 1, nil, 0
  local function next_entry()
    if not source then
      source = parallel and self.schedule:parallel(self.place)
        or self.schedule:sequence(self.place, self.empty)
      received = self.count
    end
    if not self.key_of and not self.filter and not parallel and received >= self.max_items then return nil end
    local entry = source()
    received = received + (self.whole and 1 or entry and entry.n or 0)
    return entry
  end
  if ahead == 0 and not parallel then
    self.next_page = next_entry
    return
  end
  local function wanted()
    self.wanted:wait()
    return next_entry()
  end
  self.stream = task.stream(wanted, function(entry) return self.schedule:resolve(entry) end,
    { concurrency = parallel and concurrency or ahead, ordered = true })
  self.next_page = function()
    self.wanted:set()
    local _, page = self.stream()
    if page or not parallel then return page end
    return self:beyond_total()
  end
end

-- The total that the first pages told is reached. If the last page knows of more, it goes on one by one.
function Walk:beyond_total()
  local last = self.current
  if not last or last.following == nil then return nil end
  local place = { position = last.following, number = last.number + 1, foreign = last.foreign_next }
  self.next_page = self.schedule:sequence(place, self.empty)
  return self.next_page()
end

-- ---- what an earlier run has left ----

-- No more items come.
local function over(self)
  self.closed, self.current, self.last_body = true, nil, nil
  if self.stream then self.stream:close() end
  if self.bar then self.bar:done() end
end

-- Reads the checkpoint, and has the list begin where it says.
local function open_checkpoint(self)
  local ok, ledger = pcall(consumed.open, self.checkpoint, {
    query = self.fetcher:identity(), first = self.place, holder = self.holder[1],
    is_position = function(position) return self.fetcher.strategy:valid(position) end,
    on_release = function() self.walks[self] = nil end,
  })
  if not ok then
    over(self)
    error(ledger, 0)
  end
  self.ledger = ledger
  local left = ledger.resume
  if not left then return end
  self.place, self.count, self.fetcher.run.step = left.place, left.given, left.step
  -- Not by the file's word alone: who can write it could have the credentials sent elsewhere.
  self.place.foreign = self.place.foreign or self.fetcher:is_foreign(self.place.position)
  if self.seen then
    for _, key in ipairs(left.keys) do self.seen:add(key) end
  end
end

-- Skips what the earlier run has consumed of its last page, if it is the same page still. If it is not, all
-- of it is given again (but for `dedupe`): nothing may be lost.
local function skip_consumed(self, page)
  local left = self.ledger and self.ledger.resume
  if not left then return end
  self.ledger.resume = nil
  local same = left.body and left.body == hash32(page.res.body or "")
  if same then self.at = left.index end
  if same or self.seen then self.count = self.count + left.consumed end
  if self.bar then self.bar:skip(self.count) end
end

-- ---- the iterator ----

-- The end of the list.
local function finish(self)
  over(self)
  if self.ledger then self.ledger:finish() end
end

-- The same page again where the parameters should have led to another one: the server does not look at them.
local function check_content(self, page)
  if page.n == 0 or self.repeats or self.fetcher.strategy.content_may_repeat then return end
  local body = page.res.body
  if body == self.last_body then
    page.failure = self.fetcher:failure(page.number, page.position, { kind = "protocol",
      message = "the same page came twice: the server does not look at what tells one page from the other" })
  end
  self.last_body = body
end

-- Pages that are fetched at once come here in their order, so that those in turn can be counted.
local function check_empty(self, page)
  if self.empty >= self.max_empty then
    page.failure = self.schedule:too_many_empty(self.current).failure
  end
  self.empty = page.items and page.n == 0 and self.empty + 1 or 0
end

-- Notes that all of the page is handed out.
local function leave(self, page)
  if not self.ledger or page.left or page.following == nil then return end
  page.left = true
  self.ledger:page({ position = page.following, number = page.number + 1, foreign = page.foreign_next },
    self.count, self.fetcher.run.step)
end

-- Takes the next page, or ends: false after the last one; raises what went wrong.
local function turn_over(self)
  if self.current then leave(self, self.current) end
  if self.ledger then self.ledger:tidy(self.seen) end
  local page = self.next_page()
  if page and not page.failure then
    check_content(self, page)
    check_empty(self, page)
  end
  if not page then
    finish(self)
    return false
  elseif page.failure then
    over(self)
    if self.ledger then self.ledger:close() end
    error(page.failure, 0)
  end
  page.values = self.whole and { page.res } or page.items
  self.current, self.page, self.at = page, page.number, 0
  skip_consumed(self, page)
  local total = not self.whole and self.fetcher.run.total
  if self.bar and total then self.bar.total = math.min(total, self.max_items) end
  return true
end

-- Hands out a value of the page in hand.
local function hand_out(self, page, value, key, index)
  self.count = self.count + 1
  if self.bar then self.bar:add() end
  if self.ledger then
    local record = self.ledger:item(page, index, key)
    self.handed = self.handed + 1
    if self.records then self.records[self.handed] = record else self.in_hand[current()] = record end
    if index == #page.values then leave(self, page) end
  end
  return value, page.number
end

local function is_wanted(self, value)
  if not self.filter then return true end
  local wanted, err = self.filter(value)
  if wanted == nil and err ~= nil then error(err, 0) end
  return wanted
end

-- The next wanted value of the page in hand, its key and its place; nil: there is none.
local function from_page(self, page)
  local values = page.values
  while self.at < #values do
    local index = self.at + 1
    self.at = index
    local value = values[index]
    if is_wanted(self, value) then
      local key = self.key_of and self.key_of(value)
      if key == nil or key == json.null then return value, nil, index end
      if self.seen:add(key) then return value, key, index end
    end
  end
  return nil
end

-- The next value, without waiting; nil: another page is needed, or the end has come.
local function at_once(self)
  local page = self.current
  if not page or self.count >= self.max_items then return nil end
  local value, key, index = from_page(self, page)
  if value ~= nil then return hand_out(self, page, value, key, index) end
end

local function advance(self)
  if self.checkpoint and not self.ledger and not self.closed then open_checkpoint(self) end
  while not self.closed do
    if self.count >= self.max_items then
      finish(self)
    else
      local value, number = at_once(self)
      if value ~= nil then return value, number end
      turn_over(self)
    end
  end
  return nil
end

-- With a checkpoint: the item that this task has in hand is consumed.
function Walk:consumed()
  local task_of_caller = current()
  local record = self.in_hand and self.in_hand[task_of_caller]
  if not record then return end
  self.in_hand[task_of_caller] = nil
  self.ledger:consumed(record)
end

---The next value and the number of its page; nil at the end. Several tasks may call it; only one of them
---waits for the next page, or for a function of the script.
function Walk:next()
  raise_if_stopping()
  if self.ledger then self:consumed() end
  if not self.asks_script then
    local value, number = at_once(self)
    if value ~= nil then return value, number end
  end
  return self.turn:with(advance, self)
end

---For those who hand items on to tasks: from now on items are consumed when the returned function is called
---with their number, not when the next one is asked for.
---@return fun(index: integer)
function Walk:track()
  self:consumed()
  local before = self.handed
  self.records = {}
  return function(index)
    local record = self.records[before + index]
    self.records[before + index] = nil
    self.ledger:consumed(record)
  end
end

---Ends the walk, and what is fetched ahead. What is consumed later is not noted any more.
function Walk:close()
  if not self.closed then over(self) end
  if self.ledger then self.ledger:release() end
end

-- A checkpoint is given back at the latest when the task ends whose walk it is.
local keep = owned.registry(function(walks)
  for walk in pairs(walks) do
    if walk.ledger then walk.ledger:release() end
  end
end)

local walk = {}

---@param fields table fetcher, whole (responses are wanted), max_items, max_pages, max_empty, first
---  (position), checkpoint (path), dedupe, filter, repeats, ahead, concurrency, bar, holder (the script's
---  iterator)
---@return lurcher.Walk
function walk.new(fields)
  local self = setmetatable({
    fetcher = fields.fetcher, whole = fields.whole, max_items = fields.max_items,
    max_empty = fields.max_empty, checkpoint = fields.checkpoint, schedule = schedule.new(fields),
    place = { position = fields.first, number = 1 },
    key_of = fields.dedupe and path.of_item(fields.dedupe), seen = fields.dedupe and dedupe.new(),
    filter = fields.filter, repeats = fields.repeats, empty = 0,
    asks_script = fields.filter ~= nil or type(fields.dedupe) == "function",
    page = 0, count = 0, at = 0, handed = 0, turn = sync.semaphore(1), wanted = sync.event(),
    in_hand = fields.checkpoint and setmetatable({}, { __mode = "k" }), bar = fields.bar,
    holder = setmetatable({ fields.holder }, { __mode = "v" }),
  }, Walk)
  self:prepare(fields.ahead, fields.concurrency)
  if fields.checkpoint then self.walks = keep(self) end
  return self
end

return walk
