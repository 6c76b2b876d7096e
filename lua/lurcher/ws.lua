--- WebSocket (RFC 6455): `ws.connect(url, opts)` gives a connection that sends and receives messages.

local auth = require "lurcher.http.layer.auth"
local check = require "lurcher.base.check"
local client = require "lurcher.http.client"
local errors = require "lurcher.base.errors"
local exchange = require "lurcher.http.layer.exchange"
local handshake = require "lurcher.ws.handshake"
local native = require "lurcher.native.websocket"
local now = require("lurcher.native.http").now
local observe = require "lurcher.http.observe"
local options = require "lurcher.http.options"
local overlay = require("lurcher.base.tables").overlay
local owned = require "lurcher.task.owned"
local own_options = require "lurcher.ws.options"
local redact = require "lurcher.base.redact"
local request = require "lurcher.http.request"
local response = require "lurcher.http.response"
local retry_policy = require "lurcher.http.retry_policy"
local new_store = require("lurcher.task.script").store
local secret = require "lurcher.base.secret"
local strict = require "lurcher.base.strict"

local ws = {}

local GOING_AWAY = 1001

---@class lurcher.WebSocket
---@field protocol string? the subprotocol that the server chose
---@field response lurcher.Response the answer to the handshake
---@overload fun(): string?, string?
local WebSocket = { __name = "lurcher.WebSocket" }

local methods = {}

local FIELDS = { protocol = true, response = true }
local ELSEWHERE = { recv = "c:receive()", read = "c:receive()", on_message = "for message in c do",
  write = "c:send(text)", send_text = "c:send(text)", send_bytes = "c:send_binary(bytes)",
  subprotocol = "c.protocol", ping = "the option ping = seconds", closed = "the error of c:receive()" }

function WebSocket.__index(_, name)
  local method = methods[name]
  if method or FIELDS[name] or not strict.is_name(name) then return method end
  strict.refuse("a WebSocket has no field", name, overlay(methods, FIELDS), ELSEWHERE)
end

-- ---- connecting ----

-- Every connection is its task's: it is closed with it.
local keep = owned.registry(function(open)
  for left in pairs(open) do left.native:abort(GOING_AWAY) end
end)

-- Settings, pool and names of all of them; no limits but those of the machine.
local kept = new_store()

local function base_client()
  local state = kept()
  state.client = state.client or client.shared {
    limits = { inflight = false, per_origin = false, idle = 0, learn = false }, cookies = false, decompress = false,
    http_version = "1.1", timeout = { total = false }, headers = { Accept = false },
  }
  return state.client
end

