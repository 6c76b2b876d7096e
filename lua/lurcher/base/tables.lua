--- What several modules do with tables.

local tables = {}

---Lays one table over another by key; false stays as a value.
---@param below table?
---@param above table?
---@return table
function tables.overlay(below, above)
  local merged = {}
  for key, value in pairs(below or {}) do merged[key] = value end
  for key, value in pairs(above or {}) do merged[key] = value end
  return merged
end

---The keys of a map of names, sorted: what is written or sent must not depend on the order of `pairs`.
---@param map table<string, any>
---@return string[]
function tables.sorted_keys(map)
  local keys = {}
  for key in next, map do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

---Whether a value is an object of a class, told by its metatable's __name: for modules that know what the
---class can do but do not load it.
---@param value any
---@param class string "lurcher.Response"
---@return boolean
function tables.is_a(value, class)
  local metatable = type(value) == "table" and getmetatable(value)
  return type(metatable) == "table" and metatable.__name == class
end

return tables
