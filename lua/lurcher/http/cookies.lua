--- Cookies by RFC 6265 and, where it is stricter, the draft that follows it (6265bis), in memory: parsing Set-Cookie,
--- the jar, and the layer between the two and each hop.

local check = require "lurcher.base.check"
local date = require "lurcher.base.date"
local errors = require "lurcher.base.errors"
local native = require "lurcher.native.http"
local suffixes = require "lurcher.native.suffixes"
local time = require("lurcher.native.task").time
local trim = require("lurcher.base.text").trim
local url = require "lurcher.native.url"

local head_get, head_list = native.head_get, native.head_list

local cookies = {}

-- Caps of RFC 6265bis, or what browsers use.
local MAX_SIZE = 4096 -- of name and value
local MAX_ATTRIBUTE = 1024
local MAX_AGE = 2 ^ 40
local MAX_PER_DOMAIN = 180
local MAX_COOKIES = 3000
local CROWD = 50 -- cookies of a domain, of which some go first when there are too many in all

---@class lurcher.Cookie
---@field name string
---@field value string
---@field domain string
---@field path string
---@field expires? number Unix time; nil: until the client is gone
---@field secure boolean
---@field http_only boolean
---@field host_only boolean the very host only, not those below it

local function is_address(host)
  return host:find("^%d+%.%d+%.%d+%.%d+$") ~= nil or host:find(":", 1, true) ~= nil
end

-- A domain as DNS knows it: without the dot before it, in lower case, international names by their A-labels.
-- What is no name comes back as it is, and belongs to no host.
local function canonical_domain(domain)
  domain = domain:gsub("^%.", ""):lower()
  if not domain:find("[\128-\255]") or domain:find("[/?#@:%%]") then return domain end
  local parts = url.parse("http://" .. domain .. "/")
  return parts and parts.host or domain
end

