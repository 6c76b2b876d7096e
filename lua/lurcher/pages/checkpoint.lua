--- Checkpoint files: how far a run has come, so that the next one can go on there.
---
--- A file has one JSON value a line. The first line names the version and the *query*, whose results these
--- are; what the others say is the owner's affair. Each line ends with a hash of all up to there. New
--- lines are appended at once, with a single write, so that they survive the end of the process however it
--- ends; a power cut may take those away that were appended since the file was last written as a whole (which
--- reaches the disk). A last line without its end was cut off by one, and is left out.
---
--- Positions and keys are data of the API: only the owner may read the file. It is one run's at a time.

local errors = require "lurcher.base.errors"
local hash32 = require "lurcher.base.hash32"
local fs = require "lurcher.fs"
local native = require "lurcher.native.fs"
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
---@field private holder table weak: who has the lock, which keeps others away, as field `lock`
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

local function read_head(path, line)
  local head, seal = unseal(line)
  if type(head) ~= "table" or type(head.query) ~= "table" or not head.lurcher_checkpoint then
    failure(path, "it is no checkpoint, or its first line is damaged")
  end
  if head.lurcher_checkpoint ~= VERSION then
    failure(path, ("it is of version %s, not %d"):format(tostring(head.lurcher_checkpoint), VERSION))
  end
  return seal, head.query
end

-- The values of the lines after the first; none when there is no file, or an empty one. A run that consumed
-- nothing, such as one that was refused its first page, binds nobody to its query.
local function read(path, query, is_start)
  local text, err = fs.read(path, { max = MAX_SIZE })
  if not text and err.code == "ENOENT" then return {} end
  if not text then error(err, 0) end
  if text == "" then return {} end
  local values, number, seal, found = {}, 0, nil, nil
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    local value
    if number == 1 then
      seal, found = read_head(path, line)
    else
      value, seal = unseal(line, seal)
      if value == nil then damaged(path, number) end
      values[#values + 1] = value
    end
  end
  if number == 0 then failure(path, "it is no checkpoint, or its first line is damaged") end
  if #values == 1 and is_start(values[1]) then return {} end
  check_query(path, query, found)
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
  local ok, err = task.shield(native.write, self.path, text, true)
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

---Lets others have the file.
function Checkpoint:unlock()
  local holder = self.holder[1]
  if holder and holder.lock then holder.lock:release() end
end

---Raises that a line has no values of ours.
---@param line integer
function Checkpoint:damaged(line)
  damaged(self.path, line)
end

---Removes the file: there is nothing to go on with.
function Checkpoint:remove()
  self:close()
  local ok, err = task.shield(fs.remove, self.path)
  if not ok and err.code ~= "ENOENT" then error(err, 0) end
end

local function try_lock(path)
  local lock, err = native.lock(path .. ".lock", false)
  if lock then return lock end
  if err.code == "EWOULDBLOCK" then return nil end
  if err.kind == "denied" then error(err, 0) end
  local reason = err.message:match "': (.*)$" or err.message
  failure(path, "its lock beside it cannot be made: " .. reason, err.code)
end

-- Kind "file" when another run, or another walk of this one, has the file. The walk of a loop that was left,
-- which Lua does not tell, is garbage.
local function lock_for(path)
  local lock = try_lock(path)
  if lock then return lock end
  collectgarbage()
  lock = try_lock(path)
  if lock then return lock end
  failure(path, "another run, or another walk of this script, is using it", "EWOULDBLOCK")
end

---Locks and reads a checkpoint file. Raises kind "file" when it is in use, cannot be read, is damaged, or
---belongs to another query that has come beyond its start. `write` must come before anything else, `unlock` at the end.
---@param path string
---@param query table<string, string|number|boolean> what must be the same for the results to be the same
---@param holder table gets the lock, as field `lock`
---@param is_start fun(value: any): boolean whether a line says that nothing was consumed
---@return lurcher.Checkpoint
---@return any[] values of an earlier run's lines
function checkpoint.open(path, query, holder, is_start)
  holder.lock = lock_for(path)
  local ok, values = pcall(read, path, query, is_start)
  if not ok then
    holder.lock:release()
    error(values, 0)
  end
  return setmetatable({
    path = path, query = query, pending = {}, size = 0, grown = 0,
    holder = setmetatable({ holder }, { __mode = "v" }),
  }, Checkpoint), values
end

return checkpoint
