--- Long lists that an API hands out page by page.
---    for order in pages.items(api, "orders", { next = pages.link(), items = "data" }) do … end
---
--- Pages are fetched a little ahead of the loop, in a task that ends with the task that made the iterator.

local check = require "lurcher.base.check"
local is_client = require("lurcher.http.client").is
local errors = require "lurcher.base.errors"
local http = require "lurcher.http"
local options = require "lurcher.http.options"
local fetch = require "lurcher.pages.fetch"
local strategies = require "lurcher.pages.strategies"
local walk = require "lurcher.pages.walk"
local progress_bar = require "lurcher.task.progress_bar"
local request = require "lurcher.http.request"
local secret = require "lurcher.base.secret"
local settings = require "lurcher.pages.options"

local raise = errors.raise

local pages = {
  link = strategies.link, url = strategies.url, cursor = strategies.cursor, offset = strategies.offset,
  number = strategies.number,
}

local OWN, DEFAULT = settings.KNOWN, settings.DEFAULT

---@class lurcher.Pages an iterator: gives an item (or a response) and the number of its page
---@field page integer the number of the page in hand
---@field count integer how many were given so far
---@overload fun(): any, integer?
---@field private walk lurcher.Walk
---@field private lock? userdata the checkpoint's. Only here, so that the checkpoint of a loop that was
---  left is free once its iterator is collected
local Pages = { __name = "lurcher.Pages" }

function Pages:__index(name)
  if name == "page" or name == "count" then return self.walk[name] end
  return Pages[name]
end

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
  if own.concurrency and own.concurrency > 1 and not own.next.is_countable then
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
  for _, name in ipairs { "dedupe", "filter" } do
    if whole and own[name] then
      raise(("%s: option '%s' is for items: see pages.items"):format(what, name))
    end
  end
  local self = {}
  self.walk = walk.new {
    fetcher = fetch.new(client, url, {
      method = request.method(own.method or DEFAULT.method), options = rest, strategy = own.next,
      items = own.items, whole = whole, delay = own.delay,
    }),
    whole = whole, holder = self, first = own.next.first, checkpoint = own.checkpoint, dedupe = own.dedupe,
    filter = own.filter, repeats = own.repeats, max_items = own.max_items or math.huge,
    max_pages = own.max_pages or DEFAULT.max_pages, max_empty = own.max_empty or DEFAULT.max_empty,
    ahead = own.ahead or DEFAULT.ahead, concurrency = own.concurrency or DEFAULT.concurrency,
    bar = progress_bar.of_option(own.progress, own.max_items),
  }
  return setmetatable(self, Pages)
end

---With a checkpoint: the item that this task has in hand is consumed. The next call of the iterator says so
---by itself; this is for those who must not do anything twice, right after they have done it.
function Pages:consumed()
  check.method(self, Pages, "pages:consumed")
  self.walk:consumed()
end

function Pages:__call()
  return self.walk:next()
end

-- For task.map and task.stream, which hand items on to tasks: an iterator, a function that says that its nth
-- item is consumed, and one that says that no more will be.
function Pages:__tracked()
  if not self.walk.checkpoint then return self end
  return self, self.walk:track(), function() self.walk:close() end
end

---Ends the iteration, and what is fetched ahead. Only needed for a loop left early in a task that goes on.
function Pages:close()
  check.method(self, Pages, "pages:close")
  self.walk:close()
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
