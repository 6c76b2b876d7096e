--- Long lists that an API hands out page by page.
---    for order in pages.items(api, "orders", { next = pages.link(), items = "data" }) do … end
---
--- Pages are fetched a little ahead of the loop, in a task that ends with the task that made the iterator.

local check = require "lurcher.base.check"
local is_client = require("lurcher.http.client").is
local errors = require "lurcher.base.errors"
local hash32 = require "lurcher.base.hash32"
local http = require "lurcher.http"
local json = require "lurcher.json"
local native = require "lurcher.native.task"
local options = require "lurcher.http.options"
local fetch = require "lurcher.pages.fetch"
local consumed = require "lurcher.pages.consumed"
local strategies = require "lurcher.pages.strategies"
local schedule = require "lurcher.pages.schedule"
local path = require "lurcher.pages.path"
local dedupe = require "lurcher.pages.dedupe"
local progress_bar = require "lurcher.task.progress_bar"
local request = require "lurcher.http.request"
local secret = require "lurcher.base.secret"
local settings = require "lurcher.pages.options"
local sync = require "lurcher.task.sync"
local task = require "lurcher.task"

local raise = errors.raise
local current, raise_if_stopping = native.current, native.raise_if_stopping

local pages = {
  link = strategies.link, url = strategies.url, cursor = strategies.cursor, offset = strategies.offset,
  number = strategies.number,
}

local OWN, DEFAULT = settings.KNOWN, settings.DEFAULT

---@class lurcher.Pages an iterator: gives an item (or a response) and the number of its page
---@field page integer the number of the page in hand
---@field count integer how many were given so far
---@overload fun(): any, integer?
local Pages = { __name = "lurcher.Pages" }
Pages.__index = Pages

-- ---- options ----

-- Of requests, but not of pages.
local REFUSED = {
  stream = "pages are read as a whole", raw_target = "each page has its own",
  limit = "it is written max_items = …, or pages.offset{ limit = … }",
  total = "it belongs to pages.offset{…} or pages.number{…}", size = "it belongs to pages.number{…}",
  param = "it belongs to pages.cursor{…}, pages.offset{…} or pages.number{…}",
}

-- Takes the options apart: our own, and those of each request.
local function split(opts, what)
  if type(opts) ~= "table" then
    raise(("%s: options must be a table, got %s"):format(what, check.shown(opts)))
  end
  local own, rest = {}, {}
  for name, value in pairs(opts) do
    if OWN[name] ~= nil then
      check.option(name, value, OWN, what)
      own[name] = value
    elseif REFUSED[name] then
      raise(("%s: option '%s' cannot be given: %s"):format(what, name, REFUSED[name]))
    else
      rest[name] = value
    end
  end
  options.check_request(rest, what, OWN)
  if own.next == nil then raise(("%s: option 'next' is missing: %s"):format(what, settings.MISSING_NEXT)) end
  if type(own.next) == "function" then own.next = strategies.by_function(own.next) end
  if own.concurrency and own.concurrency > 1 and not own.next.spreads then
    raise(what .. ": option 'concurrency' needs pages.offset or pages.number with 'total': otherwise each "
      .. "page tells only where the next one is")
  end
  return own, rest
end

local function check_client(value, what)
  if value == http then return http.default() end
  if is_client(value) then return value end
  raise(("bad argument #1 to '%s' (a client expected, as http.client(…) makes, got %s)"):format(what,
    check.shown(value)))
end

local function check_url(value, what)
  if type(value) ~= "string" and not secret.is(value) then
    raise(("bad argument #2 to '%s' (string expected, got %s)"):format(what, check.shown(value)))
  end
  return value
end

local function new(client, url, opts, what, whole)
  client, url = check_client(client, what), check_url(url, what)
  local own, rest = split(opts, what)
  if whole and own.dedupe then raise("pages.each: option 'dedupe' is for items: see pages.items") end
  local fetcher = fetch.new(client, url, {
    method = request.method(own.method or DEFAULT.method), options = rest, strategy = own.next,
    items = own.items,
    whole = whole, delay = own.delay,
  })
  local self = setmetatable({
    fetcher = fetcher, whole = whole, max_items = own.max_items or math.huge,
    max_pages = own.max_pages or DEFAULT.max_pages, max_empty = own.max_empty or DEFAULT.max_empty,
    place = { position = own.next.first, number = 1 }, checkpoint = own.checkpoint,
    key_of = own.dedupe and path.of_item(own.dedupe), seen = own.dedupe and dedupe.new(),
    page = 0, count = 0, at = 0, handed = 0, turn = sync.semaphore(1), wanted = sync.event(),
    in_hand = own.checkpoint and setmetatable({}, { __mode = "k" }),
    bar = progress_bar.of_option(own.progress, own.max_items),
  }, Pages)
  self:prepare(own.ahead or DEFAULT.ahead, own.concurrency or DEFAULT.concurrency)
  return self
