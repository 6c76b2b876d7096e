-- URL TOTAL IN_FLIGHT [CA_FILE [1.1|2]]: GETs with every default policy on; only the limits are raised.

package.path = arg[0]:match("^(.*/)") .. "?.lua;" .. package.path
local http, load_with = require "lurcher.http", require "load"

local url, total, in_flight, ca, version = ...
total, in_flight = tonumber(total), tonumber(in_flight)

load_with(http.client {
  limits = { inflight = in_flight, per_origin = in_flight, idle = in_flight },
  tls = ca and { ca = ca },
  http_version = version,
}, url, total, in_flight)
