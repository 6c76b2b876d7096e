--- What of a paged list was consumed, kept in a checkpoint file. Items may be consumed in another order than
--- they were handed out (by several tasks); the file tells up to where all of them are.
---
--- Lines of the file:
---   {"page":3,"at":…,"given":200}   page 3 comes next, 200 items were given before it; `step`, `foreign`
---   {"body":"0a1b2c3d"}             its body's hash
---   [7] or [7,"key"]                its 7th item is consumed, and all before it
---   {"seen":[…]}                    keys of items of earlier pages

local checkpoint = require "lurcher.pages.checkpoint"
local hash32 = require "lurcher.base.hash32"
local json = require "lurcher.json"

local consumed = {}

---@class lurcher.Ledger
---@field private file lurcher.Checkpoint
---@field private queue table records in the order of the list: { lines, done, key, finish }
---@field private recent any[] the lines since the last page began
---@field resume table what an earlier run has left: place, given, step, index, body, consumed, keys
local Ledger = {}
Ledger.__index = Ledger

-- ---- what an earlier run has left ----

local function take_page(left, line)
  left.place = { number = line.page, position = line.at, foreign = line.foreign }
  left.given, left.step, left.index, left.consumed, left.body = line.given, line.step, 0, 0, nil
end

-- A page that was fetched again with another content: places in the old one mean nothing in it.
local function take_body(left, line)
  if left.body and left.body ~= line.body then
    left.index = 0
    if #left.keys == 0 then left.consumed = 0 end -- all of its items are given again
  end
  left.body = line.body
end

