--- The jar: cookies by their domains, and which of them go where.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local jar_class = require "lurcher.http.cookies.jar_class"
local parse = require "lurcher.http.cookies.parse"
local secret = require "lurcher.base.secret"
local time = require("lurcher.native.task").time
local trim = require("lurcher.base.text").trim

local acceptable, below_domain, canonical_domain = parse.acceptable, parse.below_domain, parse.canonical_domain
local is_address, path_matches, place = parse.is_address, parse.path_matches, parse.place

-- What browsers use.
local MAX_PER_DOMAIN = 180
local MAX_COOKIES = 3000
local CROWD = 50 -- cookies of a domain, of which some go first when there are too many in all

---@class lurcher.CookieJar
local Jar = jar_class.metatable

local jar_module = { metatable = Jar, new = jar_class.new }

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
    local cookie = parse.line(line, from, time())
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
    name = cookie.name, value = cookie.marked or cookie.value, domain = cookie.domain, path = cookie.path,
    expires = cookie.expires, secure = cookie.secure, http_only = cookie.http_only,
    host_only = cookie.host_only, same_site = cookie.same_site,
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
  address = secret.reveal(address)
  check.argument(address, "string|nil", 2, "cookies:get")
  local list
  if address then
    local to = place(address)
    list = to and matching(self, to) or {}
  else
    list = self:list()
  end
  for _, cookie in ipairs(list) do
    if cookie.name == name then return cookie.marked or cookie.value, public(cookie) end
  end
  return nil
end

local function expires_mismatch(value)
  if type(value) == "number" and value == value then return nil end
  return "seconds since 1970"
end

local SETTABLE = { name = "string", value = "text", domain = "string", path = "string",
  expires = expires_mismatch,
  secure = "boolean", http_only = "boolean", host_only = "boolean", url = "string",
  same_site = "'Strict'|'Lax'|'None'" }

---Puts a cookie into the jar: `domain` (with the hosts below it, unless `host_only`) or `url` says where it
---goes.
---@param fields table name, value, domain or url, path, expires (Unix time), secure, http_only, host_only, same_site
function Jar:set(fields)
  check.method(self, Jar, "cookies:set")
  check.argument(fields, "table", 1, "cookies:set")
  check.options(fields, SETTABLE, "cookies:set")
  if not fields.name or not fields.value then errors.raise("cookies:set: 'name' and 'value' are needed") end
  local value = secret.reveal(fields.value)
  if fields.name:find("[%z\1-\32\127=;]") or value:find("[%z\1-\31\127;]") then
    errors.raise("cookies:set: the name or the value holds a character that may not stand in a cookie")
  end
  if (fields.path or ""):find("[%z\1-\8\10-\31\127;]") or (fields.domain or ""):find("[%z\1-\32\127;/]") then
    errors.raise("cookies:set: the path or the domain holds a character that may not stand in a cookie")
  end
  local to = fields.url and place(fields.url)
  if not (to or fields.domain) then errors.raise("cookies:set: 'domain' or an absolute 'url' is needed") end
  local host_only = fields.host_only
  if host_only == nil then host_only = not fields.domain end
  store(self, {
    name = fields.name, value = value, marked = secret.is(fields.value) and fields.value or nil,
    domain = fields.domain and canonical_domain(fields.domain) or to.host,
    path = fields.path or "/", expires = fields.expires,
    secure = fields.secure or false, http_only = fields.http_only or false, host_only = host_only,
    same_site = fields.same_site,
  }, true)
end

---The cookies themselves that are not expired, as old as they are.
---@package
function Jar:each()
  remove_expired(self, time())
  local all = {}
  for _, list in pairs(self.by_domain) do
    for _, cookie in ipairs(list) do all[#all + 1] = cookie end
  end
  table.sort(all, function(a, b) return a.order < b.order end)
  return all
end

---All cookies that are not expired.
---@return lurcher.Cookie[]
function Jar:list()
  check.method(self, Jar, "cookies:list")
  local all = self:each()
  for i, cookie in ipairs(all) do all[i] = public(cookie) end
  return all
end

---Takes all cookies out.
function Jar:clear()
  check.method(self, Jar, "cookies:clear")
  self.by_domain, self.count, self.changes, self.secure_names = {}, 0, self.changes + 1, {}
end

---Puts a cookie into the jar that a file had.
---@package
---@param cookie lurcher.Cookie
---@return boolean kept
function Jar:restore(cookie)
  store(self, cookie, true)
  for _, one in ipairs(self.by_domain[cookie.domain] or {}) do
    if one == cookie then return true end
  end
  return false
end

---Adds the cookies of a Netscape cookie file.
---@param path string
---@return true? ok
---@return lurcher.Error? err kind "file"
function Jar:load(path)
  check.method(self, Jar, "cookies:load")
  check.argument(path, "string", 1, "cookies:load")
  return require("lurcher.http.cookies.file").load(self, path)
end

---Writes the cookies to a Netscape cookie file, which only its owner may read. What others have put there meanwhile
---stays, and so do lines that are no cookies.
---@param path string
---@return true? ok
---@return lurcher.Error? err kind "file"
function Jar:save(path)
  check.method(self, Jar, "cookies:save")
  check.argument(path, "string", 1, "cookies:save")
  return require("lurcher.http.cookies.file").save(self, path)
end

Jar.__index = Jar

return jar_module
