--- The kinds of errors, from the one list of them (runtime/core/errors.def), which is read when it is needed.

local kinds = {}

---@class lurcher.Kind
---@field name string
---@field when string
---@field cure string
---@field flags string "repeatable", "peer" and "final", see the list

local by_name

---@return lurcher.Kind[]
function kinds.list()
  return require "lurcher.native.kinds"
end

---Whether the kind of that name has a flag.
---@param name any
---@param flag "repeatable"|"peer"|"final"
---@return boolean
function kinds.is(name, flag)
  local kind = kinds.get(name)
  return kind ~= nil and kind.flags:find(flag, 1, true) ~= nil
end

---@param name any
---@return lurcher.Kind?
function kinds.get(name)
  if not by_name then
    by_name = {}
    for _, kind in ipairs(kinds.list()) do by_name[kind.name] = kind end
  end
  return by_name[name]
end

-- The names of those for which `fits(name)` is true.
local function names(fits)
  local list = {}
  for _, kind in ipairs(kinds.list()) do
    if fits(kind.name) then list[#list + 1] = kind.name end
  end
  return list
end

---@return string[]
function kinds.names()
  return names(function() return true end)
end

---The names of those that may be gone the next time.
---@return string[]
function kinds.repeatable()
  return names(function(name) return kinds.is(name, "repeatable") end)
end

return kinds
