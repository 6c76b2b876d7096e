--- Words for any POSIX shell: literal text stands in single quotes, in which nothing has a meaning; a variable in
--- double quotes beside it.

local text_tools = require "lurcher.base.text"

local shell_text = {}

-- Bytes of a word, well below what Linux takes as one argument (128 KiB).
local MAX_WORD = 100000

---@param text string
---@return string
function shell_text.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

---The word for pieces, see secret_names.
---@param pieces table[]
---@param names lurcher.SecretNames
---@return string
function shell_text.word(pieces, names)
  local out, literal = {}, ""
  for _, piece in ipairs(pieces) do
    local variable = names:of(piece)
    if not variable then
      literal = literal .. (type(piece) == "string" and piece or piece.text)
    else
      if literal ~= "" then out[#out + 1] = shell_text.quote(literal) end
      out[#out + 1], literal = '"$' .. variable .. '"', ""
    end
  end
  if literal ~= "" or not out[1] then out[#out + 1] = shell_text.quote(literal) end
  return table.concat(out)
end

---Whether a text can be a word that people read and a terminal shows as it is.
---@param text string
---@return boolean
function shell_text.is_readable(text)
  return #text <= MAX_WORD and not text:find("[%z\1-\8\11-\31\127]") and text_tools.utf8(text) == text
end

local function octal(byte)
  return ("\\%03o"):format(byte:byte())
end

-- A text in printf's format.
local function in_format(text)
  text = text:gsub("[%z\1-\8\11-\31\127\\]", octal):gsub("%%", "%%%%")
  text = text_tools.utf8(text) == text and text or text:gsub("[\128-\255]", octal)
  return (text:gsub("^%-", octal))
end

---The command that writes pieces to its standard output, whatever bytes they hold.
---@param pieces table[]
---@param names lurcher.SecretNames
---@return string
function shell_text.printf(pieces, names)
  local format, arguments = {}, {}
  for _, piece in ipairs(pieces) do
    local variable = names:of(piece)
    if not variable then
      format[#format + 1] = in_format(type(piece) == "string" and piece or piece.text)
    else
      format[#format + 1] = "%s"
      arguments[#arguments + 1] = (' "$%s"'):format(variable)
    end
  end
  return "printf " .. shell_text.quote(table.concat(format)) .. table.concat(arguments)
end

return shell_text
