--- Whether a value is what a JSON schema asks for: the types, members, choices and bounds that documents of APIs use.

local json = require "lurcher.json"
local sample = require "lurcher.mock.sample"

local schema = {}

local MAX_DEPTH = 64
local MAX_CHECKS = 100000 -- of one value: choices among choices would be tried without end

local function is_array(value)
  return type(value) == "table" and (#value > 0 or json.encode(value) == "[]")
end

local IS = {
  string = function(value) return type(value) == "string" end,
  integer = function(value) return type(value) == "number" and value % 1 == 0 or type(value) == "string"
    and value:find "^-?%d+$" ~= nil and #value > 15 end,
  number = function(value) return type(value) == "number" end,
  boolean = function(value) return type(value) == "boolean" end,
  null = function(value) return value == json.null end,
  array = is_array,
  object = function(value) return type(value) == "table" and (next(value) == nil or not is_array(value)) end,
}

local function is_of_type(value, kinds)
  for _, kind in ipairs(type(kinds) == "table" and kinds or { kinds }) do
    if not IS[kind] or IS[kind](value) then return true end
  end
  return false
end

local function in_words(kinds)
  return type(kinds) == "table" and table.concat(kinds, " or ") or tostring(kinds)
end

local function among(value, list)
  for _, one in ipairs(list) do
    if one == value then return true end
  end
  return false
end

local check

local function check_members(document, own, value, place, depth)
  for _, name in ipairs(type(own.required) == "table" and own.required or {}) do
    if value[name] == nil then return place .. "." .. tostring(name), "is missing" end
  end
  local properties = type(own.properties) == "table" and own.properties or {}
  for name, one in pairs(value) do
    local part = properties[name]
    if part == nil and own.additionalProperties == false then
      return place .. "." .. tostring(name), "is not known"
    elseif part ~= nil then
      local where, problem = check(document, part, one, place .. "." .. tostring(name), depth + 1)
      if where then return where, problem end
    end
  end
end

local function check_items(document, own, value, place, depth)
  local least, most = tonumber(own.minItems), tonumber(own.maxItems)
  if least and #value < least or most and #value > most then
    return place, ("has %d items"):format(#value)
  end
  for i, one in ipairs(own.items and value or {}) do
    local where, problem = check(document, own.items, one, ("%s[%d]"):format(place, i), depth + 1)
    if where then return where, problem end
  end
end

local function check_bounds(own, value, place)
  if type(value) == "number" then
    local least, most = tonumber(own.minimum), tonumber(own.maximum)
    if least and value < least then return place, ("is less than %g"):format(least) end
    if most and value > most then return place, ("is more than %g"):format(most) end
  elseif type(value) == "string" then
    local least, most = tonumber(own.minLength), tonumber(own.maxLength)
    local length = select(2, value:gsub("[^\128-\191]", "")) -- in characters
    if least and length < least then return place, ("is shorter than %d"):format(least) end
    if most and length > most then return place, ("is longer than %d"):format(most) end
  end
end

local function fits_any(document, list, value, place, depth)
  for _, one in ipairs(list) do
    if not check(document, one, value, place, depth + 1) then return true end
  end
  return list[1] == nil
end

function check(document, given, value, place, depth)
  local own = document.resolve(given)
  document.checks = document.checks + 1
  if type(own) ~= "table" or depth > MAX_DEPTH or document.checks > MAX_CHECKS then return nil end
  if type(own.allOf) == "table" then own = sample.merged(document, own) end
  if value == json.null and own.nullable == true then return nil end
  if own.type and not is_of_type(value, own.type) then return place, "is no " .. in_words(own.type) end
  if type(own.enum) == "table" and type(value) ~= "table" and not among(value, own.enum) then
    return place, "is none of its choices"
  end
  local choices = own.oneOf or own.anyOf
  if type(choices) == "table" and not fits_any(document, choices, value, place, depth) then
    return place, "fits none of its choices"
  end
  if IS.object(value) then
    local where, problem = check_members(document, own, value, place, depth)
    if where then return where, problem end
  end
  if is_array(value) then return check_items(document, own, value, place, depth) end
  return check_bounds(own, value, place)
end

---Where a value is not as it should be, and why; nil: it is.
---@param document lurcher.mock.Document
---@param given any
---@param value any
---@param place string
---@return string? place
---@return string? problem
function schema.check(document, given, value, place)
  document.checks = 0
  return check(document, given, value, place, 1)
end

---The same for the text of a parameter; nil: it is well.
---@param document lurcher.mock.Document
---@param given any
---@param text string
---@return string? problem
function schema.check_text(document, given, text)
  local own = document.resolve(given)
  if type(own) ~= "table" then return nil end
  local kind = own.type
  if kind == "integer" and not text:find "^-?%d+$" then return "is no integer" end
  if kind == "number" and not tonumber(text) then return "is no number" end
  if kind == "boolean" and text ~= "true" and text ~= "false" then return "is no boolean" end
  if type(own.enum) == "table" and type(kind) == "string" and kind == "string" and not among(text, own.enum) then
    return "is none of its choices"
  end
end

return schema
