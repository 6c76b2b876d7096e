--- The proxies that the environment names: http_proxy, https_proxy, all_proxy and no_proxy.

local address = require "lurcher.http.proxy.address"

local environment = {}

-- The first variable that is set, be it empty, and its name.
local function variable(...)
  for _, name in ipairs { ... } do
    local value = os.getenv(name)
    if value then return value, name end
  end
end

-- The proxy in a variable's value: false when it is empty or not set; one that cannot be used has only `why`.
local function proxy_in(value, name)
  if not value or value:find("^%s*$") then return false end
  local proxy, why = address.parse(value)
  return proxy or { why = ("the variable %s holds no proxy that can be used: %s"):format(name, why) }
end

---The proxies by the scheme of the request, and no_proxy. HTTP_PROXY in capitals is not read: to a CGI program it is
---a header that anybody can send.
---@return { http: table|false, https: table|false, bypass: string? }
function environment.read()
  local all, all_name = variable("all_proxy", "ALL_PROXY")
  local http, http_name = variable("http_proxy")
  local https, https_name = variable("https_proxy", "HTTPS_PROXY")
  return { bypass = variable("no_proxy", "NO_PROXY"), http = proxy_in(http or all, http and http_name or all_name),
    https = proxy_in(https or all, https and https_name or all_name) }
end

return environment
