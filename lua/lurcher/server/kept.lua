--- What a server keeps of what came: the latest things, no more than so many, nor than so many bytes.

local kept = {}

---@class lurcher.server.Kept
local Kept = {}
Kept.__index = Kept

---@param most integer things
---@param most_bytes integer
---@return lurcher.server.Kept
function kept.new(most, most_bytes)
  return setmetatable({ most = most, most_bytes = most_bytes, bytes = 0, first = 1, last = 0, things = {}, sizes = {} },
    Kept)
end

---Keeps a thing of so many bytes, and drops the oldest.
function Kept:add(thing, size)
  self.last = self.last + 1
  self.things[self.last], self.sizes[self.last] = thing, size
  self.bytes = self.bytes + size
  while self.first <= self.last and (self.last - self.first >= self.most or self.bytes > self.most_bytes) do
    self.bytes = self.bytes - self.sizes[self.first]
    self.things[self.first], self.sizes[self.first] = nil, nil
    self.first = self.first + 1
  end
end

---All of them, the oldest first.
---@return table
function Kept:list()
  local list = {}
  for i = self.first, self.last do list[#list + 1] = self.things[i] end
  return list
end

return kept
