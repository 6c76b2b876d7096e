--- Bearer tokens (RFC 6750).

local check = require "lurcher.base.check"
local credential = require "lurcher.http.auth.credential"
local errors = require "lurcher.base.errors"
local scheme = require "lurcher.http.auth.scheme"

---A bearer token, or a function that returns one (asked before each attempt; it may block, and may return nil
---and an error).
---@param token string|lurcher.Secret|function
return function(token)
  if check.mismatch(token, "callable") == nil then
    return { header = function()
      local current, err = token()
      if current == nil then
        if errors.is_error(err) then return nil, err end
        errors.raise("the function given to http.bearer returned no token"
          .. (err and ": " .. tostring(err) or ""))
      end
      return "Bearer " .. credential(current, "the bearer token")
    end }
  end
  local value = "Bearer " .. credential(token, "the bearer token")
  return scheme.of_header(function() return value end, token)
end
