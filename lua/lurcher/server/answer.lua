--- What a handler returned, as the bytes of an HTTP/1.1 response.

local check = require "lurcher.base.check"
local events = require "lurcher.server.events"
local faults = require "lurcher.server.faults"
local json = require "lurcher.json"
local log = require "lurcher.log"

local floor, time = math.floor, require("lurcher.native.task").time
local concat, format = table.concat, string.format

local answer = {}

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
answer.write = write

local date, date_second

local function date_line()
  local now = floor(time())
  if now ~= date_second then
    date, date_second = os.date("!Date: %a, %d %b %Y %H:%M:%S GMT\r\n", now), now
  end
  return date
end

local response_fields = { status = true, headers = true, body = true, reason = true, json = true, events = true,
  delay = true, fault = true, websocket = true, protocol = true }

-- What other servers call them.
local ELSEWHERE = {
  code = "status = …", status_code = "status = …", statusCode = "status = …", header = "headers = { … }",
  content = "body = …", text = "body = …", data = "body = …", html = "body = …",
  sleep = "delay = …", ws = "websocket = …",
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

local function check_fields(response)
  for key in pairs(response) do
    if not response_fields[key] then
      error(ELSEWHERE[key] and ("unknown response field '%s'; it is written %s"):format(key, ELSEWHERE[key])
        or check.unknown(key, response_fields, "response field"), 0)
    end
  end
  local delay, fault, socket = response.delay, response.fault, response.websocket
  if delay then
    local wanted = check.mismatch(delay, "duration")
    if wanted then error(format("the response's delay must be %s, got %s", wanted, check.shown(delay)), 0) end
  end
  if fault then
    local wanted = faults.mismatch(fault)
    if wanted then error(format("the response's fault must be %s, got %s", wanted, check.shown(fault)), 0) end
  end
  if socket ~= nil and check.mismatch(socket, "callable") then
    error("the response's websocket must be a function, got " .. check.shown(socket), 0)
  end
end

-- The response with a body, and headers in front of those it has, which count.
local function with_body(response, body, headers)
  if response.body ~= nil then error("a response has one of body, json and events", 0) end
  local complete = {}
  for key, value in pairs(response) do complete[key] = value end
  complete.body, complete.defaults = body, headers
  return complete
end

---What a handler returned, as a table of status, headers, body, reason and what else there is; raises what is wrong.
---@param response any
---@return table
function answer.normalize(response)
  local kind = type(response)
  if kind == "nil" then return { status = 204 } end
  if kind == "string" then return { body = response } end
  if kind ~= "table" then error("a handler returns a table, a string or nothing, not a " .. kind, 0) end
  check_fields(response)
  if response.json ~= nil and response.events ~= nil then error("a response has one of body, json and events", 0) end
  if response.json ~= nil then
    return with_body(response, json.encode(response.json), { ["Content-Type"] = "application/json" })
  elseif response.events ~= nil then
    return with_body(response, events.body(response.events),
      { ["Content-Type"] = "text/event-stream", ["Cache-Control"] = "no-store" })
  end
  return response
end

local function check_response(response)
  local status, body = response.status or 200, response.body
  if type(status) ~= "number" or status % 1 ~= 0 or status < 200 and not response.upgrades or status > 999 then
    error("the response's status must be a whole number from 200 to 999, got " .. check.shown(status), 0)
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

---@class lurcher.server.Answer
---@field status integer
---@field head string
---@field body string|function|nil nil: none is sent
---@field chunked boolean
---@field keep_alive boolean whether the connection can be used again
---@field announced number? the length that the handler itself gave
local Answer = {}
Answer.__index = Answer

---A piece of the body as it goes over the wire.
---@param piece string
---@return string
function Answer:frame(piece)
  if not self.chunked then return piece end
  return piece == "" and "" or format("%x\r\n", #piece) .. piece .. "\r\n"
end

local function add_defaults(lines, given, defaults)
  for name, value in pairs(defaults or {}) do
    if given[name:lower()] == nil then add_header(lines, given, name, value) end
  end
end

---Builds what answers a request.
---@param response table as answer.normalize gives it
---@param req table method, version
---@param keep_alive boolean what the client and the server would like
---@return lurcher.server.Answer
function answer.build(response, req, keep_alive)
  local status, body = check_response(response)
  local lines, given = { "" }, {}
  if response.headers then add_headers(lines, given, response.headers) end
  add_defaults(lines, given, response.defaults)
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
  return setmetatable({ status = status, head = concat(lines), body = body, chunked = chunked, keep_alive = keep_alive,
    announced = announced }, Answer)
end

-- Writes the pieces of an iterator. Returns how many bytes, or nil and an error of the connection.
local function write_pieces(conn, answered)
  local total = 0
  while true do
    local piece, failure = answered.body()
    if piece == nil and failure ~= nil then error(failure, 0) end
    if piece == nil then break end
    if type(piece) ~= "string" then error("a body iterator gives strings, not a " .. type(piece), 0) end
    if piece ~= "" then
      total = total + #piece
      local done, err = write(conn, answered:frame(piece))
      if not done then return nil, err end
    end
  end
  if answered.chunked then
    local done, err = conn:write("0\r\n\r\n")
    if not done then return nil, err end
  end
  return total
end

---Sends it. Returns whether the connection can be used again; raises what the body iterator raises.
---@param conn table
---@param answered lurcher.server.Answer
---@return boolean?
function answer.transmit(conn, answered)
  local head, body = answered.head, answered.body
  local total, done
  if body == nil then return conn:write(head) and answered.keep_alive end
  if type(body) == "string" then
    total = #body
    if answered.chunked then body = answered:frame(body) .. "0\r\n\r\n" end
    if #body <= 65536 then
      done = conn:write(head .. body)
    else
      done = conn:write(head) and write(conn, body)
    end
  else
    done = conn:write(head)
    if done then total = write_pieces(conn, answered) end
    done = total ~= nil
  end
  local announced = answered.announced
  if done and announced and announced ~= total then
    local why = "the handler's Content-Length is %.0f, but its body has %d bytes: the client cannot use that"
    log.warn(why:format(announced, total))
  end
  return done and answered.keep_alive and (announced == nil or announced == total)
end

return answer
