local patience = require "spec.support.patience"
local task = require "lurcher.task"

---Waits until `condition` gives a true value, which it returns, looking again after each turn of the loop.
---@param condition fun(): any
---@param what? string what is waited for, for the message
---@return any
return function(condition, what)
  local give_up = task.now() + patience
  while true do
    local value = condition()
    if value then return value end
    assert(task.now() < give_up, ("%s did not happen within %g s"):format(what or "it", patience))
    task.sleep(0.001)
  end
end
