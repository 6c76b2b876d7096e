--- Modules that are loaded when something in them is asked for first:
---
---     local errors = lazy "lurcher.base.errors"
---
--- is written where `require` would be, for modules that most scripts never come to need. A runtime may live for one
--- request, and each module that it loads costs 10 µs and 10 KiB.

-- What each stands for.
local names = setmetatable({}, { __mode = "k" })

local Lazy = {}

-- Functions are kept, so that the next call finds them at once. Other values may change.
function Lazy:__index(key)
  local value = require(names[self])[key]
  if type(value) == "function" then rawset(self, key, value) end
  return value
end

---@param name string "lurcher.base.errors"
---@return table
return function(name)
  local self = setmetatable({}, Lazy)
  names[self] = name
  return self
end
