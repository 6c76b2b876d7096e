--- Fetches single pages: puts the request for a position together, and takes the response apart into items
--- and the next position. Errors it raises say which page it was.

local errors = require "lurcher.base.errors"
local hash32 = require "lurcher.base.hash32"
local headers = require "lurcher.http.headers"
local json = require "lurcher.json"
local overlay = require("lurcher.base.tables").overlay
local path = require "lurcher.pages.path"
local query = require "lurcher.url.query"
local redact = require "lurcher.base.redact"
local secret = require "lurcher.base.secret"
local task = require "lurcher.task"
local send = require("lurcher.http.client").request
local url_native = require "lurcher.native.url"

local fetcher = {}

local is_list, outline = path.is_list, path.outline

---@class lurcher.Page
---@field res lurcher.Response
---@field items? table
---@field n integer how many items
---@field position any
---@field number integer 1 for the first
---@field following any the next page's position; nil after the last one
---@field foreign? boolean the credentials do not go along any more

---@class lurcher.PageFetcher
local Fetcher = {}
Fetcher.__index = Fetcher

-- ---- the request ----

-- Adds the client's own parameters that a complete URL lacks: an API key, say.
local function with_client_params(address, encoded)
  local present = {}
  for name in (address:match("%?([^#]*)") or ""):gmatch("([^&=]+)[^&]*") do present[name] = true end
  for pair in encoded:gmatch("[^&]+") do
    if not present[pair:match("^[^=]*")] then
      address = address .. (address:find("?", 1, true) and "&" or "?") .. pair
    end
  end
  return address
end

