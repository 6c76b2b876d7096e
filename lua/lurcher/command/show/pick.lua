--- What a path leads to in a JSON text, as the text has it: numbers, and the order of keys, stay.

local json = require "lurcher.json"
local json_text = require "lurcher.command.json_text"
local path = require "lurcher.pages.path"

local pick = {}

-- The last member of that name counts, as in decoded values.
local function of_key(text, wanted)
  local name, found = json.encode(wanted), nil
  for member, key in json_text.members(text) do
    if key == name or key:find("\\", 1, true) and json.decode(key) == wanted then found = member end
  end
  return found
end

local function of_place(text, place)
  local list = {}
  for member in json_text.members(text) do
    list[#list + 1] = member
    if #list == place then break end
  end
  return list[place < 0 and #list + 1 + place or place]
end

---The JSON text that a path leads to, "data.list.1"; nil: nowhere.
---@param text string JSON without blanks between tokens
---@param wanted string
---@return string?
function pick.text(text, wanted)
  for key in wanted:gmatch "[^.]+" do
    local kind = json_text.kind(text)
    if kind == "object" then
      text = of_key(text, key)
    elseif kind == "array" then
      text = of_place(text, tonumber(key) or 0)
    else
      return nil
    end
    if not text then return nil end
  end
  return text
end

---A JSON text that has been checked, without its byte order mark and the blanks between tokens.
---@param text string
---@return string
function pick.compact(text)
  return json_text.compact((text:gsub("^\239\187\191", "")))
end

---What a path leads to, as text and as a value. Nil and what is there instead, in words; raises what is wrong with the
---path.
---@param text string JSON
---@param value any the same, decoded
---@param wanted string
---@return string? picked
---@return any value
function pick.pick(text, value, wanted)
  local at = path.of_item(wanted)(value)
  local picked = at ~= nil and pick.text(pick.compact(text), wanted)
  if not picked then return nil, path.outline(value) end
  return picked, at
end

return pick
