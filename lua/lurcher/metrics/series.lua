--- Series and durations as the native side counts them, in the form that users see.

local native = require "lurcher.native.metrics"

local series = {}

local NONE = { count = 0, seconds = 0 }

-- A series as the native side counts it, in the form that users see.
local function presented(one)
  local events = one.events
  local retry, breaker = events.retry or NONE, events.breaker_wait or NONE
  events.retry, events.breaker_wait = nil, nil
  for what, event in pairs(events) do events[what] = event.count end
  one.retries = retry.count
  one.http2 = { connections = one.http2_connections, streams = one.http2_streams, most = one.http2_most }
  one.http2_connections, one.http2_streams, one.http2_most = nil, nil, nil
  one.connections = { made = one.connections_made, reused = one.connections_reused }
  one.waited = { slot = one.slot_wait, rate = one.rate_wait, retry = retry.seconds,
    breaker = breaker.seconds }
  one.connections_made, one.connections_reused = nil, nil
  one.slot_wait, one.rate_wait = nil, nil
  return one
end

---All series, in the order in which they were met first; `duration.at_most` and `first_byte.at_most` count
---the values up to each of `bounds`.
---@param bounds number[] seconds
---@return lurcher.Series[]
function series.all(bounds)
  local list = native.series(bounds)
  for i = 1, #list do presented(list[i]) end
  return list
end

---All durations and all times of a first byte, whatever the series.
---@param bounds number[] seconds
---@return lurcher.Spread duration with at_most
---@return lurcher.Spread first_byte with at_most
function series.distribution(bounds)
  return native.spread(bounds)
end

return series
