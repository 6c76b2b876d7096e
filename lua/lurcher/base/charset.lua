--- Character sets: a body to UTF-8, by what its Content-Type and byte order mark say.

local bit = require "bit"
local native = require "lurcher.native.charset"

local band, bor, rshift, char = bit.band, bit.bor, bit.rshift, string.char

local charset = {}

-- The bytes 128 to 159 of windows-1252; what is missing stands for the control character of the same number.
local WINDOWS = {
  [128] = 0x20AC, [130] = 0x201A, [131] = 0x0192, [132] = 0x201E, [133] = 0x2026, [134] = 0x2020,
  [135] = 0x2021, [136] = 0x02C6, [137] = 0x2030, [138] = 0x0160, [139] = 0x2039, [140] = 0x0152,
  [142] = 0x017D, [145] = 0x2018, [146] = 0x2019, [147] = 0x201C, [148] = 0x201D, [149] = 0x2022,
  [150] = 0x2013, [151] = 0x2014, [152] = 0x02DC, [153] = 0x2122, [154] = 0x0161, [155] = 0x203A,
  [156] = 0x0153, [158] = 0x017E, [159] = 0x0178,
}

local function utf8_of(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(bor(0xC0, rshift(code, 6)), bor(0x80, band(code, 63))) end
  if code < 0x10000 then
    return char(bor(0xE0, rshift(code, 12)), bor(0x80, band(rshift(code, 6), 63)), bor(0x80, band(code, 63)))
  end
  return char(bor(0xF0, rshift(code, 18)), bor(0x80, band(rshift(code, 12), 63)),
    bor(0x80, band(rshift(code, 6), 63)), bor(0x80, band(code, 63)))
end

-- The position of the first byte that is not part of valid UTF-8, or nil.
local function utf8_fault(text)
  local at = text:find("[\128-\255]")
  while at do
    local a, b, c, d = text:byte(at, at + 3)
    local length
    local function follows(byte) return byte and byte >= 0x80 and byte < 0xC0 end
    if a >= 0xC2 and a < 0xE0 and follows(b) then
      length = 2
    elseif a >= 0xE0 and a < 0xF0 and follows(b) and follows(c)
      and (a ~= 0xE0 or b >= 0xA0) and (a ~= 0xED or b < 0xA0) then
      length = 3
    elseif a >= 0xF0 and a < 0xF5 and follows(b) and follows(c) and follows(d)
      and (a ~= 0xF0 or b >= 0x90) and (a ~= 0xF4 or b < 0x90) then
      length = 4
    else
      return at
    end
    at = text:find("[\128-\255]", at + length)
  end
  return nil
end

local function from_utf8(body)
  body = body:gsub("^\239\187\191", "")
  local fault = utf8_fault(body)
  if fault then return nil, ("not valid UTF-8 at byte %d"):format(fault) end
  return body
end

local function from_ascii(body)
  local fault = body:find("[\128-\255]")
  if fault then return nil, ("not US-ASCII at byte %d"):format(fault) end
  return body
end

-- As in browsers, iso-8859-1 is read as windows-1252, which it is a part of.
local function from_windows(body)
  return (body:gsub("[\128-\255]", function(c)
    local code = c:byte()
    return utf8_of(WINDOWS[code] or code)
  end))
end

local function from_utf16(body, big)
  if #body % 2 == 1 then return nil, "UTF-16 text with an odd number of bytes" end
  local out, high = {}, nil
  for i = 1, #body, 2 do
    local a, b = body:byte(i, i + 1)
    local unit = big and a * 256 + b or b * 256 + a
    if high then
      if unit < 0xDC00 or unit >= 0xE000 then return nil, ("no surrogate pair at byte %d"):format(i - 2) end
      out[#out + 1] = utf8_of(0x10000 + (high - 0xD800) * 0x400 + (unit - 0xDC00))
      high = nil
    elseif unit >= 0xD800 and unit < 0xDC00 then
      high = unit
    elseif unit >= 0xDC00 and unit < 0xE000 then
      return nil, ("half a surrogate pair at byte %d"):format(i)
    else
      out[#out + 1] = utf8_of(unit)
    end
  end
  if high then return nil, "half a surrogate pair at the end" end
  return table.concat(out)
end

local function from_utf16_marked(body)
  local mark = body:sub(1, 2)
  if mark == "\254\255" then return from_utf16(body:sub(3), true) end
  if mark == "\255\254" then return from_utf16(body:sub(3), false) end
  return from_utf16(body, false) -- as in browsers
end

local function without_mark(big, mark)
  return function(body)
    if body:sub(1, 2) == mark then body = body:sub(3) end
    return from_utf16(body, big)
  end
end

local DECODERS = {
  ["utf-8"] = from_utf8, utf8 = from_utf8,
  ["us-ascii"] = from_ascii, ascii = from_ascii,
  ["iso-8859-1"] = from_windows, ["iso8859-1"] = from_windows, ["iso_8859-1"] = from_windows,
  latin1 = from_windows, ["windows-1252"] = from_windows, cp1252 = from_windows,
  ["utf-16"] = from_utf16_marked, utf16 = from_utf16_marked,
  ["utf-16le"] = without_mark(false, "\255\254"), ["utf-16be"] = without_mark(true, "\254\255"),
}

-- Others that the web knows, in the C library's spelling where that differs. As in browsers, the older
-- East Asian names stand for what grew out of them.
local OTHERS = {
  ["koi8-r"] = true, ["koi8-u"] = true, macintosh = true, ["windows-874"] = "CP874", ["tis-620"] = "CP874",
  shift_jis = "CP932", ["shift-jis"] = "CP932", sjis = "CP932", ["x-sjis"] = "CP932",
  ["windows-31j"] = "CP932",
  ["euc-jp"] = true, ["iso-2022-jp"] = true, ["euc-kr"] = "CP949", ["ks_c_5601-1987"] = "CP949",
  gb2312 = "GB18030", gbk = "GB18030", gb18030 = true, big5 = "BIG5-HKSCS", ["big5-hkscs"] = true,
}
for i = 2, 16 do
  if i ~= 12 then OTHERS["iso-8859-" .. i] = i == 9 and "CP1254" or true end
end
for i = 1250, 1258 do OTHERS["windows-" .. i], OTHERS["cp" .. i] = "CP" .. i, "CP" .. i end

-- The text, or nil and the place of a bad byte, or nothing when the character set is not known.
local function from_table(body, name)
  local known = OTHERS[name]
  if not known then return nil end
  return native.to_utf8(body, known == true and name or known)
end

---The text in UTF-8, or nil and what is wrong. Without a declared character set the byte order mark counts,
---else UTF-8.
---@param body string
---@param content_type string?
---@return string? text
---@return string? message
function charset.decode(body, content_type)
  local name = content_type and content_type:lower():match(";%s*charset%s*=%s*\"?([^%s\";]+)")
  if not name then
    local mark = body:sub(1, 2)
    if mark == "\254\255" or mark == "\255\254" then return from_utf16_marked(body) end
    local text, message = from_utf8(body)
    return text, message and message .. ", and no character set is declared"
  end
  local decode = DECODERS[name]
  if decode then return decode(body) end
  local text, fault = from_table(body, name)
  if text then return text end
  if fault then return nil, ("not valid %s at byte %d"):format(name, fault) end
  return nil, ("character set '%s' is not supported"):format(name)
end

return charset
