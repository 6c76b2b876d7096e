-- URL TOTAL IN_FLIGHT [POLICY…]: GETs the URL and decodes the JSON with just these policies on: retry,
-- breaker, rate (too high to bind), cookies, redirects. Prints one JSON line.

local http, task = require "lurcher.http", require "lurcher.task"

local url, total, in_flight = ...
total, in_flight = tonumber(total), tonumber(in_flight)

local on = {}
for i = 4, select("#", ...) do on[select(i, ...)] = true end

local api = http.client {
  limits = { inflight = in_flight, per_origin = in_flight, idle = in_flight, rate = on.rate and 1e6 or false,
    burst = 1000 },
  retry = on.retry or false,
  breaker = on.breaker and {} or false,
  cookies = on.cookies or false,
  redirects = on.redirects and 10 or 0,
}

local started, checked = 0, 0

local function worker()
  while started < total do
    started = started + 1
    local response = api:get(url)
    local item = response and response:json()
    if item and item.id > 0 then checked = checked + 1 end
  end
end

local start = task.now()
task.scope(function(scope)
  for _ = 1, in_flight do scope:spawn(worker) end
end)
local seconds = task.now() - start

print(('{"requests":%d,"failed":%d,"rps":%.0f}'):format(checked, total - checked, total / seconds))
