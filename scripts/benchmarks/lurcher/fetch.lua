-- URL TOTAL IN_FLIGHT [CA_FILE [1.1|2]]: GETs the URL and decodes the JSON, with every default policy on;
-- only the limits are raised. Prints one JSON line.

local http, task = require "lurcher.http", require "lurcher.task"

local url, total, in_flight, ca, version = ...
total, in_flight = tonumber(total), tonumber(in_flight)

local api = http.client {
  limits = { inflight = in_flight, per_origin = in_flight, idle = in_flight },
  tls = ca and { ca = ca },
  http_version = version,
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
