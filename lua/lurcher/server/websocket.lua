--- The server's side of a WebSocket (RFC 6455), with the methods of `lurcher.ws`:
---
---     return { websocket = function(c) for message in c do c:send(message) end end }

local answer = require "lurcher.server.answer"
local bit = require "bit"
local check = require "lurcher.base.check"
local crypto = require "lurcher.crypto"
local errors = require "lurcher.base.errors"
local failure = require "lurcher.server.failure"
local native = require "lurcher.native.server"
local task = require "lurcher.task"
local utf8 = require "lurcher.base.utf8"

local websocket = {}

local GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
local MAX_MESSAGE = 16 * 1024 * 1024
local MAX_FRAGMENTS = 65536
local CLOSE_TIMEOUT = 3 -- seconds until the client has answered a close
local REST_TIMEOUT = 60 -- seconds without the rest of a frame that has begun
local CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
local NORMAL, GOING_AWAY, PROTOCOL, NO_CODE, ABNORMAL, NOT_TEXT, TOO_LARGE, FAILED =
  1000, 1001, 1002, 1005, 1006, 1007, 1009, 1011

---@class lurcher.server.WebSocket
---@field protocol string? the subprotocol that was agreed on
---@field request lurcher.server.Request the handshake
---@overload fun(): string?, string?
local WebSocket = {}
WebSocket.__index = WebSocket

-- ---- frames ----

local function big_endian(number, count)
  local bytes = {}
  for i = count, 1, -1 do
    bytes[i] = string.char(number % 256)
    number = math.floor(number / 256)
  end
  return table.concat(bytes)
end

local function frame(opcode, payload)
  local length = #payload
  local size = length < 126 and string.char(length)
    or length < 65536 and "\126" .. big_endian(length, 2)
    or "\127" .. big_endian(length, 8)
  return string.char(128 + opcode) .. size .. payload
end

local function closed(code, reason, message)
  local err = errors.new { kind = "closed", message = message
    or ("the WebSocket was closed: %d%s"):format(code, reason ~= "" and " " .. reason or "") }
  err.code, err.reason = code, reason
  return err
end

-- Frames of several tasks are never mixed.
local function write(self, opcode, payload)
  local done, err = self.writing:with(answer.write, self.conn, frame(opcode, payload))
  if done then return true end
  return nil, closed(ABNORMAL, "", "the connection ended: " .. tostring(err and err.message))
end

-- The client broke the rules: it is told, and that is the end.
local function fail(self, code, why)
  if not self.sent_close then write(self, CLOSE, big_endian(code, 2) .. why:sub(1, 123)) end
  self.sent_close = true
  self.over = closed(code, why, "the client broke the rules of WebSocket: " .. why)
  return nil, self.over
end

local function ended(self)
  self.over = closed(ABNORMAL, "", "the client ended the connection without a close")
  return nil, self.over
end

local function read_rest(self, count)
  if count == 0 then return "" end
  local bytes = self.conn:read_exactly(count, REST_TIMEOUT)
  if bytes and #bytes == count then return bytes end
  return nil
end

local function payload_length(self, short)
  if short < 126 then return short end
  local bytes = read_rest(self, short == 126 and 2 or 8)
  if not bytes then return nil end
  local length = 0
  for i = 1, #bytes do length = length * 256 + bytes:byte(i) end
  return length
end

-- What is wrong with the head of a frame.
local function fault_of(self, first, second)
  local opcode = first % 16
  if bit.band(first, 0x70) ~= 0 then return "reserved bits are set" end
  if second < 128 then return "a client's frame has to be masked" end
  if opcode >= CLOSE and (first < 128 or second % 128 > 125) then return "a control frame is one short frame" end
  if opcode > BINARY and opcode < CLOSE or opcode > PONG then return "unknown opcode" end
  if opcode == CONTINUATION and not self.opcode then return "a continuation of nothing" end
  if (opcode == TEXT or opcode == BINARY) and self.opcode then return "a message within another" end
end

