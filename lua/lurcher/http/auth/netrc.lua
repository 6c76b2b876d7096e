--- Basic credentials out of a netrc file, by the host of each request. Only when it is asked for.

local basic = require "lurcher.http.auth.basic"
local cache = require "lurcher.base.cache"
local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local native = require "lurcher.native.fs"
local netrc_file = require "lurcher.http.auth.netrc_file"
local scheme = require "lurcher.http.auth.scheme"
local secret = require "lurcher.base.secret"
local url_native = require "lurcher.native.url"

local MAX_FILE = 1024 * 1024
local MAX_HOSTS = 256

---@class lurcher.Netrc
local Netrc = scheme.class "netrc"

local states = setmetatable({}, { __mode = "k" })

local function default_path()
  return os.getenv "NETRC" or (os.getenv "HOME" or "") .. "/.netrc"
end

local function failure(path, problem)
  return nil, errors.new { kind = "file", message = ("'%s': %s"):format(path, problem) }
end

local function warn_of_mode(path, mode)
  if mode % 64 == 0 then return end
  require("lurcher.log").warn("others may read or write the netrc file: chmod 600 would help", { path = path })
end

-- The entries of the file, read when they are needed first. The usual file need not be there, one that was named
-- has to.
local function entries_of(state)
  if state.entries then return state.entries end
  local path = state.path or default_path()
  local text, mode = native.read(path, MAX_FILE)
  if not text then
    local err = mode
    if state.path or err.code ~= "ENOENT" and err.code ~= "ENOTDIR" then return nil, err end
    state.entries = {}
    return state.entries
  end
  warn_of_mode(path, mode)
  local entries, problem = netrc_file.parse(text)
  if not entries then return failure(path, problem) end
  state.entries = entries
  return entries
end

-- The scheme for a host: basic, or false when the file has none.
local function basic_for(state, host, user)
  local key = host .. "\n" .. (user or "")
  local known = state.known:get(key)
  if known ~= nil then return known end
  local entries, err = entries_of(state)
  if not entries then return nil, err end
  local entry = netrc_file.find(entries, host, user)
  if not entry then return state.known:put(key, false) end
  if entry.login:find("[%z\1-\31\127:]") or entry.password:find("[%z\1-\31\127]") then
    return failure(state.path or default_path(),
      ("login or password of %s hold a character that cannot be sent"):format(entry.machine or "default"))
  end
  return state.known:put(key, basic(entry.login, secret.new(entry.password)))
end

local function layer(state, request, next, user)
  local found, err = basic_for(state, url_native.parse(request.url).host:lower(), user)
  if found == nil then
    err.method, err.url = request.method, request.url
    return nil, err
  end
  local fallback = user and basic(user, "")
  local used = found or fallback
  request.authorization = used and used.header() or nil
  return next(request)
end

function Netrc:layer(request, next)
  return layer(states[self], request, next)
end

---The scheme for a URL that names a user and no password: that user's entry, or Basic without a password.
---@package
---@param user string
---@return table
function Netrc:for_user(user)
  local state = states[self]
  return { layer = function(_, request, next) return layer(state, request, next, user) end }
end

---The credentials of a netrc file: of the first entry for the host. A user name in the URL selects the entry;
---with a password beside it the file is not asked.
---@param path? string default: the environment's NETRC, or ~/.netrc, which need not be there
---@return lurcher.Netrc
return function(path)
  if path ~= nil then check.argument(path, "string", 1, "http.netrc") end
  if path and path:find("\0", 1, true) then
    errors.raise "bad argument #1 to 'http.netrc' (a path cannot contain a NUL byte)"
  end
  local self = Netrc.new(path)
  states[self] = { path = path, known = cache.new(MAX_HOSTS) }
  return self
end
