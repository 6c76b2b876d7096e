-- URL COUNT: COUNT requests in flight at once, twice; the server tells how many connections that took.

local http, task = require "lurcher.http", require "lurcher.task"

local url, count = ...
count = tonumber(count)
local api = http.client { limits = { inflight = count, per_origin = count, idle = count }, retry = false }

local failed, why = 0, nil

local function wave()
  task.scope(function(scope)
    for _ = 1, count do
      scope:spawn(function()
        local response, err = api:get(url)
        if not response then failed, why = failed + 1, err end
      end)
    end
  end)
end

local function accepted()
  return assert(assert(api:get(url .. "/accepted")):json()).accepted
end

local others = accepted() - 1 -- not counting the one that asks
wave()
wave()
local connections = accepted() - others

if why then io.stderr:write(tostring(why), "\n") end
print(('{"requests":%d,"failed":%d,"connections":%d}'):format(2 * count, failed, connections))
