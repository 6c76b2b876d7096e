--- Settings: options checked, merged and compiled into what the layers use for each request. A client's are
--- made once; a request that overrides some gets settings of its own that inherit the rest.

local lazy = require "lurcher.base.lazy"
local compile_auth = require "lurcher.http.auth.compile"
local headers = require "lurcher.http.headers"
local cache = require "lurcher.base.cache"
local native = require "lurcher.native.http"
local options = require "lurcher.http.options"
local overlay = require("lurcher.base.tables").overlay
local retry_policy = require "lurcher.http.retry_policy"
local new_store = require("lurcher.task.script").store
local secret = require "lurcher.base.secret"
local status_set = require "lurcher.http.status_set"

local errors = lazy "lurcher.base.errors"

local settings = {}

local normalize = require("lurcher.native.url").normalize
local reveal = secret.reveal

local DEFAULT, CHANGES = options.DEFAULT, options.CHANGES
local IN_PROFILE, IN_HEADERS, IN_POLICIES = CHANGES.transfer, CHANGES.headers, CHANGES.policies
local ACCEPT_ENCODING = "gzip, deflate, br, zstd"
local CACHE_SIZE = 64
local PROXY_AUTHORIZATION = "proxy-authorization"

-- Header names that do not follow to another origin, besides `secret_headers`.
local CREDENTIALS = { authorization = true, cookie = true, ["proxy-authorization"] = true, host = true }

-- Statuses whose Location is followed.
local FOLLOWED = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }
settings.FOLLOWED = FOLLOWED

local function value_or(value, default)
  if value == nil then return default end
  return value
end

local function pins_text(pins)
  return type(pins) == "table" and table.concat(pins, ";") or pins
end

-- "host:port" as DNS knows it.
local function in_ascii(key)
  if not key:find("[\128-\255]") then return key end
  local host, port = key:match("^(.*)(:%d+)$")
  local address, message = normalize("http://" .. host .. "/")
  if not address then errors.raise(("resolve: '%s': %s"):format(key, message)) end
  return address:match("^http://(.*)/$") .. port
end

local function resolve_map(wanted)
  local map = {}
  for key, address in pairs(wanted) do
    if address then map[in_ascii(key)] = address end
  end
  return map
end

-- Options that the transfer gets under their own names, as they are.
local PLAIN = overlay(CHANGES.transfer)
PLAIN.timeout, PLAIN.tls, PLAIN.raw_target, PLAIN.proxy, PLAIN.no_proxy = nil, nil, nil, nil, nil

-- Adds what a transfer through a proxy has to know.
local function add_proxy(given, proxy)
  local tls = overlay(DEFAULT.tls, proxy.tls or nil)
  given.proxy = proxy.url
  given.proxy_user, given.proxy_password = proxy.user, proxy.password
  given.proxy_verify, given.proxy_min, given.proxy_ca = tls.verify, tls.min or DEFAULT.tls.min, tls.ca
  given.proxy_cert, given.proxy_key = tls.cert, tls.key
  given.proxy_key_password, given.proxy_pins = secret.reveal(tls.key_password), pins_text(tls.pins)
end

-- The profile for merged options; what the library below refuses (a missing file, say) is the caller's
-- mistake.
local function new_profile(merged, raw_target, proxy)
  local timeout = overlay(DEFAULT.timeout, merged.timeout)
  local tls = overlay(DEFAULT.tls, merged.tls)
  if tls.key and tls.cert == nil then
    errors.raise("tls.key belongs to a certificate: give tls.cert too")
  end
  local given = overlay(timeout, tls)
  for name in pairs(PLAIN) do given[name] = value_or(merged[name], DEFAULT[name]) end
  given.min, given.raw_target = tls.min or DEFAULT.tls.min, raw_target or nil
  given.key_password, given.pins = secret.reveal(tls.key_password), pins_text(tls.pins)
  given.resolve = merged.resolve and resolve_map(merged.resolve)
  if proxy then add_proxy(given, proxy) end
  local ok, profile = pcall(native.profile, given)
  if not ok then errors.raise((tostring(profile):gsub("^.-%.lua:%d+: ", ""))) end
  return profile, timeout.total ~= math.huge and timeout.total, tls.verify
end

-- Whether one of the given header tables names Accept-Encoding, be it to remove it.
local function gives_coding(layers)
  for _, layer in ipairs(layers or {}) do
    for name in pairs(layer or {}) do
      if type(name) == "string" and name:lower() == "accept-encoding" then return true end
    end
  end
  return false
end

