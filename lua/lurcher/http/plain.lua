--- Calls of http.get and the like without options. Most scripts make no others, and those whose response is fit for the
--- script as it came need nothing of a client but a pool, a profile and headers. So the client behind them is made, and
--- the modules that it takes are loaded, by the first call that needs more: options, a failure, a redirect, a cookie.

local log = require "lurcher.native.log"
local native = require "lurcher.native.http"
local response_class = require "lurcher.http.response_class"
local normalize = require("lurcher.native.url").normalize
local now = require("lurcher.native.task").shared_now
local version = require "lurcher.native.version"

local perform, new_response, loaded = native.perform, response_class.new, package.loaded

-- active: there is no client yet. settings: what stands for those of a client in responses.
local plain = { active = not (log.tracing() or log.recording()), settings = {} }

plain.VERBS = { "get", "head", "post", "put", "patch", "delete", "options" }

---What holds without options, as native functions take it: options/rows.lua and options/parts.lua say what is what.
---`undecided`: the statuses of settings.lua.
plain.DEFAULT = {
  pool = { inflight = 256, per_origin = 64, idle = 100, idle_timeout = 15, rate = false, burst = 1 },
  profile = { connect = 10, read = 30, write = 30, total = 300, queue = false, verify = true, min = "1.2",
    http_version = "auto", decompress = true, max_body = 64 * 1024 * 1024, max_headers = 256 * 1024 },
  headers = { "Accept-Encoding", "gzip, deflate, br, zstd", "Accept", "*/*", "User-Agent", "lurcher/" .. version },
  priority = 0,
  undecided = { 301, 302, 303, 307, 308, 403, 408, 425, 429, 500, 502, 503, 504 },
}

local SPAN = 10 -- of retry_budget.lua, which counts on from here
local PRIORITY = plain.DEFAULT.priority

local pool, profile, wire, undecided = false, false, false, false
local last_url, last_address = false, false
local calls, since = 0, 0

local function prepare()
  local default = plain.DEFAULT
  profile, wire = native.profile(default.profile), native.headers(default.headers)
  undecided = require "lurcher.http.status_set"(default.undecided)
  pool = native.pool(default.pool)
end

-- The canonical URL; nil when there is more in it than an address.
local function simple(url)
  if type(url) ~= "string" then return nil end
  local address, bare = normalize(url)
  if bare ~= true then return nil end
  last_url, last_address = url, address
  return address
end

-- Counts the call for the retry budget.
local function note_call()
  local moment = now()
  if moment - since > SPAN then calls, since = 0, moment end
  calls = calls + 1
end

---Makes a call as the default client would. Nil when the client has to make it, or has to go on from what came.
---@param method string
---@param url string
---@return lurcher.Response? res
---@return table? early_result
function plain.call(method, url)
  local secret = loaded["lurcher.base.secret"]
  if secret and secret.any then return nil end -- the URL may hold one
  local address = url == last_url and last_address or simple(url)
  if not address then return nil end
  if not pool then prepare() end
  note_call()
  local status, body, head, info, head_flags = perform(pool, profile, method, address, wire, nil, nil, nil, PRIORITY,
    false, undecided)
  if head_flags == 0 and status >= 200 and status < 300 then
    return new_response(status, body, head, info, method, address, plain.settings)
  end
  return nil, { status, body, head, info, head_flags, generation = false }
end

---There is a client now: what it goes on from.
---@param is_alone boolean nobody else has made these calls
---@return userdata? pool nil: there was no call
---@return integer calls of the last seconds
function plain.hand_over(is_alone)
  local given = is_alone and pool or nil
  plain.active, pool = false, not is_alone and pool
  return given, given and calls or 0
end

return plain
