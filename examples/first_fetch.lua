-- One request: JSON in, a few fields out.
--   lurcher examples/first_fetch.lua URL

local http = require "lurcher.http"

local url = assert((...), "usage: first_fetch.lua URL")

local res = assert(http.get(url .. "/subdivisions/CH-GE", { expect = 200 }))
local place = assert(res:json())
print(("%s is a %s in %s"):format(place.name, place.type:lower(), place.country.name))
print(("status %d over HTTP/%s, %s"):format(res.status, res.http_version, res.headers["Content-Type"]))
