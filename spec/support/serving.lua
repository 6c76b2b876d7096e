-- Servers and bare clients that end with the spec that started them.

local server = require "lurcher.server"
local socket = require "spec.support.socket"
local task = require "lurcher.task"

local serving = { GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n" }

---server.start, stopped at the spec's end.
function serving.start(...)
  local s = assert(server.start(...))
  task.defer(function() s:stop(0) end)
  return s
end

---server.raw, stopped at the spec's end.
function serving.raw(...)
  local s = assert(server.raw(...))
  task.defer(function() s:stop() end)
  return s
end

---A bare connection to a server, closed at the spec's end.
function serving.connect(s)
  local client = assert(socket.connect(s.url))
  task.defer(function() client:close() end)
  return client
end

serving.eventually = require "spec.support.eventually"

return serving
