--- Which proxy a request goes through: what the options `proxy` and `no_proxy` say, made ready for many requests.

local address = require "lurcher.http.proxy.address"
local cache = require "lurcher.base.cache"
local check = require "lurcher.base.check"
local environment = require "lurcher.http.proxy.environment"
local errors = require "lurcher.base.errors"
local login = require "lurcher.http.proxy.login"
local parts = require "lurcher.http.options.parts"
local rows = require "lurcher.base.rows"
local secret = require "lurcher.base.secret"
local url = require "lurcher.native.url"

local MAX_ORIGINS = 1024

local routes = {}

---@class lurcher.ProxyRoutes
local Routes = {}
Routes.__index = Routes

local function refuse(message, ...)
  errors.raise("option 'proxy': " .. message:format(...))
end

-- ---- what is given ----

local function check_tls(proxy, tls)
  if tls == nil or tls == false then return end
  if type(tls) ~= "table" then refuse("tls must be a table, got %s", check.shown(tls)) end
  check.options(tls, rows.specs(parts.tls), "option 'proxy': tls", rows.hints(parts.tls, "%s"))
  if proxy.scheme ~= "https" then refuse("tls is for a proxy whose URL begins with https://") end
  if tls.server_name then refuse("tls.server_name is not known for proxies: its URL names it") end
  if tls.key and tls.cert == nil then refuse("tls.key belongs to a certificate: give tls.cert too") end
  proxy.tls = tls
end

local function proxy_of(value, tls)
  local text = secret.reveal(value)
  if type(text) ~= "string" then refuse("its url must be a string, got %s", check.shown(value)) end
  local proxy, why = address.parse(text)
  if not proxy then refuse("its URL cannot be used: %s", why) end
  check_tls(proxy, tls)
  proxy.holds[#proxy.holds + 1] = secret.is(value) and value or nil
  return proxy
end

local TABLE_KEYS = { url = true, tls = true }

-- One proxy: its URL, or a table of URL and TLS options; false: none; "env": what the environment says.
local function one(value, environment_of)
  if value == false then return false end
  if value == "env" then return environment_of() end
  if type(value) ~= "table" or secret.is(value) then return proxy_of(value) end
  for key in pairs(value) do
    if not TABLE_KEYS[key] then refuse("%s", check.unknown(key, TABLE_KEYS, "key")) end
  end
  return proxy_of(value.url, value.tls)
end

local function is_map(value)
  return type(value) == "table" and not secret.is(value) and value.url == nil and value.tls == nil
end

-- The origin that a key of a map names.
local function origin_of(key)
  local parsed, why = url.parse(key)
  local origin = parsed and url.origin(key)
  if not origin then refuse("the key '%s' is no origin: %s", key, why or "it names no host") end
  if not origin:find("^https?://") then refuse("the key '%s' is no http or https origin", key) end
  if parsed.path ~= "/" or parsed.query or parsed.user then refuse("the key '%s' is more than an origin", key) end
  return origin
end

local function check_suffix(key)
  if key == "" or key:find("[%s,]") or url.bad_bypass(key) then
    refuse("the key '%s' is neither an origin (https://host) nor the end of a host's name", key)
  end
end

local function read_map(self, map, environment_of)
  for key, value in pairs(map) do
    if type(key) ~= "string" then refuse("a map's keys are origins or ends of host names, not %s", check.shown(key)) end
    local node = one(value, environment_of)
    if key == "*" then
      self.rest = node
    elseif key:find("://", 1, true) then
      self.origins[origin_of(key)] = node
    else
      check_suffix(key)
      self.suffixes[#self.suffixes + 1] = { name = key, node = node }
    end
  end
  table.sort(self.suffixes, function(a, b) return #a.name > #b.name or #a.name == #b.name and a.name < b.name end)
end

-- The option no_proxy as a text; nil: it is not given.
local function bypass_of(no_proxy)
  if no_proxy == nil then return nil end
  local text = type(no_proxy) == "table" and table.concat(no_proxy, ",") or no_proxy or ""
  local bad = url.bad_bypass(text)
  if bad then errors.raise(("option 'no_proxy': '%s' is no host, address or network"):format(bad)) end
  return text
end

-- Given once for all clients that share them: what a proxy asked for is remembered.
local function set_login(proxy, logins)
  if not proxy or proxy.why or proxy.login or not proxy.user or not proxy.scheme:find("^http") then return end
  local key = proxy.url .. "\n" .. proxy.user .. "\n" .. proxy.password
  proxy.login = logins:get(key) or logins:put(key, login.new(proxy.user, proxy.password))
end

local function set_logins(self, logins)
  local function set(node)
    if node and node.bypass_environment ~= nil then
      set_login(node.http, logins)
      set_login(node.https, logins)
    else
      set_login(node, logins)
    end
  end
  set(self.rest)
  for _, node in pairs(self.origins) do set(node) end
  for _, suffix in ipairs(self.suffixes) do set(suffix.node) end
end

---The routes of a client or request; false: none goes through a proxy.
---@param proxy any the option
---@param no_proxy? string|string[]|false the option
---@param logins lurcher.Cache of those that share what proxies asked for
---@return lurcher.ProxyRoutes|false
function routes.new(proxy, no_proxy, logins)
  local bypass = bypass_of(no_proxy)
  if not proxy then return false end
  local self = setmetatable({ rest = false, origins = {}, suffixes = {}, bypass = bypass or "",
    chosen = cache.new(MAX_ORIGINS) }, Routes)
  local read
  local function environment_of()
    if not read then
      read = environment.read()
      read.bypass_environment = bypass == nil and read.bypass or ""
    end
    return read
  end
  if is_map(proxy) then read_map(self, proxy, environment_of) else self.rest = one(proxy, environment_of) end
  set_logins(self, logins)
  return self
end

-- ---- which one ----

local function node_for(self, target, origin)
  local node = self.origins[origin]
  if node ~= nil then return node end
  for _, suffix in ipairs(self.suffixes) do
    if url.bypasses(suffix.name, target) then return suffix.node end
  end
  return self.rest
end

local function decide(self, target, origin)
  if url.bypasses(self.bypass, target) then return false end
  local node = node_for(self, target, origin)
  if not node or node.bypass_environment == nil then return node end
  if url.bypasses(node.bypass_environment, target) then return false end
  return node[origin:match("^https?")]
end

---The proxy for a canonical URL; false: none. What cannot be used has the field `why`.
---@param target string
---@return lurcher.Proxy|false
function Routes:choose(target)
  local origin = url.origin(target)
  local chosen = self.chosen:get(origin)
  if chosen == nil then chosen = self.chosen:put(origin, decide(self, target, origin)) end
  return chosen
end

return routes
