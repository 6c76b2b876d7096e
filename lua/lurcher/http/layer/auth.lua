--- The layer that adds the authentication to each attempt and hop. See http/auth for the schemes.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local response = require "lurcher.http.response"
local stream = require "lurcher.http.stream"

local auth = {}

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
  if type(scheme) == "table" and scheme.layer then return scheme:layer(request, next) end
  local copy = request:copy():expose()
  if request.cookie then copy.headers["Cookie"], copy.cookie = request.cookie, nil end
  local last
  local res, err = scheme(copy, function(changed)
    if getmetatable(changed) ~= getmetatable(copy) then
      errors.raise("next() in an auth function wants the request")
    end
    local fit, reason = changed:recheck()
    if not fit then return nil, reason end
    if last then stream.gather(last) end -- it gives its connection back
    local res, err = next(changed)
    last = res and rawget(res, "undecided") and res
    return res, err
  end)
  if last and last ~= res then last:close() end
  if response.is(res) or res == nil and err ~= nil then return res, err end
  errors.raise("the auth function returned " .. (res == nil and "nothing" or check.shown(res))
    .. ": it is to return next(request)")
end

return auth
