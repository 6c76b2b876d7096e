--- What a path leads to in a JSON text, as the text has it: numbers, and the order of keys, stay.

local json = require "lurcher.json"
local path = require "lurcher.pages.path"

local byte, find, match, sub = string.byte, string.find, string.match, string.sub

local pick = {}

local QUOTE = byte '"'
local OBJECT_START, LIST_START = byte "{", byte "["

-- All that follows goes over texts that are JSON.

local function string_end(text, at)
  at = at + 1
  while true do
    at = find(text, '["\\]', at)
    if byte(text, at) == QUOTE then return at end
    at = at + 2
  end
end

-- Where the value that begins at `at` ends.
local function value_end(text, at)
  local first = byte(text, at)
  if first == QUOTE then return string_end(text, at) end
  if first ~= OBJECT_START and first ~= LIST_START then return match(text, "^[%w.+-]+()", at) - 1 end
  local depth = 0
  while true do
    at = find(text, '["%[%]{}]', at)
    local found = byte(text, at)
    if found == QUOTE then
      at = string_end(text, at)
    elseif found == OBJECT_START or found == LIST_START then
      depth = depth + 1
    else
      depth = depth - 1
      if depth == 0 then return at end
    end
    at = at + 1
  end
end

-- The values of a list, or of an object behind their keys: gives where each begins and ends, and its key.
local function members(text, at)
  local is_object = byte(text, at) == OBJECT_START
  at = at + 1
  return function()
    at = match(text, "^[ \t\r\n,]*()", at)
    local key
    if find(text, "^[%]}]", at) then return nil end
    if is_object then
      local stop = string_end(text, at)
      key, at = sub(text, at, stop), match(text, "^[ \t\r\n]*:[ \t\r\n]*()", stop + 1)
    end
    local first, last = at, value_end(text, at)
    at = last + 1
    return first, last, key
  end
end

-- The last member of that name counts, as in decoded values.
local function of_key(text, at, wanted)
  local from, to
  for first, last, key in members(text, at) do
    local is_wanted = key == wanted or find(key, "\\", 1, true) and json.decode(key) == json.decode(wanted)
    if is_wanted then from, to = first, last end
  end
  return from, to
end

local function of_place(text, at, place)
  local starts, ends = {}, {}
  for first, last in members(text, at) do
    starts[#starts + 1], ends[#ends + 1] = first, last
    if #starts == place then break end
  end
  if place < 0 then place = #starts + 1 + place end
  return starts[place], ends[place]
end

---Where in a JSON text a value is that keys lead to; nil: nowhere.
---@param text string JSON
---@param keys string[]
---@param from? integer where the value begins that they lead into
---@return integer? first
---@return integer? last
function pick.span(text, keys, from)
  local first = from or match(text, "^[ \t\r\n\239\187\191]*()")
  local last = value_end(text, first)
  for i = 1, #keys do
    local found, key = byte(text, first), keys[i]
    if found == OBJECT_START then
      first, last = of_key(text, first, json.encode(key))
    elseif found == LIST_START then
      first, last = of_place(text, first, tonumber(key) or 0)
    else
      return nil
    end
    if not first then return nil end
  end
  return first, last
end

---The elements of a list in a JSON text, each as it is there: gives where it begins and ends.
---@param text string
---@param from integer where the list begins
---@return fun(): integer?, integer?
function pick.elements(text, from) return members(text, from) end

---@param wanted string "data.list.1"
---@return string[]
function pick.keys(wanted)
  local keys = {}
  for key in wanted:gmatch "[^.]+" do keys[#keys + 1] = key end
  return keys
end

---What a path leads to: its text, and the decoded value. Nil and what is there instead, in words.
---@param text string
---@param value any the text decoded
---@param wanted string
---@return string? picked
---@return any value
function pick.pick(text, value, wanted)
  local at = path.of_item(wanted)(value) -- raises what is wrong with the path
  local first, last = pick.span(text, pick.keys(wanted))
  if at == nil or not first then return nil, path.outline(value) end
  return sub(text, first, last), at
end

return pick