-- The next frame: its opcode, payload and whether it is the last of its message; or nil and an error.
local function read_frame(self, timeout)
  local head, err = self.conn:read_exactly(2, timeout or 0)
  if err and err.kind == "timeout" then return nil, err end
  if not head or #head < 2 then return ended(self) end
  local first, second = head:byte(1, 2)
  local fault = fault_of(self, first, second)
  if fault then return fail(self, PROTOCOL, fault) end
  local length = payload_length(self, second % 128)
  if length and length + self.bytes > self.max_message then return fail(self, TOO_LARGE, "the message is too large") end
  local key = length and read_rest(self, 4)
  local payload = key and read_rest(self, length)
  if not payload then return ended(self) end
  return first % 16, native.unmask(payload, key), first >= 128
end

-- ---- messages ----

-- What may stand in a close frame (RFC 6455, 7.4).
local function may_be_sent(code)
  return code >= 1000 and code <= 1003 or code >= 1007 and code <= 1014 or code >= 3000 and code <= 4999
end

local function answer_close(self, payload)
  if #payload == 1 then return fail(self, PROTOCOL, "a close has no code of one byte") end
  local code = #payload > 1 and payload:byte(1) * 256 + payload:byte(2) or NO_CODE
  if payload ~= "" and not may_be_sent(code) then
    return fail(self, PROTOCOL, ("%d is no code of a close"):format(code))
  end
  local reason = payload:sub(3)
  if not utf8.is_valid(reason) then return fail(self, NOT_TEXT, "the reason is not UTF-8") end
  if not self.sent_close then write(self, CLOSE, payload:sub(1, 2)) end
  self.sent_close = true
  self.over = closed(code, reason)
  return nil, self.over
end

