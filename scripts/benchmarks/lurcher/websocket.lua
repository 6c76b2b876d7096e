-- "echo" URL CONNECTIONS WINDOW MESSAGES: messages that are echoed, so many at once on each connection.
-- "idle" URL CONNECTIONS: what connections cost that do nothing.

local clock = require "lurcher.clock"
local task = require "lurcher.task"
local ws = require "lurcher.ws"

local what, url, connections, window, messages = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4]), tonumber(arg[5])
local text = ("x"):rep(32)

local function converse(share)
  local c = assert(ws.connect(url))
  for _ = 1, window do assert(c:send(text)) end
  for i = 1, share do
    assert(#assert(c:receive()) == 32)
    if i <= share - window then assert(c:send(text)) end
  end
  c:close()
end

if what == "echo" then
  local share = math.floor(messages / connections)
  local began = clock.time()
  task.scope(function(scope)
    for _ = 1, connections do scope:spawn(converse, share) end
  end)
  print(('{"rate":%.0f,"failed":0}'):format(share * connections / (clock.time() - began)))
else
  local open = {}
  task.scope(function(scope)
    local places = task.semaphore(200)
    for i = 1, connections do
      scope:spawn(function()
        open[i] = places:with(function() return assert(ws.connect(url)) end)
        task.sleep(1e9)
      end)
    end
    while #open < connections do task.sleep(0.05) end
    local resident = io.open("/proc/self/status"):read("*a"):match("VmRSS:%s*(%d+)")
    print(('{"resident_mb":%.1f,"failed":0}'):format(resident / 1024))
    os.exit(0)
  end)
end
