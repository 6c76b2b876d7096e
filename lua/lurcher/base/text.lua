--- Small helpers for text from the network, where no pattern may take quadratic time, and for showing it.

local text = {}

---Without the blanks and tabs at both ends.
---@param value string
---@return string
function text.trim(value)
  local first = value:find("[^ \t]")
  return first and value:match("^.*[^ \t]", first) or ""
end

-- ---- for eyes and terminals ----

local ESCAPES = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape_byte(c)
  return ("\\x%02x"):format(c:byte())
end

-- Well-formed UTF-8 sequences of more than one byte, anchored.
local SEQUENCES = {
  "^[\194-\223][\128-\191]",
  "^\224[\160-\191][\128-\191]",
  "^[\225-\236\238\239][\128-\191][\128-\191]",
  "^\237[\128-\159][\128-\191]",
  "^\240[\144-\191][\128-\191][\128-\191]",
  "^[\241-\243][\128-\191][\128-\191][\128-\191]",
  "^\244[\128-\143][\128-\191][\128-\191]",
}

-- What would steer a terminal, end the line, or change the order in which the rest is shown, for somebody who
-- reads it as Unicode: C1, U+061C, U+200E and U+200F, U+2028 to U+202E, U+2066 to U+2069.
local function is_control(sequence)
  return sequence:find("^\194[\128-\159]") or sequence == "\216\156"
    or sequence:find("^\226\128[\142\143\168-\174]") or sequence:find("^\226\129[\166-\169]")
end

---Whether these bytes are one character of more than one byte.
---@param sequence string
---@return boolean
function text.is_whole(sequence)
  for i = 1, #SEQUENCES do
    if sequence:match(SEQUENCES[i]) == sequence then return true end
  end
  return false
end

---Makes a function that corrects a run of bytes above 127: what is no UTF-8, or would steer a terminal, is
---replaced byte by byte.
---@param escape_invalid fun(byte: string): string
---@return fun(run: string): string
function text.fixer(escape_invalid)
  return function(run)
    local out, position = {}, 1
    while position <= #run do
      local sequence
      for i = 1, #SEQUENCES do
        sequence = run:match(SEQUENCES[i], position)
        if sequence then break end
      end
      if not sequence then
        sequence = run:sub(position, position)
        out[#out + 1] = escape_invalid(sequence)
      elseif is_control(sequence) then
        out[#out + 1] = sequence:gsub(".", escape_invalid)
      else
        out[#out + 1] = sequence
      end
      position = position + #sequence
    end
    return table.concat(out)
  end
end

local fix = text.fixer(escape_byte)

---The text as UTF-8: bytes that are none are shown as \xNN.
---@param value string
---@return string
function text.utf8(value)
  return (value:gsub("[\128-\255]+", fix))
end

---The text on one line, without what would steer a terminal.
---@param value string
---@return string
function text.printable(value)
  if not value:find("[%c\128-\255]") then return value end
  return text.utf8((value:gsub("%c", function(c) return ESCAPES[c] or escape_byte(c) end)))
end

---The same, with blanks in the place of line ends and tabs: for sentences.
---@param value string
---@return string
function text.line(value)
  if not value:find("[%c\128-\255]") then return value end
  return text.printable((value:gsub("[\t\r\n]+", " ")))
end

local CUT = "…"
text.CUT = CUT

---The text, or as much of it as `most` bytes hold together with a "…", in whole characters.
---@param value string
---@param most integer
---@return string
function text.cut(value, most)
  if #value <= most then return value end
  local start = value:sub(1, most - #CUT)
  local last = start:match("()[\192-\255][\128-\191]*$")
  if last and not text.is_whole(start:sub(last)) then start = start:sub(1, last - 1) end
  return start .. CUT
end

return text
