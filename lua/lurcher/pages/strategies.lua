--- Where the next page is: the strategies that `next` may be. Each one makes *positions*, which tell one page
--- from all others and can be written as JSON, and says what the request for a position looks like.
---
---   first      the first page's position
---   describe   what it does, for the checkpoint file
---   request(position) → what is changed in the request: params, or url and other options
---   following(page, run) → the next page's position, or nil after the last one
---   valid(position) whether a value read from a checkpoint can be a position
---   key(position) → text; the same one twice means a loop
---   learns     names of numbers about the whole (total, pages) and the paths they are found at
---   made(page, run) → the same numbers as far as the list has come with this page
---
--- Those that count can do without the page before, once they know the total:
---
---   step(page, run) → how many items a full page has
---   after(position, run) → the next position, or nil after the last one
---
--- `page` has res, value() (the decoded body), items, n (how many), position and number; `run` is what is
--- known about all pages: total, pages (false: what the server said cannot be), step, and made (as far as the
--- list has come).

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local json = require "lurcher.json"
local path = require "lurcher.pages.path"
local rows = require "lurcher.base.rows"
local secret = require "lurcher.base.secret"
local url = require "lurcher.native.url"

local strategies = {}

local raise = errors.raise

---@class lurcher.NextPage
local NextPage = {}
NextPage.__index = NextPage

-- A repeated content tells that the server does not look at the parameters. Where the server itself says what
-- comes next, it may be what it is.
NextPage.content_may_repeat = false

-- All 17 digits of a number: 64-bit identifiers below 2^53 differ in the last ones.
function NextPage.key(_, position)
  local text = type(position) == "number" and ("%.17g"):format(position) or tostring(position)
  return type(position) .. ":" .. text
end

-- Positions of links: URLs, or false for the first page.
local function is_link(_, value)
  return value == false or type(value) == "string" and url.normalize(value) ~= nil
end

local function is_cursor(_, value)
  return value == false or type(value) == "string" or type(value) == "number"
end

local function is_whole(_, value)
  return type(value) == "number" and value % 1 == 0
end

local function is_change(_, value)
  return value == false or type(value) == "string" or type(value) == "table"
end

local function strategy(fields)
  return setmetatable(fields, NextPage)
end

---@param value any
---@return boolean
function strategies.is(value)
  return type(value) == "table" and getmetatable(value) == NextPage
end

-- ---- links: the position is a URL ----

local function request_url(_, position)
  if position then return { url = position } end
  return {}
end

-- The absolute URL of a link in a page; nil: there is none. A name and password in it are the server's.
local function linked(page, target)
  if target == nil or target == "" or target == false then return nil end
  if type(target) ~= "string" then
    error(errors.new { kind = "decode", message = ("the next page's URL is no string, but %s"):format(
      path.outline(target)) }, 0)
  end
  local address, message = url.join(secret.reveal(page.res.url), target)
  if address and address:find("^https?://") then return (address:gsub("^(%a[%w+.-]*://)[^/?#]*@", "%1")) end
  message = message or "only http and https URLs can be requested"
  error(errors.new { kind = "url", message = ("the next page's URL %q is none: %s"):format(target, message) },
    0)
end

---The next page is where the Link header says.
---@param rel? string default "next"
---@return lurcher.NextPage
function strategies.link(rel)
  check.argument(rel, "nil|string", 1, "pages.link")
  rel = (rel or "next"):lower()
  return strategy {
    describe = "link " .. rel, first = false, valid = is_link, follows_links = true,
    content_may_repeat = true,
    request = request_url,
    following = function(_, page)
      local link = page.res:links()[rel]
      return linked(page, link and link.url)
    end,
  }
end

-- Options given by name, or in order: { path = "next" }, { "next" }.
local function named(opts, names)
  if type(opts) ~= "table" then return opts end
  local given = {}
  for key, value in pairs(opts) do given[names[key] or key] = value end
  return given
end

local PATH = "string|table|fun(res: lurcher.Response, value: any): any"

local URL_OPTIONS = rows.of("pages.url", "lurcher.UrlPages", {
  { "path", check = path.mismatch, type = PATH, required = true,
    help = "where the URL of the next page is in a page",
    example = 'path = "paging.next"' },
})

