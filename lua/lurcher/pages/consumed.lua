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

-- Reads the lines, which are whole: they have a seal.
local function resume(lines)
  local left = { keys = {}, recent = {} }
  for _, line in ipairs(lines) do
    if line.seen then
      for _, key in ipairs(line.seen) do left.keys[#left.keys + 1] = key end
    else
      if line.page then
        left.recent = {}
        take_page(left, line)
      elseif line.body then
        take_body(left, line)
      else
        take_item(left, line)
      end
      left.recent[#left.recent + 1] = line
    end
  end
  return left.place and left or nil
end

-- ---- lines ----

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
  if finish then return self.file:remove() end
  if #lines > 0 then self.file:append(lines) end
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

---Closes the file, unless something that was handed out may still be consumed.
function Ledger:close()
  if self.first > self.last then self.file:close() end
end

---Reads the file an earlier run may have left, and writes it: what cannot be written must show before the
---first request. Raises kind "file". Waits.
---@param path string
---@param query table
---@param place table the first page's
---@return lurcher.Ledger
function consumed.open(path, query, place)
  local file, lines = checkpoint.open(path, query)
  local left = resume(lines)
  local self = setmetatable({
    file = file, queue = {}, first = 1, last = 0, resume = left,
    recent = left and left.recent or { page_line(place, 0) },
  }, Ledger)
  file:write(left and whole(self, json.array(left.keys)) or whole(self))
  return self
end

return consumed
