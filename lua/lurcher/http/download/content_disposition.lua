--- The file name in a Content-Disposition header (RFC 6266, RFC 8187). Lenient as browsers are; each byte is
--- looked at a bounded number of times.

local utf8 = require "lurcher.base.utf8"

local content_disposition = {}

local MAX_LENGTH = 16 * 1024 -- bytes of a header that are looked at

local CHARSETS = { ["utf-8"] = "utf-8", utf8 = "utf-8", ["iso-8859-1"] = "latin1" }

local function trimmed(text)
  return text:match("^.*[^ \t]") or ""
end

-- Latin-1, byte by byte, as UTF-8: what is no UTF-8 is taken for it.
local function from_latin1(text)
  return (text:gsub("[\128-\255]", function(char)
    local byte = char:byte()
    return string.char(0xC0 + math.floor(byte / 64), 0x80 + byte % 64)
  end))
end

local function as_utf8(text)
  return utf8.is_valid(text) and text or from_latin1(text)
end

-- The value of an extended parameter: charset'language'percent-encoded; nil when it cannot be decoded.
local function extended(text)
  local name, encoded = text:match("^([^']*)'[^']*'(.*)$")
  local known = name and CHARSETS[name:lower()]
  if not known or encoded:gsub("%%%x%x", ""):find("%", 1, true) then return nil end
  local bytes = encoded:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end)
  if known == "latin1" then return from_latin1(bytes) end
  return utf8.is_valid(bytes) and bytes or nil
end

-- A quoted string from `at` on, which is behind its opening quote: the text (false: it has no end), and where
-- the rest begins.
local function quoted(text, at)
  local pieces = {}
  while true do
    local plain, mark, stop = text:match('^([^"\\]*)(["\\]?)()', at)
    pieces[#pieces + 1] = plain
    at = stop
    if mark ~= "\\" then return mark ~= "" and table.concat(pieces), at end
    pieces[#pieces + 1] = text:sub(at, at)
    at = at + 1
  end
end

-- The value that begins at `at`, whether it was quoted, and where the next parameter begins.
local function value_at(text, at)
  at = text:match("^[ \t]*()", at)
  local value, is_quoted = nil, text:sub(at, at) == '"'
  if is_quoted then
    value, at = quoted(text, at + 1)
  end
  local rest, stop = text:match("^([^;]*);?()", at)
  if not is_quoted then value = trimmed(rest) end
  return value, is_quoted, stop
end

---The file name that a header gives, in UTF-8; it may be a path, or anything. Nil: none.
---@param header string
---@return string?
function content_disposition.file_name(header)
  local text = header:sub(1, MAX_LENGTH)
  local at = text:match("^[^;]*;?()")
  local found = {} -- the first of each name counts
  while at <= #text do
    local name, mark, stop = text:match("^[ \t]*([^=;]*)([=;]?)()", at)
    at = stop
    if mark == "=" then
      local value, is_quoted
      name = trimmed(name):lower()
      value, is_quoted, at = value_at(text, at)
      if found[name] == nil then
        if name == "filename*" then
          found[name] = not is_quoted and extended(value) or false
        else
          found[name] = value
        end
      end
    end
  end
  return found["filename*"] or found.filename and as_utf8(found.filename) or nil
end

return content_disposition
