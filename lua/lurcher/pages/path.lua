--- Paths into decoded JSON: "data.list", "meta.next", "data.-1.id" (a number is a place in a list, from the
--- end when it is negative), or a list of keys when one of them holds a dot.

local errors = require "lurcher.base.errors"
local json = require "lurcher.json"

local pages_path = {}

local function keys_of(path)
  if type(path) == "table" then return path end
  local keys = {}
  for key in path:gmatch("[^.]+") do keys[#keys + 1] = key end
  return keys
end

-- A path that goes into a list without saying where. Taken for "nothing there" it would end a list too early.
local function into_list(keys, i, list)
  local before, whole = table.concat(keys, ".", 1, i - 1), table.concat(keys, ".")
  error(errors.new { kind = "decode", message = (
    "the path '%s' leads into %s, which is a list of %d: a number says which item, as in '%s'"):format(whole,
    before == "" and "the page" or "'" .. before .. "'", #list,
    (before == "" and "1." or before .. ".1.") .. table.concat(keys, ".", i)) }, 0)
end

-- What the i-th key leads to.
local function step(value, keys, i)
  if type(value) ~= "table" then return nil end
  local key = keys[i]
  local found = value[key]
  if found ~= nil then return found end
  local place = tonumber(key)
  if place then return value[place < 0 and #value + 1 + place or place] end
  if value[1] ~= nil then into_list(keys, i, value) end
  return nil
end

-- A function(value) that gives what is at `path` in it.
local function getter(path)
  local keys = keys_of(path)
  return function(value)
    for i = 1, #keys do value = step(value, keys, i) end
    return value
  end
end

---The path as text, for messages.
---@param path any
---@return string
function pages_path.shown(path)
  if type(path) == "table" then return table.concat(path, ".") end
  return type(path) == "function" and "a function" or tostring(path)
end

local MAX_KEYS = 8

---What there is instead of what was looked for, in words: "an object with the keys 'error', 'message'".
---@param value any
---@return string
function pages_path.outline(value)
  if value == nil then return "nothing" end
  if value == json.null then return "null" end
  if type(value) ~= "table" then return "a " .. type(value) end
  if pages_path.is_list(value) then return ("a list of %d"):format(#value) end
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = "'" .. tostring(key) .. "'" end
  if #keys == 0 then return "an empty object" end
  table.sort(keys)
  local more = #keys > MAX_KEYS and ", …" or ""
  return ("an object with the key%s %s%s"):format(#keys > 1 and "s" or "",
    table.concat(keys, ", ", 1, math.min(#keys, MAX_KEYS)), more)
end

---Whether a decoded value is an array. An empty table of any kind is one: some servers write {} for it.
---@param value any
---@return boolean
function pages_path.is_list(value)
  return type(value) == "table" and (value[1] ~= nil or next(value) == nil)
end

local MAX_DEPTH = 4

---Where in a decoded page the list is that holds an item, itself and not one like it: the keys that lead there.
---@param value any
---@param item table
---@param depth? integer
---@return any[]? keys
function pages_path.of_list_with(value, item, depth)
  if type(value) ~= "table" then return nil end
  for key, member in pairs(value) do
    if member == item then return {} end
    local keys = (depth or 1) < MAX_DEPTH and pages_path.of_list_with(member, item, (depth or 1) + 1)
    if keys then
      table.insert(keys, 1, key)
      return keys
    end
  end
  return nil
end

---What keys lead to.
---@param value any
---@param keys any[]
---@return any
function pages_path.at(value, keys)
  for i = 1, #keys do
    if type(value) ~= "table" then return nil end
    value = value[keys[i]]
  end
  return value
end

---What a path option should have been, or nil.
function pages_path.mismatch(value)
  if type(value) == "string" and value ~= "" then return nil end
  if type(value) == "function" then return nil end
  if type(value) == "table" and type(value[1]) == "string" then return nil end
  return 'a path such as "data.next", or a function'
end

---A reader for an option that is a path, or a function(res, value) of the script. Null is nil, unless
---`keep_null`.
---@param option string|table|function
---@param keep_null? boolean
---@return fun(res: lurcher.Response, value: fun(lenient?: boolean): any): any `value` decodes the body;
---  lenient: gives nil for what is no JSON, instead of raising
function pages_path.reader(option, keep_null)
  local get = type(option) ~= "function" and getter(option)
  return function(res, decoded)
    local value, err
    if get then
      value = get(decoded())
    else
      value, err = option(res, decoded(true))
      if value == nil and err ~= nil then error(err, 0) end
    end
    if value == json.null and not keep_null then return nil end
    return value
  end
end

---A function(item) for an option that is a path into items, or a function of the script.
---@param option string|table|function
---@return fun(item: any): any
function pages_path.of_item(option)
  if type(option) ~= "function" then return getter(option) end
  return function(item)
    local value, err = option(item)
    if value == nil and err ~= nil then error(err, 0) end
    return value
  end
end

return pages_path
