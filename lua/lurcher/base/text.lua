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

-- What would end the line, or steer a terminal, for somebody who reads it as Unicode.
local function is_control(sequence)
  return sequence:find("^\194[\128-\159]") or sequence == "\226\128\168" or sequence == "\226\128\169"
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

return text
