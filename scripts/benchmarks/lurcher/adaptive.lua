-- Arguments: limits.per_origin, how many the server serves at once. 4,000 requests of 200 tasks.

local clock = require "lurcher.clock"
local http = require "lurcher.http"
local server = require "lurcher.server"
local task = require "lurcher.task"

local limit, serves, count = tonumber(arg[1]) or arg[1], tonumber(arg[2]), 4000

clock.virtual(function()
  local places, inside = task.semaphore(serves), 0
  local s = assert(server.start(function()
    if inside >= 2 * serves then return { status = 503 } end
    inside = inside + 1
    places:with(task.sleep, 0.1)
    inside = inside - 1
    return { status = 200, body = "ok" }
  end))
  local client = http.client { retry = false, limits = { per_origin = limit, learn = false } }
  local list, refused, latency, begun = {}, 0, 0, task.now()
  for i = 1, count do list[i] = i end
  task.map(list, function()
    local res = assert(client:get(s.url))
    if res.ok then latency = latency + res.timings.first_byte else refused = refused + 1 end
  end, { concurrency = 200 })
  local served = count - refused
  print(("{\"rate\":%.2f,\"refused\":%d,\"latency\":%.4f,\"limit\":%d}"):format(served / (task.now() - begun),
    refused, latency / served, client:stats(s.url).per_origin))
  client:close()
  s:stop(0)
end)
