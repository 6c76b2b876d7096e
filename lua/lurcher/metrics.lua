--- What was counted of all requests of this runtime, by name (the option `name`) and origin: always on, in
--- bounded memory. As a table (`snapshot`), and as text for Prometheus (`prometheus`).
---
--- Each attempt counts by itself: retries and hops of redirects too.

local native = require "lurcher.native.metrics"

local metrics = {}

---@class lurcher.Spread how long something took, in seconds; quantiles are right within 1/32
---@field count integer
---@field sum number
---@field min number
---@field max number
---@field p50 number
---@field p95 number
---@field p99 number

---@class lurcher.Series
---@field name string "" for requests without one
---@field origin string "https://host:port"; after 1,000 names and origins, further ones are "other", "other"
---@field requests integer that have ended, with a status or an error; repetitions and hops too
---@field in_flight integer
---@field waiting integer for a slot or for the rate
---@field statuses table<string, integer> by status: { ["200"] = 12 }
---@field errors table<string, integer> by kind: { timeout = 3 }
---@field retries integer
---@field events table<string, integer> what else was decided, by what: redirect, hold, …
---@field bytes_received integer
---@field bytes_sent integer
---@field connections { made: integer, reused: integer } what requests ran on
---@field waited { slot: number, rate: number, retry: number, breaker: number } seconds in all
---@field duration lurcher.Spread from dispatch to the last byte, of all but cancelled ones
---@field first_byte lurcher.Spread from dispatch to the first byte

-- Upper bounds of the buckets for Prometheus, in seconds.
metrics.BOUNDS = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300 }

local NONE = { count = 0, seconds = 0 }

-- A series as the native side counts it, in the form that users see.
local function presented(series)
  local events = series.events
  local retry, breaker = events.retry or NONE, events.breaker_wait or NONE
  events.retry, events.breaker_wait = nil, nil
  for what, event in pairs(events) do events[what] = event.count end
  series.retries = retry.count
  series.connections = { made = series.connections_made, reused = series.connections_reused }
  series.waited = { slot = series.slot_wait, rate = series.rate_wait, retry = retry.seconds,
    breaker = breaker.seconds }
  series.connections_made, series.connections_reused = nil, nil
  series.slot_wait, series.rate_wait = nil, nil
  return series
end

---All series, in the order in which they were met first; `duration.at_most` and `first_byte.at_most` count
---the values up to each of `bounds`.
---@param bounds number[] seconds
---@return lurcher.Series[]
function metrics.series(bounds)
  local list = native.series(bounds)
  for i = 1, #list do presented(list[i]) end
  return list
end

---All durations and all times of a first byte, whatever the series.
---@param bounds number[] seconds
---@return lurcher.Spread duration with at_most
---@return lurcher.Spread first_byte with at_most
function metrics.spread(bounds)
  return native.spread(bounds)
end

---What was counted so far: a list of series.
---@return lurcher.Series[]
function metrics.snapshot()
  local list = metrics.series {}
  for _, series in ipairs(list) do series.duration.at_most, series.first_byte.at_most = nil, nil end
  return list
end

---The text exposition format 0.0.4 of Prometheus.
---@return string
function metrics.prometheus()
  return require("lurcher.metrics.prometheus").text(metrics.series(metrics.BOUNDS), metrics.BOUNDS)
end

return metrics