---The next page's URL is in the body, at `path`.
---@param opts lurcher.UrlPages|string
---@return lurcher.NextPage
function strategies.url(opts)
  if type(opts) == "string" then opts = { path = opts } end
  check.argument(opts, "table", 1, "pages.url")
  opts = check.options(named(opts, { "path" }), URL_OPTIONS, "pages.url")
  if not opts.path then raise 'pages.url: the option \'path\' is missing: where in a page the URL is' end
  local read = path.reader(opts.path)
  return strategy {
    describe = "url " .. path.shown(opts.path), first = false, valid = is_link, follows_links = true,
    content_may_repeat = true, request = request_url,
    following = function(_, page) return linked(page, read(page.res, page.value)) end,
  }
end

-- ---- cursors ----

local CURSOR_OPTIONS = rows.of("pages.cursor", "lurcher.CursorPages", {
  { "param", check = "string", required = true, help = "the parameter that the cursor is sent as",
    example = 'param = "after"' },
  { "path", check = path.mismatch, type = PATH, required = true, help = "where the next cursor is in a page",
    example = 'path = "meta.next"' },
  { "more", check = path.mismatch, type = PATH,
    help = "where a boolean is that is true as long as pages follow",
    example = 'more = "meta.has_more"' },
})

---The body says at `path` what the parameter `param` must be for the next page; at the end there is nothing,
---null, false or "". `more`, if given, is the path of a boolean that must be true.
---@param opts lurcher.CursorPages
---@return lurcher.NextPage
function strategies.cursor(opts)
  check.argument(opts, "table", 1, "pages.cursor")
  opts = check.options(named(opts, { "param", "path" }), CURSOR_OPTIONS, "pages.cursor")
  if not opts.param then raise "pages.cursor: the option 'param' is missing: the parameter's name" end
  if not opts.path then raise "pages.cursor: the option 'path' is missing: where in a page the cursor is" end
  local read, more = path.reader(opts.path), opts.more and path.reader(opts.more)
  return strategy {
    describe = ("cursor %s %s"):format(opts.param, path.shown(opts.path)), first = false,
    content_may_repeat = true, valid = is_cursor,
    request = function(_, position) return position and { params = { [opts.param] = position } } or {} end,
    following = function(_, page)
      if more and not more(page.res, page.value) then return nil end
      local cursor = read(page.res, page.value)
      if cursor == nil or cursor == false or cursor == "" then return nil end
      if type(cursor) ~= "string" and type(cursor) ~= "number" then
        error(errors.new { kind = "decode", message = (
          "the cursor at '%s' must be a string or a number, but is %s"):format(
          path.shown(opts.path), path.outline(cursor)) }, 0)
      end
      return cursor
    end,
  }
end

-- ---- counted: the next position is known before the page has come ----

-- How many items a full page has: what was asked for, or less when the server gives less at a time; nil when
-- this page does not tell.
local function full_page(asked, page, total)
  if page.n == 0 or asked and page.n >= asked then return asked end
  if not total then return nil end
  return asked and total <= page.n and asked or page.n
end

local function parameters(...)
  local params = {}
  for i = 1, select("#", ...), 2 do
    local name, value = select(i, ...)
    if name then params[name] = value end
  end
  return { params = params }
end

local OFFSET_OPTIONS, OFFSET_DEFAULT = rows.of("pages.offset", "lurcher.OffsetPages", {
  { "param", check = "string", default = "offset", help = "the parameter that counts items",
    example = 'param = "start"' },
  { "limit_param", check = "string|false", default = "limit",
    help = "the parameter that says how many items a page has; `false`: none is sent",
    example = "limit_param = false" },
  { "limit", check = "count", default = 100, help = "how many items a page has", example = "limit = 50" },
  { "first", check = "size", default = 0, help = "the number of the first item", example = "first = 1" },
  { "total", check = path.mismatch, type = PATH, help = "where the number of items is in a page",
    example = 'total = "meta.total"' },
})