end

-- ---- fetching ahead ----

-- The task that fetches belongs to the task that made the iterator, but does nothing before the first item is
-- asked for.
function Pages:prepare(ahead, concurrency)
  local parallel, source, received = concurrency > 1, nil, 0
  local function next_entry()
    if not source then
      source = parallel and schedule.spread(self) or schedule.sequence(self)
      received = self.count
    end
    if not self.key_of and not parallel and received >= self.max_items then return nil end
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
  self.stream = task.stream(wanted, function(entry) return schedule.resolve(self, entry) end,
    { concurrency = parallel and concurrency or ahead, ordered = true })
  self.next_page = function()
    self.wanted:set()
    local _, page = self.stream()
    return page
  end
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
  local ok, ledger = pcall(consumed.open, self.checkpoint, self.fetcher:identity(), self.place)
  if not ok then
    over(self)
    error(ledger, 0)
  end
  self.ledger = ledger
  local left = ledger.resume
  if not left then return end
  self.place, self.count, self.fetcher.run.step = left.place, left.given, left.step
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
  if page.n == 0 or self.fetcher.strategy.content_may_repeat then return end
  local body = page.res.body
  if body == self.last_body then
    page.failure = self.fetcher:failure(page.number, page.position, { kind = "protocol",
      message = "the same page came twice: the server does not look at what tells one page from the other" })
  end
  self.last_body = body
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
  if page and not page.failure then check_content(self, page) end
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
local function hand_out(self, page, value, key)
  self.count = self.count + 1
  if self.bar then self.bar:add() end
  if self.ledger then
    local record = self.ledger:item(page, self.at, key)
    self.handed = self.handed + 1
    if self.records then self.records[self.handed] = record else self.in_hand[current()] = record end
    if self.at == #page.values then leave(self, page) end
  end
  return value, page.number
end

-- The next wanted value of the page in hand, and its key; nil: there is none.
local function from_page(self, page)
  local values = page.values
  while self.at < #values do
    self.at = self.at + 1
    local value = values[self.at]
    local key = self.key_of and self.key_of(value)
    if key == nil or key == json.null then return value end
    if self.seen:add(key) then return value, key end
  end
  return nil
end

-- The next value, without waiting; nil: another page is needed, or the end has come.
local function at_once(self)
  local page = self.current
  if not page or self.count >= self.max_items then return nil end
  local value, key = from_page(self, page)
  if value ~= nil then return hand_out(self, page, value, key) end
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

---With a checkpoint: the item that this task has in hand is consumed. The next call of the iterator says so
---by itself; this is for those who must not do anything twice, right after they have done it.
function Pages:consumed()
  check.method(self, Pages, "pages:consumed")
  local task_of_caller = current()
  local record = self.in_hand and self.in_hand[task_of_caller]
  if not record then return end
  self.in_hand[task_of_caller] = nil
  self.ledger:consumed(record)
end

-- Several tasks may share an iterator; only one of them waits for the next page.
function Pages:__call()
  raise_if_stopping()
  if self.ledger then self:consumed() end
  local value, number = at_once(self)
  if value ~= nil then return value, number end
  return self.turn:with(advance, self)
end

-- For task.map and task.stream, which hand items on to tasks: an iterator, and a function that says that its
-- nth item is consumed.
function Pages:__tracked()
  if not self.checkpoint then return self end
  self:consumed()
  local before = self.handed
  self.records = {}
  return self, function(index)
    local record = self.records[before + index]
    self.records[before + index] = nil
    self.ledger:consumed(record)
  end
end

---Ends the iteration, and what is fetched ahead. Only needed for a loop left early in a task that goes on.
function Pages:close()
  check.method(self, Pages, "pages:close")
  if self.closed then return end
  over(self)
  if self.in_hand then self.in_hand = {} end
  if self.ledger then self.ledger:close() end
end

function Pages:__tostring()
  return ("lurcher.Pages (page %d, %d given)"):format(self.page, self.count)
end

---Iterates over the items of all pages: `for item, page_number in pages.items(…) do`.
---@param client lurcher.Client|table a client, or lurcher.http itself
---@param url string
---@param opts lurcher.PagesOptions
---@return lurcher.Pages
function pages.items(client, url, opts)
  return new(client, url, opts, "pages.items", false)
end

---Iterates over the responses of all pages: `for res, page_number in pages.each(…) do`.
---@param client lurcher.Client|table a client, or lurcher.http itself
---@param url string
---@param opts lurcher.PagesOptions
---@return lurcher.Pages
function pages.each(client, url, opts)
  return new(client, url, opts, "pages.each", true)
end

return pages
