--- One HTTP/1.1 connection of `lurcher.server`: reads requests, calls the handler, writes responses.

local native = require "lurcher.native.server"
local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local log = require "lurcher.log"
local handler_failure = require "lurcher.server.failure"
local query = require "lurcher.url.query"
local uncaught = require "lurcher.base.uncaught"

local trim = require("lurcher.base.text").trim

local parse_head = native.parse_head
local floor, time = math.floor, require("lurcher.native.task").time
local concat, format, byte = table.concat, string.format, string.byte

local server_http = {}

local reasons = {
  [100] = "Continue", [101] = "Switching Protocols", [103] = "Early Hints",
  [200] = "OK", [201] = "Created", [202] = "Accepted", [203] = "Non-Authoritative Information",
  [204] = "No Content", [205] = "Reset Content", [206] = "Partial Content", [207] = "Multi-Status",
  [300] = "Multiple Choices", [301] = "Moved Permanently", [302] = "Found", [303] = "See Other",
  [304] = "Not Modified", [307] = "Temporary Redirect", [308] = "Permanent Redirect",
  [400] = "Bad Request", [401] = "Unauthorized", [402] = "Payment Required", [403] = "Forbidden",
  [404] = "Not Found", [405] = "Method Not Allowed", [406] = "Not Acceptable",
  [407] = "Proxy Authentication Required", [408] = "Request Timeout", [409] = "Conflict", [410] = "Gone",
  [411] = "Length Required", [412] = "Precondition Failed", [413] = "Content Too Large",
  [414] = "URI Too Long", [415] = "Unsupported Media Type", [416] = "Range Not Satisfiable",
  [417] = "Expectation Failed", [418] = "I'm a teapot", [421] = "Misdirected Request",
  [422] = "Unprocessable Content", [425] = "Too Early", [426] = "Upgrade Required",
  [428] = "Precondition Required", [429] = "Too Many Requests", [431] = "Request Header Fields Too Large",
  [451] = "Unavailable For Legal Reasons",
  [500] = "Internal Server Error", [501] = "Not Implemented", [502] = "Bad Gateway",
  [503] = "Service Unavailable", [504] = "Gateway Timeout", [505] = "HTTP Version Not Supported",
}

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
    if byte(target) ~= 47 then path = target:match("^%a[%w+.-]*://[^/?]*(.*)$") or target end -- absolute form
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

---Reads the head of the next request. Returns the request and its framing; nil at the end of the input; or
---nil and an error. `connection` has conn, remote_address and perhaps tls. A malformed head still gives a
---request, with `framing.status` (what to refuse it with) and `framing.fault`.
function server_http.read_head(connection, limit, timeout)
  local head, err = connection.conn:head(limit, timeout)
  if not head then return nil, err end
  local method, target, version, length, chunked, keep_alive, expects, status, fault = parse_head(head)
  local req = new_request(head, connection, method, target, version)
  return req, { length = length, chunked = chunked, keep_alive = keep_alive, expects = expects,
    status = status, fault = fault }
end

---Reads the body that `framing` announces. Returns it, or nil and an error.
function server_http.read_body(conn, framing, limit, timeout)
  return read_body(conn, framing.length, framing.chunked, limit, timeout)
end

-- ---- responses ----

local PIECE = 262144

-- Large strings go out in pieces, so that no second copy of the whole waits for a slow client.
local function write(conn, bytes)
  if #bytes <= PIECE then return conn:write(bytes) end
  for first = 1, #bytes, PIECE do
    local done, err = conn:write(bytes, first, first + PIECE - 1)
    if not done then return nil, err end
  end
  return true
end
server_http.write = write

local date, date_second

local function date_line()
  local now = floor(time())
  if now ~= date_second then
    date, date_second = os.date("!Date: %a, %d %b %Y %H:%M:%S GMT\r\n", now), now
  end
  return date
end

local response_fields = { status = true, headers = true, body = true, reason = true }

-- What other servers call them.
local ELSEWHERE = {
  code = "status = …", status_code = "status = …", statusCode = "status = …", header = "headers = { … }",
  content = "body = …", text = "body = …", data = "body = …", html = "body = …",
  json = "body = json.encode(…), with a Content-Type in headers",
}

