--- Goes through a cassette's file from its start to its end: entry by entry, so that a large one takes no more memory
--- than its largest entry.

local json = require "lurcher.json"
local layout = require "lurcher.cassette.layout"
local problem = require "lurcher.cassette.problem"

local scanner = {}

scanner.VERSION = 1

local PIECE = 256 * 1024
local MAX_VALUE = 512 * 1024 * 1024

local PROBLEM = {} -- the field of what is raised where the file is none

local function refuse(err) error({ [PROBLEM] = err }, 0) end

---@class lurcher.cassette.Scanner
local Scanner = {}
Scanner.__index = Scanner

-- Reads on, at least as much as is there and was not used; so that what a long value is looked for in grows fast, and
-- its beginning is not looked at again and again. False: there is no more.
local function more(self)
  if self.ended then return false end
  local rest = self.text:sub(self.at)
  local wanted, parts, size = math.max(PIECE, #rest), { rest }, 0
  while size < wanted do
    local piece, err = self.reader:read(wanted - size)
    if err then refuse(err) end
    if not piece then
      self.ended = true
      break
    end
    parts[#parts + 1], size = piece, size + #piece
  end
  self.base, self.text, self.at = self.base + self.at - 1, table.concat(parts), 1
  return size > 0
end

-- Where in the file it is, in bytes from 0 on.
local function place(self) return self.base + self.at - 1 end

local function damaged(self, what)
  refuse(problem(self.path, ("is damaged at byte %d: %s"):format(place(self) + 1, what)))
end

local function cut(self, within)
  refuse(problem(self.path, ("is damaged: it ends after %d bytes in the middle of %s"):format(self.base + #self.text,
    within)))
end

-- The next byte that is no space, as text; nil: the file ends.
local function peek(self)
  while true do
    local found = self.text:find("[^ \t\r\n]", self.at)
    if found then
      self.at = found
      return self.text:sub(found, found)
    end
    self.at = #self.text + 1
    if not more(self) then return nil end
  end
end

local function accept(self, wanted)
  if peek(self) ~= wanted then return false end
  self.at = self.at + 1
  return true
end

-- The value that begins there, and where it did.
local function value(self, within)
  if not peek(self) then cut(self, within) end
  while true do
    local last = layout.value_end(self.text, self.at)
    if last and (last < #self.text or self.ended) then
      local text, where = self.text:sub(self.at, last), place(self)
      self.at = last + 1
      return text, where
    end
    if not last and not self.text:find('^["%[{]', self.at) then damaged(self, "here should be a value") end
    if #self.text - self.at > MAX_VALUE then damaged(self, "a value that is too long") end
    if not more(self) and not last then cut(self, within) end
  end
end

local function entries(self)
  local number = 0
  if accept(self, "]") then return end
  repeat
    local c = peek(self)
    if c ~= "{" then
      if not c then cut(self, "the list of its entries") end
      damaged(self, "an entry has to begin with {")
    end
    local text, where = value(self, "an entry")
    number = number + 1
    local err = self.visit(text, where)
    if err then refuse(err) end
  until not accept(self, ",")
  if accept(self, "]") then return end
  if not peek(self) then cut(self, "the list of its entries") end
  damaged(self, "after an entry comes a comma or ]")
end

local function is_none(self, why)
  refuse(problem(self.path, why or "is none: it does not begin with { \"lurcher_cassette\": " .. scanner.VERSION))
end

local function check_version(self, text)
  local version = json.decode(text)
  if type(version) ~= "number" then is_none(self) end
  if version > scanner.VERSION then
    is_none(self, ("is of version %s, and this Lurcher reads version %d: use a newer one, or record it anew")
      :format(tostring(version), scanner.VERSION))
  end
end

-- A member of the whole. Gives its name.
local function member(self, first)
  if peek(self) ~= '"' then return first and is_none(self) or damaged(self, "no name of a member") end
  local name = json.decode((value(self, "a name")))
  if not accept(self, ":") then
    if not peek(self) then cut(self, "a member") end
    damaged(self, "after a name comes a colon")
  end
  if first and name == "log" then is_none(self, "is an HAR archive: read it with cassette.from_har") end
  if name == "entries" then
    if not accept(self, "[") then damaged(self, "its entries are no list") end
    entries(self)
  else
    local text = value(self, "a member")
    if name == "lurcher_cassette" then check_version(self, text) end
  end
  return name
end

local function scan(self)
  if self.text == "" then more(self) end
  if self.text:find "^\239\187\191" then self.at = 4 end
  if not accept(self, "{") then is_none(self) end
  local seen = {}
  if not accept(self, "}") then
    repeat seen[member(self, next(seen) == nil)] = true until not accept(self, ",")
    if not accept(self, "}") then
      if not peek(self) then cut(self, "the whole") end
      damaged(self, "after a member comes a comma or }")
    end
  end
  if not seen.lurcher_cassette then is_none(self) end
  if not seen.entries then is_none(self, "has no entries: it ends before them") end
  if peek(self) then damaged(self, "it goes on after its end") end
end

---@param path string for messages
---@param reader lurcher.FileReader at its start
---@param visit fun(text: string, offset: integer): lurcher.Error? each entry, and where it stands in the file
---@return integer? size of the file in bytes
---@return lurcher.Error? err kind "file"
function scanner.scan(path, reader, visit)
  local self = setmetatable({ path = path, reader = reader, visit = visit, text = "", at = 1, base = 0, ended = false },
    Scanner)
  local ok, raised = pcall(scan, self)
  if not ok then
    local err = type(raised) == "table" and rawget(raised, PROBLEM)
    if err then return nil, err end
    error(raised, 0)
  end
  return self.base + #self.text
end

return scanner
