-- URL COUNT: reads a stream of COUNT events.

local http = require "lurcher.http"

local url, count = ...
local seen = 0
assert(http.client():stream("GET", url, {}, function(response)
  for event in response:events() do
    assert(event.event == "update")
    seen = seen + 1
  end
  return true
end))
assert(seen == tonumber(count), "got " .. seen .. " events")
