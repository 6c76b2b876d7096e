--- Bodies as a cassette has them: JSON as JSON, texts as lists of lines, anything else as base64.

local crypto = require "lurcher.crypto"
local json = require "lurcher.json"
local layout = require "lurcher.cassette.layout"
local utf8 = require "lurcher.base.utf8"

local body = {}

local BASE64_LINE = 76
local INDENT = "          " -- of what stands in a body

local function is_text(bytes)
  return not bytes:find "[%z\1-\8\11\12\14-\31\127]" and utf8.is_valid(bytes)
end

-- How JSON that comes back as it was is written there; nil: it would not.
local function as_json(bytes)
  if not bytes:find "^[{%[]" or not json.decode(bytes) then return nil end
  local spaced = layout.join(bytes, true) == bytes
  if not spaced and layout.join(bytes) ~= bytes then return nil end
  local spread = layout.spread(bytes, INDENT)
  if not spread then return nil end
  local plain = layout.join(bytes) == bytes
  return plain and '"json": ' .. spread or '"spaced": true,\n' .. INDENT .. '"json": ' .. spread
end

local function list(name, parts)
  local lines = {}
  for i, part in ipairs(parts) do lines[i] = INDENT .. "  " .. json.encode(part) end
  return ('"%s": [\n%s\n%s]'):format(name, table.concat(lines, ",\n"), INDENT)
end

local function as_lines(bytes)
  local parts = {}
  for line in bytes:gmatch "[^\n]*\n?" do
    if line ~= "" then parts[#parts + 1] = line end
  end
  return list("text", parts)
end

local function as_base64(bytes)
  local coded, parts = crypto.base64(bytes), {}
  for at = 1, #coded, BASE64_LINE do parts[#parts + 1] = coded:sub(at, at + BASE64_LINE - 1) end
  return list("base64", parts)
end

---The members of an object that stand for a body.
---@param bytes string
---@return string
function body.format(bytes)
  if not is_text(bytes) then return as_base64(bytes) end
  return as_json(bytes) or as_lines(bytes)
end

local function joined(parts)
  if type(parts) == "string" then return parts end
  if type(parts) ~= "table" then return nil end
  for _, part in ipairs(parts) do
    if type(part) ~= "string" then return nil end
  end
  return table.concat(parts)
end

---The bytes of a body; nil when it is none.
---@param given any decoded, but for `json`, which is its text
---@return string?
function body.parse(given)
  if given == nil then return "" end
  if type(given) == "string" then return given end
  if type(given) ~= "table" then return nil end
  if type(given.json) == "string" then return layout.join(given.json, given.spaced == true) end
  if given.text then return joined(given.text) end
  local coded = joined(given.base64)
  return coded and crypto.base64_decode(coded) or nil
end

return body
