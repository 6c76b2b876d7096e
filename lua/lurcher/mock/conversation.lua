--- Both ends of a WebSocket that no network carries: what a client's connection is made of, in place of the native
--- one, and what a script speaks for the server by.

local check = require "lurcher.base.check"
local companion = require "lurcher.http.companion"
local crypto = require "lurcher.crypto"
local errors = require "lurcher.base.errors"
local log = require "lurcher.log"
local raw_pcall = require("lurcher.native.task").raw_pcall
local secret = require "lurcher.base.secret"
local task = require "lurcher.task"
local utf8 = require "lurcher.base.utf8"

local conversation = {}

local GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
local FOREVER = 1e6
local NORMAL, NO_CODE, TOO_LARGE, FAILED = 1000, 1005, 1009, 1011
local MAX_REASON = 123

-- ---- messages on their way to one end ----

local Inbox = {}
Inbox.__index = Inbox

local function new_inbox()
  return setmetatable({ messages = {}, first = 1, last = 0, waiter = false, closed = false, failed = false,
    refused = false }, Inbox)
end

local function wake(self)
  if self.waiter then self.waiter:set() end
end

function Inbox:put(text, kind)
  if self.closed then return end
  self.last = self.last + 1
  self.messages[self.last] = { text, kind }
  wake(self)
end

---No more comes. The first reason counts.
function Inbox:close(code, reason)
  self.closed = self.closed or { code = code, reason = reason }
  wake(self)
end

---No more comes but this error, once what came before was had. The first one counts.
---@param err lurcher.Error
---@param refused? boolean it is about what was sent: sending and closing say so, too
function Inbox:fail(err, refused)
  self.failed = self.failed or err
  self.refused = self.refused or refused and err
  wake(self)
end

local function closed_error(closed)
  local reason = closed.reason ~= "" and ": " .. closed.reason or ""
  return errors.new { kind = "closed", phase = "read", code = closed.code, reason = closed.reason, retryable = false,
    message = ("the WebSocket is closed (%d)%s"):format(closed.code, reason) }
end

---@param seconds? number
function Inbox:get(seconds)
  local deadline = seconds and task.now() + seconds
  while self.first > self.last do
    if self.raised then error(self.raised, 0) end
    if self.failed then return nil, self.failed end
    if self.closed then return nil, closed_error(self.closed) end
    local left = deadline and deadline - task.now()
    if left and left <= 0 then
      return nil, errors.new { kind = "timeout", phase = "read", limit = seconds, retryable = false,
        message = ("no message came within %g s"):format(seconds) }
    end
    local waiter = task.event()
    self.waiter = waiter
    if left then task.timeout(left, waiter.wait, waiter) else waiter:wait() end
    if self.waiter == waiter then self.waiter = false end
  end
  local message = self.messages[self.first]
  self.messages[self.first] = nil
  self.first = self.first + 1
  return message[1], message[2]
end

-- ---- the server's end ----

---@class lurcher.mock.WebSocket what a script speaks for the server by
---@field request lurcher.mock.Request the handshake
local Server = { __name = "lurcher.mock.WebSocket" }
Server.__index = Server

-- A closed connection takes nothing more.
local function send(self, message, kind)
  if self.here.closed then return nil, closed_error(self.here.closed) end
  self.there:put(message, kind)
  return true
end

---@param text string|lurcher.Secret
---@return true? ok
---@return lurcher.Error? err
function Server:send(text)
  check.method(self, Server, "websocket:send")
  text = check.argument(secret.reveal(text), "string", 1, "websocket:send")
  if not utf8.is_valid(text) then
    errors.raise("websocket:send: a text is UTF-8, and this one is not; see send_binary")
  end
  return send(self, text, "text")
end

---@param bytes string|lurcher.Secret
---@return true? ok
---@return lurcher.Error? err
function Server:send_binary(bytes)
  check.method(self, Server, "websocket:send_binary")
  return send(self, check.argument(secret.reveal(bytes), "string", 1, "websocket:send_binary"), "binary")
end

---The client's next message; waits for it.
---@param timeout? number
---@return string? message
---@return "text"|"binary"|lurcher.Error kind, or the error: kind "closed" once the client has closed it
function Server:receive(timeout)
  check.method(self, Server, "websocket:receive")
  if timeout ~= nil then check.argument(timeout, "duration", 1, "websocket:receive") end
  return self.here:get(timeout)
end

---Iterates over the client's messages until it closes.
function Server:__call()
  local message, kind = self.here:get()
  if message then return message, kind end
  return nil
end

