--- Counts over the last so many seconds, in memory that does not grow: twenty buckets, of which the oldest is
--- emptied as time goes on. So what happened counts for the whole span or up to a twentieth less.

local floor = math.floor

local BUCKETS = 20

local rolling = {}

---@class lurcher.Rolling
local Rolling = {}
Rolling.__index = Rolling

---@param seconds number the span
---@return lurcher.Rolling
function rolling.new(seconds)
  local self = setmetatable({ per_second = BUCKETS / seconds }, Rolling)
  self:clear()
  return self
end

---Forgets everything.
function Rolling:clear()
  self.slot, self.current, self.earlier = -1, 0, 0
  for i = 0, BUCKETS - 1 do self[i] = 0 end
end

-- Goes on to a later bucket: puts the one that is over away and empties those that are reached.
local function turn(self, slot)
  self[self.slot % BUCKETS], self.earlier = self.current, self.earlier + self.current
  for i = math.max(self.slot + 1, slot - BUCKETS + 1), slot do
    self.earlier = self.earlier - self[i % BUCKETS]
    self[i % BUCKETS] = 0
  end
  self.slot, self.current = slot, 0
end

---Counts one, or several.
---@param now number monotonic seconds
---@param count? integer
function Rolling:add(now, count)
  local slot = floor(now * self.per_second)
  if slot > self.slot then turn(self, slot) end
  self.current = self.current + (count or 1)
end

---How many there were in the span that ends now.
---@param now number monotonic seconds
---@return integer
function Rolling:count(now)
  local slot = floor(now * self.per_second)
  if slot > self.slot then turn(self, slot) end
  return self.earlier + self.current
end

return rolling
