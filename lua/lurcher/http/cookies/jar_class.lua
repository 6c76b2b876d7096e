--- The class of jars, apart from what they can do: most clients never get a cookie. See jar.lua.

local late = require "lurcher.base.late"

local Jar = late "lurcher.http.cookies.jar"
Jar.__tostring = nil -- a jar is shown as a table

local jar_class = { metatable = Jar }

---@return lurcher.CookieJar
function jar_class.new()
  -- by_domain: domain -> list of cookies; changes: how often something in it changed; uses: counts what is set or
  -- sent; secure_names: name -> how many secure cookies;
  -- bases and saved, by path: see file.lua
  return setmetatable({ by_domain = {}, count = 0, changes = 0, created = 0, uses = 0,
    secure_names = {}, bases = {}, saved = {} }, Jar)
end

return jar_class