---Takes the Accept-Encoding that nobody gave out of a flat header list with a Range: a part of coded data cannot be
---decoded.
---@param self table settings
---@param flat table
---@param given? table the request's own headers
---@return table
function settings.without_default_coding(self, flat, given)
  if self.coding_given or not headers.find(flat, "range") or gives_coding { given } then return flat end
  local kept = {}
  for i = 1, #flat, 2 do
    if flat[i]:lower() ~= "accept-encoding" or flat[i + 1] ~= ACCEPT_ENCODING then
      kept[#kept + 1], kept[#kept + 2] = flat[i], flat[i + 1]
    end
  end
  return kept
end

-- All headers a request sent with these settings, as a flat list; secrets keep their wrapping.
local function header_list(merged)
  local flat = {}
  if merged.decompress ~= false then flat = { "Accept-Encoding", ACCEPT_ENCODING } end
  flat = headers.merge(flat, {
    ["User-Agent"] = value_or(merged.user_agent, DEFAULT.user_agent), ["Accept"] = "*/*",
  })
  for _, layer in ipairs(merged.headers or {}) do flat = headers.merge(flat, layer) end
  return flat
end

-- The lines for a proxy only: those of the script, else the value that its URL's credentials give.
local function lines_for_proxy(flat, proxy)
  if not proxy then return nil end
  local lines = {}
  for i = 1, #flat, 2 do
    if flat[i]:lower() == PROXY_AUTHORIZATION then
      lines[#lines + 1], lines[#lines + 2] = flat[i], reveal(flat[i + 1])
    end
  end
  if not lines[1] and proxy ~= true then lines = { "Proxy-Authorization", proxy } end
  return lines
end

---The native list for a flat one, with a content type, a Cookie line and an Authorization line in place of
---those in it (each may be false).
---@param flat table
---@param content_type string|false
---@param cookie string|false
---@param authorization string|false
---@param proxy? string|boolean nil: no proxies are in use; false: they are, but this request goes to none, so it
---  has no Proxy-Authorization; else that goes to the proxy only: the script's, or this value
---@return userdata
function settings.wire_of(flat, content_type, cookie, authorization, proxy)
  local wire, n, parts_lines = {}, 0, proxy ~= nil
  for i = 1, #flat, 2 do
    local key = (cookie or authorization or parts_lines) and flat[i]:lower()
    if not (cookie and key == "cookie" or authorization and key == "authorization"
      or parts_lines and key == PROXY_AUTHORIZATION) then
      wire[n + 1], wire[n + 2], n = flat[i], reveal(flat[i + 1]), n + 2
    end
  end
  if content_type then wire[n + 1], wire[n + 2], n = "Content-Type", content_type, n + 2 end
  if cookie then wire[n + 1], wire[n + 2], n = "Cookie", cookie, n + 2 end
  if authorization then wire[n + 1], wire[n + 2] = "Authorization", authorization end
  return native.headers(wire, lines_for_proxy(flat, proxy))
end

---The Cookie lines of a flat header list as one, or false.
---@param flat table
---@return string|false
function settings.cookie_of(flat)
  local lines = {}
  for i = 1, #flat, 2 do
    if flat[i]:lower() == "cookie" then lines[#lines + 1] = reveal(flat[i + 1]) end
  end
  return lines[1] and table.concat(lines, "; ") or false
end

local function set_headers(self, merged)
  self.coding_given = gives_coding(merged.headers)
  self.header_list = settings.without_default_coding(self, header_list(merged))
  self.wire = settings.wire_of(self.header_list)
  self.cookie = settings.cookie_of(self.header_list)
  self.wires = cache.new(CACHE_SIZE)
end

-- Says once what is not verified.
local function warn_unverified(self, what, option)
  if self.said[option] then return end
  self.said[option] = true
  require("lurcher.log").warn(("%s not verified (%s=false)"):format(what, option))
end

local function set_profile(self, merged, raw_target)
  local verify
  self.profile, self.total, verify = new_profile(merged, raw_target)
  self.max_body = value_or(merged.max_body, DEFAULT.max_body)
  if not verify then warn_unverified(self, "TLS certificates are", "tls.verify") end
  -- A Unix socket is a way of its own.
  local proxy = not merged.unix_socket and merged.proxy
  self.proxies = (proxy or merged.no_proxy)
    and require("lurcher.http.proxy.routes").new(proxy, merged.no_proxy, self.logins)
    or false -- nil would be the client's
  self.tunnels, self.raw_target = merged.http_version == "2-prior-knowledge", raw_target
end

---The profile of requests that go through a proxy.
---@param self table
---@param proxy lurcher.Proxy
---@return userdata
local function through(self, proxy)
  if not proxy.profile then
    proxy.profile = new_profile(self.options, self.raw_target, proxy)
    if proxy.tls and proxy.tls.verify == false then
      warn_unverified(self, "the TLS certificate of a proxy is", "proxy.tls.verify")
    end
  end
  return proxy.profile
end

-- Statuses from 200 to 299 that the layers do something about, as a set; false: they look at each response.
local function heeded_statuses(policy)
  if not policy then return {} end
  return not policy.on and policy.statuses
end

-- Statuses of responses that may not be for the script, as the native set: what is followed, and what is repeated.
local function undecided_statuses(policy, redirects, further)
  local list = { further }
  for status in pairs(redirects and FOLLOWED or {}) do list[#list + 1] = status end
  for status in pairs(policy and policy.statuses or {}) do list[#list + 1] = status end
  if policy and policy.retry_after and policy.statuses[429] then list[#list + 1] = 403 end
  return list[1] and status_set(list) or nil
end

local function set_policies(self, merged)
  self.auth = compile_auth(merged.auth)
  self.redirects = value_or(merged.redirects, DEFAULT.redirects)
  if self.redirects == 0 then self.redirects = false end
  self.retry = retry_policy.compile(merged.retry)
  self.heeded = heeded_statuses(self.retry)
  self.undecided = undecided_statuses(self.retry, self.redirects)
  self.undecided_by_proxy = undecided_statuses(self.retry, self.redirects, 407)
  self.allow_downgrade = merged.allow_downgrade or false
  -- Masked here: what is counted and kept under it may outlive a secret in it, and is cut when it is long.
  self.name = merged.name and secret.scrub(merged.name) or false
  self.priority = merged.priority or DEFAULT.priority
  self.dropped = overlay(CREDENTIALS, headers.name_set(merged.secret_headers))
end

-- A list of tables of parameters as the query of a URL.
local function encoded(layers)
  if not layers or not layers[1] then return "" end
  return require("lurcher.url.query").encode(layers, "%20", "parameter")
end

---What is kept for a script. installed: what answers the requests of clients that do not say so themselves.
settings.kept = new_store()

---The settings of a client.
---@param merged table
---@param said? table<string, true> options that nobody has to be warned of
---@return table
function settings.new(merged, said)
  local self = { options = merged, said = said or {}, logins = cache.new(CACHE_SIZE), through = through }
  self.__index = self -- it is the metatable of the settings that inherit from it
  self.transport = value_or(merged.transport, settings.kept().installed or false)
  set_headers(self, merged)
  set_profile(self, merged)
  set_policies(self, merged)
  self.derived = cache.new(CACHE_SIZE)
  self.after_redirect = false -- the settings of the next hop, if they are others
  self.query = encoded(merged.params)
  return self
end

-- Headers are a request's own affair, unless it does without the client's.
local function is_in_headers(name, given)
  return IN_HEADERS[name] or name == "headers" and given == false
end

-- The one option of a request that changes the settings: its name and value, or true when there are several;
-- nil: none.
local function changed_by(opts)
  local found, value
  for name, given in pairs(opts) do
    if IN_PROFILE[name] or is_in_headers(name, given) or IN_POLICIES[name] then
      if found then return true end
      found, value = name, given
    end
  end
  return found, value
end

local function derive(base, opts)
  local merged = options.merge(base.options, opts)
  local self = setmetatable({ options = merged }, base)
  local touched = { headers = false, profile = false, policies = false }
  for name, given in pairs(opts) do
    touched.headers = touched.headers or is_in_headers(name, given)
    touched.profile = touched.profile or IN_PROFILE[name]
    touched.policies = touched.policies or IN_POLICIES[name]
  end
  if opts.raw_target then -- stands for one URL only
    local others = overlay(opts)
    others.raw_target = nil
    self.after_redirect = settings.derive(base, others)
  end
  if touched.headers then set_headers(self, merged) end
  if touched.profile then set_profile(self, merged, opts.raw_target) end
  if touched.policies then set_policies(self, merged) end
  return self
end

---The settings of a request with options: the client's, or its own, which inherit what the options do not
---touch. Those of a single number, string or boolean, such as timeout=5, are cached.
---@param base table
---@param opts table checked
---@return table
function settings.derive(base, opts)
  local name, value = changed_by(opts)
  if not name then return base end
  if name == true or type(value) == "table" then return derive(base, opts) end
  local key = name .. "=" .. tostring(value)
  return base.derived:get(key) or base.derived:put(key, derive(base, { [name] = value }))
end

---The encoded parameters of a request with some of its own; false: none.
---@param self table
---@param params table|false
---@return string
function settings.query_with(self, params)
  if not params then return "" end
  local layers = overlay(self.options.params)
  layers[#layers + 1] = params
  return encoded(layers)
end

---The native list of the headers with those lines. The last few combinations are cached: a session sends the
---same ones over and over.
---@param self table
---@param content_type string|false
---@param cookie string|false
---@param authorization string|false
---@param proxy? string|boolean see wire_of
---@return userdata
function settings.wire_with(self, content_type, cookie, authorization, proxy)
  local key = (content_type or "") .. "\n" .. (cookie or "") .. "\n" .. (authorization or "")
  if proxy ~= nil then key = key .. "\n" .. tostring(proxy) end
  return self.wires:get(key)
    or self.wires:put(key, settings.wire_of(self.header_list, content_type, cookie, authorization, proxy))
end

return settings
