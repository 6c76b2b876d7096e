--- Request headers: a table that can be read and written with names in any case, keeps the order and the
--- spelling they were first set in, and refuses what would break the protocol. A value is a string, a number,
--- a secret, or a list of these for several lines; nil and false remove. `pairs` sees lower-case names.

local lazy = require "lurcher.base.lazy"
local secret = require "lurcher.base.secret"

local check = lazy "lurcher.base.check"
local errors = lazy "lurcher.base.errors"

local text_tools = lazy "lurcher.base.text"

local function raise(message)
  errors.raise(message)
end

local reveal, is_secret, lower = secret.reveal, secret.is, string.lower

local headers = {}

---@class lurcher.Headers

-- What the runtime itself must decide, and why.
local REFUSED = {
  ["content-length"] = "it is computed from the body",
  ["transfer-encoding"] = "it is chosen with the body",
  ["expect"] = "use the option expect_continue=true",
}

local MAX_NAMES = 1000

local is_blank = { [(" "):byte()] = true, [("\t"):byte()] = true }

-- Checked names in lower case: a program uses few.
local known_names, known_count = {}, 0

-- The name in lower case.
local function checked_name(name)
  local known = known_names[name]
  if known then return known end
  if type(name) ~= "string" then
    raise(('header names must be strings, got a %s: they are written { ["Accept"] = "text/html" }'):format(type(name)))
  end
  if name == "" or name:find("[^%w!#$%%&'*+%-.^_`|~]") then
    raise(("header name %s holds characters that may not stand in one"):format(check.shown(name)))
  end
  local key = lower(name)
  if REFUSED[key] then raise(("header '%s' cannot be set: %s"):format(name, REFUSED[key])) end
  if known_count >= MAX_NAMES then known_names, known_count = {}, 0 end
  known_names[name], known_count = key, known_count + 1
  return key
end

-- The value as it is kept: a trimmed string, or a secret.
local function checked_line(name, value)
  local text = reveal(value)
  if type(text) == "number" then text = ("%.14g"):format(text) end
  if type(text) ~= "string" then
    raise(("header '%s' must be a string, a list of strings, or false, got a %s"):format(name, type(text)))
  end
  if text:find("[%z\1-\8\10-\31\127]") then
    raise(("the value of header '%s' holds a control character (CR, LF and NUL cannot be sent)"):format(name))
  end
  if is_secret(value) then return value end
  local first, last = text:byte(1), text:byte(-1)
  return (is_blank[first] or is_blank[last]) and text_tools.trim(text) or text
end

local function checked_value(name, value)
  if type(value) ~= "table" or is_secret(value) then return checked_line(name, value) end
  local lines = {}
  for i = 1, #value do lines[i] = checked_line(name, value[i]) end
  if #lines == 0 then raise(("header '%s' is an empty list; use false to remove it"):format(name)) end
  return lines
end

-- Appends one header to a flat list.
local function append(flat, name, value)
  local n = #flat
  if type(value) ~= "table" or is_secret(value) then
    flat[n + 1], flat[n + 2] = name, value
    return
  end
  for i = 1, #value do flat[n + 2 * i - 1], flat[n + 2 * i] = name, value[i] end
end

local function index(self, name)
  return type(name) == "string" and rawget(self, lower(name)) or nil
end

-- The order of the names and their spelling, kept in the metatable: `pairs` must not meet it.
local function order_of(self)
  return getmetatable(self).order
end

local function newindex(self, name, value)
  local key = checked_name(name)
  if value == nil or value == false then
    rawset(self, key, nil)
    return
  end
  rawset(self, key, checked_value(name, value))
  local order = order_of(self)
  if not order[key] then order[#order + 1] = key end
  order[key] = name
end

---A header table of a flat list {name, value, name2, value2, …} that was checked before; a repeated name
---becomes a list.
---@param flat? table
---@return lurcher.Headers
function headers.new(flat)
  local object, order = {}, {}
  for i = 1, flat and #flat or 0, 2 do
    local name, value = flat[i], flat[i + 1]
    local key = lower(name)
    local before = object[key]
    if before == nil then
      object[key] = value
      order[#order + 1], order[key] = key, name
    elseif type(before) == "table" and not is_secret(before) then
      before[#before + 1] = value
    else
      object[key] = { before, value }
    end
  end
  return setmetatable(object, { __index = index, __newindex = newindex, order = order })
end

---The flat list of a header table, with secrets still in their wrapping.
---@param object lurcher.Headers
---@return table
function headers.flatten(object)
  local order, flat = order_of(object), {}
  for i = 1, #order do
    local key = order[i]
    local value = rawget(object, key)
    -- A name that is there already can be assigned past __newindex.
    if value then append(flat, order[key], checked_value(key, value)) end
  end
  return flat
end

---@param object lurcher.Headers
---@return lurcher.Headers
function headers.copy(object)
  return headers.new(headers.flatten(object))
end

---A flat list with `changes` made (name -> value, false removes). What changes goes to the end, in the order
---of the alphabet.
---@param flat table
---@param changes table
---@return table
function headers.merge(flat, changes)
  local keys, names, result = {}, {}, {}
  for name in pairs(changes) do
    keys[checked_name(name)] = true
    names[#names + 1] = name
  end
  if names[2] then table.sort(names) end
  for i = 1, #flat, 2 do
    if not keys[lower(flat[i])] then append(result, flat[i], flat[i + 1]) end
  end
  for i = 1, #names do
    local value = changes[names[i]]
    if value then append(result, names[i], checked_value(names[i], value)) end
  end
  return result
end

---The first value of a header in a flat list, or nil. `name` is in lower case.
---@param flat table
---@param name string
---@return any
function headers.find(flat, name)
  for i = 1, #flat, 2 do
    if lower(flat[i]) == name then return flat[i + 1] end
  end
  return nil
end

---A list of names as a set, in lower case.
---@param names? string[]
---@return table<string, true>
function headers.name_set(names)
  local set = {}
  for _, name in ipairs(names or {}) do set[lower(name)] = true end
  return set
end

return headers
