-- Requests through the proxy that the environment names, with a look at what went wrong where.
--   http_proxy=http://user:password@proxy:3128 lurcher examples/through_a_proxy.lua URL

local http = require "lurcher.http"

local url = assert((...), "usage: through_a_proxy.lua URL")

local client = http.client {
  proxy = "env", -- http_proxy, https_proxy, all_proxy, no_proxy
  timeout = { connect = 5 },
  retry = { kinds = { "timeout", "connect", "closed", "proxy" } },
}

local res, err = client:get(url .. "/subdivisions/CH-GE", { expect = 200 })
if res then
  print(("%s, by way of %s"):format(res:json().name, res.remote_address))
elseif err:is "proxy" then
  print("the proxy: " .. err.message)
  print("because: " .. (err.cause and err.cause.kind or "it refused"))
else
  print("the server: " .. tostring(err))
end
client:close()
