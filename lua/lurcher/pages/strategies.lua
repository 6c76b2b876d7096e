--- Where the next page is: the strategies that `next` may be. Each one makes *positions*, which tell one page
--- from all others and can be written as JSON, and says what the request for a position looks like.
---
---   first      the first page's position
---   describe   what it does, for the checkpoint file
---   request(position) → what is changed in the request: params, or url and other options
---   following(page, run) → the next page's position, or nil after the last one
---   key(position) → text; the same one twice means a loop
---   learns     names of numbers about the whole (total, pages) and the paths they are found at
---
--- Those that count can do without the page before, once they know the total:
---
---   step(page, run) → how many items a full page has
---   after(position, run) → the next position, or nil after the last one
---
--- `page` has res, value() (the decoded body), items, n (how many), position and number; `run` is what is
--- known about all pages: total, pages, step.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local json = require "lurcher.json"
local path = require "lurcher.pages.path"
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

function NextPage.key(_, position)
  return type(position) .. ":" .. tostring(position)
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

-- The absolute URL of a link in a page; nil: there is none.
local function linked(page, target)
  if target == nil or target == "" or target == false then return nil end
  if type(target) ~= "string" then
    error(errors.new { kind = "decode", message = ("the next page's URL is no string, but %s"):format(
      path.outline(target)) }, 0)
  end
  local address, message = url.join(secret.reveal(page.res.url), target)
  if address then return address end
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
    describe = "link " .. rel, first = false, follows_links = true, content_may_repeat = true,
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

local url_options = { path = path.mismatch }

---The next page's URL is in the body, at `path`.
---@param opts { path: string }|string
---@return lurcher.NextPage
function strategies.url(opts)
  if type(opts) == "string" then opts = { path = opts } end
  check.argument(opts, "table", 1, "pages.url")
  opts = check.options(named(opts, { "path" }), url_options, "pages.url")
  if not opts.path then raise 'pages.url: the option \'path\' is missing: where in a page the URL is' end
  local read = path.reader(opts.path)
  return strategy {
    describe = "url " .. path.shown(opts.path), first = false, follows_links = true,
    content_may_repeat = true, request = request_url,
    following = function(_, page) return linked(page, read(page.res, page.value)) end,
  }
end

-- ---- cursors ----

local cursor_options = { param = "string", path = path.mismatch, more = path.mismatch }

---The body says at `path` what the parameter `param` must be for the next page; at the end there is nothing,
---null, false or "". `more`, if given, is the path of a boolean that must be true.
---@param opts { param: string, path: string, more?: string }
---@return lurcher.NextPage
function strategies.cursor(opts)
  check.argument(opts, "table", 1, "pages.cursor")
  opts = check.options(named(opts, { "param", "path" }), cursor_options, "pages.cursor")
  if not opts.param then raise "pages.cursor: the option 'param' is missing: the parameter's name" end
  if not opts.path then raise "pages.cursor: the option 'path' is missing: where in a page the cursor is" end
  local read, more = path.reader(opts.path), opts.more and path.reader(opts.more)
  return strategy {
    describe = ("cursor %s %s"):format(opts.param, path.shown(opts.path)), first = false,
    content_may_repeat = true,
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

-- How many items a full page has: what was asked for, or less when the server gives less at a time.
local function full_page(asked, page, total)
  if not asked or page.n < asked and page.n > 0 and (total or 0) > page.n then return page.n end
  return asked
end

local function parameters(...)
  local params = {}
  for i = 1, select("#", ...), 2 do
    local name, value = select(i, ...)
    if name then params[name] = value end
  end
  return { params = params }
end

local offset_options = { param = "string", limit_param = "string|false", limit = "count", first = "size",
  total = path.mismatch }

---The parameter `param` counts items. `total` is the path of their number; without it the list ends at an
---empty page.
---@param opts? table `param`, `limit_param` (false: it is not sent), `limit`, `first`, `total`
---@return lurcher.NextPage
function strategies.offset(opts)
  opts = check.options(opts, offset_options, "pages.offset") or {}
  local param, limit, first = opts.param or "offset", opts.limit or 100, opts.first or 0
  local limit_param = opts.limit_param == nil and "limit" or opts.limit_param
  return strategy {
    describe = ("offset %s %s %d"):format(param, limit_param or "", limit), first = first,
    learns = { total = opts.total }, spreads = opts.total ~= nil,
    request = function(_, position) return parameters(param, position, limit_param, limit) end,
    following = function(_, page, run)
      local after = page.position + page.n
      if page.n == 0 or run.total and after - first >= run.total then return nil end
      return after
    end,
    step = function(_, page, run) return full_page(limit, page, run.total) end,
    after = function(_, position, run)
      position = position + run.step
      if position - first < run.total then return position end
    end,
  }
end

local number_options = { param = "string", first = "integer", size_param = "string|false", size = "count",
  total = path.mismatch, pages = path.mismatch }

---The parameter `param` counts pages. `total` is the path of the number of items, `pages` of the number of
---pages; without either the list ends at an empty page.
---@param opts? table `param`, `first`, `size_param`, `size`, `total`, `pages`
---@return lurcher.NextPage
function strategies.number(opts)
  opts = check.options(opts, number_options, "pages.number") or {}
  local param, first, size, size_param = opts.param or "page", opts.first or 1, opts.size, opts.size_param
  if size_param and not size then raise "pages.number: 'size_param' needs 'size', its value" end
  local function after(_, position, run)
    local made = position - first + 1
    if run.pages and made >= run.pages then return nil end
    if run.total and not run.pages and made * run.step >= run.total then return nil end
    return position + 1
  end
  return strategy {
    describe = ("number %s %s %s"):format(param, size_param or "", size or ""), first = first,
    learns = { total = opts.total, pages = opts.pages },
    spreads = opts.total ~= nil or opts.pages ~= nil,
    request = function(_, position) return parameters(param, position, size_param, size) end,
    following = function(self, page, run)
      if page.n == 0 then return nil end
      return after(self, page.position, run)
    end,
    step = function(_, page, run) return full_page(size, page, run.total) end,
    after = after,
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
    describe = "function", first = false, follows_links = true,
    key = function(_, position)
      local ok, text = pcall(json.encode, position, { sort = true })
      return ok and text or tostring(position)
    end,
    request = function(_, position) return position or {} end,
    following = function(_, page)
      local value, err = fn(page.res, page.items, page.number)
      if value == nil and errors.is_error(err) then error(err, 0) end
      return changes_of(value)
    end,
  }
end

return strategies
