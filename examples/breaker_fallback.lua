-- A fan-out over a service that may be down: after a few failures its circuit breaker opens, and from then on
-- each request goes to the fallback at once, instead of waiting for the same failure again.
--   lurcher examples/breaker_fallback.lua FALLBACK_URL [SERVICE_URL]

local http = require "lurcher.http"
local task = require "lurcher.task"

local fallback_url, service_url = ...
assert(fallback_url, "usage: breaker_fallback.lua FALLBACK_URL [SERVICE_URL]")
local fallback = http.client { base_url = fallback_url }
local service = http.client {
  base_url = service_url or "http://127.0.0.1:1", -- nobody listens there
  timeout = { connect = 1, total = 5 },
  retry = false,
  breaker = {
    failures = 3, cooldown = 30,
    on_change = function(event) print(("%s is %s: %s"):format(event.name, event.to, event.why)) end,
  },
}

local asked, spared = 0, 0
local function place(item)
  local path = "subdivisions/" .. item.code
  local res, err = service:get(path, { expect = "2xx" })
  if res then return res:json() end
  if err:is "circuit_open" then spared = spared + 1 else asked = asked + 1 end
  return assert(assert(fallback:get(path, { expect = 200 })):json())
end

local list = assert(assert(fallback:get("subdivisions", { params = { limit = 100 }, expect = 200 })):json())
local places = task.map(list.data, place, { concurrency = 8 })
print(("%d places; the service failed %d times and was left alone %d times"):format(#places, asked, spared))
