--- Authentication: what `auth` may be, and the layer that adds it to each attempt and hop.
---
--- A scheme is a table with `header(request)`, which gives the Authorization value (or nil and an error), or
--- a function(request, next) of the script.

local base64 = require "lurcher.base.base64"
local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local secret = require "lurcher.base.secret"

local auth = {}

local function without_controls(value, what)
  local text = secret.reveal(value)
  if type(text) ~= "string" then errors.raise(what .. " must be a string, got " .. check.shown(value)) end
  if text:find("[%z\1-\31\127]") then errors.raise(what .. " holds a control character") end
  return text
end

---User name and password.
---@param user string
---@param password string|lurcher.Secret
function auth.basic(user, password)
  local name = without_controls(user, "the user name")
  if name:find(":", 1, true) then errors.raise("the user name must not hold a colon") end
  local value = "Basic " .. base64.encode(name .. ":" .. without_controls(password, "the password"))
  return { header = function() return value end, holds = { user, password } }
end

---A bearer token, or a function that returns one (asked before each attempt; it may block, and may return nil
---and an error).
---@param token string|lurcher.Secret|function
function auth.bearer(token)
  if check.mismatch(token, "callable") == nil then
    return { header = function()
      local current, err = token()
      if current == nil then
        if errors.is_error(err) then return nil, err end
        errors.raise("the function given to http.bearer returned no token"
          .. (err and ": " .. tostring(err) or ""))
      end
      return "Bearer " .. without_controls(current, "the bearer token")
    end }
  end
  local value = "Bearer " .. without_controls(token, "the bearer token")
  return { header = function() return value end, holds = token }
end

---A value of the option `auth` as a scheme, or false.
---@param value any
---@return table|function|false
function auth.compile(value)
  if not value then return false end
  if type(value) == "table" and value[1] ~= nil then return auth.basic(value[1], value[2]) end
  return value
end

---Adds the authentication; a script's function sees a copy of the request, so that what it sets holds for
---this attempt only.
function auth.layer(request, next)
  local scheme = request.auth
  if not scheme then return next(request) end
  if type(scheme) == "table" and scheme.header then
    local value, err = scheme.header(request)
    if not value then return nil, err end
    request.authorization = value
    return next(request)
  end
  local copy = request:copy():expose()
  if request.cookie then copy.headers["Cookie"], copy.cookie = request.cookie, nil end
  local res, err = scheme(copy, function(changed)
    if getmetatable(changed) ~= getmetatable(copy) then
      errors.raise("next() in an auth function wants the request")
    end
    local fit, reason = changed:recheck()
    if not fit then return nil, reason end
    return next(changed)
  end)
  if res == nil and err == nil then
    errors.raise("the auth function returned nothing: it is to return next(request)")
  end
  return res, err
end

return auth
