-- URL SIZE: reads a body of SIZE bytes chunk by chunk.

local http = require "lurcher.http"

local url, size = ...
local bytes = 0
assert(http.client():stream("GET", url, {}, function(response)
  for chunk in response:chunks() do bytes = bytes + #chunk end
  return true
end))
assert(bytes == tonumber(size), "got " .. bytes .. " bytes")
