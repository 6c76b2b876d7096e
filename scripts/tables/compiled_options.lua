-- Writes lurcher.http.options.compiled: what http/options.lua needs of the rows of options to check and merge them.
-- The rows themselves, 90 KiB when they are loaded, are for those who made a mistake, and for the manual.

-- As `local t = …` writes it: keys sorted, so that each build gives the same.
local function written(value, indent)
  if type(value) == "string" then return ("%q"):format(value):gsub("\n", "n") end
  if value == math.huge then return "math.huge" end
  if type(value) ~= "table" then return tostring(value) end
  local keys, lines = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) ~= type(b) then return type(a) == "number" end
    return a < b
  end)
  for _, key in ipairs(keys) do
    local name = type(key) == "number" and "" or ("[%q] = "):format(key)
    lines[#lines + 1] = indent .. name .. written(value[key], indent .. "  ")
  end
  return "{\n" .. table.concat(lines, ",\n") .. "\n" .. indent .. "}"
end

-- name → type spec. "=name" stands for a function of checks.lua, "=" for one that only the row has.
local function specs(list, wanted, names_of)
  local map = {}
  for _, row in ipairs(list) do
    local check = row.check
    if type(check) == "function" then check = "=" .. (names_of[check] or "") end
    if wanted(row) then map[row[1]] = check end
  end
  return map
end

local function names(list, wanted)
  local set = {}
  for _, row in ipairs(list) do
    if wanted(row) then set[row[1]] = true end
  end
  return set
end

---The module's source. scripts/tables/load.lua has to be loaded.
---@return string
return function()
  local rows, parts = require "lurcher.http.options.rows", require "lurcher.http.options.parts"
  local defaults, names_of = require("lurcher.base.rows").defaults, {}
  for name, check in pairs(require "lurcher.http.options.checks") do names_of[check] = name end
  local result = { parts = {}, default = defaults(rows), changes = {} }
  result.client = specs(rows, function(row) return row.only ~= "request" end, names_of)
  result.request = specs(rows, function(row) return row.only ~= "client" end, names_of)
  result.client_only = names(rows, function(row) return row.only == "client" end)
  result.request_only = names(rows, function(row) return row.only == "request" end)
  for _, what in ipairs { "transfer", "headers", "policies" } do
    result.changes[what] = names(rows, function(row)
      for _, changed in ipairs(row.changes or {}) do
        if changed == what then return true end
      end
    end)
  end
  for name, list in pairs(parts) do
    result.parts[name] = specs(list, function() return true end, names_of)
    result.default[name] = defaults(list)
  end
  return "return " .. written(result, "")
end
