--- A plan: checked and merged options, compiled into what the layers use for each request. A client has one,
--- made once; a request that overrides something gets one of its own that inherits the rest.

local auth = require "lurcher.auth"
local errors = require "lurcher.errors"
local headers = require "lurcher.headers"
local native = require "lurcher.native.http"
local options = require "lurcher.options"
local query = require "lurcher.query"
local retry = require "lurcher.retry"
local secret = require "lurcher.secret"
local version = require "lurcher.native.version"

local plan = {}

local MIB = 1024 * 1024
local ACCEPT_ENCODING = "gzip, deflate, br, zstd"
local MEMO_SIZE = 64

-- Header names that do not follow to another origin, besides `secret_headers`.
local CREDENTIALS = { authorization = true, cookie = true, ["proxy-authorization"] = true, host = true }

local function value_or(value, default)
  if value == nil then return default end
  return value
end

local function pins_text(pins)
  return type(pins) == "table" and table.concat(pins, ";") or pins
end

-- The profile for merged options; what the library below refuses (a missing file, say) is the caller's
-- mistake.
local function new_profile(merged, raw_target)
  local timeout = options.overlay(options.DEFAULT_TIMEOUT, merged.timeout)
  local tls = options.overlay(options.DEFAULT_TLS, merged.tls)
  local resolve
  for key, address in pairs(merged.resolve or {}) do
    if address then
      resolve = resolve or {}
      resolve[key] = address
    end
  end
  local ok, profile = pcall(native.profile, {
    connect = timeout.connect, read = timeout.read, write = timeout.write, total = timeout.total,
    queue = timeout.queue,
    http_version = merged.http_version or "auto", decompress = merged.decompress ~= false,
    max_body = value_or(merged.max_body, 64 * MIB), max_headers = value_or(merged.max_headers, MIB / 4),
    verify = tls.verify, min_tls = tls.min, ca = tls.ca or nil, cert = tls.cert or nil, key = tls.key or nil,
    key_password = secret.reveal(tls.key_password) or nil, server_name = tls.server_name or nil,
    pins = pins_text(tls.pins) or nil,
    unix_socket = merged.unix_socket or nil, local_address = merged.local_address or nil, resolve = resolve,
    ip = merged.ip or nil, raw_target = raw_target or nil,
  })
  if not ok then errors.raise((tostring(profile):gsub("^.-%.lua:%d+: ", ""))) end
  return profile, timeout.total, tls.verify
end

-- All headers a request of this plan sends, as a flat list; secrets keep their wrapping.
local function header_list(merged)
  local object = headers.new()
  object["User-Agent"] = value_or(merged.user_agent, "lurcher/" .. version)
  object["Accept"] = "*/*"
  if merged.decompress ~= false then object["Accept-Encoding"] = ACCEPT_ENCODING end
  for _, layer in ipairs(merged.headers or {}) do headers.apply(object, layer) end
  return headers.flatten(object)
end

local function revealed(flat)
  local wire = {}
  for i = 1, #flat do wire[i] = secret.reveal(flat[i]) end
  return wire
end

---The native header list for a flat one.
---@param flat table
function plan.wire(flat)
  return native.headers(revealed(flat))
end

local function lower_set(names)
  local set = {}
  for _, name in ipairs(names or {}) do set[name:lower()] = true end
  return set
end

local function set_headers(self, merged)
  self.header_list = header_list(merged)
  self.wire = plan.wire(self.header_list)
  self.cookie = secret.reveal(headers.find(self.header_list, "cookie")) or false
  self.has_authorization = headers.find(self.header_list, "authorization") ~= nil
  self.has_content_type = headers.find(self.header_list, "content-type") ~= nil
  self.memo, self.memo_count = {}, 0
end

local function set_profile(self, merged, raw_target)
  local verify
  self.profile, self.total, verify = new_profile(merged, raw_target)
  if not verify then
    require("lurcher.log").warn("TLS certificates are not verified (tls.verify=false)")
  end
end

local function set_policies(self, merged)
  self.auth = auth.compile(merged.auth)
  self.redirects = value_or(merged.redirects, 10)
  if self.redirects == 0 then self.redirects = false end
  self.retry = retry.compile(merged.retry)
  self.allow_downgrade = merged.allow_downgrade or false
  self.name = merged.name or false
  self.dropped = options.overlay(CREDENTIALS, lower_set(merged.secret_headers))
end

---The plan of a client.
---@param merged table
---@return table
function plan.new(merged)
  local self = { options = merged }
  self.__index = self -- it is the metatable of the plans that inherit from it
  set_headers(self, merged)
  set_profile(self, merged)
  set_policies(self, merged)
  self.query = query.encode(merged.params or {}, "%20", "parameter")
  return self
end

---The plan of a request with options: inherits what they do not touch. Sets `query` in any case.
---@param base table
---@param opts table checked
---@param needs_profile boolean
---@return table
function plan.derive(base, opts, needs_profile)
  local merged = options.merge(base.options, opts)
  local self = setmetatable({ options = merged }, base)
  if opts.headers or opts.user_agent ~= nil or opts.decompress ~= nil then set_headers(self, merged) end
  if needs_profile then set_profile(self, merged, opts.raw_target) end
  if opts.auth ~= nil or opts.redirects ~= nil or opts.retry ~= nil or opts.allow_downgrade ~= nil
    or opts.name ~= nil or opts.secret_headers ~= nil then
    set_policies(self, merged)
  end
  if opts.params ~= nil then self.query = query.encode(merged.params, "%20", "parameter") end
  return self
end

---The native list of the plan's headers with a content type, a Cookie line and an Authorization line (each
---may be false). The last few combinations are remembered: a session sends the same ones over and over.
---@return userdata
function plan.wire_with(self, content_type, cookie, authorization)
  local key = (content_type or "") .. "\n" .. (cookie or "") .. "\n" .. (authorization or "")
  local wire = self.memo[key]
  if wire then return wire end
  wire = plan.wire(plan.headers_with(self.header_list, content_type, cookie, authorization))
  if self.memo_count >= MEMO_SIZE then self.memo, self.memo_count = {}, 0 end
  self.memo[key], self.memo_count = wire, self.memo_count + 1
  return wire
end

---A flat header list with those lines set.
---@return table
function plan.headers_with(flat, content_type, cookie, authorization)
  local result = {}
  for i = 1, #flat, 2 do
    local name = flat[i]:lower()
    if not (cookie and name == "cookie" or authorization and name == "authorization") then
      result[#result + 1], result[#result + 2] = flat[i], flat[i + 1]
    end
  end
  local function add(name, value)
    if value then result[#result + 1], result[#result + 2] = name, value end
  end
  add("Content-Type", content_type)
  add("Cookie", cookie)
  add("Authorization", authorization)
  return result
end

return plan
