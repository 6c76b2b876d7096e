-- COUNT: so many tasks that all sleep at the same time.

local task = require "lurcher.task"

local count = tonumber((...))
local woken = 0
task.scope(function(scope)
  for _ = 1, count do
    scope:spawn(function()
      task.sleep(1)
      woken = woken + 1
    end)
  end
end)
print(('{"failed":%d}'):format(count - woken))
