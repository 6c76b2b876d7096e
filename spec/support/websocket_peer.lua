-- A WebSocket server for specs, out of bytes: it can be wrong in every way.
--
--   local url = peer.start(function(p)
--     p:accept()                       -- answers the handshake
--     p:send("text", "hello")          -- a frame: "text", "binary", "continuation", "close", "ping", "pong", a number
--     local frame = p:frame()          -- { fin=, rsv=, opcode=, payload=, masked= }; nil at the end
--   end)

local bit = require "bit"
local crypto = require "lurcher.crypto"
local ffi = require "ffi"
local serving = require "spec.support.serving"

local peer = {}

local GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
local OPCODES = { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 }

---What a server has to answer to a key.
function peer.accept_of(key)
  return crypto.base64(crypto.sha1(key .. GUID, "raw"))
end

local function big_endian(number, bytes)
  local text = {}
  for i = bytes, 1, -1 do
    text[i] = string.char(number % 256)
    number = math.floor(number / 256)
  end
  return table.concat(text)
end

local function xor(payload, mask)
  local bytes = ffi.new("uint8_t[?]", #payload + 1)
  ffi.copy(bytes, payload, #payload)
  local key = { mask:byte(1, 4) }
  for i = 0, #payload - 1 do bytes[i] = bit.bxor(bytes[i], key[i % 4 + 1]) end
  return ffi.string(bytes, #payload)
end

---The bytes of a frame. `how`: fin=false, rsv=0 to 7, mask="4 bytes", length=what is claimed, form=16 or 64
function peer.frame(opcode, payload, how)
  how, payload = how or {}, payload or ""
  local first = (how.fin == false and 0 or 128) + (how.rsv or 0) * 16 + (OPCODES[opcode] or opcode)
  local length, mask = how.length or #payload, how.mask and 128 or 0
  local form = how.form or length > 65535 and 64 or length > 125 and 16 or 7
  local size = form == 7 and string.char(mask + length)
    or form == 16 and string.char(mask + 126) .. big_endian(length, 2)
    or string.char(mask + 127) .. (how.raw_length or big_endian(length, 8))
  return string.char(first) .. size .. (how.mask and how.mask .. xor(payload, how.mask) or payload)
end

---The payload of a close frame.
function peer.closing(code, reason)
  return big_endian(code, 2) .. (reason or "")
end

local Peer = {}
Peer.__index = Peer

---Reads the request and answers it. `headers`: lines to add, or false instead of a line of the answer.
function Peer:accept(extra, behind)
  local req = assert(self.conn:read_head())
  self.request = req
  self.conn:write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Accept: " .. peer.accept_of(req.headers["sec-websocket-key"]) .. "\r\n" .. (extra or "")
    .. "\r\n" .. (behind or ""))
  return req
end

function Peer:send(opcode, payload, how)
  return self.conn:write(peer.frame(opcode, payload, how))
end

---The client's next frame; nil at the end.
function Peer:frame()
  local head = self.conn:read(2)
  if not head or #head < 2 then return nil end
  local first, second = head:byte(1, 2)
  local length = second % 128
  if length > 125 then
    local more = self.conn:read(length == 126 and 2 or 8)
    length = 0
    for i = 1, #more do length = length * 256 + more:byte(i) end
  end
  local mask = second >= 128 and self.conn:read(4)
  local payload = length > 0 and self.conn:read(length) or ""
  return { fin = first >= 128, rsv = math.floor(first / 16) % 8, opcode = first % 16, masked = mask and true or false,
    payload = mask and xor(payload, mask) or payload }
end

---Echoes every message until the client closes.
function Peer:echo()
  for frame in function() return self:frame() end do
    if frame.opcode == 8 then return self:send("close", frame.payload) end
    if frame.opcode == 9 then
      self:send("pong", frame.payload)
    elseif frame.opcode < 3 then
      self:send(frame.opcode, frame.payload, { fin = frame.fin, rsv = frame.rsv })
    end
  end
end

---Starts a server that calls `fn(p)` for each connection, and closes it when it returns.
---@return table server with `ws`, its URL
function peer.serve(fn, opts)
  local server = serving.raw(function(conn)
    local p = setmetatable({ conn = conn }, Peer)
    fn(p)
    conn:close()
  end, opts)
  server.ws = server.url:gsub("^http", "ws")
  return server
end

---The same; returns the ws URL alone.
---@return string url
function peer.start(fn, opts)
  return peer.serve(fn, opts).ws
end

return peer
