--- Texts that become part of an Authorization line.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local secret = require "lurcher.base.secret"

---The text of a credential; raises when it is none, or could not stand in a header.
---@param value string|lurcher.Secret
---@param what string "the password"
---@return string
return function(value, what)
  local text = secret.reveal(value)
  if type(text) ~= "string" then errors.raise(what .. " must be a string, got " .. check.shown(value)) end
  if text:find("[%z\1-\31\127]") then errors.raise(what .. " holds a control character") end
  return text
end
