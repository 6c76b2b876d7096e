--- Options of curl that say how a request gets to its server: credentials, TLS, proxies, addresses, times.

local http_checks = require "lurcher.http.options.checks"
local refusal = require "lurcher.convert.refusal"

local way = {}

local function number(flag, value, factor)
  local amount = tonumber(value:match("^%d+%.?%d*$"))
  if not amount then refusal.raise(("%s %s: no number"):format(flag, value)) end
  return amount * (factor or 1)
end

local function part(self, name)
  self.opts[name] = self.opts[name] or {}
  return self.opts[name]
end

-- ---- credentials ----

function way.user(self, value)
  local user, password = value:match("^([^:]*):(.*)$")
  if not user then
    user, password = value, ""
    self:warn("--user %s has no password: curl asks for one; here it is empty", value)
  end
  self.user = { user, password }
end

function way.basic(self, on) self.auth.basic = on end
function way.digest(self, on) self.auth.digest = on end
way["oauth2-bearer"] = function(self, value) self.auth.bearer = value end
way["aws-sigv4"] = function(self, value) self.auth.aws_sigv4 = value end
function way.netrc(self, on) self.netrc = on and {} or nil end
way["netrc-optional"] = way.netrc
way["netrc-file"] = function(self, value) self.netrc = { value } end

-- ---- redirects, times, retries ----

function way.location(self, on) self.follows = on end
way["location-trusted"] = function(self, on) self.follows, self.trusts = on, on end
way["max-redirs"] = function(self, value) self.max_redirects = tonumber(value) or number("--max-redirs", value) end

way["max-time"] = function(self, value) part(self, "timeout").total = number("--max-time", value) end
way["connect-timeout"] = function(self, value) part(self, "timeout").connect = number("--connect-timeout", value) end
way["speed-time"] = function(self, value) part(self, "timeout").read = number("--speed-time", value) end

function way.retry(self, value) self.retries = number("--retry", value) end
way["retry-delay"] = function(self, value) self.retry_delay = number("--retry-delay", value) end

local FACTORS = { k = 1024, m = 1024 ^ 2, g = 1024 ^ 3, t = 1024 ^ 4 }
way["max-filesize"] = function(self, value)
  local digits, unit = value:match("^(%d+)([kKmMgGtT]?)[bB]?$")
  if not digits then refusal.raise(("--max-filesize %s: no number"):format(value)) end
  self.opts.max_body = tonumber(digits) * (FACTORS[unit:lower()] or 1)
end

function way.fail(self, on) self.opts.expect = on and { "2xx", "3xx" } or nil end
way["fail-with-body"] = way.fail

-- ---- TLS ----

function way.insecure(self, on) part(self, "tls").verify = not on and nil or false end
function way.cacert(self, value) self.cacert = value end
function way.capath(self, value) self.capath = value end
function way.key(self, value) part(self, "tls").key = value end
function way.pass(self, value) part(self, "tls").key_password = value end

-- `file:password`; a colon of the name is written `\:`.
local function certificate(value)
  local from = 1
  while true do
    local at = value:find("[\\:]", from)
    if not at then break end
    if value:sub(at, at) == ":" then
      return value:sub(1, at - 1):gsub("\\([\\:])", "%1"), value:sub(at + 1)
    end
    from = at + 2
  end
  return (value:gsub("\\([\\:])", "%1")), nil
end

function way.cert(self, value)
  local tls = part(self, "tls")
  local file, password = certificate(value)
  tls.cert, tls.key_password = file, password or tls.key_password
end

local function only_pem(flag)
  return function(_, value)
    if value:upper() == "PEM" then return end
    refusal.raise(("%s %s is not understood: PEM files are known"):format(flag, value))
  end
end
way["cert-type"] = only_pem "--cert-type"
way["key-type"] = only_pem "--key-type"

function way.pinnedpubkey(self, value)
  if not value:find("^sha256//") then
    refusal.raise(("--pinnedpubkey %s: the form sha256//… is known, a file is not"):format(value))
  end
  part(self, "tls").pins = value
end

local MIN_VERSIONS = { ["tlsv1"] = "1.0", ["tlsv1.0"] = "1.0", ["tlsv1.1"] = "1.1", ["tlsv1.2"] = "1.2",
  ["tlsv1.3"] = "1.3" }
for flag, version in pairs(MIN_VERSIONS) do
  way[flag] = function(self) part(self, "tls").min = version end
end

-- ---- versions and codings ----

way["http1.1"] = function(self) self.opts.http_version = "1.1" end
way["http2"] = function(self) self.opts.http_version = "2" end
way["http2-prior-knowledge"] = function(self) self.opts.http_version = "2-prior-knowledge" end
function way.compressed(self, on) self.is_compressed = on end

-- ---- addresses ----

way["resolve"] = function(self, value)
  local host, port, address = value:match("^%+?([^:,]+):(%d+):(.+)$")
  address = address and address:gsub("[%[%]]", "")
  if not host or host == "*" or host:find("^%-") or http_checks.resolve_map { [host .. ":" .. port] = address } then
    refusal.raise(("--resolve %s is not understood: the form HOST:PORT:ADDRESS is"):format(value))
  end
  self.resolve[host .. ":" .. port] = address
end

way["connect-to"] = function(self, value)
  self.connect_to = self.connect_to or {}
  table.insert(self.connect_to, value)
end

way["unix-socket"] = function(self, value) self.opts.unix_socket = value end
way["interface"] = function(self, value) self.opts.local_address = value end
function way.ipv4(self) self.opts.ip = "4" end
function way.ipv6(self) self.opts.ip = "6" end

-- ---- proxies ----

function way.proxy(self, value) self.proxy = value end
way["proxy-user"] = function(self, value) self.proxy_user = value end
way["proxy-basic"] = function() end
way["socks5"] = function(self, value) self.proxy = "socks5://" .. value end
way["socks5-hostname"] = function(self, value) self.proxy = "socks5h://" .. value end
function way.noproxy(self, value)
  local list = {}
  for name in value:gmatch("[^,%s]+") do list[#list + 1] = name end
  self.opts.no_proxy = list
end

way["proxy-insecure"] = function(self, on) self.proxy_tls.verify = not on and nil or false end
way["proxy-cacert"] = function(self, value) self.proxy_tls.ca = value end
way["proxy-capath"] = way["proxy-cacert"]
way["proxy-cert"] = function(self, value)
  local file, password = certificate(value)
  self.proxy_tls.cert, self.proxy_tls.key_password = file, password
end
way["proxy-key"] = function(self, value) self.proxy_tls.key = value end
way["proxy-pass"] = function(self, value) self.proxy_tls.key_password = value end

return way
