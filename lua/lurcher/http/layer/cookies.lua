--- The layers between the jar and each hop: one above the authentication, which may sign what is sent, one below it.

local native = require "lurcher.native.http"

local head_get, head_list = native.head_get, native.head_list

local cookies = {}

local function choose(request, jar)
  request.cookies_as_of = jar.changes
  if jar.count > 0 or request.cookie then
    request.cookie = jar:header(request.url, request:given_cookie()) or nil
  end
end

---Chooses the cookies for each hop and attempt.
function cookies.layer(request, next)
  choose(request, request.client.cookies)
  return next(request)
end

---Keeps the cookies that come back. What a challenge set goes along with its answer.
function cookies.keep(request, next)
  local jar = request.client.cookies
  if request.cookies_as_of ~= jar.changes then choose(request, jar) end
  local res, err = next(request)
  if res and head_get(res.head, "set-cookie") then
    jar:receive(head_list(res.head, "set-cookie"), request.url)
    if jar.path then require("lurcher.http.cookies.file").touched(jar) end
  end
  return res, err
end

return cookies
