--- A value that a JSON schema accepts, the same each time: its examples where it has some.

local json = require "lurcher.json"

local sample = {}

local MAX_DEPTH = 8
local MAX_ITEMS = 3
local MAX_VALUES = 5000 -- in a sample: schemas that name one another many times would make it grow without end

local FORMATS = { ["date-time"] = "2024-01-01T00:00:00Z", date = "2024-01-01", time = "00:00:00Z",
  uuid = "00000000-0000-4000-8000-000000000000", email = "user@example.com", uri = "https://example.com/",
  url = "https://example.com/", hostname = "example.com", ipv4 = "192.0.2.1", ipv6 = "2001:db8::1", byte = "c3RyaW5n",
  binary = "string", password = "password", duration = "PT1S" }

local function text_of(schema)
  local text = FORMATS[schema.format] or "string"
  local least, most = tonumber(schema.minLength) or 0, tonumber(schema.maxLength) or math.huge
  if #text < least then text = text .. ("x"):rep(math.min(least, 10000) - #text) end
  return #text > most and text:sub(1, most) or text
end

local function number_of(schema)
  local least, most = tonumber(schema.minimum), tonumber(schema.maximum)
  local exclusive = schema.exclusiveMinimum
  if exclusive == true and least then least = least + 1 end
  if type(exclusive) == "number" then least = exclusive + 1 end
  local value = least or (most and most < 0 and most) or 0
  local step = tonumber(schema.multipleOf)
  if step and step > 0 then value = math.ceil(value / step) * step end
  return value
end

-- What all of several schemas say. Those that go round in circles say no more than once.
local function merged(document, schema, depth)
  depth = depth or 1
  local all = {}
  for name, value in pairs(schema) do
    if name ~= "allOf" then all[name] = value end
  end
  local properties, required = {}, {}
  local function add(one)
    for name, value in pairs(type(one.properties) == "table" and one.properties or {}) do properties[name] = value end
    for _, name in ipairs(type(one.required) == "table" and one.required or {}) do required[#required + 1] = name end
  end
  add(schema)
  for _, part in ipairs(depth <= MAX_DEPTH and type(schema.allOf) == "table" and schema.allOf or {}) do
    part = document.resolve(part)
    if type(part) == "table" then
      if part.allOf then part = merged(document, part, depth + 1) end
      for name, value in pairs(part) do
        if all[name] == nil then all[name] = value end
      end
      add(part)
    end
  end
  all.properties, all.required = next(properties) and properties, required
  return all
end

sample.merged = merged

local of

-- In an order that is the same each time.
local function names_of(map)
  local names = {}
  for name in pairs(type(map) == "table" and map or {}) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function object_of(document, schema, depth)
  local value = json.object {}
  local required = {}
  for _, name in ipairs(type(schema.required) == "table" and schema.required or {}) do required[name] = true end
  for _, name in ipairs(names_of(schema.properties)) do
    local one = schema.properties[name]
    if depth < MAX_DEPTH or required[name] and depth < 2 * MAX_DEPTH then
      local part = document.resolve(one)
      local is_wanted = type(part) == "table" and part.writeOnly ~= true and not document.making[part]
      if is_wanted and document.values < MAX_VALUES then value[name] = of(document, part, depth + 1) end
    end
  end
  return value
end

local function array_of(document, schema, depth)
  local list = json.array {}
  local count = math.min(math.max(tonumber(schema.minItems) or 1, 1), MAX_ITEMS)
  local is_over = depth >= MAX_DEPTH or document.values >= MAX_VALUES
  if tonumber(schema.maxItems) == 0 or is_over or document.making[document.resolve(schema.items)] then count = 0 end
  for i = 1, count do list[i] = of(document, schema.items or {}, depth + 1) end
  return list
end

local function type_of(schema)
  local kind = schema.type
  if type(kind) == "table" then
    for _, one in ipairs(kind) do
      if one ~= "null" then return one end
    end
    return kind[1]
  end
  return kind or schema.properties and "object" or schema.items and "array" or nil
end

local MAKE = { string = text_of, integer = number_of, number = number_of,
  boolean = function() return true end, null = function() return json.null end }

local function make(document, schema, depth)
  if schema.allOf then schema = merged(document, schema) end
  if schema.example ~= nil then return schema.example end
  if schema.const ~= nil then return schema.const end
  if type(schema.examples) == "table" and schema.examples[1] ~= nil then return schema.examples[1] end
  if schema.default ~= nil then return schema.default end
  if type(schema.enum) == "table" and schema.enum[1] ~= nil then return schema.enum[1] end
  local kind = type_of(schema)
  local choices = not kind and (schema.oneOf or schema.anyOf)
  if type(choices) == "table" and choices[1] and depth < MAX_DEPTH then return of(document, choices[1], depth + 1) end
  if kind == "object" then return object_of(document, schema, depth) end
  if kind == "array" then return array_of(document, schema, depth) end
  local scalar = MAKE[kind]
  return scalar and scalar(schema) or json.object {}
end

-- What a schema is made of may have it among its parts again: there it is left out.
function of(document, schema, depth)
  schema = document.resolve(schema)
  if type(schema) ~= "table" then return json.null end
  if document.making[schema] then return json.object {} end
  document.making[schema], document.values = true, document.values + 1
  local value = make(document, schema, depth)
  document.making[schema] = nil
  return value
end

---@param document lurcher.mock.Document
---@param schema any
---@return any
function sample.of(document, schema)
  document.making, document.values = {}, 0
  return of(document, schema, 1)
end

return sample
