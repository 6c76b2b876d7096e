--- How a message shows what was wanted and what came: without secrets, and of long texts the place where they differ.

local check = require "lurcher.base.check"
local json = require "lurcher.json"
local names = require "lurcher.url.names"
local secret = require "lurcher.base.secret"

local shown = {}

local MAX_SHOWN = 200
local MAX_TEXT = 60 -- bytes of a text that is shown whole
local AROUND = 20   -- bytes before the place where two texts differ
local MAX_DEPTH = 20

-- A copy of a JSON value without secrets.
local function masked(value, depth)
  if type(value) ~= "table" or depth > MAX_DEPTH or secret.is(value) then return value end
  local copy = #value > 0 and {} or json.object {}
  for name, item in pairs(value) do
    local is_secret = type(name) == "string" and type(item) ~= "table" and names.is_field(name)
    copy[name] = is_secret and secret.MASK or masked(item, depth + 1)
  end
  return copy
end

local function masked_text(text)
  if text:find '^%s*[{%[]' then
    local value = json.decode(text)
    if value ~= nil then return json.encode(masked(value, 1)) end
  end
  return (text:gsub("([%w_.%-]+)=[^&%s]*", function(name)
    if names.is_parameter(name) then return name .. "=" .. secret.MASK end
  end))
end

---A value in a message.
---@param value any
---@return string
function shown.value(value)
  if value == nil then return "none" end
  if value == json.null then return "null" end
  if type(value) == "table" and not secret.is(value) then
    local well, text = pcall(json.encode, masked(value, 1))
    if well then return #text > MAX_SHOWN and text:sub(1, MAX_SHOWN) .. "…" or text end
  end
  return check.shown(value)
end

---What stands for a secret.
---@param value any
---@return string
function shown.hidden(value)
  return value == nil and "none" or secret.MASK
end

local function excerpt(text, at)
  local first = math.max(1, at - AROUND)
  local last = math.min(#text, first + MAX_TEXT - 1)
  return (first > 1 and "…" or "") .. check.shown(text:sub(first, last)) .. (last < #text and "…" or "")
end

-- The first byte in which two texts differ; by halves, so that the long ones are compared by the library.
local function first_difference(one, other)
  local low, high = 1, math.min(#one, #other) + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if one:sub(low, middle) == other:sub(low, middle) then low = middle + 1 else high = middle end
  end
  return low
end

---Two texts that are not the same.
---@param wanted string
---@param sent string
---@return string wanted
---@return string sent
function shown.texts(wanted, sent)
  wanted, sent = masked_text(wanted), masked_text(sent)
  if #wanted <= MAX_TEXT and #sent <= MAX_TEXT then return check.shown(wanted), check.shown(sent) end
  local at = first_difference(wanted, sent)
  return ("%s (%d bytes)"):format(excerpt(wanted, at), #wanted),
    ("%s (%d bytes, another from byte %d on)"):format(excerpt(sent, at), #sent, at)
end

---A text of a body that is not what it should be.
---@param text string
---@return string
function shown.text(text)
  return excerpt(masked_text(text), 1)
end

return shown
