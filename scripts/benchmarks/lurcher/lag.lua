-- URL IN_FLIGHT: a 10 ms timer beside IN_FLIGHT workers, a lookup of "slow.test" that takes long and fails,
-- and another that is cancelled while it waits. Prints how late the timer fired.

local http, task = require "lurcher.http", require "lurcher.task"

local url, in_flight = ...
in_flight = tonumber(in_flight)
local api = http.client { limits = { inflight = in_flight + 10, per_origin = in_flight, idle = in_flight } }

local RUN_SECONDS, TICK = 5, 0.01
local late, requests, failed, over = {}, 0, 0, false

task.scope(function(scope)
  for _ = 1, in_flight do
    scope:spawn(function()
      while not over do
        if api:get(url) then requests = requests + 1 else failed = failed + 1 end
      end
    end)
  end
  scope:spawn(function() api:get("http://slow.test/", { retry = false }) end)
  scope:spawn(function()
    task.sleep(0.5)
    task.timeout(0.5, function() return api:get("http://slow.test/", { retry = false }) end)
  end)

  local finish = task.now() + RUN_SECONDS
  while task.now() < finish do
    local before = task.now()
    task.sleep(TICK)
    late[#late + 1] = (task.now() - before - TICK) * 1000
  end
  over = true
end)

table.sort(late)
print(('{"worst_ms":%.2f,"p99_ms":%.2f,"requests":%d,"failed":%d}'):format(late[#late],
  late[math.ceil(#late * 0.99)], requests, failed))
