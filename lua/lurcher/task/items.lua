--- What `task.map` and the like go over.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"

local items = {}

---Raises when a map was given for a list: it would silently be empty.
---@param list table
---@param name string the function's name, for messages
function items.check_list(list, name)
  if list[1] ~= nil or getmetatable(list) ~= nil then return end
  for key in pairs(list) do
    if key ~= "n" then
      errors.raise(("%s: the table has the key '%s', but no item 1; it takes a list, or an iterator such as "
        .. "coroutine.wrap makes"):format(name, tostring(key)))
    end
  end
end

local ipairs_step = ipairs({})

---Whether what a function or an iterator returned is a failure: nothing, and what went wrong.
---@param value any
---@param err any
---@return boolean
function items.failed(value, err)
  return value == nil and err ~= nil
end

---A function that returns the next item, nil at the end, or nil and an error. And, for sources that keep
---track of what becomes of their items, a function to be told the numbers of those that are done with, and one that
---is called when no more are.
---@param source table|function
---@param name string the function's name, for messages
---@return fun(): any, any
---@return fun(index: integer)?
---@return fun()?
function items.iterator(source, name)
  local metatable = type(source) == "table" and getmetatable(source)
  if metatable and metatable.__tracked then return metatable.__tracked(source) end
  if source == next or source == ipairs_step then
    errors.raise(name .. ": pairs and ipairs need a state that an iterator here does not get; give the list "
      .. "itself, or a function that returns the next item at each call")
  end
  if check.mismatch(source, "callable") == nil then return source end
  check.argument(source, "table|callable", 1, name)
  items.check_list(source, name)
  local index = 0
  return function()
    index = index + 1
    return source[index]
  end
end

---The bar for an option `progress`; nil when it is not wanted. A list tells the total. Loaded only then.
---@param source any
---@param option boolean|string|nil
---@return lurcher.ProgressBar?
function items.progress_bar(source, option)
  if not option then return nil end
  local is_list = type(source) == "table" and source[1] ~= nil
  return require("lurcher.task.progress_bar").of_option(option, is_list and #source or nil)
end

return items
