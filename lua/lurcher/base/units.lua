--- Figures as people read them: durations, sizes, counts.

local units = {}

---"812 µs", "12.3 ms", "4.21 s", "3 min 20 s".
---@param seconds number
---@return string
function units.duration(seconds)
  if seconds == 0 then return "0" end
  if seconds < 0.0009995 then return ("%.0f µs"):format(seconds * 1e6) end
  if seconds < 0.09995 then return ("%.1f ms"):format(seconds * 1e3) end
  if seconds < 0.9995 then return ("%.0f ms"):format(seconds * 1e3) end
  if seconds < 99.95 then return ("%.2f s"):format(seconds) end
  if seconds < 7200 then return ("%d min %d s"):format(math.floor(seconds / 60), seconds % 60) end
  return ("%d h %d min"):format(math.floor(seconds / 3600), seconds % 3600 / 60)
end

local SIZES = { "KiB", "MiB", "GiB", "TiB" }

---"12 B", "3.4 KiB", "120 MiB".
---@param bytes number
---@return string
function units.size(bytes)
  if bytes < 1000 then return ("%d B"):format(bytes) end
  local value, unit = bytes, nil
  for i = 1, #SIZES do
    value, unit = value / 1024, SIZES[i]
    if value < 999.5 then break end
  end
  return (value < 9.95 and "%.1f %s" or "%.0f %s"):format(value, unit)
end

---"1,234,567"
---@param number number
---@return string
function units.count(number)
  local digits = ("%.0f"):format(number)
  local first = (#digits - 1) % 3 + 1
  return digits:sub(1, first) .. digits:sub(first + 1):gsub("%d%d%d", ",%0")
end

---"1 call", "2 calls"
---@param number number
---@param noun string
---@return string
function units.plural(number, noun)
  return ("%s %s%s"):format(units.count(number), noun, number == 1 and "" or "s")
end

---"98 %"; "-" of nothing. All but not quite all is no 100 %.
---@param part number
---@param whole number
---@return string
function units.share(part, whole)
  if whole == 0 then return "-" end
  local percent = math.floor(part / whole * 100 + 0.5)
  if percent == 100 and part < whole then percent = 99 end
  if percent == 0 and part > 0 then percent = 1 end
  return percent .. " %"
end

-- Code points that take two columns of a terminal (East Asian wide, emoji), and none (combining).
local WIDE = { { 0x1100, 0x115f }, { 0x231a, 0x231b }, { 0x23e9, 0x23ec }, { 0x2e80, 0x303e }, { 0x3041, 0x33ff },
  { 0x3400, 0x4dbf }, { 0x4e00, 0xa4cf }, { 0xa960, 0xa97f }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff },
  { 0xfe30, 0xfe6f }, { 0xff00, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1f1e6, 0x1f1ff }, { 0x1f300, 0x1f64f },
  { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1faff }, { 0x20000, 0x3fffd } }
local NARROW = { { 0x300, 0x36f }, { 0x200b, 0x200d }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f } }

local function is_in(code, ranges)
  for i = 1, #ranges do
    if code >= ranges[i][1] and code <= ranges[i][2] then return true end
  end
  return false
end

local function code_of(character)
  local code = character:byte()
  if code < 0x80 then return code end
  code = code % (code < 0xe0 and 0x20 or code < 0xf0 and 0x10 or 0x08)
  for i = 2, #character do code = code * 64 + character:byte(i) % 64 end
  return code
end

local function columns_of(character)
  local code = code_of(character)
  if code < 0x300 then return 1 end
  return is_in(code, NARROW) and 0 or is_in(code, WIDE) and 2 or 1
end

local CHARACTER = "[^\128-\191][\128-\191]*"

---How many columns a text takes on a terminal.
---@param text string UTF-8
---@return integer
function units.width(text)
  if not text:find("[\204-\255]") then return select(2, text:gsub("[^\128-\191]", "")) end
  local columns = 0
  for character in text:gmatch(CHARACTER) do columns = columns + columns_of(character) end
  return columns
end

---The text filled up with blanks to a number of columns, on the right or (`left`) on the left.
---@param text string UTF-8
---@param columns integer
---@param left? boolean
---@return string
function units.pad(text, columns, left)
  local blanks = (" "):rep(columns - units.width(text))
  return left and blanks .. text or text .. blanks
end

---The text, when it has more columns with its middle replaced by "…".
---@param text string UTF-8
---@param columns integer at least 1
---@return string
function units.shorten(text, columns)
  if units.width(text) <= columns then return text end
  local characters = {}
  for character in text:gmatch(CHARACTER) do characters[#characters + 1] = character end
  local tail = math.floor((columns - 1) / 3)
  local head, from, to = columns - 1 - tail, #characters + 1, 0
  while from > 1 and columns_of(characters[from - 1]) <= tail do
    from = from - 1
    tail = tail - columns_of(characters[from])
  end
  while to + 1 < from and columns_of(characters[to + 1]) <= head do
    to = to + 1
    head = head - columns_of(characters[to])
  end
  return table.concat(characters, "", 1, to) .. "…" .. table.concat(characters, "", from)
end

-- What may stand on one line each: parts that end with a comma, or else words.
local function pieces_of(text, columns)
  local pieces = {}
  for part in text:gsub(", ", ",\n"):gmatch("[^\n]+") do
    if units.width(part) <= columns then
      pieces[#pieces + 1] = part
    else
      for word in part:gmatch("%S+") do pieces[#pieces + 1] = word end
    end
  end
  return pieces
end

---The text as lines of at most that many columns, broken after commas if that will do; a longer word is
---shortened.
---@param text string UTF-8
---@param columns integer
---@return string[]
function units.wrap(text, columns)
  local lines, line = {}, false
  for _, piece in ipairs(pieces_of(text, columns)) do
    local longer = line and line .. " " .. piece or piece
    if line and units.width(longer) > columns then
      lines[#lines + 1], line = line, piece
    else
      line = longer
    end
  end
  lines[#lines + 1] = line or nil
  for i = 1, #lines do lines[i] = units.shorten(lines[i], columns) end
  return lines
end

return units
