-- Joins a chat over a WebSocket, says what it was given, and prints what the others say. A connection that is lost is
-- made again.
--   lurcher examples/chat.lua URL NAME LINE...

local json = require "lurcher.json"
local retry = require "lurcher.retry"
local task = require "lurcher.task"
local ws = require "lurcher.ws"

local url, name = ...
local lines = { select(3, ...) }
assert(url and name, "usage: chat.lua URL NAME LINE...")

local said = 0

-- Says what was not said yet; waits while the server is slow.
local function talk(c)
  while said < #lines do
    assert(c:send(json.encode({ from = name, text = lines[said + 1] }, { sort = true })))
    said = said + 1
  end
end

local function join()
  local c, err = ws.connect(url, { protocols = { "chat" }, ping = 15 })
  if not c then return nil, err end
  print(("%s joined"):format(name))
  return task.scope(function(scope)
    scope:spawn(talk, c)
    for message in c do -- until the server says goodbye
      local post = assert(json.decode(message))
      print(("<%s> %s"):format(post.from, post.text))
    end
    return true
  end)
end

assert(retry.call(join, { attempts = 5, base = 0.1 }))
print(("%s left"):format(name))
