--- Arguments of what `lurcher.retry` is put together from.

local check = require "lurcher.base.check"

local arguments = {}

---What an event (task.event) should have been, or nil.
---@param value any
---@return string?
function arguments.event_mismatch(value)
  if type(value) == "table" and not check.mismatch(value.wait, "callable") and value.happened ~= nil then
    return nil
  end
  return "an event (task.event())"
end

---The arguments as a list, of which each must be callable.
---@param what string the function's name, for messages
---@param ... function
---@return function[]
function arguments.functions(what, ...)
  local functions = { ... }
  for i = 1, math.max(1, select("#", ...)) do check.argument(functions[i], "callable", i, what) end
  return functions
end

---A wait as a function.
---@param wait number|function
---@param position integer
---@param what string
---@return function
function arguments.wait(wait, position, what)
  check.argument(wait, "seconds|callable", position, what)
  if type(wait) ~= "number" then return wait end
  return function() return wait end
end

---The kind of an error, whoever made it.
---@param err any
---@return string?
function arguments.kind_of(err)
  return type(err) == "table" and err.kind or nil
end

return arguments