-- ws and wss stand for http and https.
local function as_http(url)
  local text = secret.reveal(url)
  if type(text) ~= "string" then return url end
  local scheme, rest = text:match("^%s*([wW][sS][sS]?)(://.*)$")
  if not scheme then return text, false end
  return (#scheme == 2 and "http" or "https") .. rest, true
end

-- The URL of a request as the script wrote it.
local function shown(req)
  return redact.url(req.is_ws and req.url:gsub("^http", "ws") or req.url)
end

-- The error of a URL that is of another scheme, or of none.
local function scheme_error(url)
  local scheme = url:match("^%s*(%a[%w+.-]*)://")
  if scheme and scheme:lower():find("^https?$") then return nil end
  return errors.new { kind = "url", message = scheme
      and "a WebSocket's URL begins with ws://, wss://, http:// or https://"
      or "the URL has no scheme: ws://, wss://, http:// or https://",
    method = "GET", url = redact.url(url), attempts = 0, elapsed = 0 }
end

local MORE_BYTES = #"http" - #"ws"

-- What is wrong with a URL that was read as one of http, told as it was written.
local function as_written(err)
  err.url = err.url:gsub("^http", "ws")
  err.message = err.message:gsub("at byte (%d+)", function(at) return ("at byte %d"):format(at - MORE_BYTES) end)
  return err
end

local function dress(req, err)
  err.method, err.url = req.method, shown(req)
  err.attempts, err.elapsed = req.attempts, req:elapsed()
  err.retryable = retry_policy.is_retryable(req, err)
  return err
end

local function forget(self)
  self.owned[self] = nil
end

local function discard(self)
  self.native:abort(0)
  forget(self)
end

-- As native.perform takes and gives it.
local function connect(pool, profile, _, url, wire, _, deadline, _, _, label)
  return native.connect(pool, profile, url, wire, deadline, label)
end

-- A connection to the server, in a tunnel through whatever proxy.
local function connected(req, is_network)
  local own = req.settings
  local other = not is_network and own.transport
  if other and not other:passes(req) then
    return other:websocket(req, function() return connected(req, true) end)
  end
  if not own.proxies then return exchange.run(req, connect, own.profile, nil) end
  own.tunnels = true
  return require("lurcher.http.layer.proxied").send(req, connect)
end

-- One handshake: the response of any status; a 101 has its connection beside it.
local function shake(req, opts)
  local own = req.settings
  local limits = overlay(options.DEFAULT.timeout, own.options.timeout)
  if own.total and not req.deadline then req.deadline = now() + own.total end
  local _, connection, err, info = connected(req)
  if not connection then
    if observe.enabled then observe.attempt(req, err.kind, info) end
    return nil, dress(req, err)
  end
  local self = setmetatable({ native = connection, protocol = false, url = shown(req) }, WebSocket)
  self.owned, req.socket = keep(self), self
  local text, key = handshake.request(req, opts)
  req.key = key
  connection:write(text)
  local res, failure = handshake.answer(connection, req, limits, own.options.max_headers or options.DEFAULT.max_headers)
  if observe.enabled then
    observe.attempt(req, res and tostring(res.status) or failure.kind, connection:summary(), res and res.head)
  end
  if res and res.status == 101 then return res end
  discard(self)
  if res then return res end
  return nil, dress(req, failure)
end

local function open(req, res, opts)
  local self = req.socket
  local protocol, extension = handshake.check(res, req.key, opts)
  if protocol == nil then
    discard(self)
    return nil, dress(req, extension)
  end
  local agreed = overlay(extension or {}, { deflate = extension and true or false,
    max_message = opts.max_message or math.huge, ping = opts.ping or 0 })
  local limits = overlay(options.DEFAULT.timeout, req.settings.options.timeout)
  agreed.write = limits.write and limits.write < math.huge and limits.write or 0
  self.native:begin(agreed)
  self.protocol, self.response = protocol or nil, res
  return self
end

---Opens a WebSocket.
---@param url string|lurcher.Secret ws, wss, http or https
---@param opts? lurcher.ws.Options and those of requests that concern the connection and the headers
---@return lurcher.WebSocket? connection
---@return lurcher.Error? err kind "status" when the server refuses: `err.response`
function ws.connect(url, opts)
  if url == ws then errors.raise("call it with a dot: ws.connect(…)") end
  local own, rest = own_options.split(opts)
  local address, is_ws = as_http(url)
  local unfit = type(address) == "string" and scheme_error(address)
  if unfit then return nil, unfit end
  local req, err = request.new(base_client(), "GET", address, rest, "ws.connect")
  if not req then return nil, is_ws and as_written(err) or err end
  req.is_ws = is_ws
  local sent
  -- A scheme may send it twice, as copies.
  local res, failure = auth.layer(req, function(copy)
    sent = copy
    return shake(copy, own)
  end)
  if not res then return nil, failure end
  if res.status ~= 101 then
    err = response.status_error(res, "101")
    err.url = shown(sent)
    return nil, err
  end
  return open(sent, res, own)
end

-- ---- messages ----

local function dressed(self, err)
  err.method, err.url = "GET", self.url
  return err
end

local function checked_message(message, what)
  message = secret.reveal(message)
  return check.argument(message, "string", 1, what)
end

---Sends a text; waits while the server takes nothing.
---@param text string|lurcher.Secret UTF-8
---@return true? ok
---@return lurcher.Error? err
function methods:send(text)
  check.method(self, WebSocket, "websocket:send")
  local ok, err = self.native:send(checked_message(text, "websocket:send"), true)
  if ok then return true end
  if err then return nil, dressed(self, err) end
  errors.raise("websocket:send: a text is UTF-8, and this one is not; send_binary takes any bytes")
end

---Sends bytes; waits while the server takes nothing.
---@param bytes string|lurcher.Secret
---@return true? ok
---@return lurcher.Error? err
function methods:send_binary(bytes)
  check.method(self, WebSocket, "websocket:send_binary")
  local ok, err = self.native:send(checked_message(bytes, "websocket:send_binary"), false)
  if ok then return true end
  return nil, dressed(self, err)
end

---The next message; waits for it.
---@param timeout? number seconds; when they are over, kind "timeout", and the connection goes on
---@return string? message
---@return "text"|"binary"|lurcher.Error kind, or the error: kind "closed" with `code` and `reason` after the close
function methods:receive(timeout)
  check.method(self, WebSocket, "websocket:receive")
  if timeout ~= nil then check.argument(timeout, "duration", 1, "websocket:receive") end
  local message, kind = self.native:receive(timeout ~= math.huge and timeout or nil)
  if message then return message, kind end
  if not self.native:is_open() then forget(self) end
  return nil, dressed(self, kind)
end

---Iterates over the messages; ends when the connection was closed with 1000 or 1001, and raises otherwise.
function WebSocket:__call()
  local message, kind = methods.receive(self)
  if message then return message, kind end
  if kind.kind == "closed" and (kind.code == 1000 or kind.code == GOING_AWAY) then return nil end
  error(kind, 0)
end

local function may_be_sent(code)
  return code == 1000 or code == 1001 or code == 1002 or code == 1003 or code >= 1007 and code <= 1014
    or code >= 3000 and code <= 4999
end

---Closes it, and waits until the server has done so, too, but no longer than 3 s.
---@param code? integer default 1000
---@param reason? string at most 123 bytes
---@return true? ok
---@return lurcher.Error? err
function methods:close(code, reason)
  check.method(self, WebSocket, "websocket:close")
  check.argument(code, "nil|integer", 1, "websocket:close")
  check.argument(reason, "nil|string", 2, "websocket:close")
  if code and not may_be_sent(code) then
    errors.raise(("websocket:close: %d is no code that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999")
      :format(code))
  end
  if reason and #reason > 123 then
    errors.raise(("websocket:close: a reason has at most 123 bytes, got %d"):format(#reason))
  end
  local ok, err = self.native:close(code or 1000, reason or "")
  if not ok and not err then errors.raise("websocket:close: a reason is UTF-8, and this one is not") end
  forget(self)
  if ok then return true end
  return nil, dressed(self, err)
end

function WebSocket:__tostring()
  return ("WebSocket %s (%s)"):format(self.url, self.native:is_open() and "open" or "closed")
end

return ws
