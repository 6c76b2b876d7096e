--- The file of a cassette: where its entries are, read one by one, so that a large one takes no more memory than a
--- small one; and written as a whole, or not at all.

local errors = require "lurcher.base.errors"
local format = require "lurcher.cassette.format"
local json = require "lurcher.json"
local fs = require "lurcher.fs"
local native = require "lurcher.native.fs"
local semaphore = require("lurcher.task").semaphore

local file = {}

local VERSION = 1
local HEAD = '{\n  "lurcher_cassette": ' .. VERSION .. ',\n  "entries": ['
local TAIL = "\n  ]\n}\n"
local MAX_HEAD = 64 * 1024
local PIECE = 64 * 1024
local WINDOW = 256 * 1024 -- bytes kept of what was read last

local function problem(path, message)
  return errors.new { kind = "file", path = path, retryable = false,
    message = ("the cassette '%s' %s"):format(path, message) }
end

file.problem = problem

-- What is wrong with what stands before the entries; nil: nothing.
local function check_head(path, text)
  local head = json.decode(text .. "]}")
  local version = type(head) == "table" and head.lurcher_cassette
  if type(version) ~= "number" then
    local is_har = type(head) == "table" and type(head.log) == "table" or text:find '"log"%s*:'
    return problem(path, is_har and "is an HAR archive: read it with cassette.from_har"
      or "is none: it does not begin with { \"lurcher_cassette\": " .. VERSION)
  end
  if version > VERSION then
    return problem(path, ("is of version %s, and this Lurcher reads version %d: use a newer one, or record it anew")
      :format(tostring(version), VERSION))
  end
end

---@class lurcher.cassette.Scanner
local Scanner = {}
Scanner.__index = Scanner

local function new_scanner(path, visit)
  return setmetatable({ path = path, visit = visit, depth = 0, at = 0, line = 1, head = "", in_string = false,
    skip = false, parts = false, started = 0, done = false }, Scanner)
end

-- An entry ends.
function Scanner:finish_entry(piece, from, stop)
  self.parts[#self.parts + 1] = piece:sub(from, stop)
  local text = table.concat(self.parts)
  self.parts = false
  return self.visit(text, self.started, self.start_line)
end

-- A bracket outside of strings. Gives an error.
function Scanner:bracket(piece, c, found)
  if c == "{" or c == "[" then
    self.depth = self.depth + 1
    if c == "[" and self.depth == 2 and self.head then
      local err = check_head(self.path, self.head .. piece:sub(self.from, found))
      self.head = nil
      return err
    end
    if c == "{" and self.depth == 3 and not self.head and not self.done then
      self.parts, self.from, self.started = {}, found, self.at + found - 1
    end
    return nil
  end
  self.depth = self.depth - 1
  if self.depth < 0 then
    return problem(self.path, ("is damaged at byte %d: a bracket is one too many"):format(self.at + found))
  end
  if self.depth == 1 and c == "]" and not self.head then self.done = true end
  if self.depth == 2 and self.parts then return self:finish_entry(piece, self.from, found) end
end

-- Takes the next bytes of the file.
function Scanner:feed(piece)
  local at = 1
  self.from = 1
  while true do
    if self.skip then at, self.skip = at + 1, false end
    local found = piece:find(self.in_string and '["\\]' or '["%[%]{}]', at)
    if not found then break end
    local c = piece:sub(found, found)
    at = found + 1
    if c == "\\" then
      self.skip = true
      if at > #piece then break end
    elseif c == '"' then
      self.in_string = not self.in_string
    else
      local err = self:bracket(piece, c, found)
      if err then return err end
    end
  end
  if self.head then
    self.head = self.head .. piece
    if #self.head > MAX_HEAD then return problem(self.path, "is none: it does not begin as one") end
  elseif self.parts then
    self.parts[#self.parts + 1] = piece:sub(self.from)
  end
  self.at = self.at + #piece
end

function Scanner:finish()
  if self.head then return check_head(self.path, self.head:gsub("%s*}%s*$", "") .. ',"entries":[') end
  if self.depth ~= 0 or self.in_string then
    return problem(self.path, ("is damaged: it ends after %d bytes in the middle of %s"):format(self.at,
      self.parts and "an entry" or "the list of its entries"))
  end
end

---Reads a cassette from its start to its end.
---@param path string
---@param visit fun(text: string, offset: integer): lurcher.Error? each entry, and where it stands in the file
---@return true? ok
---@return lurcher.Error? err kind "file"
function file.scan(path, visit)
  local reader, err = fs.open(path)
  if not reader then return nil, err end
  local scanner = new_scanner(path, visit)
  local piece
  repeat
    piece, err = reader:read(PIECE)
    if piece then err = scanner:feed(piece) end
  until err or not piece
  reader:close()
  err = err or scanner:finish()
  if err then return nil, err end
  return true
end

-- ---- entries in any order ----

---@class lurcher.cassette.Places
local Places = {}
Places.__index = Places

---A reader of what stands somewhere in the file.
---@param path string
---@return lurcher.cassette.Places? places
---@return lurcher.Error? err
function file.open(path)
  local self = setmetatable({ path = path, reader = false, turn = semaphore(1), window = "", start = 0 }, Places)
  local ok, err = self:open()
  if not ok then return nil, err end
  return self
end

---@return true? ok
---@return lurcher.Error? err
function Places:open()
  local reader, err = fs.open(self.path)
  if not reader then return nil, err end
  self.reader = reader
  return true
end

-- Ahead where the last ones were read one after the other.
local function read_window(self, offset, length)
  if not self.reader then
    local ok, err = self:open()
    if not ok then return err end
    if self.on_open then self:on_open() end
  end
  local reader, parts, size = self.reader, {}, 0
  local is_ahead = offset >= self.start and offset <= self.start + #self.window + WINDOW
  local wanted = is_ahead and math.max(length, WINDOW) or length
  if not reader.native:seek(offset, math.min(wanted, WINDOW)) then
    return problem(self.path, "cannot be read in places: it is no plain file")
  end
  repeat
    local piece, err = reader:read(wanted)
    if err then return err end
    if piece then parts[#parts + 1], size = piece, size + #piece end
  until not piece or size >= wanted
  self.window, self.start = table.concat(parts), offset
end

---@param offset integer
---@param length integer
---@return string? bytes
---@return lurcher.Error? err
function Places:read(offset, length)
  local function held()
    return offset >= self.start and offset + length <= self.start + #self.window
  end
  if not held() then
    local err
    self.turn:with(function()
      if not held() then err = read_window(self, offset, length) end
    end)
    if err then return nil, err end
    if not held() then return nil, problem(self.path, "is shorter than it was when it was opened") end
  end
  return self.window:sub(offset - self.start + 1, offset - self.start + length)
end

---What is read after it opens the file again.
function Places:close()
  if self.reader then self.reader:close() end
  self.reader = false
end

---The entry that stands there.
---@param offset integer
---@param length integer
---@param only? "request"|"answer"
---@return table? entry
---@return lurcher.Error? err
function Places:entry(offset, length, only)
  local text, err = self:read(offset, length)
  if not text then return nil, err end
  local entry, what = format.parse(text, only)
  if entry then return entry end
  return nil, problem(self.path, ("is damaged: of the entry at byte %d %s"):format(offset + 1, what))
end

---Writes a cassette for its owner only; whatever happens, the file is the old one or the new one.
---@param path string
---@param texts string[]
---@return true? ok
---@return lurcher.Error? err
function file.write(path, texts)
  local list = texts[1] and "\n" .. table.concat(texts, ",\n") or ""
  return native.write(path, HEAD .. list .. TAIL, true)
end

return file
