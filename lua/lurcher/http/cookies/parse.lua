--- Cookies by RFC 6265 and, where it is stricter, the draft that follows it (6265bis): what a Set-Cookie line says,
--- and who may say it.

local date = require "lurcher.base.date"
local suffixes = require "lurcher.native.suffixes"
local time = require("lurcher.native.task").time
local trim = require("lurcher.base.text").trim
local url = require "lurcher.native.url"

local parse = {}

-- Caps of RFC 6265bis, or what browsers use.
parse.MAX_SIZE = 4096 -- of name and value
local MAX_ATTRIBUTE = 1024
local MAX_AGE = 2 ^ 40

---@class lurcher.Cookie
---@field name string
---@field value string
---@field domain string
---@field path string
---@field expires? number Unix time; nil: until the client is gone
---@field secure boolean
---@field http_only boolean
---@field host_only boolean the very host only, not those below it
---@field same_site? "Strict"|"Lax"|"None" what the server said; there is no other site here that it could keep it from

function parse.is_address(host)
  return host:find("^%d+%.%d+%.%d+%.%d+$") ~= nil or host:find(":", 1, true) ~= nil
end

-- A domain as DNS knows it: without the dot before it, in lower case, international names by their A-labels.
-- What is no name comes back as it is, and belongs to no host.
function parse.canonical_domain(domain)
  domain = domain:gsub("^%.", ""):lower()
  if not domain:find("[\128-\255]") or domain:find("[/?#@:%%]") then return domain end
  local parts = url.parse("http://" .. domain .. "/")
  return parts and parts.host or domain
end

function parse.below_domain(host, domain)
  return host == domain or host:sub(-#domain - 1) == "." .. domain and not parse.is_address(host)
end

-- The directory of a URL's path.
local function default_path(path)
  if path:sub(1, 1) ~= "/" then return "/" end
  return path:match("^(.+)/[^/]*$") or "/"
end

function parse.path_matches(path, cookie_path)
  if path == cookie_path then return true end
  if path:sub(1, #cookie_path) ~= cookie_path then return false end
  return cookie_path:sub(-1) == "/" or path:sub(#cookie_path + 1, #cookie_path + 1) == "/"
end

-- Host, path and scheme of a URL, as cookies see them.
function parse.place(address)
  local parts = url.parse(address)
  if not parts or not parts.host then return nil end
  local path = parts.path ~= "" and parts.path or "/"
  return { host = parts.host:lower(), path = path, secure = parts.scheme == "https" }
end

local SAME_SITE = { strict = "Strict", lax = "Lax", none = "None" }

local ATTRIBUTES = {
  expires = function(cookie, value) cookie.expires_at = date.parse(value) or cookie.expires_at end,
  ["max-age"] = function(cookie, value)
    if value:find("^%-?%d+$") then cookie.max_age = math.min(tonumber(value), MAX_AGE) end
  end,
  domain = function(cookie, value) cookie.domain = value ~= "" and parse.canonical_domain(value) or nil end,
  path = function(cookie, value) cookie.path = value:sub(1, 1) == "/" and value or nil end,
  secure = function(cookie) cookie.secure = true end,
  httponly = function(cookie) cookie.http_only = true end,
  samesite = function(cookie, value) cookie.same_site = SAME_SITE[value:lower()] end,
}

---Reads one Set-Cookie line of a response to `from` (host, path). Nil when the line is no cookie.
---@param line string
---@param from table
---@param now number
---@return lurcher.Cookie?
function parse.line(line, from, now)
  if line:find("[%z\1-\8\10-\31\127]") then return nil end
  local pair, rest = line:match("^([^;]*)(.*)$")
  local name, value = pair:match("^([^=]*)=(.*)$")
  if not name then return nil end
  name, value = trim(name), trim(value)
  if name == "" or #name + #value > parse.MAX_SIZE then return nil end
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
function parse.lines(lines, address)
  local list, from = {}, parse.place(address)
  for _, line in ipairs(lines) do
    list[#list + 1] = parse.line(line, from, time())
  end
  return list
end

-- Whether the cookie is what its name promises, in whatever case: servers may not tell them apart by that.
function parse.keeps_promises(cookie, from)
  local name = cookie.name:lower()
  if name:sub(1, 9) == "__secure-" then return cookie.secure and from.secure end
  if name:sub(1, 7) ~= "__host-" then return true end
  return cookie.secure and from.secure and cookie.host_only and cookie.path_given and cookie.path == "/"
end

-- True when `from` may set this cookie. A domain that is a public suffix would share it with strangers: it
-- may only be set for that very host.
function parse.acceptable(cookie, from)
  if cookie.secure and not from.secure or not parse.keeps_promises(cookie, from) then return false end
  if not cookie.host_only then
    if cookie.domain:sub(-1) == "." or not parse.below_domain(from.host, cookie.domain) then return false end
    if parse.is_address(cookie.domain) or suffixes.is_public(cookie.domain) then
      if cookie.domain ~= from.host then return false end
      cookie.host_only = true
    end
  end
  return true
end


return parse
