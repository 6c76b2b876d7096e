-- A connection may serve the next exchange before anybody hears that the last one is over.

local preload = require "spec.support.preload"
local serving = require "spec.support.serving"

local SCRIPT = [[
  local http, task = require "lurcher.http", require "lurcher.task"
  local client, url, good, list = http.client { retry = false }, ..., 0, {}
  for i = 1, 400 do list[i] = i end
  task.map(list, function()
    task.sleep(math.random() * 0.01)
    local res, size = assert(client:get(url, { stream = true })), 0
    for bytes in res:chunks() do
      size = size + #bytes
      task.sleep(0.001) -- so that it is held back
    end
    if size == 300000 then good = good + 1 end
  end, { concurrency = 16 })
  print(good)
]]

it("a response that is held back at once on a connection that was just let go is not cut", function()
  local body = ("x"):rep(300000)
  local s = serving.start(function() return { body = body } end)
  local ended = preload.run("spec/support/slow_send.c", SCRIPT, s.url)
  assert.equal("400\n", ended.out, ended.err)
end)
