--- HTTP's Basic scheme (RFC 7617).

local crypto = require "lurcher.native.crypto"
local credential = require "lurcher.http.auth.credential"
local errors = require "lurcher.base.errors"
local scheme = require "lurcher.http.auth.scheme"
local secret = require "lurcher.base.secret"

---User name and password, as a scheme.
---@param user string
---@param password string|lurcher.Secret
return function(user, password)
  local name = credential(user, "the user name")
  if name:find(":", 1, true) then errors.raise("the user name must not hold a colon") end
  local pair = crypto.base64(name .. ":" .. credential(password, "the password"), false)
  if secret.is(user) then secret.also(user, pair) end
  if secret.is(password) then secret.also(password, pair) end
  local value = "Basic " .. pair
  return scheme.of_header("basic", function() return value end, user, password, scheme.hidden(pair))
end
