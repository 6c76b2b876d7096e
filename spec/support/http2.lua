-- An HTTP/2 server frame by frame: whatever it should send, right or wrong, at the right moment.

local bit = require "bit"
local faults = require "spec.support.faults"

local http2 = {}

local types = { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PUSH_PROMISE = 5, PING = 6, GOAWAY = 7,
  WINDOW_UPDATE = 8, CONTINUATION = 9 }
local names = {}
for name, number in pairs(types) do names[number] = name end

http2.END_STREAM, http2.END_HEADERS, http2.ACK = 1, 4, 1
http2.codes = { NO_ERROR = 0, PROTOCOL_ERROR = 1, INTERNAL_ERROR = 2, REFUSED_STREAM = 7, CANCEL = 8,
  ENHANCE_YOUR_CALM = 11 }

local function big_endian(value, size)
  local bytes = {}
  for i = size, 1, -1 do
    bytes[i] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  return table.concat(bytes)
end

local function number(bytes)
  local value = 0
  for i = 1, #bytes do value = value * 256 + bytes:byte(i) end
  return value
end

-- HPACK, "literal header field without indexing": a string of up to 126 bytes, or a longer one.
local function text(s)
  if #s < 127 then return string.char(#s) .. s end
  local rest, bytes = #s - 127, { "\127" }
  while rest >= 128 do
    bytes[#bytes + 1] = string.char(rest % 128 + 128)
    rest = math.floor(rest / 128)
  end
  bytes[#bytes + 1] = string.char(rest)
  return table.concat(bytes) .. s
end

---A header block of { name, value } pairs.
function http2.block(list)
  local bytes = {}
  for i, pair in ipairs(list) do bytes[i] = "\0" .. text(pair[1]) .. text(pair[2]) end
  return table.concat(bytes)
end

---A frame. `kind` is a name or a number.
function http2.frame(kind, flags, stream, payload)
  local head = big_endian(#payload, 3) .. string.char(types[kind] or kind, flags) .. big_endian(stream, 4)
  return head .. payload
end

local Connection = {}
Connection.__index = Connection

---Reads the next frame that is not about settings, windows, priorities or pings; nil at the end. Pings are
---answered unless the connection is `deaf`.
---@return { kind: string, flags: integer, stream: integer, payload: string }?
function Connection:next()
  while true do
    local head = self.conn:read(9)
    if not head or #head < 9 then return nil end
    local length = number(head:sub(1, 3))
    local payload = length > 0 and self.conn:read(length) or ""
    local frame = { kind = names[head:byte(4)] or head:byte(4), flags = head:byte(5),
      stream = number(head:sub(6, 9)), payload = payload }
    self.seen[#self.seen + 1] = frame
    if frame.kind == "SETTINGS" then
      if not self.deaf and bit.band(frame.flags, http2.ACK) == 0 then self:send("SETTINGS", http2.ACK, 0, "") end
    elseif frame.kind == "PING" then
      local is_question = bit.band(frame.flags, http2.ACK) == 0
      if is_question and not self.deaf then self:send("PING", http2.ACK, 0, frame.payload) end
    elseif frame.kind ~= "WINDOW_UPDATE" and frame.kind ~= 2 then
      return frame
    end
  end
end

---Waits for a request, body included; its stream.
---@return integer? stream nil at the end
function Connection:request()
  while true do
    local frame = self:next()
    if not frame then return nil end
    if (frame.kind == "HEADERS" or frame.kind == "DATA") and bit.band(frame.flags, http2.END_STREAM) == 1 then
      return frame.stream
    end
  end
end

---Waits for a frame of this kind.
function Connection:await(kind)
  while true do
    local frame = self:next()
    if not frame or frame.kind == kind then return frame end
  end
end

function Connection:send(kind, flags, stream, payload)
  return self.conn:write(http2.frame(kind, flags, stream, payload))
end

---SETTINGS that allow so many streams at once; nil: any number.
function Connection:settings(streams)
  return self:send("SETTINGS", 0, 0, streams and big_endian(3, 2) .. big_endian(streams, 4) or "")
end

---A head: status 200 and these further headers.
function Connection:head(stream, list, flags)
  local all = { { ":status", "200" } }
  for _, pair in ipairs(list or {}) do all[#all + 1] = pair end
  return self:send("HEADERS", flags or http2.END_HEADERS, stream, http2.block(all))
end

---A piece of the body, the last one with `last`.
function Connection:data(stream, bytes, last)
  return self:send("DATA", last and http2.END_STREAM or 0, stream, bytes)
end

---A whole good response.
function Connection:respond(stream, body)
  self:head(stream, { { "content-length", tostring(#body) } })
  return self:data(stream, body, true)
end

---A frame that resets a stream.
function http2.reset(stream, code)
  return http2.frame("RST_STREAM", 0, stream, big_endian(http2.codes[code], 4))
end

function Connection:reset(stream, code)
  return self.conn:write(http2.reset(stream, code))
end

function Connection:goaway(last, code)
  return self:send("GOAWAY", 0, 0, big_endian(last, 4) .. big_endian(http2.codes[code], 4))
end

---Starts a server over TLS that calls `handler(connection, number)` for each connection, settings exchanged.
---@param opts? table for server.raw instead
---@param streams? integer SETTINGS_MAX_CONCURRENT_STREAMS
function http2.server(handler, opts, streams)
  return faults.raw(function(conn)
    if conn:read(24) ~= "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" then return end
    local self = setmetatable({ conn = conn, seen = {}, number = conn.number }, Connection)
    self:settings(streams)
    handler(self, conn.number)
  end, opts or { tls = { alpn = { "h2" } } })
end

return http2
