--- Bodies in other character sets, piece by piece, to UTF-8. What is not valid stays as it is: the terminal is shown
--- it as \xNN.

local native = require "lurcher.native.charset"

local decoding = {}

local MAX_TYPE = 1024 -- bytes of a Content-Type that are looked at
local LONGEST = 8 -- bytes of a character
local MARKS = { { "\254\255", "utf-16be" }, { "\255\254", "utf-16le" } }

-- The pieces themselves: UTF-8, or a character set that is not known.
local function same(piece) return piece end

local function is_utf8(label) return label:find("^utf%-?8$") ~= nil or label == "us-ascii" or label == "ascii" end

local function label_of(first, content_type)
  for i = 1, #MARKS do
    if first:sub(1, 2) == MARKS[i][1] then return MARKS[i][2], 2 end
  end
  local declared = (content_type or ""):sub(1, MAX_TYPE):lower():match(";%s*charset%s*=%s*[\"']?([^%s\"';]+)")
  return declared or "utf-8", 0
end

---@param first string the first piece
---@param content_type? string
---@return fun(piece: string, is_last: boolean): string
---@return boolean is_wide its characters may hold NUL bytes
function decoding.decoder(first, content_type)
  local label, skip = label_of(first, content_type)
  if is_utf8(label) or not native.decoder(label, 0) then return same, false end
  local held = ""
  local function decode(piece, is_last)
    piece = held .. piece:sub(skip + 1)
    held, skip = "", 0
    local state, result = native.decoder(label, 0):step(piece, 0, #piece + 1)
    if state == "done" then return result end
    local rest = piece:sub(result)
    if not is_last and #rest < LONGEST then
      held = rest
    elseif #rest == #piece then
      return piece
    end
    local start = piece:sub(1, result - 1)
    local _, text = native.decoder(label, 0):step(start, 0, #start + 1)
    return held ~= "" and text or text .. rest
  end
  return decode, label:find("^utf%-16") ~= nil or label:find("^utf%-32") ~= nil
end

return decoding
