--- Things that a task owns: what it opened and did not close is closed when it ends.

local scopes = require "lurcher.task.scope"

local owned = {}

---Makes a function that notes a thing as opened by the running task, and returns the set it is in: whoever
---closes the thing takes it out of there. The rest of the set is given to `close` when the task ends.
---@param close fun(open: table<table, true>)
---@return fun(thing: table): table<table, true>
function owned.registry(close)
  local sets = setmetatable({}, { __mode = "k" })
  return function(thing)
    local current = scopes.current()
    local open = sets[current]
    if not open then
      open = {}
      sets[current] = open
      scopes.defer(function()
        sets[current] = nil
        close(open)
      end)
    end
    open[thing] = true
    return open
  end
end

return owned
