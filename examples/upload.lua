-- Uploads a file of any size, showing how far it is; it is never in memory as a whole.
--   lurcher examples/upload.lua URL FILE

local http = require "lurcher.http"

local url, path = ...
assert(url and path, "usage: upload.lua URL FILE")

local client = http.client { base_url = url, timeout = { total = false } }

local res = assert(client:put("uploads/" .. path:match("[^/]*$"), {
  body = http.file(path),
  progress = path, -- a line on the terminal
  expect = "2xx",
}))

local stored = assert(res:json())
print(("%s: %d bytes are there, sha256 %s"):format(stored.name, stored.bytes, stored.sha256))
