--- HTTP's Basic scheme (RFC 7617).

local crypto = require "lurcher.native.crypto"
local credential = require "lurcher.http.auth.credential"
local errors = require "lurcher.base.errors"

---User name and password, as a scheme.
---@param user string
---@param password string|lurcher.Secret
return function(user, password)
  local name = credential(user, "the user name")
  if name:find(":", 1, true) then errors.raise("the user name must not hold a colon") end
  local value = "Basic " .. crypto.base64(name .. ":" .. credential(password, "the password"), false)
  return { header = function() return value end, holds = { user, password } }
end
