--- The opening handshake of a WebSocket (RFC 6455, section 4): the request, and what the server answers.

local compression = require "lurcher.ws.compression"
local crypto = require "lurcher.crypto"
local errors = require "lurcher.base.errors"
local native = require "lurcher.native.http"
local response = require "lurcher.http.response"
local secret = require "lurcher.base.secret"

local handshake = {}

local GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

-- Bytes of a refusal's body that are read, for the error's response.
local MAX_BODY = 64 * 1024

---The text of the request.
---@param request lurcher.Request
---@param opts { protocols?: string[], compress: table|false }
---@return string text
---@return string key
function handshake.request(request, opts)
  local key = crypto.base64(crypto.random(16))
  local scheme, authority, target = request.url:match("^(%a+)://([^/?]*)(.*)$")
  if target:sub(1, 1) ~= "/" then target = "/" .. target end
  authority = authority:gsub(scheme == "https" and ":443$" or ":80$", "")
  local lines = { ("GET %s HTTP/1.1"):format(target), "", "Upgrade: websocket", "Connection: Upgrade",
    "Sec-WebSocket-Key: " .. key, "Sec-WebSocket-Version: 13" }
  if opts.protocols and opts.protocols[1] then
    lines[#lines + 1] = "Sec-WebSocket-Protocol: " .. table.concat(opts.protocols, ", ")
  end
  if opts.compress then lines[#lines + 1] = "Sec-WebSocket-Extensions: " .. compression.offer(opts.compress) end
  local flat = request:flat_headers()
  for i = 1, #flat, 2 do
    local name, value = flat[i], secret.reveal(flat[i + 1])
    if name:lower() == "host" then authority = value
    elseif not (request.authorization and name:lower() == "authorization") then
      lines[#lines + 1] = name .. ": " .. value
    end
  end
  if request.authorization then lines[#lines + 1] = "Authorization: " .. request.authorization end
  lines[2] = "Host: " .. authority
  return table.concat(lines, "\r\n") .. "\r\n\r\n", key
end

-- ---- the answer ----

-- Seconds until the next byte has to be there, and whether that is the end of `timeout.total`.
local function patience(request, limits)
  local read = limits.read or math.huge
  local left = request.deadline and request.deadline - native.now() or math.huge
  local least = math.max(0, math.min(read, left))
  return least < math.huge and least or nil, left <= read
end

local function late(request, err, limits)
  if err.kind ~= "timeout" then return err end
  local _, total = patience(request, limits)
  err.phase = total and "total" or "read"
  err.limit = total and request.settings.total or limits.read
  err.message = ("timeout while waiting for the answer to the handshake (limit: %s = %g s)")
    :format(err.phase, err.limit)
  return err
end

-- Reads bytes of a refusal's body as they come.
local Body = {}
Body.__index = Body

function Body:more()
  local piece = self.connection:read((patience(self.request, self.limits)))
  if not piece then return false end
  self.rest = self.rest .. piece
  return true
end

-- So many bytes, or fewer at the end.
function Body:take(count)
  local pieces, have = { self.rest }, #self.rest
  while have < count do
    local piece = self.connection:read((patience(self.request, self.limits)))
    if not piece then break end
    pieces[#pieces + 1], have = piece, have + #piece
  end
  local all = table.concat(pieces)
  self.rest = all:sub(count + 1)
  return all:sub(1, count)
end

function Body:line()
  while not self.rest:find("\n", 1, true) do
    if #self.rest > 4096 or not self:more() then return nil end
  end
  local line, rest = self.rest:match("^([^\n]*)\n(.*)$")
  self.rest = rest
  return line
end

function Body:chunks()
  local pieces, have = {}, 0
  while have < MAX_BODY do
    local line = self:line()
    local size = line and tonumber(line:match("^%s*(%x%x?%x?%x?%x?%x?%x?)%f[^%x]") or "", 16)
    if not size or size == 0 then break end
    local piece = self:take(math.min(size, MAX_BODY - have))
    pieces[#pieces + 1], have = piece, have + #piece
    if #piece < size or not self:line() then break end
  end
  return table.concat(pieces)
end

-- What is there of the body of a refusal: its response is the error, however its body ends.
local function read_body(connection, request, limits, status, chunked, length)
  if status < 200 or status == 204 or status == 304 then return "" end
  local body = setmetatable({ connection = connection, request = request, limits = limits, rest = "" }, Body)
  if chunked then return body:chunks() end
  return body:take(math.min(length or MAX_BODY, MAX_BODY))
end

local function new_response(connection, request, status, head, version, reason, body)
  local res = response.made({ status = status, body = body, reason = reason }, request)
  local info = connection:info() or {}
  res.head, res.http_version = head, version
  for _, name in ipairs { "remote_address", "bytes_received", "bytes_sent", "timings" } do
    if info[name] then res[name] = info[name] end
  end
  return res
end

---Reads the answer.
---@param connection userdata
---@param request lurcher.Request
---@param limits table timeouts
---@param max_headers number
---@return lurcher.Response? res of any status
---@return lurcher.Error? err
function handshake.answer(connection, request, limits, max_headers)
  local status, head, version, reason, chunked, length = connection:head((patience(request, limits)), max_headers)
  if not status then return nil, late(request, head, limits) end
  local body = status == 101 and "" or read_body(connection, request, limits, status, chunked, length)
  return new_response(connection, request, status, head, version, reason, body)
end

local function broken(message, ...)
  return nil, errors.new { kind = "websocket", phase = "read", message = message:format(...) }
end

local function has_token(value, token)
  for part in (value or ""):lower():gmatch("[^,]+") do
    if part:match("^%s*(.-)%s*$") == token then return true end
  end
  return false
end

local function protocol_of(res, offered)
  local given = res:header_list "Sec-WebSocket-Protocol"
  if not given[1] then return false end
  for _, name in ipairs(offered or {}) do
    if given[1] == name and not given[2] then return name end
  end
  return broken("the server chose the subprotocol '%s', which was not offered",
    secret.excerpt(table.concat(given, ", "), 60))
end

---Checks a 101.
---@param res lurcher.Response
---@param key string
---@param opts table
---@return string|false|nil protocol
---@return table|false|lurcher.Error extension, or the error
function handshake.check(res, key, opts)
  local accept = res:header_list "Sec-WebSocket-Accept"
  if not has_token(native.head_join(res.head, "Upgrade"), "websocket") then
    return broken("the server answered 101 without 'Upgrade: websocket'")
  elseif not has_token(native.head_join(res.head, "Connection"), "upgrade") then
    return broken("the server answered 101 without 'Connection: Upgrade'")
  elseif accept[2] or accept[1] ~= crypto.base64(crypto.sha1(key .. GUID, "raw")) then
    return broken("the server's Sec-WebSocket-Accept is %s", accept[1] and "wrong" or "missing")
  end
  local protocol, err = protocol_of(res, opts.protocols)
  if protocol == nil then return nil, err end
  local extension, failure = compression.agreed(native.head_join(res.head, "Sec-WebSocket-Extensions"), opts.compress)
  if extension == nil then return nil, failure end
  return protocol, extension
end

return handshake
