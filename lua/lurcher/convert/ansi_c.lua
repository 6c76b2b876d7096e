--- What stands in `$'…'`: the escapes of C, as bash reads them.

local refusal = require "lurcher.convert.refusal"

local ansi_c = {}

local NAMED = { a = "\a", b = "\b", e = "\27", E = "\27", f = "\f", n = "\n", r = "\r", t = "\t", v = "\v",
  ["\\"] = "\\", ["'"] = "'", ['"'] = '"', ["?"] = "?" }

-- A code point in UTF-8; half of a pair too, as bash does it.
local function encoded(code)
  local char, floor = string.char, math.floor
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
  elseif code > 0x10FFFF then
    return "\239\191\189"
  end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64,
    0x80 + code % 64)
end

-- Browsers write characters beyond U+FFFF as two units of UTF-16.
local function code_point(text, code, stop)
  if code < 0xD800 or code > 0xDBFF then return code, stop end
  local low = text:match("^\\u([dD][c-fC-F]%x%x)", stop + 1)
  if not low then return code, stop end
  return 0x10000 + (code - 0xD800) * 1024 + tonumber(low, 16) - 0xDC00, stop + 6
end

local function unicode(text, pattern, at)
  local _, stop, digits = text:find(pattern, at + 1)
  if not stop then return nil end
  local code
  code, stop = code_point(text, tonumber(digits, 16), stop)
  return encoded(code), stop + 1
end

local function hexadecimal(text, at)
  local _, stop, digits = text:find("^(%x%x?)", at + 1)
  if not stop then return nil end
  return string.char(tonumber(digits, 16)), stop + 1
end

local function octal(text, at)
  local _, stop, digits = text:find("^([0-7][0-7]?[0-7]?)", at)
  return string.char(tonumber(digits, 8) % 256), stop + 1
end

-- The escape whose letter is at `at`: its bytes, and the place behind it.
local function escape(text, at)
  local letter = text:sub(at, at)
  if NAMED[letter] then return NAMED[letter], at + 1 end
  local bytes, after
  if letter == "x" then
    bytes, after = hexadecimal(text, at)
  elseif letter == "u" then
    bytes, after = unicode(text, "^(%x%x?%x?%x?)", at)
  elseif letter == "U" then
    bytes, after = unicode(text, "^(%x%x?%x?%x?%x?%x?%x?%x?)", at)
  elseif letter:find("^[0-7]$") then
    bytes, after = octal(text, at)
  elseif letter == "c" and at < #text then
    bytes, after = string.char(text:byte(at + 1) % 32), at + 2
  end
  if bytes then return bytes, after end
  return "\\" .. letter, at + 1
end

---Reads up to the closing quote.
---@param text string
---@param at integer behind the opening quote
---@return string
---@return integer after
function ansi_c.read(text, at)
  local opened, pieces = at - 2, {}
  while true do
    local _, stop = text:find("^[^'\\]+", at)
    if stop then
      pieces[#pieces + 1] = text:sub(at, stop)
      at = stop + 1
    end
    local byte = text:sub(at, at)
    if byte == "'" then break end
    if byte == "" then refusal.raise("the $' is never closed", opened) end
    pieces[#pieces + 1], at = escape(text, at + 1)
  end
  local text_before_nul = table.concat(pieces):match("^%Z*") -- bash ends it there
  return text_before_nul, at + 1
end

return ansi_c
