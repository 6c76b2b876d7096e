--- What a cassette records: each exchange goes out of memory when it is over, and all are written at the end, in the
--- order in which their requests began.

local clean = require "lurcher.cassette.clean"
local errors = require "lurcher.base.errors"
local file = require "lurcher.cassette.file"
local format = require "lurcher.cassette.format"
local give_way = require "lurcher.base.give_way"
local hook = require "lurcher.cassette.hook"
local new_spool = require "lurcher.cassette.spool"

local recorder = {}

local WORK = 50      -- entries that are formatted in one go
local MAX_LOOKED = 8 -- exchanges under way that are looked at when another one begins

---@class lurcher.cassette.Recorder
local Recorder = {}
Recorder.__index = Recorder

---@param path string
---@param redactor lurcher.cassette.Redactor
---@param with function|false redact.with
---@param timing boolean
---@return lurcher.cassette.Recorder
function recorder.new(path, redactor, with, timing)
  -- slots: what was recorded, in its order: the number of its text; false: it is not to be recorded; or the recording
  -- itself, while it is under way. ages: what the redactor knew when the text was made
  return setmetatable({ path = path, redactor = redactor, with = with, timing = timing, spool = new_spool(path),
    slots = {}, ages = {}, running = {}, first = 1, last = 0, problem = false, was_denied = false }, Recorder)
end

local function text_of(self, entry)
  local cleaned = clean.entry(self.redactor, entry)
  clean.measure(cleaned)
  return format.entry(cleaned), cleaned
end

---Takes what a recording holds, without secrets.
---@param one lurcher.cassette.Recording
function Recorder:keep(one)
  if not one.pending then return end
  one.pending = false
  local slot = one.slot
  local entry, why = one:harvest(self.timing)
  self.slots[slot] = false
  if not entry then
    self.problem = self.problem or why
    self.was_denied = self.was_denied or not why
  end
  if entry and self.with then entry = hook.entry(self.with, entry) end
  if not entry then return end
  local text = text_of(self, entry)
  self.ages[slot] = self.redactor.known:age()
  self.slots[slot] = self.spool.count + 1
  self.spool:add(text)
end

local function await(self, one)
  self.last = self.last + 1
  self.running[self.last] = one
end

-- Some of those under way that may be over by now: streams, which nobody tells of their end.
local function look(self)
  for _ = 1, math.min(MAX_LOOKED, self.last - self.first + 1) do
    local one = self.running[self.first]
    self.running[self.first], self.first = nil, self.first + 1
    if one.pending and one:is_over() then
      self:keep(one)
    elseif one.pending then
      await(self, one)
    end
  end
end

---Adds what is recorded from now on.
---@param one lurcher.cassette.Recording
function Recorder:add(one)
  look(self)
  one.slot = #self.slots + 1
  self.slots[one.slot] = one
  await(self, one)
end

-- The text of a slot, with what was learned since it was made taken out as well.
local function fresh_text(self, slot)
  local text, err = self.spool:text(self.slots[slot])
  if not text then return nil, err end
  if self.ages[slot] == self.redactor.known:age() then return text end
  local entry, what = format.parse(text:match "{.*")
  if not entry then return nil, file.problem(self.path, "was not written: of an entry " .. what) end
  clean.restore(entry)
  return (text_of(self, entry))
end

-- Those that are there already. Gives an error.
local function copy_present(self, play, out)
  for number = 1, play and play.count or 0 do
    if number % WORK == 0 then give_way() end
    local text, err = play:text(number)
    if not text then return err end
    local found = self.redactor.known:find(text)
    if found then
      return file.problem(self.path, ("was not written: its entry %d holds a secret, %s"):format(number, found))
    end
    local ok
    ok, err = out:add("    " .. text)
    if not ok then return err end
  end
end

local function copy_recorded(self, out)
  for slot = 1, #self.slots do
    if slot % WORK == 0 then give_way() end
    local text, err
    if self.slots[slot] then
      text, err = fresh_text(self, slot)
      if not text then return err end
      local found = self.redactor.known:find(text)
      if found then
        local request = format.parse(text:match "{.*", "request").request
        return file.problem(self.path, ("was not written: %s %s would hold a secret, %s"):format(request.method,
          request.url, found))
      end
      local ok
      ok, err = out:add(text)
      if not ok then return err end
    end
  end
end

local function fill(self, play, out)
  local err = copy_present(self, play, out) or copy_recorded(self, out)
  if err then return nil, err end
  return out:close()
end

---Writes all of it; whatever happens, the file is the old one or the new one.
---@param play lurcher.cassette.Replay|false what is in the file already
---@return true? ok
---@return lurcher.Error? err
function Recorder:write(play)
  for slot = 1, #self.slots do
    if type(self.slots[slot]) == "table" then self:keep(self.slots[slot]) end
  end
  if self.problem then
    return nil, errors.new { kind = "too_large", path = self.path, message = ("the cassette '%s' was not written: %s")
      :format(self.path, self.problem) }
  end
  -- A cassette of refusals alone would have nothing to replay for good.
  if self.was_denied and self.spool.count == 0 and not (play and play.count > 0) then return true end
  local failed = self.spool:finish()
  if failed then return nil, failed end
  local out, err = file.writer(self.path)
  if not out then return nil, err end
  local ok, well
  ok, well, err = pcall(fill, self, play, out)
  if not (ok and well) then out:discard() end
  if not ok then error(well, 0) end
  return well, err
end

---Forgets what was recorded.
function Recorder:forget()
  self.slots, self.ages, self.running, self.first, self.last = {}, {}, {}, 1, 0
  self.spool:close()
end

return recorder
