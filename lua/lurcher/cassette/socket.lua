--- A WebSocket that is recorded, and one that is played from a recording.

local crypto = require "lurcher.crypto"
local errors = require "lurcher.base.errors"
local kinds = require "lurcher.base.kinds"
local secret = require "lurcher.base.secret"

local socket = {}

local MAX_BYTES = 64 * 1024 * 1024 -- of messages that are kept

-- ---- recording: in place of the native connection, which it drives ----

local Recorded = {}
Recorded.__index = Recorded

local function note(self, name, text, is_text)
  self.size = self.size + #text
  if self.size > MAX_BYTES then
    self.is_incomplete = true
  elseif is_text then
    self.messages[#self.messages + 1] = { [name] = text }
  else
    self.messages[#self.messages + 1] = { [name .. "_base64"] = crypto.base64(text) }
  end
end

for _, name in ipairs { "write", "begin", "info", "summary", "is_open", "abort" } do
  Recorded[name] = function(self, ...) return self.native[name](self.native, ...) end
end

-- Of a refusal's body.
function Recorded:read(...)
  local bytes, err = self.native:read(...)
  if bytes and bytes ~= "" then
    self.size = self.size + #bytes
    if self.size > MAX_BYTES then self.is_incomplete = true else self.body[#self.body + 1] = bytes end
  end
  return bytes, err
end

local function noted_head(self, status, head, version, reason, is_chunked, ...)
  if status then self.status, self.block, self.reason, self.is_chunked = status, head, reason, is_chunked end
  return status, head, version, reason, is_chunked, ...
end

-- What a body is without its chunks, as far as it was read.
local function without_chunks(bytes)
  local pieces, at = {}, 1
  while true do
    local size, from = bytes:match("^(%x+)[^\n]*\n()", at)
    if not size or #size > 8 or tonumber(size, 16) == 0 then return table.concat(pieces) end
    at = from + tonumber(size, 16)
    pieces[#pieces + 1] = bytes:sub(from, at - 1)
    at = bytes:match("^\r?\n()", at) or #bytes + 1
  end
end

function Recorded:head(...) return noted_head(self, self.native:head(...)) end

function Recorded:send(text, is_text)
  local ok, err = self.native:send(text, is_text)
  if ok then note(self, "sent", text, is_text) end
  return ok, err
end

function Recorded:receive(...)
  local message, kind = self.native:receive(...)
  if message then
    note(self, "received", message, kind == "text")
  elseif kind.kind ~= "timeout" and kind.kind ~= "canceled" and not self.ended then
    self.ended = true
    self.messages[#self.messages + 1] = kind.kind == "closed" and kind.code
      and { closed = kind.code, reason = kind.reason } or { failed = kind.kind, message = kind.message }
  end
  return message, kind
end

function Recorded:close(...)
  self.ended = true
  return self.native:close(...)
end

---Whether nothing more comes.
function Recorded:is_over() return self.ended end

---The entry; nil and why there is none.
function Recorded:harvest()
  if self.failure and self.failure.kind == "denied" then return nil end
  if self.is_incomplete then return nil, "a WebSocket with messages of more than 64 MiB is not recorded" end
  local flat = {}
  for name, value in (self.block or ""):gmatch "([^:\r\n]+):[ \t]*([^\r\n]*)\r\n" do
    local lower = name:lower()
    if not lower:find "^sec%-websocket%-[ae]" and lower ~= "transfer-encoding" then
      flat[#flat + 1], flat[#flat + 2] = name, value
    end
  end
  local body = table.concat(self.body)
  local response = self.status and { status = self.status, version = "1.1", reason = self.reason or "",
    headers = flat, body = self.is_chunked and without_chunks(body) or body }
  return { request = self.request, response = response or nil, failure = self.failure or nil,
    messages = self.status == 101 and self.messages or nil, open = not (response or self.failure) or nil }
end

---@param sent lurcher.mock.Request
---@return table one whose `native` is to be set
function socket.recorded(sent)
  local lines = {}
  for i, text in ipairs(sent.lines) do lines[i] = secret.reveal(text) end
  local request = { method = "GET", url = sent.url, headers = lines, body = "" }
  return setmetatable({ request = request, messages = {}, body = {}, size = 0, pending = true,
    native = false, failure = false, status = false, ended = false, is_incomplete = false }, Recorded)
end

-- ---- playing ----

local function failed(kind, message)
  return errors.new { kind = kinds.get(kind) and kind or "protocol", phase = "read", retryable = false,
    message = type(message) == "string" and message or "as it was recorded" }
end

-- Whether the script sent what was recorded. Gives false and an error.
local function check_sent(c, expect, count, one, bytes, kind)
  if not expect then return true end
  local problem = expect(count, one, bytes, kind)
  if not problem then return true end
  c.there:fail(errors.new { kind = "mock", retryable = false, message = problem }, true)
  return false
end

---What the server's side does, by a recording.
---@param messages table[]
---@param expect? fun(count: integer, one: table|nil, bytes: string, kind: string): string? what is wrong with the
---  message that the script sent as so many; `one`: as it was recorded, nil: there was none
---@return fun(c: lurcher.mock.WebSocket)
function socket.speaker(messages, expect)
  return function(c)
    local count = 0
    for _, one in ipairs(messages) do
      if one.sent or one.sent_base64 then
        local bytes, kind = c:receive()
        count = count + 1
        if not bytes or not check_sent(c, expect, count, one, bytes, kind) then return end
      elseif one.received then
        c:send(tostring(one.received))
      elseif one.received_base64 then
        c:send_binary(crypto.base64_decode(tostring(one.received_base64)) or "")
      elseif one.closed then
        return c:close(tonumber(one.closed) or 1000, type(one.reason) == "string" and one.reason or "")
      elseif one.failed then
        return c.there:fail(failed(one.failed, one.message))
      end
    end
    for bytes, kind in c do
      count = count + 1
      if not check_sent(c, expect, count, nil, bytes, kind) then return end
    end
  end
end

return socket
