--- An attempt that may go through a proxy: which one, what it is told, and what its refusals mean. What is given back
--- are the results of an exchange, those of a failure being: feeder, nil, err, info, the head of a proxy's 407.

local errors = require "lurcher.base.errors"
local exchange = require "lurcher.http.layer.exchange"
local native = require "lurcher.native.http"
local url = require "lurcher.native.url"

local proxied = {}

-- What a proxy is asked for: a tunnel to the server, or the URL itself.
local function asked_for(request, is_tunnel)
  if is_tunnel then return "CONNECT", url.origin(request.url):match("://(.*)$"), "" end
  local raw = request.options and request.options.raw_target
  return request.method, raw or request.url, type(request.body) == "string" and request.body or ""
end

-- A plain request that the proxy did not pass on. Another status may be the server's as well as the proxy's.
local function refused(proxy)
  local advice = proxy.user and "it does not accept the credentials of its URL"
    or "it wants credentials: give them in its URL"
  return errors.new { kind = "proxy", phase = "connect", retry_safe = true, message =
    ("the proxy %s refused the request: 407 Proxy Authentication Required (%s)"):format(proxy.name, advice) }
end

-- The body of a 407: the rest may be cut by a proxy that does not read the request's.
local function discard(feeder, body)
  if feeder then exchange.stop(feeder, body) end
  if type(body) ~= "userdata" then return end
  body:discard()
  body:close()
end

-- One try. `passes_on`: the proxy gets the request itself, and its 407 is no response of the server's.
local function try(request, call, proxy, passes_on, line)
  local own = request.settings
  local feeder, status, body, head, info, flags = exchange.run(request, call, own:through(proxy), line,
    passes_on and own.undecided_by_proxy or own.undecided)
  if status ~= 407 or not passes_on then return feeder, status, body, head, info, flags end
  discard(feeder, body)
  return nil, nil, refused(proxy), info, head
end

-- The clock of the call runs from the first dispatch on.
local function start_clock(request, info)
  local moment = info and native.info(info).dispatched
  request:start_clock { dispatched = moment and moment > 0 and moment or nil }
end

-- With what the credentials of the proxy's URL are good for.
local function try_with_login(request, call, proxy, passes_on)
  local rounds = 0
  while true do
    local line, terms = proxy.login:header(asked_for(request, not passes_on))
    local feeder, status, body, head, info, flags = try(request, call, proxy, passes_on, line)
    local challenge = not status and info
    if not challenge or not proxy.login:learn(challenge, terms, rounds) or not request:has_repeatable_body() then
      return feeder, status, body, head, info, flags
    end
    if feeder then exchange.stop(feeder) end
    start_clock(request, head)
    rounds = rounds + 1
  end
end

---Sends a request whose settings have proxies.
---@param request lurcher.Request
---@param call function native.perform or native.open
---@return table? feeder
---@return integer? status, …
function proxied.send(request, call)
  local own = request.settings
  local proxy = own.proxies:choose(request.url)
  if not proxy then return exchange.run(request, call, own.profile, false, own.undecided) end
  if proxy.why then return nil, nil, errors.new { kind = "proxy", phase = "connect", message = proxy.why } end
  local is_tunnel = request.url:find("^https:") or own.tunnels
  local passes_on = not is_tunnel and proxy.scheme:find("^http") ~= nil
  if proxy.login then return try_with_login(request, call, proxy, passes_on) end
  return try(request, call, proxy, passes_on, true)
end

return proxied
