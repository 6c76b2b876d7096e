-- How values and types of options are written in the manual and in types for editors.

local spelling = {}

-- The types of type specs that are no types of Lua. ("huge" is a number as well.)
local TYPES = { count = "integer", size = "number", seconds = "number", positive = "number", limit = "number",
  duration = "number", callable = "function", ["nil"] = "nil" }

---The type of a row as editors know it.
---@param row table
---@return string
function spelling.type(row)
  if row.type then return row.type end
  if row.check == true then return "any" end
  assert(type(row.check) == "string", "the option '" .. row[1] .. "' needs a type")
  local words = {}
  for word in row.check:gmatch("[^|]+") do
    local literal = word:match("^'(.*)'$")
    if word ~= "huge" then words[#words + 1] = literal and ('"%s"'):format(literal) or TYPES[word] or word end
  end
  return table.concat(words, "|")
end

---A value as a script would write it.
---@param value any
---@return string
function spelling.value(value)
  if type(value) == "string" then return '"' .. value .. '"' end
  if type(value) ~= "table" then return tostring(value) end
  local words, keys = {}, {}
  for _, item in ipairs(value) do words[#words + 1] = spelling.value(item) end
  for key in pairs(value) do
    if type(key) == "string" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do words[#words + 1] = key .. " = " .. spelling.value(value[key]) end
  return "{ " .. table.concat(words, ", ") .. " }"
end

return spelling
