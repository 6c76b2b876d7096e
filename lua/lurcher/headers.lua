--- Request headers: a table that can be read and written with names in any case, keeps the order and the
--- spelling they were first set in, and refuses what would break the protocol. A value is a string, a number,
--- a secret, or a list of these for several lines; nil and false remove. `pairs` sees lower-case names.

local check = require "lurcher.check"
local errors = require "lurcher.errors"
local secret = require "lurcher.secret"

local raise = errors.raise
local reveal, is_secret = secret.reveal, secret.is

local headers = {}

---@class lurcher.Headers
local Headers = { __name = "lurcher.Headers" }

-- Per object: a list of lower-case names in order, and the spelling of each as a field.
local orders = setmetatable({}, { __mode = "k" })

-- What the runtime itself must decide, and why.
local REFUSED = {
  ["content-length"] = "it is computed from the body",
  ["transfer-encoding"] = "it is chosen with the body",
  ["expect"] = "use the option expect_continue=true",
}

local function check_name(name)
  if type(name) ~= "string" then raise("header names must be strings, got a " .. type(name)) end
  if name == "" or name:find("[^%w!#$%%&'*+%-.^_`|~]") then
    raise(("header name %s holds characters that may not stand in one"):format(check.shown(name)))
  end
  local why = REFUSED[name:lower()]
  if why then raise(("header '%s' cannot be set: %s"):format(name, why)) end
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
  return is_secret(value) and value or text:match("^[ \t]*(.-)[ \t]*$")
end

local function checked_value(name, value)
  if type(value) ~= "table" or is_secret(value) then return checked_line(name, value) end
  local lines = {}
  for i = 1, #value do lines[i] = checked_line(name, value[i]) end
  if #lines == 0 then raise(("header '%s' is an empty list; use false to remove it"):format(name)) end
  return lines
end

function Headers:__index(name)
  return type(name) == "string" and rawget(self, name:lower()) or nil
end

function Headers:__newindex(name, value)
  check_name(name)
  local key = name:lower()
  if value == nil or value == false then
    rawset(self, key, nil)
    return
  end
  rawset(self, key, checked_value(name, value))
  local order = orders[self]
  if not order[key] then order[#order + 1] = key end
  order[key] = name
end

---A header table of a flat list {name, value, name2, value2, …}; a repeated name becomes a list.
---@param flat? table
---@return lurcher.Headers
function headers.new(flat)
  local object = setmetatable({}, Headers)
  orders[object] = {}
  for i = 1, flat and #flat or 0, 2 do
    local name, value = flat[i], flat[i + 1]
    local before = object[name]
    if before == nil then
      object[name] = value
    elseif type(before) == "table" and not is_secret(before) then
      before[#before + 1] = value
    else
      object[name] = { before, value }
    end
  end
  return object
end

---Sets all of `changes` (name -> value, false removes), in the order of the alphabet.
---@param object lurcher.Headers
---@param changes table
function headers.apply(object, changes)
  local names = {}
  for name in pairs(changes) do
    check_name(name)
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    object[name] = nil -- the new spelling and the new place in the order count
    object[name] = changes[name]
  end
end

---The flat list of a header table, with secrets still in their wrapping.
---@param object lurcher.Headers
---@return table
function headers.flatten(object)
  local order, flat = orders[object], {}
  for _, key in ipairs(order) do
    local value = rawget(object, key)
    if value ~= nil and value ~= false then
      value = checked_value(key, value) -- may have been written past __newindex
      local name = order[key]
      if type(value) == "table" and not is_secret(value) then
        for i = 1, #value do
          flat[#flat + 1], flat[#flat + 2] = name, value[i]
        end
      else
        flat[#flat + 1], flat[#flat + 2] = name, value
      end
    end
  end
  return flat
end

---@param object lurcher.Headers
---@return lurcher.Headers
function headers.copy(object)
  return headers.new(headers.flatten(object))
end

---The first value of a header in a flat list, or nil. `name` is in lower case.
---@param flat table
---@param name string
---@return any
function headers.find(flat, name)
  for i = 1, #flat, 2 do
    if flat[i]:lower() == name then return flat[i + 1] end
  end
  return nil
end

---True when a plain map of headers has one called `name` (in lower case), in any spelling.
---@param map table
---@param name string
---@return boolean
function headers.given(map, name)
  for key, value in pairs(map) do
    if type(key) == "string" and key:lower() == name and value then return true end
  end
  return false
end

return headers
