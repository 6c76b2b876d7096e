--- What was counted of all requests of this runtime, by name (the option `name`) and origin: always on, in
--- bounded memory. As a table (`snapshot`), and as text for Prometheus (`prometheus`).
---
--- Each attempt counts by itself: retries and hops of redirects too.

local series = require "lurcher.metrics.series"

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
---@field http2 { connections: integer, streams: integer, most: integer } of HTTP/2; `most`: streams at once
---@field waited { slot: number, rate: number, retry: number, breaker: number } seconds in all
---@field duration lurcher.Spread from dispatch to the last byte, of all but cancelled ones
---@field first_byte lurcher.Spread from dispatch to the first byte

-- Upper bounds of the buckets for Prometheus, in seconds.
local BOUNDS = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300 }

---What was counted so far: a list of series.
---@return lurcher.Series[]
function metrics.snapshot()
  local list = series.all {}
  for _, one in ipairs(list) do one.duration.at_most, one.first_byte.at_most = nil, nil end
  return list
end

---The text exposition format 0.0.4 of Prometheus.
---@return string
function metrics.prometheus()
  return require("lurcher.metrics.prometheus").text(series.all(BOUNDS), BOUNDS)
end

return metrics
