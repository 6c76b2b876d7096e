--- Text of a peer for a terminal: what would steer it, and what is no UTF-8, is shown as \xNN.

local text = require "lurcher.base.text"
local utf8 = require "lurcher.base.utf8"

local byte, find, gsub, sub = string.byte, string.find, string.gsub, string.sub

local safe = {}

local function escape_byte(c) return ("\\x%02x"):format(byte(c)) end

-- Bytes of UTF-8 that would steer a terminal, as lurcher.base.text has them.
local function steers(run)
  return find(run, "\127", 1, true) or find(run, "\194[\128-\159]") or find(run, "\216\156", 1, true)
    or find(run, "\226\128[\142\143\168-\174]") or find(run, "\226\129[\166-\169]")
end

-- How many bytes at the end are the start of a character that is not whole.
local function unfinished(run)
  for back = 1, math.min(3, #run) do
    local c = byte(run, -back)
    if c >= 0xc0 then
      local needed = c >= 0xf0 and 4 or c >= 0xe0 and 3 or 2
      return back < needed and back or 0
    elseif c < 0x80 then
      return 0
    end
  end
  return 0
end

---A run without control characters below 32.
---@param run string
---@param is_last boolean no more comes: the start of a character at the end is none
---@return string shown
---@return integer held bytes at the end that wait for the rest of their character
function safe.characters(run, is_last)
  local held = is_last and 0 or unfinished(run)
  if held > 0 then run = sub(run, 1, -held - 1) end
  if utf8.is_valid(run) and not steers(run) then return run, held end
  return text.utf8((gsub(run, "\127", escape_byte))), held
end

-- Line ends and tabs stay, of CR LF the LF.
local CONTROLS = "[%z\1-\8\11-\31]"

---Text as it may come: lines and tabs stay.
---@param piece string
---@param is_last boolean
---@return string shown
---@return integer held
function safe.text(piece, is_last)
  local held = 0
  if find(piece, CONTROLS) then
    if not is_last and byte(piece, -1) == 13 then
      held, piece = 1, sub(piece, 1, -2)
    end
    piece = gsub(gsub(piece, "\r\n", "\n"), CONTROLS, escape_byte)
  end
  if held > 0 or not find(piece, "[\127-\255]") then return piece, held end
  return safe.characters(piece, is_last)
end

return safe
