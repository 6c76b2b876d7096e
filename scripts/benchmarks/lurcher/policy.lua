-- URL TOTAL IN_FLIGHT [POLICY…]: GETs with just these policies on: retry, breaker, rate (too high to bind),
-- cookies, redirects.

package.path = arg[0]:match("^(.*/)") .. "?.lua;" .. package.path
local http, load_with = require "lurcher.http", require "load"

local url, total, in_flight = ...
total, in_flight = tonumber(total), tonumber(in_flight)

local on = {}
for i = 4, select("#", ...) do on[select(i, ...)] = true end

load_with(http.client {
  limits = { inflight = in_flight, per_origin = in_flight, idle = in_flight, rate = on.rate and 1e6 or false,
    burst = 1000 },
  retry = on.retry or false,
  breaker = on.breaker or false,
  cookies = on.cookies or false,
  redirects = on.redirects and 10 or 0,
}, url, total, in_flight)