-- Adds a frame of a message. The message once it is whole.
local function add(self, opcode, payload, last)
  self.opcode, self.fragments = self.opcode or opcode, self.fragments + 1
  if self.fragments > MAX_FRAGMENTS then return fail(self, TOO_LARGE, "the message has too many frames") end
  if payload ~= "" then self.pieces[#self.pieces + 1], self.bytes = payload, self.bytes + #payload end
  if not last then return nil end
  local message, kind = table.concat(self.pieces), self.opcode == TEXT and "text" or "binary"
  self.pieces, self.bytes, self.fragments, self.opcode = {}, 0, 0, nil
  if kind == "text" and not utf8.is_valid(message) then return fail(self, NOT_TEXT, "a text is not UTF-8") end
  return message, kind
end

-- Seconds to wait for a frame: for ever, unless the client has an end to answer.
local function patience(self, timeout)
  if not self.sent_close then return timeout end
  self.close_by = self.close_by or task.now() + CLOSE_TIMEOUT
  return math.min(timeout or math.huge, math.max(0.001, self.close_by - task.now()))
end

---The next message. Pings are answered meanwhile.
---@param timeout? number seconds
---@return string? message
---@return "text"|"binary"|lurcher.Error kind, or the error: kind "closed" with `code` and `reason` after the close
function WebSocket:receive(timeout)
  check.method(self, WebSocket, "websocket:receive")
  if timeout ~= nil then check.argument(timeout, "duration", 1, "websocket:receive") end
  while not self.over do
    local opcode, payload, last = read_frame(self, patience(self, timeout))
    if not opcode then
      if self.sent_close and payload.kind == "timeout" and task.now() >= self.close_by then return ended(self) end
      return nil, payload
    end
    if opcode == PING then
      write(self, PONG, payload)
    elseif opcode == CLOSE then
      return answer_close(self, payload)
    elseif opcode ~= PONG then
      local message, kind = add(self, opcode, payload, last)
      if message or kind then return message, kind end
    end
  end
  return nil, self.over
end

---`for message, kind in c do`: ends at a close with 1000, 1001 or no code, and raises otherwise.
function WebSocket:__call()
  local message, kind = self:receive()
  if message then return message, kind end
  local code = kind.code
  if kind.kind == "closed" and (code == NORMAL or code == GOING_AWAY or code == NO_CODE) then return nil end
  error(kind, 0)
end

local function send(self, opcode, bytes, what)
  check.method(self, WebSocket, what)
  check.argument(bytes, "string", 1, what)
  if self.over or self.sent_close then return nil, self.over or closed(NORMAL, "", "the WebSocket is closed") end
  return write(self, opcode, bytes)
end

---Sends a text.
---@param text string
---@return true? ok
---@return lurcher.Error? err
function WebSocket:send(text)
  if type(text) == "string" and not utf8.is_valid(text) then
    errors.raise("websocket:send: a text is UTF-8, and this one is not; see send_binary")
  end
  return send(self, TEXT, text, "websocket:send")
end

---Sends bytes.
---@param bytes string
---@return true? ok
---@return lurcher.Error? err
function WebSocket:send_binary(bytes) return send(self, BINARY, bytes, "websocket:send_binary") end

---Closes; what the client still sends is read until it has answered.
---@param code? integer default 1000
---@param reason? string
function WebSocket:close(code, reason)
  check.method(self, WebSocket, "websocket:close")
  check.argument(code, "nil|integer", 1, "websocket:close")
  check.argument(reason, "nil|string", 2, "websocket:close")
  if self.over or self.sent_close then return end
  write(self, CLOSE, big_endian(code or NORMAL, 2) .. (reason or ""):sub(1, 123))
  self.sent_close = true
end

-- ---- handshake ----

local function has_token(text, wanted)
  for token in (text or ""):gmatch("[^,%s]+") do
    if token:lower() == wanted then return true end
  end
  return false
end

-- What answers a request that is no handshake.
local function refusal(req)
  local headers = req.headers
  local upgrades = has_token(headers.upgrade, "websocket") and has_token(headers.connection, "upgrade")
  if req.method ~= "GET" or req.version ~= "1.1" or not upgrades then
    return { status = 426, headers = { Upgrade = "websocket" }, body = "this is a WebSocket\n" }
  elseif headers["sec-websocket-version"] ~= "13" then
    return { status = 426, headers = { Upgrade = "websocket", ["Sec-WebSocket-Version"] = "13" } }
  elseif not (headers["sec-websocket-key"] or ""):find("^[%w+/]+==$") or #headers["sec-websocket-key"] ~= 24 then
    return { status = 400, body = "Sec-WebSocket-Key is not 16 bytes in base64\n" }
  end
end

-- Of those that the client offers: the first that the handler's list or name has.
local function agreed(req, wanted)
  if not wanted then return nil end
  local set = {}
  for _, name in ipairs(type(wanted) == "table" and wanted or { wanted }) do set[name] = true end
  for name in (req.headers["sec-websocket-protocol"] or ""):gmatch("[^,%s]+") do
    if set[name] then return name end
  end
end

local function accept(req, response)
  local headers = { Upgrade = "websocket", Connection = "Upgrade", Date = false,
    ["Sec-WebSocket-Accept"] = crypto.base64(crypto.sha1(req.headers["sec-websocket-key"] .. GUID, "raw")) }
  local protocol = agreed(req, response.protocol)
  headers["Sec-WebSocket-Protocol"] = protocol
  for name, value in pairs(response.headers or {}) do headers[name] = value end
  return answer.build({ status = 101, upgrades = true, headers = headers }, req, true), protocol
end

-- Whatever the function left open is closed properly.
local function finish(self)
  if not self.over and not self.sent_close then self:close() end
  while not self.over do self:receive() end
end

local function run(self, fn)
  local ok, raised = xpcall(fn, failure.catch, self)
  if not ok and not self.over then self:close(FAILED, "the handler failed") end
  finish(self)
  if ok or self.over and failure.of(raised).error == self.over then return end
  return raised
end

---Answers a handshake and gives the connection to the response's function. Returns false: the connection cannot be
---used for another request; and what the function raised.
---@param state table the connection
---@param req lurcher.server.Request
---@param response table
---@return boolean
---@return table?
function websocket.serve(state, req, response)
  local refused = refusal(req)
  state.begun = true
  local answered, protocol
  if refused then
    answered = answer.build(refused, req, true)
  else
    answered, protocol = accept(req, response)
  end
  req.status = answered.status
  if refused then return answer.transmit(state.conn, answered) or false end
  if not state.conn:write(answered.head) then return false end
  local self = setmetatable({ conn = state.conn, request = req, protocol = protocol, max_message = MAX_MESSAGE,
    pieces = {}, bytes = 0, fragments = 0, writing = task.semaphore(1) }, WebSocket)
  return false, run(self, response.websocket)
end

return websocket
