-- load(client, url, total, in_flight): GETs the URL and decodes the JSON until `total` are done, so many at
-- once, and prints what came of it as one JSON line.

local task = require "lurcher.task"

return function(client, url, total, in_flight)
  local started, checked = 0, 0

  local function worker()
    while started < total do
      started = started + 1
      local response = client:get(url)
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
end
