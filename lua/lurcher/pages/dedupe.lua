--- Which keys were there before, in bounded memory: at least the last `GENERATION` ones are remembered.

local GENERATION = 50000

---@class lurcher.Seen
local Seen = {}
Seen.__index = Seen

---Notes a key; false when it was noted before.
---@param key any
---@return boolean new
function Seen:add(key)
  if self.young[key] or self.old[key] then return false end
  if self.count >= GENERATION then self.old, self.young, self.count = self.young, {}, 0 end
  self.young[key], self.count = true, self.count + 1
  return true
end

---All keys that are remembered, the older half first.
---@return any[]
function Seen:keys()
  local keys = {}
  for key in pairs(self.old) do keys[#keys + 1] = key end
  for key in pairs(self.young) do keys[#keys + 1] = key end
  return keys
end

local function new()
  return setmetatable({ young = {}, old = {}, count = 0 }, Seen)
end

return { new = new }
