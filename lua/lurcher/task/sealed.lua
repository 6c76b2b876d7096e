--- Run before the prelude where scripts are confined: what the runtime's own modules use, too, must give
--- scripts no way to what all scripts share. Gets whether they may have bytecode.

-- luacheck: globals setmetatable tostring string getmetatable

local raw_setmetatable, raw_tostring, rawget, type, select = setmetatable, tostring, rawget, type, select
local raw_format, find, gsub, error, unpack = string.format, string.find, string.gsub, error, unpack
local any_metatable = debug.getmetatable

-- ---- classes: `object.__index` is not the table of methods ----

function setmetatable(t, metatable)
  if type(metatable) == "table" and rawget(metatable, "__index") == metatable then
    metatable.__index = function(_, name) return metatable[name] end
  end
  return raw_setmetatable(t, metatable)
end

-- ---- texts: addresses tell where things are in memory ----

local numbers = raw_setmetatable({}, { __mode = "k" }) -- value -> as which one it was shown
local last = 0

local SHOWN = { ["nil"] = true, boolean = true, number = true, string = true }

function tostring(...)
  local value = ...
  local kind = type(value)
  if SHOWN[kind] or select("#", ...) == 0 then return raw_tostring(...) end
  local metatable = any_metatable(value)
  if metatable and rawget(metatable, "__tostring") ~= nil then return raw_tostring(value) end
  if not numbers[value] then
    last = last + 1
    numbers[value] = last
  end
  return raw_format("%s: %d", kind, numbers[value])
end

local tostring = tostring

local function formatted(count, format, ...)
  if type(format) == "string" and find(format, "p", 1, true) and find((gsub(format, "%%%%", "")), "%%[^%a]*p") then
    error("invalid option '%p' to 'format'", 2) -- a tail call has led here
  end
  local values
  for i = 1, count do
    if not SHOWN[type((select(i, ...)))] then
      values = values or { ... }
      values[i] = tostring(values[i])
    end
  end
  if values then return raw_format(format, unpack(values, 1, count)) end
  return raw_format(format, ...)
end

function string.format(...)
  return formatted(select("#", ...) - 1, ...)
end

-- ---- bytecode is not checked before it runs ----

local has_bytecode = ...
if not has_bytecode then string.dump = nil end
