--- Texts that are JSON, taken apart without decoding them: numbers and the order of keys stay as they are. Blanks
--- between tokens have been taken out.

local byte, find, sub = string.byte, string.find, string.sub

local json_text = {}

local QUOTE, COLON = byte '"', byte ":"
local OPENS = { [byte "{"] = true, [byte "["] = true }

-- Where the string ends that begins at `at`.
local function string_end(text, at)
  at = at + 1
  while true do
    at = find(text, '["\\]', at)
    if byte(text, at) == QUOTE then return at end
    at = at + 2
  end
end

---Without the blanks between tokens.
---@param text string JSON
---@return string
function json_text.compact(text)
  if not find(text, "[ \t\r\n]") then return text end
  local pieces, at = {}, 1
  while true do
    local quote = find(text, '"', at, true)
    pieces[#pieces + 1] = sub(text, at, (quote or 0) - 1):gsub("[ \t\r\n]+", "")
    if not quote then return table.concat(pieces) end
    local stop = string_end(text, quote)
    pieces[#pieces + 1], at = sub(text, quote, stop), stop + 1
  end
end

-- Where a value ends that begins at `at`.
local function value_end(text, at)
  local depth = 0
  while true do
    local found = byte(text, at)
    if found == QUOTE then
      at = string_end(text, at)
    elseif OPENS[found] then
      depth = depth + 1
    elseif find(text, "^[%]}]", at) then
      depth = depth - 1
    elseif depth == 0 then
      return (find(text, "[,%]}]", at) or #text + 1) - 1
    end
    if depth == 0 then return at end
    at = find(text, '["%[%]{}]', at + 1)
  end
end

---The values of a list or of an object: gives each, and the JSON text of its key.
---@param text string JSON without blanks between tokens
---@return fun(): string?, string?
function json_text.members(text)
  local is_object, at = sub(text, 1, 1) == "{", 2
  return function()
    if byte(text, at - 1) ~= 0x2C and at > 2 or find(text, "^[%]}]", at) then return nil end
    local key
    if is_object then
      local stop = string_end(text, at)
      key, at = sub(text, at, stop), stop + 1
      assert(byte(text, at) == COLON)
      at = at + 1
    end
    local last = value_end(text, at)
    local value = sub(text, at, last)
    at = last + 2
    return value, key
  end
end

local KINDS = { ['"'] = "string", ["{"] = "object", ["["] = "array", t = "boolean", f = "boolean", n = "null" }

---@param text string JSON
---@return "string"|"object"|"array"|"boolean"|"null"|"number"
function json_text.kind(text)
  return KINDS[sub(text, 1, 1)] or "number"
end

return json_text
