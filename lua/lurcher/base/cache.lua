--- A cache of fixed size, cleared when it is full.

local cache = {}

---@class lurcher.Cache
local Cache = {}
Cache.__index = Cache

---@param size integer
---@return lurcher.Cache
function cache.new(size)
  return setmetatable({ size = size, count = 0, values = {} }, Cache)
end

---@param key any
---@return any
function Cache:get(key)
  return self.values[key]
end

---Keeps a value and returns it.
---@param key any
---@param value any
---@return any value
function Cache:put(key, value)
  if self.count >= self.size then self.count, self.values = 0, {} end
  self.count, self.values[key] = self.count + 1, value
  return value
end

return cache
