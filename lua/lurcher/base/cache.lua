--- A small memory of computed values: when it is full it starts afresh.

local memo = {}

---@class lurcher.Memo
local Memo = {}
Memo.__index = Memo

---@param size integer
---@return lurcher.Memo
function memo.new(size)
  return setmetatable({ size = size, count = 0, values = {} }, Memo)
end

---@param key any
---@return any
function Memo:get(key)
  return self.values[key]
end

---Keeps a value and returns it.
---@param key any
---@param value any
---@return any value
function Memo:put(key, value)
  if self.count >= self.size then self.count, self.values = 0, {} end
  self.count, self.values[key] = self.count + 1, value
  return value
end

return memo
