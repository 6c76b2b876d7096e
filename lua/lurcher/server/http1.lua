--- One HTTP/1.1 connection of `lurcher.server`: reads requests, calls the handler, writes responses.

local native = require "lurcher.native.server"
local answer = require "lurcher.server.answer"
local cors = require "lurcher.server.cors"
local errors = require "lurcher.base.errors"
local faults = require "lurcher.server.faults"
local handler_failure = require "lurcher.server.failure"
local query = require "lurcher.url.query"
local task = require "lurcher.task"
local uncaught = require "lurcher.base.uncaught"
local websocket = require "lurcher.server.websocket"

local trim = require("lurcher.base.text").trim

local parse_head = native.parse_head
local concat, format, byte = table.concat, string.format, string.byte

local server_http = {}

local SLASH = 47 -- as a byte

-- ---- requests ----

---@class lurcher.server.TLS
---@field version string "1.3"
---@field server_name string? asked for by SNI
---@field alpn string? the protocol agreed on
---@field resumed boolean an earlier session was taken up again

---@class lurcher.server.Request
---@field method string
---@field target string as it was sent
---@field path string the target up to "?", not decoded
---@field query_string string? behind "?", not decoded
---@field query table<string, string|string[]> decoded; a repeated key has a list
---@field headers table<string, string> by name in any case; repeated ones are joined by ", "
---@field body string without transfer coding
---@field version string "1.0" or "1.1"
---@field remote_address string
---@field tls lurcher.server.TLS? of an encrypted connection
---@field head string the lines as they were sent, empty line included
---@field params table<string, string>? the parts of its path that a route names, decoded
---@field status integer? what it was answered with, once it was
local Request = {}

---Iterates over the header lines in the order they were sent: `for name, value in req:each_header() do`.
function Request:each_header()
  local following = self.head:gmatch("[^\r\n]+")
  following() -- the request line
  return function()
    for line in following do
      local colon = line:find(":", 2, true)
      if colon then return line:sub(1, colon - 1), trim(line:sub(colon + 1)) end
    end
  end
end

