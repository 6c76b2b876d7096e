-- URL FILE: sends a file.

local http = require "lurcher.http"

local url, path = ...
local res = assert(http.put(url, { body = http.file(path), timeout = { total = false } }))
assert(res.ok, "status " .. res.status)
