--- Which names stand for secrets: of headers, of parameters of queries and forms, of fields of JSON.

local native = require "lurcher.native.url"
local url = require "lurcher.url"

local names = {}

local MAX_NAME = 128

-- Of headers, besides those whose names say it.
local HEADERS = { authorization = true, ["proxy-authorization"] = true, cookie = true, ["set-cookie"] = true,
  cookie2 = true, ["set-cookie2"] = true }

-- What is said about a secret is none: its kind, its age, where it is had, how many there are.
local ABOUT = { type = true, url = true, uri = true, endpoint = true, expires = true, expiry = true, at = true,
  ["in"] = true, count = true, length = true, limit = true, hint = true, policy = true, tokens = true, usage = true,
  required = true, enabled = true, method = true, methods = true, algorithm = true, version = true }

-- Where a page ends, which the next request has to say.
local PLACES = { next = true, page = true, prev = true, previous = true, continuation = true, sync = true, start = true,
  resume = true, delta = true, skip = true, cursor = true, first = true, last = true }

-- Said of what is no secret far more often, in JSON.
local COMMON = { code = true, key = true, sig = true, session = true, sessions = true, pass = true, auth = true,
  oauth = true, authorization = true, authorizations = true, credentials = true }

-- The words of a name, in lower case: "accessToken", "access-token" and "access_token" are two.
local function words_of(name)
  local words = {}
  local spaced = name:gsub("(%l)(%u)", "%1_%2"):gsub("(%u)(%u%l)", "%1_%2"):lower()
  for word in spaced:gmatch "[%w]+" do words[#words + 1] = word end
  return words
end

-- As messages have it for parameters.
local function sounds_secret(name)
  local address = ("http://h/?%s=x"):format(url.encode(name))
  return native.redact(address) ~= address
end

local function judge(name)
  if #name > MAX_NAME or not sounds_secret(name) then return false end
  local words = words_of(name)
  local last = words[#words]
  return not (#words > 1 and ABOUT[last] or PLACES[words[1]] and last == "token")
end

local judged, count = {}, 0
local MAX_JUDGED = 4096

-- The names of a peer are as many as it likes.
local function is_secret(name)
  local verdict = judged[name]
  if verdict == nil then
    if count >= MAX_JUDGED then judged, count = {}, 0 end
    verdict = judge(name)
    judged[name], count = verdict, count + 1
  end
  return verdict
end

---@param name string of a parameter of a query or a form
---@return boolean
function names.is_parameter(name) return is_secret(name) end

---@param name string of a field of JSON, or of something like it
---@return boolean
function names.is_field(name) return not COMMON[name:lower()] and is_secret(name) end

---@param name string of a header
---@return boolean
function names.is_header(name)
  local lower = name:lower()
  if HEADERS[lower] then return true end
  return not lower:find("^access%-control%-") and not lower:find("^sec%-websocket%-") and is_secret(lower)
end

---@param name string of a variable of the environment
---@return boolean
function names.is_variable(name)
  local upper = name:upper()
  for _, word in ipairs { "TOKEN", "SECRET", "KEY", "PASSWORD", "PASSWD", "CREDENTIAL", "PASSPHRASE" } do
    if upper:find(word, 1, true) then return true end
  end
  return false
end

return names
