--- Bearer tokens (RFC 6750).

local check = require "lurcher.base.check"
local credential = require "lurcher.http.auth.credential"
local errors = require "lurcher.base.errors"
local scheme = require "lurcher.http.auth.scheme"
local secret = require "lurcher.base.secret"

local function token_text(value)
  local text = credential(value, "the bearer token")
  if text == "" then errors.raise "the bearer token is empty" end
  return text
end

---A bearer token, or a function that returns one (asked before each attempt; it may block, and may return nil
---and an error).
---@param token string|lurcher.Secret|function
return function(token)
  if check.mismatch(token, "callable") == nil then
    local mark -- of the token that was sent last
    return scheme.of_header("bearer", function()
      local current, err = token()
      if current == nil then
        if errors.is_error(err) then return nil, err end
        errors.raise("the function given to http.bearer returned no token"
          .. (err and ": " .. tostring(err) or ""))
      end
      local text = token_text(current)
      mark = mark and secret.reveal(mark) == text and mark or scheme.hidden(text)
      return "Bearer " .. text
    end)
  end
  local text = token_text(token)
  local value = "Bearer " .. text
  return scheme.of_header("bearer", function() return value end, token, scheme.hidden(text))
end
