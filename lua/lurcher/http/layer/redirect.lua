--- Following redirects by RFC 9110, with credentials kept to the origin they were meant for.

local errors = require "lurcher.base.errors"
local redact = require "lurcher.base.redact"
local settings = require "lurcher.http.settings"
local split = require("lurcher.http.request").split
local url = require "lurcher.native.url"

local redirect = {}

local FOLLOWED = settings.FOLLOWED

local function failure(request, message)
  return errors.new { kind = "redirect", message = message, method = request.method,
    url = redact.url(request.url), attempts = request.attempts, elapsed = request:elapsed() }
end

---The Location of a response that is not for the script, because it is followed or must not be; or nil.
---@param request lurcher.Request
---@param res lurcher.Response
---@return string?
function redirect.follows(request, res)
  return request.settings.redirects and FOLLOWED[res.status] and res:header("Location") or nil
end

-- The method of the next hop.
local function method_after(status, method)
  if status == 303 and method ~= "HEAD" then return "GET" end
  if (status == 301 or status == 302) and method == "POST" then return "GET" end
  return method
end

-- The absolute URL and the fragment a Location leads to, or nil and why it cannot be followed.
local function target(request, location)
  local address, message = url.join(request.url, location)
  if not address then return nil, ("Location %q is no URL: %s"):format(redact.url(location), message) end
  local scheme = address:match("^(%a[%w+.-]*):")
  if scheme ~= "http" and scheme ~= "https" then
    return nil, ("Location leads to scheme '%s'; only http and https are followed"):format(scheme)
  end
  if scheme == "http" and request.url:find("^https:") and not request.settings.allow_downgrade then
    return nil, "Location leads from https to http; allow_downgrade=true would follow it without credentials"
  end
  local bare, fragment = split(address) -- userinfo in a Location is not for us to use
  return bare, fragment
end

-- The request for the next hop.
local function next_hop(request, res, address, fragment)
  local hop = request:copy()
  hop.url, hop.fragment = address, fragment ~= "" and fragment or request.fragment
  hop.attempts, hop.cookie, hop.authorization = res.attempts, nil, nil
  hop.settings = request.settings.after_redirect or request.settings
  hop.method = method_after(res.status, request.method)
  if hop.method ~= request.method then hop:drop_body() end
  if url.origin(address) ~= url.origin(request.url) then
    hop.auth = false
    hop:drop_headers(request.settings.dropped)
  end
  return hop
end

-- How often the cookies changed: a redirect to where we were is a loop only if they did not.
local function jar_changes(request)
  local jar = request.client.cookies
  return jar and jar.changes or 0
end

---Follows redirects until there is none or one must not be followed.
function redirect.layer(request, next)
  local most, history = request.settings.redirects, nil
  local visited
  while true do
    local changes = jar_changes(request)
    local res, err = next(request)
    if not res then return nil, err end
    local location = redirect.follows(request, res)
    if not location then
      if history then res.history = history end
      return res
    end
    history, visited = history or {}, visited or {}
    visited[request.method .. " " .. request.url] = changes
    local address, fragment = target(request, location)
    if not address then
      res:close()
      return nil, failure(request, fragment)
    end
    request:start_clock(res)
    local hop = next_hop(request, res, address, fragment)
    if not hop:has_repeatable_body() then
      res:close()
      return nil, failure(request, ("the body cannot be sent again to where status %d leads: it came from an iterator "
        .. "or a pipe"):format(res.status))
    end
    history[#history + 1] = res
    res:discard()
    if #history > most then return nil, failure(hop, ("more than %d redirects"):format(most)) end
    if visited[hop.method .. " " .. address] == jar_changes(request) then
      return nil, failure(hop, "the redirects form a loop")
    end
    request:announce("redirect", { status = res.status, from = request.url, to = address, method = hop.method,
      response = res })
    request = hop
  end
end

return redirect
