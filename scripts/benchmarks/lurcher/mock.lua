-- TOTAL IN_FLIGHT: GETs that a mock answers, with retry, breaker, cookies and redirects on.

package.path = arg[0]:match("^(.*/)") .. "?.lua;" .. package.path
local http, load_with, mock = require "lurcher.http", require "load", require "lurcher.mock"

local total, in_flight = ...
total, in_flight = tonumber(total), tonumber(in_flight)

local m = mock.new()
m:on("GET", "/users/{id}"):reply(200, { id = 7 }):persist()

load_with(http.client {
  transport = m, limits = { inflight = in_flight, per_origin = in_flight, rate = 1e6, burst = 1000 },
  breaker = true, cookies = true,
}, "https://api.test/users/7", total, in_flight)
