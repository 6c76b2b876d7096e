--- Functions of the spec that the runtime still refers to after it: callbacks that nobody took back.

local references = {}

-- luaL_ref's places that are free hold a number.
local function each(seen)
  local registry = debug.getregistry()
  for at = 1, #registry do
    local value = registry[at]
    if type(value) == "function" then seen(value) end
  end
end

---Those that are there.
---@return table<function, true>
function references.now()
  local found = {}
  each(function(fn) found[fn] = true end)
  return found
end

---Those that were not there before, by the lines that define them.
---@param before table<function, true>
---@return string?
function references.left(before)
  local lines = {}
  each(function(fn)
    if before[fn] then return end
    local info = debug.getinfo(fn, "S")
    if info.what == "C" or info.source:find "^@lurcher/" then return end
    lines[#lines + 1] = ("a callback of the runtime, the function at %s:%d"):format(info.short_src, info.linedefined)
  end)
  table.sort(lines)
  return lines[1] and table.concat(lines, "\n") or nil
end

return references
