--- Fields of CSV out of pieces of text, each byte looked at once.

local errors = require "lurcher.base.errors"

local byte, find, sub = string.byte, string.find, string.sub

local parser = {}

local MAX_ROW = 16 * 1024 * 1024 -- bytes
local QUOTE, LF, CR = byte('"\n\r', 1, 3)
local BOM = "\239\187\191"

---@class lurcher.CsvParser
local Parser = {}
Parser.__index = Parser

---@param source fun(): string? pieces of the text
---@param separator string one byte
---@return lurcher.CsvParser
function parser.new(source, separator)
  -- text, at: the piece and where in it what was not read yet begins; line: the number of its line
  return setmetatable({
    source = source, text = "", at = 1, line = 1, size = 0, separator = byte(separator),
    too_large = false,
    stop = "[\n" .. separator:gsub("%W", "%%%0") .. "]", begun = false,
  }, Parser)
end

-- The next piece; false at the end. What the source raises or returns as its failure is raised.
local function fill(self)
  local piece, err
  repeat
    piece, err = self.source()
  until piece ~= ""
  if piece == nil and err ~= nil then error(err, 0) end
  if piece == nil then return false end
  if type(piece) ~= "string" then
    errors.raise(("csv.rows: the iterator gave a %s, not a string"):format(type(piece)))
  end
  self.size = self.size + #piece
  self.text, self.at = piece, 1
  return true
end

-- The next byte, which is not taken; nil at the end.
local function peek(self)
  if self.at > #self.text and not fill(self) then return nil end
  return byte(self.text, self.at)
end

-- A mark at the beginning of all, even in pieces.
local function skip_mark(self)
  self.begun = true
  local start = ""
  while #start < #BOM and peek(self) do
    start = start .. sub(self.text, self.at)
    self.at = #self.text + 1
  end
  self.text, self.at = start, sub(start, 1, #BOM) == BOM and #BOM + 1 or 1
end

-- What is left of this piece and, of those that follow, what comes before the byte that `pattern` finds, or the end of
-- all. Nil: the row is too large.
local function take_pieces(self, pattern)
  local parts = { sub(self.text, self.at) }
  self.at = #self.text + 1
  while peek(self) do
    local found = find(self.text, pattern)
    parts[#parts + 1] = sub(self.text, 1, found and found - 1)
    self.at = found or #self.text + 1
    if found then break end
    if self.size - self.row_began > MAX_ROW then
      self.too_large = true
      return nil
    end
  end
  return table.concat(parts)
end

-- The text before the byte that `pattern` finds; that byte stays.
local function take_until(self, pattern)
  local found = find(self.text, pattern, self.at)
  if not found then return take_pieces(self, pattern) end
  local text = sub(self.text, self.at, found - 1)
  self.at = found
  return text
end

local function count_lines(text)
  local count, at = 0, find(text, "\n", 1, true)
  while at do
    count, at = count + 1, find(text, "\n", at + 1, true)
  end
  return count
end

local TOO_LARGE = "begins a row of more than 16 MiB"

-- The field behind an opening quote, or nil and what is wrong.
local function quoted_field(self)
  local whole
  while true do
    local text = take_until(self, '"')
    if not text then return nil, TOO_LARGE end
    if not peek(self) then return nil, "begins a quoted field that does not end" end
    self.at = self.at + 1
    if peek(self) ~= QUOTE then
      if not whole then return text end
      whole[#whole + 1] = text
      return table.concat(whole, '"')
    end
    whole = whole or {}
    whole[#whole + 1] = text
    self.at = self.at + 1
  end
end

-- Takes a line end, or is at the end of all; false when something else is there.
local function take_line_end(self)
  if peek(self) == CR then self.at = self.at + 1 end
  local c = peek(self)
  if c == LF then self.at, self.line = self.at + 1, self.line + 1 end
  return c == LF or c == nil
end

-- A field without quotes; the CR of its line's end is not part of it.
local function plain_field(self)
  local text = take_until(self, self.stop)
  if not text then return nil, TOO_LARGE end
  if peek(self) ~= self.separator and byte(text, -1) == CR then text = sub(text, 1, -2) end
  return text
end

-- One field, whether another one follows, or nil and what is wrong.
local function field(self)
  local is_quoted = peek(self) == QUOTE
  if is_quoted then self.at = self.at + 1 end
  local text, problem = (is_quoted and quoted_field or plain_field)(self)
  if not text then return nil, false, problem end
  if is_quoted then self.line = self.line + count_lines(text) end
  if peek(self) == self.separator then
    self.at = self.at + 1
    return text, true
  end
  if not take_line_end(self) then return nil, false, "has something behind a quoted field" end
  return text, false
end

---The next row that is not blank, and its line's number (that of its first line); nothing at the end. With a third
---result, what is wrong with that line.
---@return string[]? fields
---@return integer? line
---@return string? problem
function Parser:row()
  if not self.begun then skip_mark(self) end
  while peek(self) do
    local fields, line, blank = {}, self.line, peek(self) ~= QUOTE
    self.row_began = self.size
    repeat
      local text, more, problem = field(self)
      if not text then return nil, line, problem end
      fields[#fields + 1] = text
    until not more
    if not (blank and fields[2] == nil and fields[1] == "") then return fields, line end
  end
  return nil
end

return parser
