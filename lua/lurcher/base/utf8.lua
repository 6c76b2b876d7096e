--- UTF-8 as the WHATWG Encoding standard reads it: what is none becomes U+FFFD.

local native = require "lurcher.native.charset"

local byte, find, sub = string.byte, string.find, string.sub

local utf8 = {}

local SHORT = 64 -- bytes that a pattern looks through sooner than a decoder is made
local REPLACEMENT = "\239\191\189"

-- By the first byte of a character: how many follow, and what the first of them may be. Others are no first byte.
local FOLLOWING, LOW, HIGH = {}, {}, {}
for first = 0xC2, 0xF4 do
  FOLLOWING[first] = first < 0xE0 and 1 or first < 0xF0 and 2 or 3
  LOW[first] = first == 0xE0 and 0xA0 or first == 0xF0 and 0x90 or 0x80
  HIGH[first] = first == 0xED and 0x9F or first == 0xF4 and 0x8F or 0xBF
end

-- Where a sequence ends that begins at `at`, and whether it is a whole character.
local function sequence(text, at)
  local first = byte(text, at)
  local following = FOLLOWING[first]
  if not following then return at, first < 0x80 end
  local low, high = LOW[first], HIGH[first]
  for i = at + 1, at + following do
    local next_byte = byte(text, i)
    if not next_byte or next_byte < low or next_byte > high then return i - 1, false end
    low, high = 0x80, 0xBF
  end
  return at + following, true
end

local function replaced(text)
  local out, n, from, at = {}, 0, 1, find(text, "[\128-\255]")
  while at do
    local last, whole = sequence(text, at)
    if not whole then
      out[n + 1], out[n + 2], n, from = sub(text, from, at - 1), REPLACEMENT, n + 2, last + 1
    end
    at = find(text, "[\128-\255]", last + 1)
  end
  out[n + 1] = sub(text, from)
  return table.concat(out)
end

---@param text string
---@return boolean
function utf8.is_valid(text)
  if #text < SHORT and not find(text, "[\128-\255]") then return true end
  return native.decoder("utf-8", 0):step(text, 0, #text + 1) == "done"
end

---The text, with U+FFFD for each part of it that is no UTF-8.
---@param text string
---@return string
function utf8.valid(text)
  return utf8.is_valid(text) and text or replaced(text)
end

return utf8