---@param code? integer 1000 to 4999; 1005 and 1006 stand for an end without a code, and without a close
---@param reason? string at most 123 bytes
---@return true
function Server:close(code, reason)
  check.method(self, Server, "websocket:close")
  check.argument(code, "nil|integer", 1, "websocket:close")
  check.argument(reason, "nil|string", 2, "websocket:close")
  if code and (code < 1000 or code > 4999) then
    errors.raise(("websocket:close: %d is no code: 1000 to 4999"):format(code))
  end
  if reason and (#reason > MAX_REASON or not utf8.is_valid(reason)) then
    errors.raise(("websocket:close: a reason is at most %d bytes of UTF-8"):format(MAX_REASON))
  end
  self.there:close(code or NORMAL, reason or "")
  self.here:close(code or NORMAL, reason or "")
  return true
end

-- ---- the client's end: as the native one ----

local Client = {}
Client.__index = Client

function Client:write(text)
  self.key = text:match "\r\nSec%-WebSocket%-Key: ([^\r]+)"
end

-- The answer of one that has to be waited for. False: it did not come in time.
local function await(self, seconds)
  local answered, speak
  local function wait()
    answered, speak = self.wait()
    return true
  end
  if not (seconds and task.timeout(seconds, wait) or not seconds and wait()) then return false end
  if not answered then return nil, speak end
  self.answer, self.speak = answered, speak or false
  return true
end

local function never_answered()
  return nil, errors.new { kind = "timeout", phase = "read", message = "the mock never answers" }
end

-- The answer to the handshake: status, head, version, reason, whether it is chunked, its length.
function Client:head(seconds)
  local came, err = true, nil
  if self.wait then came, err = await(self, seconds) end
  if came == nil then return nil, err end
  if not came then return never_answered() end
  local one = self.answer
  if one.stalls then
    task.sleep(seconds or FOREVER)
    return never_answered()
  end
  local lines = {}
  if one.status == 101 then
    local accept = crypto.base64(crypto.sha1(self.key .. GUID, "raw"))
    lines = { "Upgrade: websocket\r\n", "Connection: Upgrade\r\n", ("Sec-WebSocket-Accept: %s\r\n"):format(accept) }
    if one.protocol then lines[#lines + 1] = ("Sec-WebSocket-Protocol: %s\r\n"):format(one.protocol) end
  end
  for i = 1, #one.headers, 2 do lines[#lines + 1] = ("%s: %s\r\n"):format(one.headers[i], one.headers[i + 1]) end
  return one.status, table.concat(lines), "1.1", one.reason or "", false, #(one.body or "")
end

-- Of a refusal's body.
function Client:read()
  local body = self.answer.body
  self.answer.body = nil
  return body ~= "" and body or nil
end

---@param agreed table max_message
function Client:begin(agreed)
  local server = self.server
  self.max_message = agreed.max_message
  if not self.speak then return end
  self.companion = companion.start(function()
    local ok, raised = raw_pcall(self.speak, server)
    if not ok and self.is_stopping then error(raised, 0) end
    if not ok then self.here.raised = raised end
    server:close(ok and NORMAL or FAILED, ok and "" or "the mock raised")
  end)
end

function Client.info() return nil end
function Client.summary() return nil end

function Client:is_open() return not self.here.closed end

local function refuse_closed(self)
  if self.here.raised then error(self.here.raised, 0) end
  return nil, self.here.failed or closed_error(self.here.closed)
end

function Client:send(text, is_text)
  if is_text and not utf8.is_valid(text) then return nil end
  if self.here.closed or self.here.failed then return refuse_closed(self) end
  self.there:put(text, is_text and "text" or "binary")
  task.yield()
  if self.here.refused then return nil, self.here.refused end
  return true
end

function Client:receive(seconds)
  local message, kind = self.here:get(seconds)
  if not message or #message <= self.max_message then return message, kind end
  self:abort(TOO_LARGE)
  return nil, errors.new { kind = "too_large", phase = "read", limit = self.max_message, observed = #message,
    message = ("a message of more than %d bytes (max_message)"):format(self.max_message) }
end

local function stop(self)
  local beside = self.companion
  self.companion, self.is_stopping = nil, true
  if beside then beside:stop() end
end

function Client:close(code, reason)
  if not utf8.is_valid(reason) then return nil end
  if self.here.raised then error(self.here.raised, 0) end
  self.there:close(code, reason)
  self.here:close(code, reason)
  task.yield() -- the server's side may say good-bye
  stop(self)
  if self.here.refused then return nil, self.here.refused end
  return true
end

function Client:abort(code)
  self.there:close(code == 0 and NO_CODE or code, "")
  self.here:close(code == 0 and NO_CODE or code, "")
  local ok, raised = pcall(stop, self)
  if not ok then log.error(tostring(raised)) end
end

local function new_client(request, fields)
  local to_client, to_server = new_inbox(), new_inbox()
  fields.here, fields.there, fields.max_message = to_client, to_server, math.huge
  fields.server = setmetatable({ here = to_server, there = to_client, request = request }, Server)
  return setmetatable(fields, Client)
end

---A connection whose server answers the handshake like that.
---@param answer table status, headers (a flat list), body, reason, protocol
---@param request lurcher.mock.Request
---@param speak? fun(c: lurcher.mock.WebSocket) the server's side, once it is open
---@return table
function conversation.new(answer, request, speak)
  return new_client(request, { answer = answer, speak = speak or false, wait = false })
end

---The same where the answer takes its time, within the limits of who connects.
---@param wait fun(): table?, function|lurcher.Error|nil the answer and who speaks; or nil and an error
---@param request lurcher.mock.Request
---@return table
function conversation.waiting(wait, request)
  return new_client(request, { wait = wait, speak = false })
end

return conversation
