--- The authorization code flow for programs on somebody's machine (RFC 8252): the person allows it in a browser,
--- which then comes to a port of this machine with a code. PKCE (RFC 7636) keeps the code from being of use to others.

local crypto = require "lurcher.crypto"
local errors = require "lurcher.base.errors"
local query = require "lurcher.url.query"
local redact = require "lurcher.base.redact"
local secret = require "lurcher.base.secret"
local server = require "lurcher.server"
local task = require "lurcher.task"
local text = require "lurcher.base.text"
local token_request = require "lurcher.http.auth.token_request"
local tables = require "lurcher.base.tables"
local url_native = require "lurcher.native.url"

local PATIENCE = 600 -- seconds for the person
local MAX_ERROR = 200 -- bytes of what the server says went wrong
local LOOPBACK = { ["127.0.0.1"] = "127.0.0.1", ["localhost"] = "127.0.0.1", ["[::1]"] = "::1" }

local flow = {}

---The parts of a redirect URL on this machine; nil: it is none.
---@param url string
---@return { host: string, address: string, port: integer, path: string }?
function flow.loopback(url)
  local host, port, path = url:match "^[hH][tT][tT][pP]://(%[[%x:]+%])(:?%d*)(/?[^?#]*)$"
  if not host then host, port, path = url:match "^[hH][tT][tT][pP]://([^/:?#@]+)(:?%d*)(/?[^?#]*)$" end
  local address = host and LOOPBACK[host:lower()]
  local number = port and tonumber(port:sub(2)) or 0
  if not address or number > 65535 or port == ":" then return nil end
  return { host = host, address = address, port = number, path = path }
end

local PAGE = [[<!doctype html><meta charset="utf-8"><title>%s</title><p>%s You may close this window.
]]

local function page(status, said)
  return { status = status, body = PAGE:format(said, said), headers = { ["Content-Type"] = "text/html; charset=utf-8",
    ["Cache-Control"] = "no-store", ["Referrer-Policy"] = "no-referrer", ["Connection"] = "close",
    ["Content-Security-Policy"] = "default-src 'none'" } }
end

local function only(value) return type(value) == "string" and value ~= "" and value or nil end

-- The answer names who gave it (RFC 9207). Somebody else's code would go to our token server, which may be after it.
local function is_of_other(options, issuer)
  return issuer and url_native.origin(issuer) ~= url_native.origin(options.authorize_url)
end

-- Takes the first request that has our state; what others send is refused, and changes nothing.
local function handler(options, place, state, arrived)
  return function(req)
    local given = req.query
    if req.method ~= "GET" or req.path ~= place.path then return page(404, "There is nothing here.") end
    if arrived.happened then return page(410, "This was answered already.") end
    if not crypto.equal(only(given.state) or "", state) then
      return page(400, "This is not the answer that was waited for.")
    end
    local refusal, code = only(given.error), only(given.code)
    if not (refusal or code) then return page(400, "The answer holds no code.") end
    local description, issuer = only(given.error_description), only(given.iss)
    if is_of_other(options, issuer) then refusal, description = "invalid_issuer", "the answer is of " .. issuer end
    arrived.refusal, arrived.description, arrived.code = refusal, description, code
    arrived:set()
    if refusal then return page(200, "It was not allowed.") end
    return page(200, "Done.")
  end
end

local function authorize_url(options, redirect, state, verifier)
  local fields = tables.overlay(token_request.common_fields(options), { response_type = "code",
    client_id = secret.reveal(options.client_id), redirect_uri = redirect, state = state,
    code_challenge = crypto.base64url(crypto.sha256(verifier, "raw")), code_challenge_method = "S256" })
  return query.add(options.authorize_url, query.encode({ fields }, "%20", "parameter"))
end

local function refused(options, arrived)
  local said = arrived.description and ": " .. text.printable(secret.excerpt(arrived.description, MAX_ERROR)) or ""
  local code = text.printable(secret.excerpt(arrived.refusal, MAX_ERROR))
  return nil, errors.new { kind = "status", code = code, method = "GET", url = redact.url(options.authorize_url),
    message = ("the authorization was refused, and there is no token: %s%s"):format(code, said) }
end

local function nobody(options)
  return nil, errors.new { kind = "timeout", phase = "total", limit = PATIENCE, method = "GET",
    url = redact.url(options.authorize_url),
    message = ("nobody answered the authorization within %d s"):format(PATIENCE) }
end

-- Listens until the browser comes; the code, or nil and an error. The port is closed afterwards.
local function wait_for_code(options, place, state, verifier)
  return task.scope(function(scope)
    local arrived = task.event()
    local s, err = server.start(handler(options, place, state, arrived),
      { host = place.address, port = place.port, record = 1, grace = 0.5 })
    if not s then return nil, err end
    scope:defer(function() s:stop() end)
    local redirect = ("http://%s:%d%s"):format(place.host, s.port, place.path)
    options.show { url = authorize_url(options, redirect, state, verifier) }
    task.timeout(PATIENCE, arrived.wait, arrived)
    if not arrived.happened then return nobody(options) end
    if arrived.refusal then return refused(options, arrived) end
    return arrived.code, redirect
  end)
end

---Has a person allow it in a browser, and gives what the token server answers then.
---@param client lurcher.Client
---@param options lurcher.OAuth2Options
---@return table? answer as token_request.send gives it
---@return lurcher.Error? err
function flow.run(client, options)
  local state, verifier = crypto.base64url(crypto.random(24)), crypto.base64url(crypto.random(48))
  local place = flow.loopback(options.redirect_url or "http://127.0.0.1/callback")
  if place.path == "" then place.path = "/" end
  local code, redirect = wait_for_code(options, place, state, verifier)
  if not code then return nil, redirect end
  return token_request.ask(client, options, { grant_type = "authorization_code", code = secret.new(code),
    redirect_uri = redirect, code_verifier = secret.new(verifier) })
end

return flow
