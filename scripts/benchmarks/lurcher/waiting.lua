-- Arguments: "tasks" or "requests", how many. What they cost while they wait: tasks for an event, requests
-- for a rate of one in 1,000 s.

local http = require "lurcher.http"
local task = require "lurcher.task"

local what, count = arg[1], tonumber(arg[2])

local function resident()
  collectgarbage()
  collectgarbage()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmRSS:%s*(%d+)"
    if kib then return tonumber(kib) * 1024 end
  end
end

local never = task.event()
local client = http.client { limits = { rate = 0.001 }, retry = false }
client:get "http://127.0.0.1:9/" -- takes the only token; nobody need be there

local function wait_for_event() never:wait() end
local function wait_for_rate() client:get "http://127.0.0.1:9/items" end

local before, handles = resident(), {}
for i = 1, count do handles[i] = task.spawn(what == "tasks" and wait_for_event or wait_for_rate) end
task.sleep(0.2)
local bytes = (resident() - before) / count
assert(what == "tasks" or client:stats().waiting == count)
local cpu = os.clock()
task.sleep(1)
print(("{\"bytes\":%.1f,\"idle_ms\":%.3f}"):format(bytes, (os.clock() - cpu) * 1000))
for i = 1, count do handles[i]:cancel() end
