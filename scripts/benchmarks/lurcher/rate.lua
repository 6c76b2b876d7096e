-- Arguments: rate, burst, seconds. Asks a server of this process as fast as limits.rate allows.

local http = require "lurcher.http"
local server = require "lurcher.server"
local task = require "lurcher.task"

local rate, burst, seconds = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local at = {}
local s = assert(server.start(function()
  at[#at + 1] = task.now()
  return { status = 200, body = "ok" }
end))
local client = http.client { limits = { rate = rate, burst = burst } }
local list = {}
for i = 1, rate * seconds + burst do list[i] = i end
task.map(list, function() assert(client:get(s.url)) end, { concurrency = 64 })

local least, excess = math.huge, -math.huge
for i, moment in ipairs(at) do
  local here = i - rate * (moment - at[1])
  least = math.min(least, here)
  excess = math.max(excess, here - least + 1 - burst)
end
local span = at[#at] - at[1]
print(("{\"requests\":%d,\"off\":%.6f,\"excess\":%.4f}"):format(#at, math.abs(span / seconds - 1) * 100,
  excess))
client:close()
s:stop()
