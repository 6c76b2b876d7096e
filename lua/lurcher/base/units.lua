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

---How many columns a text takes on a terminal; East Asian wide characters count as one.
---@param text string UTF-8
---@return integer
function units.width(text)
  return select(2, text:gsub("[^\128-\191]", ""))
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
  for character in text:gmatch("[^\128-\191][\128-\191]*") do characters[#characters + 1] = character end
  local tail = math.floor((columns - 1) / 3)
  local head = columns - 1 - tail
  return table.concat(characters, "", 1, head) .. "…" .. table.concat(characters, "", #characters - tail + 1)
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