---All values of one header, in the order they were sent.
---@param name string
---@return string[]
function Request:header_list(name)
  local list = {}
  name = name:lower()
  for sent, value in self:each_header() do
    if sent:lower() == name then list[#list + 1] = value end
  end
  return list
end

local case_insensitive = {
  __index = function(headers, name)
    if type(name) == "string" then return rawget(headers, name:lower()) end
  end,
}

-- Fields made when they are first asked for.
local lazy = {
  query = function(req) return query.parse(req.query_string) end,
  headers = function(req)
    local headers, values = {}, {}
    for name, value in req:each_header() do
      name = name:lower()
      local list = values[name] or {}
      values[name], list[#list + 1] = list, value
    end
    for name, list in pairs(values) do headers[name] = concat(list, ", ") end
    return setmetatable(headers, case_insensitive)
  end,
}

local request_metatable = {
  __index = function(req, key)
    local make = lazy[key]
    if not make then return Request[key] end
    local value = make(req)
    req[key] = value
    return value
  end,
}

local function new_request(head, connection, method, target, version)
  local req = {
    method = method, target = target, version = version, head = head,
    remote_address = connection.remote_address, tls = connection.tls,
  }
  if target then
    local path = target
    if byte(target) ~= SLASH then path = target:match("^%a[%w+.-]*://[^/?]*(.*)$") or target end -- absolute form
    local mark = path:find("?", 1, true)
    req.path = mark and path:sub(1, mark - 1) or path
    req.query_string = mark and path:sub(mark + 1) or nil
    if req.path == "" then req.path = "/" end
  end
  return setmetatable(req, request_metatable)
end

-- ---- bodies ----

local function too_large(limit)
  local message = format("the body has more than %d bytes", limit)
  return errors.new { kind = "too_large", message = message, limit = limit }
end

local function bad_body(message)
  return errors.new { kind = "protocol", message = message }
end

local function cut_short()
  return errors.new { kind = "truncated", message = "the client ended the connection in the body" }
end

-- `count` bytes, in pieces so that the time limit is one for idleness.
local function read_counted(conn, count, timeout, pieces)
  while count > 0 do
    local wanted = count < 65536 and count or 65536
    local piece, err = conn:read_exactly(wanted, timeout)
    if not piece then return nil, err or cut_short() end
    if #piece < wanted then return nil, cut_short() end
    pieces[#pieces + 1] = piece
    count = count - wanted
  end
  return true
end

local function read_trailers(conn, timeout)
  for _ = 1, 100 do
    local line, err = conn:line(8192, timeout)
    if not line then return nil, err or cut_short() end
    if line == "\r\n" then return true end
    if not line:find("^[^:%c]+:[^%z\1-\8\10-\31\127]*\r\n$") then return nil, bad_body("bad trailer line") end
  end
  return nil, bad_body("more than 100 trailer lines")
end

local function read_chunked(conn, limit, timeout)
  local pieces, total = {}, 0
  while true do
    local line, err = conn:line(4096, timeout)
    if not line then return nil, err or cut_short() end
    local digits = line:match("^(%x+)[ \t]*\r\n$") or line:match("^(%x+)[ \t]*;[^%z\1-\8\10-\31\127]*\r\n$")
    if not digits or #digits > 12 then return nil, bad_body("bad chunk size") end
    local size = tonumber(digits, 16)
    if size == 0 then break end
    total = total + size
    if total > limit then return nil, too_large(limit) end
    local done
    done, err = read_counted(conn, size, timeout, pieces)
    if not done then return nil, err end
    line, err = conn:line(2, timeout)
    if line ~= "\r\n" then
      return nil, err and err.kind ~= "too_large" and err or bad_body("a chunk is longer than its size says")
    end
  end
  local done, err = read_trailers(conn, timeout)
  if not done then return nil, err end
  return concat(pieces)
end

local function read_body(conn, length, chunked, limit, timeout)
  if chunked then return read_chunked(conn, limit, timeout) end
  if not length or length == 0 then return "" end
  if length > limit then return nil, too_large(limit) end
  if length <= 65536 then
    local body, err = conn:read_exactly(length, timeout)
    if not body or #body < length then return nil, err or cut_short() end
    return body
  end
  local pieces = {}
  local done, err = read_counted(conn, length, timeout, pieces)
  if not done then return nil, err end
  return concat(pieces)
end

-- Whether it is a target that does not begin with a slash (RFC 9112, 3.2).
local function is_target(method, target)
  return target == "*" or method == "CONNECT" or target:find("^%a[%w+.-]*://[^/?#]") ~= nil
end

---Reads the head of the next request. Returns the request and its framing; nil at the end of the input; or
---nil and an error. `connection` has conn, remote_address and perhaps tls. A malformed head still gives a
---request, with `framing.status` (what to refuse it with) and `framing.fault`.
function server_http.read_head(connection, limit, timeout)
  local head, err = connection.conn:head(limit, timeout)
  if not head then return nil, err end
  local method, target, version, length, chunked, keep_alive, expects, status, fault = parse_head(head)
  if not status and byte(target) ~= SLASH and not is_target(method, target) then
    status, fault = 400, "the target is neither a path nor a URL"
  elseif not status and target:find("#", 1, true) then
    status, fault = 400, "the target has a fragment"
  end
  local req = new_request(head, connection, method, target, version)
  return req, { length = length, chunked = chunked, keep_alive = keep_alive, expects = expects,
    status = status, fault = fault }
end

---Reads the body that `framing` announces. Returns it, or nil and an error.
function server_http.read_body(conn, framing, limit, timeout)
  return read_body(conn, framing.length, framing.chunked, limit, timeout)
end

-- ---- one connection ----

local function refuse(conn, req, status, why)
  answer.transmit(conn, answer.build({
    status = status, headers = { ["Content-Type"] = "text/plain; charset=utf-8" }, body = why .. "\n",
  }, req or { version = "1.1" }, false))
end

---What a handler raised, as text, whatever it is.
---@param raised any
---@return string
function server_http.text_of(raised)
  local ok, text = pcall(uncaught.text, raised)
  return ok and text or "it raised a " .. type(raised) .. " that does not become text"
end

local status_of_body_error = { too_large = 413, timeout = 408, protocol = 400 }

-- What the handler returns, in time.
local function call_handler(server, req)
  local response, err
  if server.handler_timeout then
    response, err = task.timeout(server.handler_timeout, server.handler, req)
  else
    response, err = server.handler(req)
  end
  if response == nil and err ~= nil then error(err, 0) end
  return response
end

local function process(server, state, req, keep_alive)
  local response = server.cors and cors.preflight(req) or answer.normalize(call_handler(server, req))
  local delay, fault = response.delay, response.fault
  if delay == nil then delay = server.delay end
  if fault == nil then fault = server.fault end
  if delay then task.sleep(delay) end
  if response.websocket and not fault then return websocket.serve(state, req, response) end
  if server.cors then response = cors.allow(response, req) end
  local answered = answer.build(response, req, keep_alive and not server.stopping)
  state.begun, req.status = true, answered.status
  if fault then return faults.play(fault, state, answered) end
  return answer.transmit(state.conn, answered)
end

-- Calls the handler and sends what it returns. Returns whether to go on with this connection.
local function respond(server, state, req, keep_alive)
  state.begun = false
  local ok, result, raised = xpcall(process, handler_failure.catch, server, state, req, keep_alive)
  if ok and not raised then return result end
  result = handler_failure.of(ok and raised or result)
  server:keep_error(result.error, result.traceback, req)
  if not state.begun then
    req.status = 500
    refuse(state.conn, req, 500, "the handler failed; the server's log has why")
  end
  return false
end

---Serves requests until the connection ends.
---@param server table head_limit, body_limit, head_timeout, body_timeout, handler; methods keep, keep_error
---@param state table this connection: conn, remote_address, tls, and idle, kept up here
function server_http.serve(server, state)
  local conn = state.conn
  repeat
    state.idle = true
    local req, framing = server_http.read_head(state, server.head_limit, server.head_timeout)
    state.idle = false
    if not req then
      local err = framing
      if err and err.kind == "too_large" then
        refuse(conn, nil, 431, "the request's head is too large")
      elseif err and err.kind == "timeout" and err.observed then
        refuse(conn, nil, 408, "the request's head came too slowly")
      end
      return
    end
    if framing.status then return refuse(conn, req, framing.status, framing.fault) end
    if framing.expects and (framing.length or 1) <= server.body_limit then
      conn:write("HTTP/1.1 100 Continue\r\n\r\n")
    end
    local body, err = server_http.read_body(conn, framing, server.body_limit, server.body_timeout)
    if not body then
      local status = status_of_body_error[err.kind]
      if status then refuse(conn, req, status, err.message) end
      return
    end
    req.body = body
    server:keep(req)
    local goes_on = respond(server, state, req, framing.keep_alive)
    if server.log then server:note(req) end
  until not goes_on
end

return server_http
