--- The bare connection that `lurcher.server`'s `raw` gives to its handler: bytes as they are, in both
--- directions.

local answer = require "lurcher.server.answer"
local check = require "lurcher.base.check"
local failure = require "lurcher.server.failure"
local server_http = require "lurcher.server.http1"
local task = require "lurcher.task"

local server_raw = {}

---@class lurcher.server.RawConnection
---@field number integer 1 for the server's first connection, 2 for its second, …
---@field remote_address string
---@field tls lurcher.server.TLS? what the handshake brought, on an encrypted connection
local Connection = {}
Connection.__index = Connection

---Reads exactly `count` bytes, fewer only at the end of the input; without `count` what is there, at least
---one byte.
---@param count? integer
---@return string? nil at the end of the input
---@return lurcher.Error? when the connection failed
function Connection:read(count)
  if count == nil then return self.conn:read(65536) end
  check.argument(count, "count", 1, "read")
  return self.conn:read_exactly(count)
end

---Reads one line, without its CRLF or LF.
---@return string?
---@return lurcher.Error?
function Connection:read_line()
  local line, err = self.conn:line(1048576)
  return line and line:gsub("\r?\n$", ""), err
end

---Reads the head of a request, and nothing of its body. A malformed one has a `fault`, and may lack fields.
---@return lurcher.server.Request?
---@return lurcher.Error?
function Connection:read_head()
  local req, framing = server_http.read_head(self, 1048576)
  if not req then return nil, framing end
  req.text, req.fault, req.framing = req.head, framing.fault, framing
  return req
end

---Reads one whole request: like `read_head`, with `body` and, as `text`, all that was read (the body without
---transfer coding). Sends no 100 Continue.
---@return lurcher.server.Request?
---@return lurcher.Error?
function Connection:read_request()
  local req, err = self:read_head()
  if not req then return nil, err end
  req.body, err = server_http.read_body(self.conn, req.framing, 2 ^ 40)
  if not req.body then return nil, err end
  req.text = req.head .. req.body
  self.server:keep(req)
  return req
end

---Writes bytes; returns once the operating system has them.
---@param bytes string
---@return boolean? true, or nil when the connection failed
---@return lurcher.Error?
function Connection:write(bytes)
  check.argument(bytes, "string", 1, "write")
  return answer.write(self.conn, bytes)
end

---Waits.
---@param seconds number
function Connection.sleep(_, seconds)
  task.sleep(seconds)
end

---Ends the sending direction (FIN) and goes on reading.
function Connection:shutdown()
  self.conn:half_close()
end

---Closes with FIN. What the client still sends is swallowed for a short time, so that it is no RST after all.
---@param opts? { notify: boolean } notify false: without TLS's close_notify
function Connection:close(opts)
  check.options(opts, { notify = "boolean" }, "close")
  self.conn:close(not (opts and opts.notify == false))
end

---Closes with RST.
function Connection:reset()
  self.conn:reset()
end

---Whether the client ended or reset the connection.
---@return boolean
function Connection:gone()
  return self.conn:gone()
end

---Calls the server's handler for one connection.
function server_raw.serve(server, state)
  local connection = setmetatable({
    conn = state.conn, server = server, number = state.number, remote_address = state.remote_address,
    tls = state.tls,
  }, Connection)
  local ok, result = xpcall(server.handler, failure.catch, connection)
  if ok then return end
  result = failure.of(result)
  server:keep_error(result.error, result.traceback)
end

return server_raw
