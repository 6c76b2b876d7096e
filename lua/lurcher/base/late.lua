--- Classes whose objects may be made before what they can do is loaded:
---
---     local Jar = late "lurcher.http.cookies.jar"
---
--- is a metatable. The module fills it in when an object is asked for more than its own fields: it sets `__index` (and
--- `__tostring`, where there is one) last, when nothing can fail any more, and has the class as its `metatable`.

---@param module string
---@return table
return function(module)
  local class = {}

  -- It is another class where a script has emptied package.loaded meanwhile, as test frameworks do.
  local function filled(self)
    local whole = require(module).metatable
    if whole ~= class then setmetatable(self, whole) end
    return whole
  end

  function class.__index(self, key)
    local index = filled(self).__index
    if type(index) == "function" then return index(self, key) end
    return index[key]
  end

  function class.__tostring(self) return filled(self).__tostring(self) end

  return class
end
