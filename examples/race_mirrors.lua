-- Asks several mirrors at once and takes the first good answer; the other requests are cancelled.
--   lurcher examples/race_mirrors.lua URL

local http = require "lurcher.http"
local task = require "lurcher.task"

local url = assert((...), "usage: race_mirrors.lua URL")
local mirrors = { url .. "/mirrors/1", url .. "/mirrors/2", url .. "/mirrors/3", "http://127.0.0.1:1/down" }

local attempts = {}
for i, mirror in ipairs(mirrors) do
  -- Returning nil and an error means: this one failed, wait for another.
  attempts[i] = function() return http.get(mirror, { expect = 200, retry = false }) end
end

local started = task.now()
local res = task.any(attempts)
print("mirror " .. res:json().mirror .. " was first")
assert(task.now() - started < 0.4, "the slow ones were waited for")
