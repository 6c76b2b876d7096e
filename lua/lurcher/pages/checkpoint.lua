--- Checkpoint files: how far a run has come, so that the next one can go on there.
---
--- A file has one JSON value a line. The first line names the version and the *query*, whose results these
--- are; what the others say is the owner's affair. Each line ends with a hash of all up to there. New
--- lines are appended at once, with a single write, so that they survive the end of the process however it
--- ends; a power cut may take those away that were appended since the file was last written as a whole (which
--- reaches the disk). A last line without its end was cut off by one, and is left out.

local errors = require "lurcher.base.errors"
local hash32 = require "lurcher.base.hash32"
local fs = require "lurcher.fs"
local json = require "lurcher.json"
local task = require "lurcher.task"

local VERSION = 1
local MAX_SIZE = 256 * 1024 * 1024 -- bytes read
local GROWTH = 256 * 1024 -- bytes appended before the file is written anew

local checkpoint = {}

---@class lurcher.Checkpoint
---@field path string
---@field private query table
---@field private file? file* appended to; nil while the file is written as a whole
---@field private seal string the last line's hash
---@field private pending string[] lines that wait for the file
---@field private grown integer bytes appended
local Checkpoint = {}
Checkpoint.__index = Checkpoint

local function failure(path, message, code)
  error(errors.new { kind = "file", message = ("checkpoint '%s': %s"):format(path, message), path = path,
    code = code }, 0)
end

local function encode(value)
  return json.encode(value, { sort = true })
end

-- ---- reading ----

local function damaged(path, line)
  failure(path, ("line %d is damaged; without the file the run starts over"):format(line))
end

-- The value of a line, and its seal; nil when it is damaged.
local function unseal(line, seal)
  local text, claimed = line:match("^(.*) (%x%x%x%x%x%x%x%x)$")
  if not text or hash32(text, seal) ~= claimed then return nil end
  local value, err = json.decode(text)
  if err then return nil end
  return value, claimed
end

-- What a file of another query differs in.
local function check_query(path, query, found)
  for name, value in pairs(query) do
    if found[name] ~= value then
      failure(path, ("it belongs to another query: its %s is '%s', not '%s'"):format(name,
        tostring(found[name] or ""), tostring(value)))
    end
  end
end

local function check_head(path, line, query)
  local head, seal = unseal(line)
  if type(head) ~= "table" or type(head.query) ~= "table" or not head.lurcher_checkpoint then
    failure(path, "it is no checkpoint, or its first line is damaged")
  end
  if head.lurcher_checkpoint ~= VERSION then
    failure(path, ("it is of version %s, not %d"):format(tostring(head.lurcher_checkpoint), VERSION))
  end
  check_query(path, query, head.query)
  return seal
end

-- The values of the lines after the first; none when there is no file, or an empty one.
local function read(path, query)
  local text, err = fs.read(path, { max = MAX_SIZE })
  if not text and err.code == "ENOENT" then return {} end
  if not text then error(err, 0) end
  if text == "" then return {} end
  local values, seal, number = {}, nil, 0
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    local value
    if number == 1 then
      seal = check_head(path, line, query)
    else
      value, seal = unseal(line, seal)
      if value == nil then damaged(path, number) end
      values[#values + 1] = value
    end
  end
  if number == 0 then failure(path, "it is no checkpoint, or its first line is damaged") end
  return values
end

-- ---- writing ----

-- Lines with their seals, as one text.
local function sealed(self, texts)
  local out = {}
  for i, text in ipairs(texts) do
    self.seal = hash32(text, self.seal)
    out[i] = text .. " " .. self.seal .. "\n"
  end
  return table.concat(out)
end

local function append(self, texts)
  local text = sealed(self, texts)
  local ok, message = self.file:write(text)
  if not ok then failure(self.path, "cannot be written: " .. tostring(message)) end
  self.grown = self.grown + #text
end

---Appends values, each as a line. Does not wait.
---@param values any[]
function Checkpoint:append(values)
  local texts = {}
  for i, value in ipairs(values) do texts[i] = encode(value) end
  if self.file then return append(self, texts) end
  for _, text in ipairs(texts) do self.pending[#self.pending + 1] = text end
end

---Whether so much was appended that the file should be written anew.
function Checkpoint:is_long()
  return self.file ~= nil and self.grown > math.max(GROWTH, self.size)
end

---Writes the file as a whole: these values, and what is appended meanwhile. Waits until it is on the disk.
---@param values any[]
function Checkpoint:write(values)
  local texts = { encode { lurcher_checkpoint = VERSION, query = self.query } }
  for i, value in ipairs(values) do texts[i + 1] = encode(value) end
  self:close()
  self.seal = nil
  local text = sealed(self, texts)
  local ok, err = task.shield(fs.write, self.path, text)
  if not ok then error(err, 0) end
  local file, message = io.open(self.path, "ab")
  if not file then failure(self.path, "cannot be opened: " .. tostring(message)) end
  file:setvbuf("no")
  self.file, self.size, self.grown = file, #text, 0
  local pending = self.pending
  self.pending = {}
  append(self, pending)
end

---Closes the file, which stays.
function Checkpoint:close()
  if self.file then self.file:close() end
  self.file = nil
end

---Removes the file: there is nothing to go on with.
function Checkpoint:remove()
  self:close()
  local ok, err = task.shield(fs.remove, self.path)
  if not ok and err.code ~= "ENOENT" then error(err, 0) end
end

---Reads a checkpoint file. Raises kind "file" when it cannot be read, is damaged, or belongs to another
---query. `write` must come before anything else.
---@param path string
---@param query table<string, string|number|boolean> what must be the same for the results to be the same
---@return lurcher.Checkpoint
---@return any[] values of an earlier run's lines
function checkpoint.open(path, query)
  local values = read(path, query)
  return setmetatable({ path = path, query = query, pending = {}, size = 0, grown = 0 }, Checkpoint), values
end

return checkpoint
