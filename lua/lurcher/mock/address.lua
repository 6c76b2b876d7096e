--- The URL of an entry: a string, a template such as "/users/{id}", a Lua pattern with both anchors, or a function.

local errors = require "lurcher.base.errors"
local matching = require "lurcher.mock.matching"
local native = require "lurcher.native.url"
local query = require "lurcher.url.query"
local url = require "lurcher.url"

local address = {}

local MAGIC = "[%^%$%(%)%%%.%[%]%*%+%-%?]"

local function escaped(byte) return ("%%%02X"):format(byte:byte()) end

-- Escapes in one spelling, and none where none is needed: "%7e" is "~", "%c3" is "%C3".
local function canonical_escapes(text)
  if not text:find("%", 1, true) then return text end
  return (text:gsub("%%(%x%x)", function(digits)
    local char = string.char(tonumber(digits, 16))
    return char:find "[%w%-._~]" and char or "%" .. digits:upper()
  end))
end

-- The Lua pattern of a path or URL with {names}, and the names. {name*} at the end is all the rest.
local function compile(text)
  local names, rest = {}, ""
  text = text:gsub("{([%w_]+)%*}$", function(name)
    rest = name
    return ""
  end)
  local pattern = text:gsub(MAGIC, "%%%0"):gsub("{([%w_]+)}", function(name)
    names[#names + 1] = name
    return "([^/?]+)"
  end)
  if rest ~= "" then
    names[#names + 1], pattern = rest, pattern .. "(.*)"
  end
  return "^" .. pattern .. "$", names
end

local DEFAULT_PORTS = { http = ":80$", https = ":443$" }

-- Of a URL with {names}: scheme and host in lower case, without the scheme's own port.
local function canonical_origin(text)
  local scheme, authority, rest = text:match "^(%a[%w+.-]*)://([^/?#]*)(.*)$"
  if not scheme then return text end
  scheme = scheme:lower()
  authority = ("}" .. authority):gsub("}[^{]*", string.lower):sub(2)
  if DEFAULT_PORTS[scheme] then authority = authority:gsub(DEFAULT_PORTS[scheme], "") end
  if rest:sub(1, 1) ~= "/" then rest = "/" .. rest end
  return scheme .. "://" .. authority .. rest
end

-- As a client sends it: scheme, host and path in their canonical form, without a fragment. What has {names} cannot be
-- read as a URL; what is not allowed in one is escaped there, too.
local function canonical(text)
  text = text:gsub("#.*$", "")
  if text:find("{", 1, true) then
    return canonical_escapes(canonical_origin(text):gsub("[%c \"<>\\^`|\127-\255]", escaped))
  end
  local is_path = text:sub(1, 1) == "/"
  local whole, message = native.normalize(is_path and "http://h" .. text or text)
  if not whole then errors.raise("mock:on: " .. message) end
  return canonical_escapes(is_path and whole:match "^http://h(.*)$" or whole)
end

local function of_pattern(pattern)
  local well, message = pcall(string.find, "", pattern)
  if not well then errors.raise(("mock:on: the pattern does not compile: %s"):format(tostring(message))) end
  return function(list, req)
    local captures = { req.url:match(pattern) }
    if captures[1] == nil then
      list[#list + 1] = { "url", "a match of " .. pattern, tostring(req) }
      return
    end
    req.captures = captures
  end
end

local function of_function(accepts)
  return function(list, req)
    if not accepts(req) then list[#list + 1] = { "url", "what a function accepts", tostring(req) } end
  end
end

-- What a name of a template stands for in this request.
local function captured(names, found)
  local captures = {}
  for i, name in ipairs(names) do captures[name] = url.decode(found[i]) end
  return captures
end

local function of_text(text)
  local base, given = canonical(text):match "^([^?]*)%??(.*)$"
  local pattern, names = compile(base)
  local is_path = base:sub(1, 1) == "/"
  local wanted = given ~= "" and query.parse(given) or nil
  return function(list, req)
    local sent = canonical_escapes(is_path and req.path or req.url:match "^[^?]*")
    local found = { sent:match(pattern) }
    if found[1] == nil then
      list[#list + 1] = { "url", base, sent }
    else
      req.captures = names[1] and captured(names, found) or {}
    end
    if wanted then matching.compare_map(list, "params", wanted, req.query, true) end
  end
end

---What compares a request's URL with that of an entry, and notes `captures`.
---@param wanted string|fun(req: lurcher.mock.Request): boolean
---@return fun(list: table[], req: lurcher.mock.Request)
function address.compile(wanted)
  if type(wanted) == "function" then return of_function(wanted) end
  wanted = wanted:gsub("^([wW][sS])([sS]?://)", function(_, rest) return "http" .. rest:lower() end)
  if wanted:find "^%^" and wanted:find "%$$" then return of_pattern(wanted) end
  if not wanted:find "^/" and not wanted:find "^%a[%w+.-]*://" then
    errors.raise(('mock:on: "%s" is neither a URL, nor a path such as "/users/{id}", nor a pattern in ^ and $')
      :format(wanted))
  end
  return of_text(wanted)
end

return address