---The parameter `param` counts items. `total` is the path of their number; without it, or where it is less
---than was given already, the list ends at an empty page.
---@param opts? lurcher.OffsetPages
---@return lurcher.NextPage
function strategies.offset(opts)
  opts = check.options(opts, OFFSET_OPTIONS, "pages.offset") or {}
  local default = OFFSET_DEFAULT
  local param, limit, first = opts.param or default.param, opts.limit or default.limit,
    opts.first or default.first
  local limit_param = opts.limit_param == nil and default.limit_param or opts.limit_param
  return strategy {
    describe = ("offset %s %s %d"):format(param, limit_param or "", limit), first = first, valid = is_whole,
    learns = { total = opts.total }, is_countable = opts.total ~= nil,
    request = function(_, position) return parameters(param, position, limit_param, limit) end,
    made = function(_, page) return { total = page.position - first + page.n } end,
    following = function(_, page, run)
      if page.n == 0 and (run.shrinks or not run.total) then return nil end
      local after = page.position + (page.n > 0 and page.n or run.step or limit)
      if run.total and not run.shrinks and after - first >= run.total then return nil end
      return after
    end,
    step = function(_, page, run) return full_page(limit, page, run.total) end,
    after = function(_, position, run)
      if not run.total or not run.step then return nil end
      position = position + run.step
      if position - first < run.total then return position end
    end,
  }
end

local NUMBER_OPTIONS, NUMBER_DEFAULT = rows.of("pages.number", "lurcher.NumberPages", {
  { "param", check = "string", default = "page",
    help = "the parameter that counts pages",
    example = 'param = "p"' },
  { "first", check = "integer", default = 1, help = "the number of the first page", example = "first = 0" },
  { "size_param", check = "string|false", help = "the parameter that says how many items a page has",
    example = 'size_param = "per_page"' },
  { "size", check = "count", help = "its value", example = "size = 100" },
  { "total", check = path.mismatch, type = PATH, help = "where the number of items is in a page",
    example = 'total = "meta.total"' },
  { "pages", check = path.mismatch, type = PATH, help = "where the number of pages is in a page",
    example = 'pages = "meta.pages"' },
})

---The parameter `param` counts pages. `total` is the path of the number of items, `pages` of the number of
---pages; without either, or where they are less than was given or said already, the list ends at an empty page.
---@param opts? lurcher.NumberPages
---@return lurcher.NextPage
function strategies.number(opts)
  opts = check.options(opts, NUMBER_OPTIONS, "pages.number") or {}
  local param, first = opts.param or NUMBER_DEFAULT.param, opts.first or NUMBER_DEFAULT.first
  local size, size_param = opts.size, opts.size_param
  if size_param and not size then raise "pages.number: 'size_param' needs 'size', its value" end
  local function after(_, position, run)
    local made = position - first + 1
    if run.pages and made >= run.pages then return nil end
    if run.total and not run.pages then
      local given = run.step and made * run.step or run.made.total
      if given >= run.total then return nil end
    end
    return position + 1
  end
  return strategy {
    describe = ("number %s %s %s"):format(param, size_param or "", size or ""), first = first,
    valid = is_whole,
    learns = { total = opts.total, pages = opts.pages },
    is_countable = opts.total ~= nil or opts.pages ~= nil,
    request = function(_, position) return parameters(param, position, size_param, size) end,
    made = function(_, page, run)
      local before = page.position - first
      return { pages = before + (page.n > 0 and 1 or 0), total = before * (run.step or page.n) + page.n }
    end,
    following = function(self, page, run)
      if page.n == 0 and (run.shrinks or not run.total and not run.pages) then return nil end
      return run.shrinks and page.position + 1 or after(self, page.position, run)
    end,
    step = function(_, page, run) return full_page(size, page, run.total) end,
    after = function(self, position, run)
      if run.pages or run.total and run.step then return after(self, position, run) end
    end,
  }
end

-- ---- a function of the script ----

-- Positions are what the function returned: changes to the request as it was first made.
local function changes_of(value)
  if value == nil or value == false then return nil end
  if type(value) == "string" then return { url = value } end
  if type(value) == "table" then return value end
  raise("`next` must return a table of changes to the request, a URL or nil, got " .. check.shown(value))
end

---@param fn fun(res: lurcher.Response, items: table?, n: integer): table|string|nil
---@return lurcher.NextPage
function strategies.by_function(fn)
  return strategy {
    describe = "function", first = false, valid = is_change, follows_links = true,
    key = function(_, position)
      local ok, text = pcall(json.encode, position, { sort = true })
      return ok and text or tostring(position)
    end,
    request = function(_, position) return position or {} end,
    following = function(_, page)
      local value, err = fn(page.res, page.items, page.number)
      if value == nil and err ~= nil then error(err, 0) end
      return changes_of(value)
    end,
  }
end

return strategies