-- Appends one header line and notes those that decide about framing.
local function add_header(lines, given, name, value)
  if type(value) == "number" then value = tostring(value) end
  if type(name) ~= "string" or type(value) ~= "string" then
    error("response headers are strings by name; got " .. type(value) .. " for " .. tostring(name), 0)
  end
  if name == "" or name:find("[^%w!#$%%&'*+.^_`|~-]") or value:find("[%z\1-\8\10-\31\127]") then
    error(format("response header %q has characters that may not stand there", name), 0)
  end
  given[name:lower()] = value
  lines[#lines + 1] = name .. ": " .. value .. "\r\n"
end

local function add_headers(lines, given, headers)
  if type(headers) ~= "table" then
    error("the response's headers must be a table, got " .. check.shown(headers), 0)
  end
  for name, value in pairs(headers) do
    if type(name) == "number" then -- a pair { name, value }, in a list that keeps the order
      if type(value) ~= "table" then
        error('response headers are strings by name: { ["Content-Type"] = "text/plain" }, got '
          .. check.shown(value), 0)
      end
      add_header(lines, given, value[1], value[2])
    elseif type(value) == "table" then
      for _, one in ipairs(value) do add_header(lines, given, name, one) end
    elseif value then
      add_header(lines, given, name, value)
    else
      given[name:lower()] = false
    end
  end
end

-- What a handler returned, as a table.
local function normalize(response)
  local kind = type(response)
  if kind == "table" then
    for key in pairs(response) do
      if not response_fields[key] then
        error(ELSEWHERE[key] and ("unknown response field '%s'; it is written %s"):format(key, ELSEWHERE[key])
          or check.unknown(key, response_fields, "response field"), 0)
      end
    end
    return response
  elseif kind == "nil" then
    return { status = 204 }
  elseif kind == "string" then
    return { body = response }
  end
  error("a handler returns a table, a string or nothing, not a " .. kind, 0)
end

local function check_response(response)
  local status, body = response.status or 200, response.body
  if type(status) ~= "number" or status % 1 ~= 0 or status < 100 or status > 999 then
    error("the response's status must be a whole number from 100 to 999, got " .. tostring(status), 0)
  end
  if body ~= nil and type(body) ~= "string" and type(body) ~= "function" then
    error("the response's body must be a string or an iterator function, got a " .. type(body), 0)
  end
  local reason = response.reason
  if reason ~= nil and (type(reason) ~= "string" or reason:find("[%z\1-\8\10-\31\127]")) then
    error("the response's reason must be a string without control characters", 0)
  end
  return status, body
end

-- Builds the head. Returns it, the body to send (nil: none), whether that goes out in chunks, whether the
-- connection can be used again, and the length announced by the handler itself.
local function build(response, req, keep_alive)
  local status, body = check_response(response)
  local lines, given = { "" }, {}
  if response.headers then add_headers(lines, given, response.headers) end
  local bodiless = status < 200 or status == 204 or status == 304
  local chunked, announced = false, nil
  if given["content-length"] then
    announced = tonumber(given["content-length"])
    if body == nil and not bodiless then body = "" end -- too short: the connection ends after it
  elseif given["transfer-encoding"] then
    chunked = given["transfer-encoding"]:lower() == "chunked"
  elseif bodiless then
    body = nil
  elseif type(body) ~= "function" then
    lines[#lines + 1] = format("Content-Length: %d\r\n", body and #body or 0)
  elseif req.version == "1.0" then
    keep_alive = false -- the end of the connection ends the body
  else
    chunked = true
    lines[#lines + 1] = "Transfer-Encoding: chunked\r\n"
  end
  if bodiless or req.method == "HEAD" then body = nil end
  if given.connection then
    if given.connection:lower():find("close", 1, true) then keep_alive = false end
  elseif given.connection == nil then
    if not keep_alive then
      lines[#lines + 1] = "Connection: close\r\n"
    elseif req.version == "1.0" then
      lines[#lines + 1] = "Connection: keep-alive\r\n"
    end
  end
  if given.date == nil then lines[#lines + 1] = date_line() end
  local reason = response.reason or reasons[status] or ""
  lines[1] = format("HTTP/1.1 %d %s\r\n", status, reason)
  lines[#lines + 1] = "\r\n"
  return concat(lines), body, chunked, keep_alive, announced
end

local function frame(piece, chunked)
  return chunked and format("%x\r\n", #piece) .. piece .. "\r\n" or piece
end

-- Writes the pieces of an iterator. Returns how many bytes, or nil and an error of the connection.
local function write_pieces(conn, body, chunked)
  local total = 0
  while true do
    local piece, failure = body()
    if piece == nil and failure ~= nil then error(failure, 0) end
    if piece == nil then break end
    if type(piece) ~= "string" then error("a body iterator gives strings, not a " .. type(piece), 0) end
    if piece ~= "" then
      total = total + #piece
      local done, err = write(conn, frame(piece, chunked))
      if not done then return nil, err end
    end
  end
  if chunked then
    local done, err = conn:write("0\r\n\r\n")
    if not done then return nil, err end
  end
  return total
end

-- Sends what build made. Returns whether the connection can be used again; raises what the body iterator
-- raises.
local function transmit(conn, head, body, chunked, keep_alive, announced)
  if body == nil then return conn:write(head) and keep_alive end
  local total, done
  if type(body) == "string" then
    total = #body
    if chunked then body = (total > 0 and frame(body, true) or "") .. "0\r\n\r\n" end
    if #body <= 65536 then
      done = conn:write(head .. body)
    else
      done = conn:write(head) and write(conn, body)
    end
  else
    done = conn:write(head)
    if done then total = write_pieces(conn, body, chunked) end
    done = total ~= nil
  end
  if done and announced and announced ~= total then
    local why = "the handler's Content-Length is %.0f, but its body has %d bytes: the client cannot use that"
    log.warn(why:format(announced, total))
  end
  return done and keep_alive and (announced == nil or announced == total)
end

-- ---- one connection ----

local function refuse(conn, req, status, why)
  transmit(conn, build({
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

local function process(server, state, req, keep_alive)
  local response, err = server.handler(req)
  if response == nil and err ~= nil then error(err, 0) end
  response = normalize(response)
  local head, body, chunked, keep, announced = build(response, req, keep_alive and not server.stopping)
  state.begun = true
  return transmit(state.conn, head, body, chunked, keep, announced)
end

-- Calls the handler and sends what it returns. Returns whether to go on with this connection.
local function answer(server, state, req, keep_alive)
  state.begun = false
  local ok, result = xpcall(process, handler_failure.catch, server, state, req, keep_alive)
  if ok then return result end
  result = handler_failure.of(result)
  server:keep_error(result.error, result.traceback, req)
  if not state.begun then
    refuse(state.conn, req, 500, server_http.text_of(result.error) .. "\n" .. result.traceback)
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
  until not answer(server, state, req, framing.keep_alive)
end

return server_http