local function take_item(left, line)
  left.index, left.consumed = line[1], left.consumed + 1
  if line[2] ~= nil then left.keys[#left.keys + 1] = line[2] end
end

local function take_keys(left, line)
  for _, key in ipairs(line.seen) do left.keys[#left.keys + 1] = key end
end

local take = { seen = take_keys, page = take_page, body = take_body, item = take_item }

local MAX_COUNT = 2 ^ 53

local function is_count(value, least)
  return type(value) == "number" and value % 1 == 0 and value >= least and value < MAX_COUNT
end

local function is_key(value) return type(value) ~= "table" and value ~= json.null end

local function are_keys(value)
  if type(value) ~= "table" or value[1] == nil and next(value) ~= nil then return false end
  for _, key in ipairs(value) do
    if not is_key(key) then return false end
  end
  return true
end

local function is_place(line, is_position)
  return is_count(line.page, 1) and is_count(line.given, 0) and (line.step == nil or is_count(line.step, 1))
    and (line.foreign == nil or line.foreign == true) and is_position(line.at)
end

-- What a line is; nil: it holds what no run has written, whatever its seal says.
local function kind_of(line, left, is_position)
  if type(line) ~= "table" then return nil end
  if line.seen ~= nil then return are_keys(line.seen) and "seen" or nil end
  if line.page ~= nil then return is_place(line, is_position) and "page" or nil end
  if not left.place then return nil end
  if line.body ~= nil then return type(line.body) == "string" and "body" or nil end
  return is_count(line[1], 1) and (line[2] == nil or is_key(line[2])) and "item" or nil
end

-- Reads the lines of the file.
local function resume(file, lines, is_position)
  local left = { keys = {}, recent = {} }
  for i, line in ipairs(lines) do
    local kind = kind_of(line, left, is_position)
    if not kind then file:damaged(i + 1) end
    take[kind](left, line)
    if kind == "page" then left.recent = {} end
    if kind ~= "seen" then left.recent[#left.recent + 1] = line end
  end
  return left.place and left or nil
end

-- ---- lines ----

local function is_start(line)
  return type(line) == "table" and line.page == 1 and line.given == 0
end

local function page_line(place, given, step)
  return { page = place.number, at = place.position, given = given, step = step, foreign = place.foreign }
end

-- The values of the whole file, now.
local function whole(self, keys)
  local lines = {}
  if keys and #keys > 0 then lines[1] = { seen = keys } end
  for _, line in ipairs(self.recent) do lines[#lines + 1] = line end
  return lines
end

---Writes the file anew when it has become long. May wait.
---@param seen? lurcher.Seen all keys that were handed out
function Ledger:tidy(seen)
  if not self.file:is_long() then return end
  local out, keys = {}, nil
  for i = self.first, self.last do
    local record = self.queue[i]
    if record.key ~= nil then out[record.key] = true end
  end
  if seen then
    keys = json.array {}
    for _, key in ipairs(seen:keys()) do
      if not out[key] then keys[#keys + 1] = key end
    end
  end
  self.file:write(whole(self, keys))
end

-- ---- the queue ----

-- Writes down what is consumed now, up to the first record that is not.
local function write_consumed(self)
  if self.released then return end
  local lines, finish = {}, false
  while self.first <= self.last and self.queue[self.first].done do
    local record = self.queue[self.first]
    self.queue[self.first] = nil
    self.first = self.first + 1
    finish = finish or record.finish
    for _, line in ipairs(record.lines or {}) do
      if line.page then self.recent = {} end
      self.recent[#self.recent + 1] = line
      lines[#lines + 1] = line
    end
  end
  if finish then
    self.file:remove()
  elseif #lines > 0 then
    self.file:append(lines)
  end
  if finish or self.closing and self.first > self.last then self:release() end
end

local function push(self, record)
  self.last = self.last + 1
  self.queue[self.last] = record
  if record.done then write_consumed(self) end
  return record
end

---An item is about to be handed out.
---@param page lurcher.Page
---@param index integer its place in the page
---@param key any
---@return table record
function Ledger:item(page, index, key)
  local lines = { json.array { index, key } }
  if not page.noted then
    page.noted = true
    table.insert(lines, 1, { body = hash32(page.res.body or "") })
  end
  return push(self, { lines = lines, key = key })
end

---An item that was handed out is consumed.
---@param record table
function Ledger:consumed(record)
  record.done = true
  if record == self.queue[self.first] then write_consumed(self) end
end

---All items of a page are handed out; the list goes on at `place`.
---@param place table position, number, foreign
---@param given integer how many were handed out so far
---@param step? integer
function Ledger:page(place, given, step)
  push(self, { done = true, lines = { page_line(place, given, step) } })
end

---The whole list is handed out: once it is consumed, the file is removed.
function Ledger:finish()
  push(self, { done = true, finish = true })
end

---Nothing more is handed out: lets others have the file once all that was is consumed.
function Ledger:close()
  self.closing = true
  if self.first > self.last then self:release() end
end

---Closes the file and lets others have it. What is consumed later is not noted any more.
function Ledger:release()
  if self.released then return end
  self.released = true
  self.file:close()
  self.file:unlock()
  self.on_release()
end

---Reads the file an earlier run may have left, and writes it: what cannot be written must show before the
---first request. Raises kind "file". Waits.
---@param path string
---@param walk table `query`; `first`, the first page's place; `is_position(value)`, whether a value of the
---  file can be a page's position; `holder`, which keeps the file from others as long as it lives;
---  `on_release()`, called when others may have it
---@return lurcher.Ledger
function consumed.open(path, walk)
  local file, lines = checkpoint.open(path, walk.query, walk.holder, is_start)
  local self
  local ok, err = pcall(function()
    local left = resume(file, lines, walk.is_position)
    self = setmetatable({
      file = file, queue = {}, first = 1, last = 0, resume = left, on_release = walk.on_release,
      recent = left and left.recent or { page_line(walk.first, 0) },
    }, Ledger)
    file:write(left and whole(self, json.array(left.keys)) or whole(self))
  end)
  if ok then return self end
  file:close()
  file:unlock()
  error(err, 0)
end

return consumed
