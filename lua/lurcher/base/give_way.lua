--- Other tasks' turn, between two steps of long work. Where no task can wait, within table.sort say, there is
--- none; a cancellation is raised.

local yield = require("lurcher.native.task").yield

return function()
  pcall(yield)
end
