--- What stands somewhere in a file, with the last of it kept in memory: as much however large the file is.

local fs = require "lurcher.native.fs"
local problem = require "lurcher.cassette.problem"
local semaphore = require("lurcher.task").semaphore

local BLOCK = 64 * 1024
local MAX_YOUNG = 128 -- blocks; as many may be kept besides

---@class lurcher.cassette.Places
---@field on_open? fun(places: lurcher.cassette.Places) called when it had to be opened again
local Places = {}
Places.__index = Places

---@param path string
---@param reader userdata of it, as lurcher.native.fs has them
---@return lurcher.cassette.Places
local function new(path, reader)
  return setmetatable({ path = path, reader = reader, turn = semaphore(1), young = {}, young_count = 0, old = {} },
    Places)
end

-- A block that is kept. What was asked for since the last half of them was forgotten is young.
local function kept(self, number)
  local block = self.young[number] or self.old[number]
  if not block or self.young[number] then return block end
  if self.young_count == MAX_YOUNG then self.old, self.young, self.young_count = self.young, {}, 0 end
  self.young[number], self.young_count = block, self.young_count + 1
  return block
end

-- Gives an error.
local function fetch(self, number)
  if not self.reader then
    local reader, err = fs.open_reader(self.path)
    if not reader then return err end
    self.reader = reader
    if self.on_open then self:on_open() end
  end
  local reader, parts, size = self.reader, {}, 0
  if not reader:seek(number * BLOCK, BLOCK) then
    return problem(self.path, "cannot be read in places: it is no plain file")
  end
  while size < BLOCK and not reader:ended() do
    local piece = reader:take(BLOCK - size)
    if piece then
      parts[#parts + 1], size = piece, size + #piece
    else
      local ok, err = reader:fill()
      if not ok then return err end
    end
  end
  self.old[number] = table.concat(parts)
  kept(self, number)
end

local function block_of(self, number)
  local block = kept(self, number)
  if block then return block end
  local err
  self.turn:with(function()
    block = kept(self, number)
    if not block then err = fetch(self, number) end
  end)
  if err then return nil, err end
  return block or self.young[number]
end

---@param from integer of the first byte, from 0 on
---@param to integer behind the last
---@return string? bytes
---@return lurcher.Error? err
function Places:read(from, to)
  local parts = {}
  for number = math.floor(from / BLOCK), math.floor((to - 1) / BLOCK) do
    local start = number * BLOCK
    local block, err = block_of(self, number)
    if not block then return nil, err end
    if #block < math.min(BLOCK, to - start) then
      return nil, problem(self.path, "is shorter than it was when it was opened")
    end
    parts[#parts + 1] = block:sub(math.max(from - start, 0) + 1, math.min(to - start, BLOCK))
  end
  return parts[2] and table.concat(parts) or parts[1]
end

---What is read after it opens the file again.
function Places:close()
  if self.reader then self.reader:close() end
  self.reader = false
end

return new
