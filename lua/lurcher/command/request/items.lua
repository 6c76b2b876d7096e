--- The items of a request on the command line, in HTTPie's grammar: what is before the first separator is
--- the name, what is behind it the value. A backslash takes its meaning from a separator's character.

local caret = require "lurcher.command.caret"

local byte, sub = string.byte, string.sub

---@class lurcher.command.Item
---@field separator string
---@field name string without the backslashes that were taken off
---@field raw_name string with them: the start of the argument
---@field value string without them
---@field argument string as it was typed
---@field value_at integer the byte of the argument at which the value begins

local items = {}

-- By their first character, longest first.
local SEPARATORS = {
  [":"] = { ":=@", ":=", ":@", ":" },
  ["="] = { "==@", "==", "=@", "=" },
  ["@"] = { "@" },
  [";"] = { ";" },
}
local BACKSLASH = byte "\\"

-- Where the first separator begins and which it is.
local function find_separator(argument)
  local at = 1
  while true do
    at = argument:find("[\\:=@;]", at)
    if not at then return nil end
    if byte(argument, at) ~= BACKSLASH then break end
    at = at + 2
  end
  for _, separator in ipairs(SEPARATORS[sub(argument, at, at)]) do
    if sub(argument, at, at + #separator - 1) == separator then return at, separator end
  end
end

local function unescape_pair(following)
  return SEPARATORS[following] and following or nil
end

-- A backslash and the character behind it belong together: "\\=" is no escaped separator.
local function unescape(text)
  if not text:find("\\", 1, true) then return text end
  return (text:gsub("\\(.?)", unescape_pair))
end

---Where in the value as it was typed the byte `place` of the value is.
---@param item lurcher.command.Item
---@param place integer
---@return integer
function items.typed_place(item, place)
  local typed = sub(item.argument, item.value_at)
  for at in typed:gmatch("()\\[:=@;]") do
    if at >= place then break end
    place = place + 1
  end
  return place
end

---The path and the type of "path;type=text/plain", and where in the argument ";type=" begins.
---@param item lurcher.command.Item
---@return string path
---@return string? content_type
---@return integer? at
function items.split_type(item)
  local typed, at = sub(item.argument, item.value_at), 1
  while true do
    at = typed:find("[\\;]", at)
    if not at then return item.value end
    if sub(typed, at, at + 5) == ";type=" then
      return unescape(sub(typed, 1, at - 1)), unescape(sub(typed, at + 6)), item.value_at + at - 1
    end
    at = at + (byte(typed, at) == BACKSLASH and 2 or 1)
  end
end

---Takes one item apart; raises wrong usage when it has no separator.
---@param argument string
---@return lurcher.command.Item
function items.parse(argument)
  local at, separator = find_separator(argument)
  if not at then
    caret.refuse("an item is name=value, name:=json, name==query, Name:header or name@path", argument)
  end
  local value_at = at + #separator
  local raw_name = sub(argument, 1, at - 1)
  local item = { separator = separator, name = unescape(raw_name), raw_name = raw_name, argument = argument,
    value = unescape(sub(argument, value_at)), value_at = value_at }
  if separator == ";" and item.value ~= "" then
    caret.refuse("an empty header is 'Name;', with nothing behind it", argument, value_at, #argument)
  end
  return item
end

return items
