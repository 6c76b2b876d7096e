-- Follows a stream of server-sent events. The server ends each connection after five events; the next one goes on
-- behind the last event that came, also when this script is run again.
--   lurcher examples/events.lua URL [FILE]

local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local sse = require "lurcher.sse"

local url, file = ...
local api = http.client { base_url = assert(url, "usage: events.lua URL [FILE]") }

local seen = file and fs.read(file) or "" -- the id of the last event of an earlier run

local count, connections = 0, 1
local watched = api:extend { hooks = { retry = { function() connections = connections + 1 end } } }

for event in sse.connect(watched, "events", { last_event_id = seen, params = { last = 12 } }) do
  local update = assert(json.decode(event.data))
  count = count + 1
  if count <= 3 then print(("%s %s: %s is at %.2f"):format(event.event, event.id, update.currency, update.price)) end
  if file then assert(fs.write(file, event.id)) end
end

print(("%d events over %d connections"):format(count, connections))
