--- What the option `auth` may be. A scheme is a table with `header(request)`, which gives the Authorization
--- value (or nil and an error); or an object with `layer(self, request, next)`, see scheme.lua; or a
--- function(request, next) of the script.

---A value of the option `auth` as a scheme, or false.
---@param value any
---@return table|function|false
return function(value)
  if not value then return false end
  if type(value) == "table" and value[1] ~= nil then return require "lurcher.http.auth.basic"(value[1], value[2]) end
  return value
end
