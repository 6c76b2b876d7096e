--- The layer between the jar and each hop.

local native = require "lurcher.native.http"

local head_get, head_list = native.head_get, native.head_list

local cookies = {}

---Sends the jar's cookies along and keeps those that come back, at each hop and attempt.
function cookies.layer(request, next)
  local jar = request.client.cookies
  if jar.count > 0 or request.cookie then
    request.cookie = jar:header(request.url, request:given_cookie()) or nil
  end
  local res, err = next(request)
  if res and head_get(res.head, "set-cookie") then
    jar:receive(head_list(res.head, "set-cookie"), request.url)
    if jar.path then require("lurcher.http.cookies.file").touched(jar) end
  end
  return res, err
end

return cookies
