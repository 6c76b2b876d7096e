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

---Waits until `condition` gives a true value, looking again after each turn of the loop.
function serving.eventually(condition)
  local give_up = task.now() + 30
  while true do
    local value = condition()
    if value then return value end
    assert(task.now() < give_up, "it did not happen within 30 s")
    task.sleep(0.001)
  end
end

return serving