local function below_domain(host, domain)
  return host == domain or host:sub(-#domain - 1) == "." .. domain and not is_address(host)
end

-- The directory of a URL's path.
local function default_path(path)
  if path:sub(1, 1) ~= "/" then return "/" end
  return path:match("^(.+)/[^/]*$") or "/"
end

local function path_matches(path, cookie_path)
  if path == cookie_path then return true end
  if path:sub(1, #cookie_path) ~= cookie_path then return false end
  return cookie_path:sub(-1) == "/" or path:sub(#cookie_path + 1, #cookie_path + 1) == "/"
end

-- Host, path and scheme of a URL, as cookies see them.
local function place(address)
  local parts = url.parse(address)
  if not parts or not parts.host then return nil end
  local path = parts.path ~= "" and parts.path or "/"
  return { host = parts.host:lower(), path = path, secure = parts.scheme == "https" }
end

local ATTRIBUTES = {
  expires = function(cookie, value) cookie.expires_at = date.parse(value) or cookie.expires_at end,
  ["max-age"] = function(cookie, value)
    if value:find("^%-?%d+$") then cookie.max_age = math.min(tonumber(value), MAX_AGE) end
  end,
  domain = function(cookie, value) cookie.domain = value ~= "" and canonical_domain(value) or nil end,
  path = function(cookie, value) cookie.path = value:sub(1, 1) == "/" and value or nil end,
  secure = function(cookie) cookie.secure = true end,
  httponly = function(cookie) cookie.http_only = true end,
}

---Reads one Set-Cookie line of a response to `from` (host, path). Nil when the line is no cookie.
---@param line string
---@param from table
---@param now number
---@return lurcher.Cookie?
local function parse(line, from, now)
  if line:find("[%z\1-\8\10-\31\127]") then return nil end
  local pair, rest = line:match("^([^;]*)(.*)$")
  local name, value = pair:match("^([^=]*)=(.*)$")
  if not name then return nil end
  name, value = trim(name), trim(value)
  if name == "" or #name + #value > MAX_SIZE then return nil end
  local cookie = { name = name, value = value, secure = false, http_only = false }
  for attribute in rest:gmatch(";([^;]*)") do
    local key, text = attribute:match("^([^=]*)=?(.*)$")
    local set = #key <= MAX_ATTRIBUTE and ATTRIBUTES[trim(key):lower()]
    text = set and trim(text)
    if set and #text <= MAX_ATTRIBUTE then set(cookie, text) end
  end
  if cookie.max_age then
    cookie.expires = now + cookie.max_age
    if cookie.max_age <= 0 then cookie.expires = 0 end
  else
    cookie.expires = cookie.expires_at
  end
  cookie.max_age, cookie.expires_at = nil, nil
  cookie.host_only = cookie.domain == nil
  cookie.domain = cookie.domain or from.host
  cookie.path_given = cookie.path ~= nil
  cookie.path = cookie.path or default_path(from.path)
  return cookie
end

---The cookies a response set: a list, without those that make no sense.
---@param lines string[] its Set-Cookie lines
---@param address string its URL
---@return lurcher.Cookie[]
function cookies.parse(lines, address)
  local list, from = {}, place(address)
  for _, line in ipairs(lines) do
    list[#list + 1] = parse(line, from, time())
  end
  return list
end

-- Whether the cookie is what its name promises, in whatever case: servers may not tell them apart by that.
local function keeps_promises(cookie, from)
  local name = cookie.name:lower()
  if name:sub(1, 9) == "__secure-" then return cookie.secure and from.secure end
  if name:sub(1, 7) ~= "__host-" then return true end
  return cookie.secure and from.secure and cookie.host_only and cookie.path_given and cookie.path == "/"
end

-- True when `from` may set this cookie. A domain that is a public suffix would share it with strangers: it
-- may only be set for that very host.
local function acceptable(cookie, from)
  if cookie.secure and not from.secure or not keeps_promises(cookie, from) then return false end
  if not cookie.host_only then
    if cookie.domain:sub(-1) == "." or not below_domain(from.host, cookie.domain) then return false end
    if is_address(cookie.domain) or suffixes.is_public(cookie.domain) then
      if cookie.domain ~= from.host then return false end
      cookie.host_only = true
    end
  end
  return true
end

---@class lurcher.CookieJar
local Jar = {}
Jar.__index = Jar

---@return lurcher.CookieJar
function cookies.jar()
  -- by_domain: domain -> list of cookies; changes: how often something in it changed; uses: counts what is set or
  -- sent; secure_names: name -> how many secure cookies
  return setmetatable({ by_domain = {}, count = 0, changes = 0, created = 0, uses = 0,
    secure_names = {} }, Jar)
end

local function expired(cookie, now)
  return cookie.expires ~= nil and cookie.expires <= now
end

-- Counts a cookie that came (1) or went (-1) among the secure ones of its name.
local function count_secure(jar, cookie, change)
  if not cookie.secure then return end
  local count = (jar.secure_names[cookie.name] or 0) + change
  jar.secure_names[cookie.name] = count > 0 and count or nil
end

local function remove_at(jar, domain, index)
  count_secure(jar, jar.by_domain[domain][index], -1)
  table.remove(jar.by_domain[domain], index)
  if #jar.by_domain[domain] == 0 then jar.by_domain[domain] = nil end
  jar.count, jar.changes = jar.count - 1, jar.changes + 1
end

local function remove_expired(jar, now)
  for domain, list in pairs(jar.by_domain) do
    for i = #list, 1, -1 do
      if expired(list[i], now) then remove_at(jar, domain, i) end
    end
  end
end

-- Of a domain, or of all: without Secure before with it, the one that was not used for the longest time.
local function first_to_go(list, before)
  local first = before
  for i = 1, #list do
    local cookie = list[i]
    if not first or (first.secure and not cookie.secure)
      or (first.secure == cookie.secure and cookie.used < first.used) then
      first = cookie
    end
  end
  return first
end

local function remove(jar, cookie)
  for i, one in ipairs(jar.by_domain[cookie.domain]) do
    if one == cookie then return remove_at(jar, cookie.domain, i) end
  end
end

-- The longest unused of all, those of crowded domains without Secure before others.
local function remove_one_of_all(jar)
  local crowded, any
  for _, list in pairs(jar.by_domain) do
    if #list > CROWD then crowded = first_to_go(list, crowded) end
    for i = 1, #list do
      if not any or list[i].used < any.used then any = list[i] end
    end
  end
  remove(jar, crowded or any)
end

-- Makes room for one more.
local function evict(jar, domain, now)
  local list = jar.by_domain[domain]
  if jar.count >= MAX_COOKIES or list and #list >= MAX_PER_DOMAIN then remove_expired(jar, now) end
  list = jar.by_domain[domain]
  if list and #list >= MAX_PER_DOMAIN then remove(jar, first_to_go(list)) end
  if jar.count >= MAX_COOKIES then remove_one_of_all(jar) end
end

-- A cookie that came over plain http must not take the place of a secure one, nor be sent before it.
local function shadows_secure(jar, cookie)
  if not jar.secure_names[cookie.name] then return false end
  for domain, list in pairs(jar.by_domain) do
    if below_domain(domain, cookie.domain) or below_domain(cookie.domain, domain) then
      for _, old in ipairs(list) do
        if old.secure and old.name == cookie.name and path_matches(cookie.path, old.path) then return true end
      end
    end
  end
  return false
end

local function store(jar, cookie, over_https)
  local now = time()
  jar.uses = jar.uses + 1
  cookie.used = jar.uses
  if not over_https and shadows_secure(jar, cookie) then return end
  local list = jar.by_domain[cookie.domain]
  for i = 1, list and #list or 0 do
    local old = list[i]
    if old.name == cookie.name and old.path == cookie.path and old.host_only == cookie.host_only then
      if expired(cookie, now) then return remove_at(jar, cookie.domain, i) end
      if old.value ~= cookie.value then jar.changes = jar.changes + 1 end
      cookie.order = old.order
      list[i] = cookie
      count_secure(jar, old, -1)
      count_secure(jar, cookie, 1)
      return
    end
  end
  if expired(cookie, now) then return end
  evict(jar, cookie.domain, now)
  jar.created = jar.created + 1
  cookie.order = jar.created
  list = jar.by_domain[cookie.domain] or {}
  jar.by_domain[cookie.domain] = list
  list[#list + 1] = cookie
  count_secure(jar, cookie, 1)
  jar.count, jar.changes = jar.count + 1, jar.changes + 1
end

---Takes the Set-Cookie lines of a response.
---@package
---@param lines string[]
---@param address string
function Jar:receive(lines, address)
  local from = place(address)
  for _, line in ipairs(lines) do
    local cookie = parse(line, from, time())
    if cookie and acceptable(cookie, from) then store(self, cookie, from.secure) end
  end
end

-- The cookies to send to a place: longest path first, then the oldest.
local function matching(jar, to)
  local found, now, domain = {}, time(), to.host
  while domain do
    for _, cookie in ipairs(jar.by_domain[domain] or {}) do
      if (not cookie.host_only or to.host == domain) and not expired(cookie, now)
        and (to.secure or not cookie.secure) and path_matches(to.path, cookie.path) then
        found[#found + 1] = cookie
      end
    end
    domain = not is_address(domain) and domain:match("^[^.]*%.(.+)$") or nil
  end
  table.sort(found, function(a, b)
    if #a.path ~= #b.path then return #a.path > #b.path end
    return a.order < b.order
  end)
  return found
end

---The Cookie line for a request, or nil when there is none. What the script gave goes first and wins.
---@package
---@param address string
---@param given string|false
---@return string?
function Jar:header(address, given)
  local pairs_given, names = {}, {}
  if given then
    pairs_given[1] = given
    for pair in given:gmatch("[^;]+") do names[trim(pair:match("^[^=]*"))] = true end
  end
  local to = place(address)
  for _, cookie in ipairs(to and matching(self, to) or {}) do
    self.uses = self.uses + 1
    cookie.used = self.uses
    if not names[cookie.name] then pairs_given[#pairs_given + 1] = cookie.name .. "=" .. cookie.value end
  end
  return pairs_given[1] and table.concat(pairs_given, "; ")
end

local function public(cookie)
  return {
    name = cookie.name, value = cookie.value, domain = cookie.domain, path = cookie.path,
    expires = cookie.expires, secure = cookie.secure, http_only = cookie.http_only,
    host_only = cookie.host_only,
  }
end

---The value of a cookie that would be sent to `address`, and the cookie. Without `address`: of any with that
---name.
---@param name string
---@param address? string
---@return string? value
---@return lurcher.Cookie? cookie
function Jar:get(name, address)
  check.method(self, Jar, "cookies:get")
  check.argument(name, "string", 1, "cookies:get")
  check.argument(address, "string|nil", 2, "cookies:get")
  local list
  if address then
    local to = place(address)
    list = to and matching(self, to) or {}
  else
    list = self:list()
  end
  for _, cookie in ipairs(list) do
    if cookie.name == name then return cookie.value, public(cookie) end
  end
  return nil
end

local SETTABLE = { name = "string", value = "string", domain = "string", path = "string", expires = "number",
  secure = "boolean", http_only = "boolean", host_only = "boolean", url = "string" }

---Puts a cookie into the jar: `domain` (with the hosts below it, unless `host_only`) or `url` says where it
---goes.
---@param fields table name, value, domain or url, path, expires (Unix time), secure, http_only, host_only
function Jar:set(fields)
  check.method(self, Jar, "cookies:set")
  check.argument(fields, "table", 1, "cookies:set")
  check.options(fields, SETTABLE, "cookies:set")
  if not fields.name or not fields.value then errors.raise("cookies:set: 'name' and 'value' are needed") end
  if fields.name:find("[%z\1-\32\127=;]") or fields.value:find("[%z\1-\31\127;]") then
    errors.raise("cookies:set: the name or the value holds a character that may not stand in a cookie")
  end
  local to = fields.url and place(fields.url)
  if not (to or fields.domain) then errors.raise("cookies:set: 'domain' or an absolute 'url' is needed") end
  local host_only = fields.host_only
  if host_only == nil then host_only = not fields.domain end
  store(self, {
    name = fields.name, value = fields.value,
    domain = fields.domain and canonical_domain(fields.domain) or to.host,
    path = fields.path or "/", expires = fields.expires,
    secure = fields.secure or false, http_only = fields.http_only or false, host_only = host_only,
  }, true)
end

---All cookies that are not expired.
---@return lurcher.Cookie[]
function Jar:list()
  check.method(self, Jar, "cookies:list")
  remove_expired(self, time())
  local all = {}
  for _, list in pairs(self.by_domain) do
    for _, cookie in ipairs(list) do all[#all + 1] = cookie end
  end
  table.sort(all, function(a, b) return a.order < b.order end)
  for i, cookie in ipairs(all) do all[i] = public(cookie) end
  return all
end

---Takes all cookies out.
function Jar:clear()
  check.method(self, Jar, "cookies:clear")
  self.by_domain, self.count, self.changes, self.secure_names = {}, 0, self.changes + 1, {}
end

---Sends the jar's cookies along and keeps those that come back, at each hop and attempt.
function cookies.layer(request, next)
  local jar = request.client.cookies
  if jar.count > 0 or request.cookie then
    request.cookie = jar:header(request.url, request:given_cookie()) or nil
  end
  local res, err = next(request)
  if res and head_get(res.head, "set-cookie") then
    jar:receive(head_list(res.head, "set-cookie"), request.url)
  end
  return res, err
end

return cookies