-- `params` of the call with those of a page over them.
local function merge_params(given, changed)
  if not given or not changed then return changed or given end
  if type(given[1]) ~= "table" then return overlay(given, changed) end
  local list = {}
  for _, pair in ipairs(given) do
    if changed[pair[1]] == nil then list[#list + 1] = pair end
  end
  for name, value in pairs(changed) do list[#list + 1] = { name, value } end
  return list
end

-- Takes off what must not leave the origin the first page came from.
local function without_credentials(self, opts)
  opts.auth = false
  if opts.headers == false then return end
  local dropped, kept = overlay(self.client:credential_headers(), self.secret), {}
  for name in pairs(dropped) do kept[name] = false end
  for name, value in pairs(opts.headers or {}) do
    if not dropped[name:lower()] then kept[name] = value end
  end
  opts.headers = kept
end

-- The name and password in the URL of the list go along to its origin: links do not repeat them.
local function with_userinfo(self, address)
  if not self.userinfo or address:find("^%a[%w+.-]*://[^/?#]*@") then return address end
  if url_native.origin(url_native.normalize(address) or "") ~= self.origin then return address end
  return (address:gsub("^(%a[%w+.-]*://)", function(scheme) return scheme .. self.userinfo end))
end

-- Where a position leads, as URL and options.
function Fetcher:target(position, foreign)
  local changes = overlay(self.strategy:request(position))
  local url, given = changes.url, self.options
  changes.url = nil
  local opts = overlay(given, changes)
  if changes.headers and given.headers then opts.headers = overlay(given.headers, changes.headers) end
  if not url then
    opts.params = merge_params(given.params, changes.params)
    return self.url, opts
  end
  url = self.client:resolve(url)
  if foreign then
    without_credentials(self, opts)
  else
    url = with_userinfo(self, url)
    if not changes.params then url = with_client_params(url, self.client:params()) end
  end
  opts.params = changes.params or false -- a link is complete
  return url, opts
end

-- The canonical URL of a position that is one; nil: the list's own URL counts, or there is something wrong
-- with it, which the request will say.
local function address_of(self, position)
  local url = self.strategy:request(position).url
  if not url then return nil end
  return url_native.normalize(self.client:resolve(url))
end

---Whether a position, as a checkpoint has it, is at another origin than the list.
---@param position any
---@return boolean?
function Fetcher:is_foreign(position)
  local address = address_of(self, position)
  return address ~= nil and url_native.origin(address) ~= self.origin or nil
end

-- Whether the next page is at another origin, or comes from one: from there on nothing is trusted, not even a
-- way back.
local function leads_away(self, page)
  local address = address_of(self, page.following)
  if page.foreign or not address then return page.foreign end
  local allowed = self.options.allow_downgrade
  if allowed == nil then allowed = self.client:allows_downgrade() end
  local from = secret.reveal(page.res.url)
  if address:find("^http:") and from:find("^https:") and not allowed then
    error(errors.new { kind = "redirect", method = self.method, url = redact.url(address),
      message = "the next page's URL leads from https to http; allow_downgrade=true would follow it "
        .. "without credentials" }, 0)
  end
  return url_native.origin(address) ~= self.origin or url_native.origin(from) ~= self.origin or nil
end

-- ---- errors ----

local MAX_CURSOR = 60

-- What tells this page from the others, for messages and as a field of errors.
local function cursor_of(self, position)
  if type(position) ~= "table" then
    return self.strategy.follows_links and position and redact.url(position) or position or nil
  end
  local ok, text = pcall(json.encode, position, { sort = true })
  return ok and text or nil
end

---Says in an error which page it is about.
---@param err any
---@param number integer
---@param position any
---@return any err
function Fetcher:name_page(err, number, position)
  if not errors.is_error(err) or err.page then return err end
  err.page, err.cursor = number, cursor_of(self, position)
  local shown = ""
  if type(err.cursor) == "number" or type(err.cursor) == "string" and not err.cursor:find("^https?://")
    and #err.cursor <= MAX_CURSOR then
    shown = type(err.cursor) == "string" and ("%q"):format(err.cursor) or ("%.17g"):format(err.cursor)
    shown = ", at " .. shown
  end
  err.message = ("%s (page %d%s)"):format(err.message, number, shown)
  return err
end

---An error about a page that is not asked for, or not handed out.
---@param number integer
---@param position any
---@param fields table kind and message
---@return lurcher.Error
function Fetcher:failure(number, position, fields)
  fields.method, fields.url = self.method, redact.url(self:address())
  return self:name_page(errors.new(fields), number, position)
end

local function page_error(res, kind, message)
  error(errors.new { kind = kind, message = message, method = res.method, url = redact.url(res.url),
    attempts = res.attempts, elapsed = res.elapsed }, 0)
end

local MAX_SHOWN, MAX_LOOKED_AT = 80, 4096

-- Why a body is no JSON, when it is plain to see.
local function not_json(res, err)
  local content_type = res:header("Content-Type") or ""
  local begin = res.body:find("%S")
  if not begin then return "the page is empty, not JSON" end
  local start = secret.scrub(res.body:sub(begin, begin + MAX_LOOKED_AT))
  if content_type:find("html", 1, true) or start:find("^<") then
    start = secret.excerpt((start:gsub("[\128-\255]", "?"):gsub("%s+", " "):gsub(" $", "")), MAX_SHOWN)
    return ("the page is %s, not JSON: %s"):format(
      content_type:find("html", 1, true) and "HTML" or "markup", start)
  end
  return err.message
end

-- ---- the response ----

-- The decoded body, once it is asked for. `lenient`: nil for what is no JSON.
local function decoder(res)
  local value, err, done
  if res.status == 204 then done = true end
  return function(lenient)
    if not done then
      value, err = res:json()
      done = true
    end
    if err and not lenient then page_error(res, "decode", not_json(res, err)) end
    return value
  end
end

-- Why what `items` leads to is no list.
local function no_list(self, value, found)
  if type(self.items) == "function" then
    return "the function `items` must return a list, got " .. outline(found)
  end
  local whole = value()
  if not self.items then
    return ("the page is %s, not a list; the option `items` says where in it the list is")
      :format(outline(whole))
  end
  local where = path.shown(self.items)
  if found == nil then
    return ("there is nothing at '%s' in the page, which is %s"):format(where, outline(whole))
  end
  return ("there is no list at '%s', but %s"):format(where, outline(found))
end

-- The list in a page. Nil when the script wants whole responses, and nobody said where the list is.
local function items_of(self, res, value, number)
  if res.status == 204 then return {} end
  local found
  if self.read_items then
    found = self.read_items(res, value)
    if found == json.null then return {} end
    -- Some servers leave an empty list away. On the first page it is a misspelt path.
    if found == nil and number > 1 and type(self.items) ~= "function" then return {} end
  else
    found = value(self.whole and not self.strategy.step)
    if self.whole and not is_list(found) and not self.strategy.step then return nil end
  end
  if is_list(found) then return found end
  page_error(res, "decode", no_list(self, value, found))
end

-- Where the next page is found by counting items, a function that leaves some out would have items lost or given twice.
-- The first item that it gives tells which list of the page it takes them from.
local function check_all_given(self, page)
  if type(self.items) ~= "function" or not self.strategy.step then return end
  local value, first = page.value(true), page.items[1]
  if not self.source and type(first) == "table" then self.source = path.of_list_with(value, first) end
  local list = self.source and path.at(value, self.source)
  local missing = type(list) == "table" and #list - page.n or 0
  if missing <= 0 then return end
  error(("the function `items` left out %d of the %d items of page %d, but the next page is found by counting them: it "
    .. "must give all of them; the option `filter` leaves some out"):format(missing, #list, page.number), 0)
end

-- Takes what is known about the whole from a page. Null, and less than was given already (0, -1, the number of this
-- page's items), say nothing. What has become less may be a guess, or what is left: then an empty page is the end.
local function learn(self, page)
  local run, strategy = self.run, self.strategy
  for name, count in pairs(strategy.made and strategy:made(page, run) or {}) do
    run.made[name] = math.max(run.made[name] or 0, count)
  end
  for name, place in pairs(strategy.learns or {}) do
    local said = self.readers[name](page.res, page.value)
    local value = said == json.null and -1 or tonumber(said)
    if not value and run[name] == nil then
      page_error(page.res, "decode", ("there is no number at '%s', where `%s` should be"):format(
        path.shown(place), name))
    end
    if value then
      run.shrinks = run.shrinks or value < (run[name] or 0)
      run[name] = value >= run.made[name] and value
    end
  end
  if strategy.step and not run.step then run.step = strategy:step(page, run) end
end

-- Waits until `delay` has passed since the last page was asked for.
local function keep_distance(self)
  if not self.delay then return end
  local now = task.now()
  local start = math.max(now, self.earliest or now)
  self.earliest = start + self.delay
  if start > now then task.sleep(start - now) end
end

local function find_following(self, page)
  page.following = self.strategy:following(page, self.run)
  if page.following ~= nil then page.foreign_next = leads_away(self, page) end
end

-- What is wrong with the way on is kept beside the page: its items came before that.
local function fetch(self, position, number, foreign)
  keep_distance(self)
  local url, opts = self:target(position, foreign)
  local res, err = send(self.client, self.method, url, opts, "client:request")
  if not res then error(err, 0) end
  if not opts.expect then
    res, err = res:expect("2xx")
    if not res then error(err, 0) end
  end
  local page = { res = res, value = decoder(res), position = position, number = number, foreign = foreign }
  page.items = items_of(self, res, page.value, number)
  page.n = page.items and #page.items or 0
  if page.items then check_all_given(self, page) end
  if res.status ~= 204 then learn(self, page) end
  local ok, failure = pcall(find_following, self, page)
  if not ok then page.following, page.no_way_on = nil, { failure } end
  return page
end

---Fetches the page at a position; raises an error that names it.
---@param position any
---@param number integer
---@param foreign? boolean without credentials
---@return lurcher.Page
function Fetcher:fetch(position, number, foreign)
  local ok, page = pcall(fetch, self, position, number, foreign)
  if not ok then error(self:name_page(page, number, position), 0) end
  if page.no_way_on then self:name_page(page.no_way_on[1], number, position) end
  return page
end

---The canonical URL of the first page, without the parameters that the options add.
---@return string
function Fetcher:address()
  local url = self.client:resolve(secret.reveal(self.url))
  return url_native.normalize(url) or url
end

---What must be the same for the pages to be the same.
---@return table<string, string>
function Fetcher:identity()
  local opts = self.options
  local body = { json = opts.json, form = opts.form, body = opts.body }
  return {
    method = self.method, url = redact.url(query.add(self:address(), self.client:params(opts.params))),
    next = self.strategy.describe,
    items = self.items and path.shown(self.items) or "",
    body = next(body) ~= nil and hash32(json.encode(body, { sort = true })) or "",
  }
end

---@param client lurcher.Client
---@param url string
---@param opts table `strategy`, `method`, `options` (of the request), `items`, `whole` (responses are wanted,
---  not items), `delay`
---@return lurcher.PageFetcher
function fetcher.new(client, url, opts)
  local self = setmetatable({
    client = client, url = url, method = opts.method, options = opts.options, strategy = opts.strategy,
    items = opts.items, whole = opts.whole, delay = opts.delay,
    read_items = opts.items and path.reader(opts.items, true), readers = {},
    secret = headers.name_set(opts.options.secret_headers), run = { made = {} },
  }, Fetcher)
  for name, place in pairs(opts.strategy.learns or {}) do self.readers[name] = path.reader(place, true) end
  local address = self:address()
  self.origin, self.userinfo = url_native.origin(address), address:match("^%a[%w+.-]*://([^/?#]*@)")
  return self
end

return fetcher
