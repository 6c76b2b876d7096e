--- Texts that are kept until a file is written: the first of them in memory, and all of them in a file without a name,
--- beside the other, when they become many. It is gone with the process, so no secret that was learned later stays in
--- it.

local fs = require "lurcher.native.fs"
local new_places = require "lurcher.cassette.places"

local MAX_HELD = 1024 * 1024 -- bytes in memory

---@class lurcher.cassette.Spool
local Spool = {}
Spool.__index = Spool

---@param path string of the file that will be written
---@return lurcher.cassette.Spool
local function new(path)
  return setmetatable({ path = path, count = 0, texts = {}, held = 0, size = 0, starts = {}, lengths = {}, moved = 0,
    writer = false, places = false, busy = false, no_place = false, problem = false }, Spool)
end

local function open(self)
  local writer, reader = fs.open_spool(self.path)
  if not writer then -- what cannot be written will say so at the end
    self.no_place = true
    return
  end
  self.writer, self.places = writer, new_places(self.path, reader)
end

-- Each text is counted before anything is waited for: a task that is cancelled then leaves nothing half done.
local function move(self)
  if not self.writer then open(self) end
  while self.writer and self.moved < self.count and not self.problem do
    local number = self.moved + 1
    local text = self.texts[number]
    local has_room, err = self.writer:put(text)
    self.starts[number], self.lengths[number], self.size = self.size, #text, self.size + #text
    self.texts[number], self.moved, self.held = nil, number, self.held - #text
    if has_room == false then has_room, err = self.writer:room() end
    if not has_room then self.problem = err end
  end
end

---Adds a text, and waits while much is to be written.
---@param text string
---@return integer number
function Spool:add(text)
  self.count = self.count + 1
  local number = self.count
  if self.problem then return number end
  self.texts[number], self.held = text, self.held + #text
  if self.held <= MAX_HELD or self.busy or self.no_place then return number end
  self.busy = true
  local ok, raised = pcall(move, self)
  self.busy = false
  if not ok then error(raised, 0) end
  return number
end

---Makes ready for reading; nothing is added any more.
---@return lurcher.Error? err
function Spool:finish()
  if not self.problem and self.writer then
    local ok, err = self.writer:flush()
    if not ok then self.problem = err end
  end
  return self.problem or nil
end

---@param number integer
---@return string? text
---@return lurcher.Error? err
function Spool:text(number)
  if number > self.moved then return self.texts[number] end
  return self.places:read(self.starts[number], self.starts[number] + self.lengths[number])
end

function Spool:close()
  if not self.writer then return end
  local writer = self.writer
  self.writer = false
  self.places:close()
  pcall(writer.close, writer, true) -- it is closed even where this task may not wait
end

return new
