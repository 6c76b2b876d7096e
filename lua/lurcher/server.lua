--- HTTP/1.1 servers on loopback inside the process: for tests, and for webhooks.
---
---     local server = require "lurcher.server"
---     local s = assert(server.start(function(req)
---       return { status = 200, headers = { ["Content-Type"] = "text/plain" }, body = req.path }
---     end))
---     print(s.url)
---     s:stop()
---
--- `server.raw` gives the bare connection to a function instead, for answers that no decent server would
--- send.

local native = require "lurcher.native.server"
local tasks = require "lurcher.native.task"
local check = require "lurcher.base.check"
local server_http = require "lurcher.server.http1"
local server_raw = require "lurcher.server.raw"
local task = require "lurcher.task"

local server = {}

---@class lurcher.server.Server
---@field url string without a slash at the end: "http://127.0.0.1:40123"
---@field port integer 0 on a Unix socket
---@field ca string? path of the self-signed certificate in PEM; removed when the server ends
---@field ca_pem string? the same certificate as text
local Server = {}
Server.__index = Server

local tls_options = {
  cert = "string", key = "string", client_ca = "string", alpn = "table", names = "table",
  expires_in = "number", close_notify = "boolean",
  min = "'1.0'|'1.1'|'1.2'|'1.3'", max = "'1.0'|'1.1'|'1.2'|'1.3'",
}

local function port(value)
  if type(value) ~= "number" or value % 1 ~= 0 or value < 0 or value > 65535 then
    return "a whole number up to 65535"
  end
end

local options = {
  handler = "callable", host = "string", port = port, unix_socket = "string", tls = "boolean|table",
  record = "integer", max_head = "count", max_body = "size", head_timeout = "positive|false",
  body_timeout = "positive|false", grace = "seconds",
}

local raw_options = {
  host = "string", port = port, unix_socket = "string", tls = "boolean|table", record = "integer",
  grace = "seconds",
}

-- A file for clients that want the certificate's path.
local function write_certificate(pem)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(pem)
  file:close()
  return path
end

local function make_tls(given)
  if not given then return nil end
  given = given == true and {} or check.options(given, tls_options, "tls")
  local configuration, pem = native.tls {
    cert = given.cert, key = given.key, client_ca = given.client_ca, min = given.min, max = given.max,
    names = given.names or { "localhost", "127.0.0.1", "::1" },
    expires_in = given.expires_in or 30 * 24 * 3600,
    alpn = given.alpn or { "http/1.1" },
  }
  if not configuration then return nil, pem end
  return configuration, nil, pem, given.close_notify ~= false
end

-- ---- connections ----

local function close_connection(self, state)
  state.conn:close(self.close_notify)
  self.open[state] = nil
end

local function run_connection(self, state)
  task.defer(function() close_connection(self, state) end)
  local conn = state.conn
  if self.tls then
    state.idle = true
    local secure, err = conn:secure(self.head_timeout)
    state.idle = false
    if not secure then
      if err.kind == "tls" then self:keep_error(err) end
      return
    end
    state.tls = conn:tls()
  end
  self.serve(self, state)
end

-- After the listener was closed: running handlers get time to finish, idle ones and those whose client is
-- gone do not.
local function drain(self)
  local until_time, wait = tasks.shared_now() + self.grace, 0
  local handles = {}
  for state in pairs(self.open) do handles[#handles + 1] = state.handle end
  while next(self.open) do
    local late = tasks.shared_now() >= until_time
    for state in pairs(self.open) do
      if late or state.idle or state.conn:gone() then state.handle:cancel("the server stops") end
    end
    task.sleep(wait)
    wait = math.min(wait + 0.001, 0.02)
  end
  for _, handle in ipairs(handles) do tasks.join(handle) end
end

local function accept_connections(self)
  task.defer(function()
    self.stopping = true
    self.listener:close()
    for state in pairs(self.open) do state.handle:cancel("the server stops") end
    if self.ca then os.remove(self.ca) end
  end)
  while true do
    local conn = self.listener:accept()
    if conn == nil then break end
    if conn then
      self.accepted = self.accepted + 1
      local state = { conn = conn, number = self.accepted, idle = false }
      state.remote_address = conn:remote_address()
      self.open[state] = true
      state.handle = tasks.daemon(run_connection, self, state)
    end
  end
  drain(self)
end

local function start(opts, what, serve, handler)
  if opts.tls and opts.unix_socket then check.options({ tls = opts.tls }, { unix_socket = true }, what) end
  local tls, err, pem, close_notify = make_tls(opts.tls)
  if err then return nil, err end
  local host = opts.host or "127.0.0.1"
  local listener
  listener, err = native.listen(host, opts.port or 0, opts.unix_socket, tls)
  if not listener then return nil, err end
  local self = setmetatable({
    listener = listener, tls = tls, close_notify = close_notify, serve = serve, handler = handler,
    head_limit = opts.max_head or 65536, body_limit = opts.max_body or 64 * 1024 * 1024,
    head_timeout = opts.head_timeout == nil and 60 or opts.head_timeout or 0,
    body_timeout = opts.body_timeout == nil and 60 or opts.body_timeout or 0,
    grace = opts.grace or 0, record = opts.record or 10000,
    open = {}, accepted = 0, failures = {}, stopping = false,
    kept = {}, first_kept = 1, last_kept = 0, kept_bytes = 0,
    port = listener:port(), unix_socket = opts.unix_socket,
  }, Server)
  local shown = host:find(":", 1, true) and "[" .. host .. "]" or host
  local scheme = tls and "https" or "http"
  self.url = opts.unix_socket and "http://localhost" or ("%s://%s:%d"):format(scheme, shown, self.port)
  if pem then self.ca, self.ca_pem = write_certificate(pem), pem end
  self.acceptor = tasks.daemon(accept_connections, self)
  return self
end

-- ---- public ----

---Starts a server. The handler gets a request and returns `{ status = 200, headers = {}, body = string or
---iterator }`, a string (status 200), or nothing (204). It may block. An iterator's pieces go out in chunks
---as they come. What it raises (or returns as `nil, err`) is kept for `s:errors()`, and the client gets
---status 500 with it.
---
---Header values may be strings, numbers, lists (several lines) or `false` (leaves out Date or Connection);
---headers given as a list of pairs `{ {name, value}, … }` keep their order.
---
---Options: `handler`; `host` ("127.0.0.1"), `port` (any free one), `unix_socket` (a path); `tls` (true: a
---self-signed certificate, see `s.ca`; or a table of `cert`, `key` (PEM files) or `names`, `expires_in` (for
---the self-signed one; negative: expired), `client_ca`, `alpn`, `min`, `max` ("1.0" to "1.3"), `close_notify
---= false`); `max_head` (64 KiB, else 431), `max_body` (64 MiB, else 413), `head_timeout`, `body_timeout` (60
---s; also ends idle connections); `record` (how many requests are kept for `s:requests()`, 10,000); `grace`
---(seconds that `s:stop()` gives to running handlers, 5).
---@param handler fun(req: lurcher.server.Request): table|string|nil|table the handler, or the options
---@param opts? table options, when the handler came first
---@return lurcher.server.Server? nil when the port or the certificate cannot be used
---@return lurcher.Error?
function server.start(handler, opts)
  if opts == nil and type(handler) == "table" and check.mismatch(handler, "callable") then
    opts, handler = handler, handler.handler
  elseif handler ~= nil then
    check.argument(handler, "callable", 1, "server.start")
  end
  opts = check.options(opts, options, "server.start") or {}
  opts.grace = opts.grace or 5
  return start(opts, "server.start", server_http.serve, handler or function() end)
end

---Starts a server that calls `handler(conn)` for every connection (after the TLS handshake), see
---lurcher.server_raw. The connection is closed (FIN) when it returns. Options: `host`, `port`, `unix_socket`,
---`tls`, `record`, `grace` as for `start`, but without a grace time by default.
---@param handler fun(conn: lurcher.server.RawConnection)
---@param opts? table
---@return lurcher.server.Server?
---@return lurcher.Error?
function server.raw(handler, opts)
  check.argument(handler, "callable", 1, "server.raw")
  opts = check.options(opts, raw_options, "server.raw") or {}
  return start(opts, "server.raw", server_raw.serve, handler)
end

-- So many bytes of bodies are kept for `requests()`, whatever `record` says.
local KEPT_BYTES = 256 * 1024 * 1024

---Keeps a request for `requests()`, and drops the oldest.
---@package
---@private
function Server:keep(req)
  local kept, first, last = self.kept, self.first_kept, self.last_kept + 1
  kept[last] = req
  self.last_kept = last
  self.kept_bytes = self.kept_bytes + #req.body
  while first <= last and (last - first >= self.record or self.kept_bytes > KEPT_BYTES) do
    self.kept_bytes = self.kept_bytes - #kept[first].body
    kept[first] = nil
    first = first + 1
  end
  self.first_kept = first
end

local failure_metatable = {
  __tostring = function(failure)
    return tostring(failure.error) .. (failure.traceback and "\n" .. failure.traceback or "")
  end,
}

---@package
---@private
function Server:keep_error(err, traceback, req)
  self.failures[#self.failures + 1] =
    setmetatable({ error = err, traceback = traceback, request = req }, failure_metatable)
end

---The requests received so far: the latest `record` of them, with at most 256 MiB of bodies; none that was
---refused because of a malformed head or body.
---@return lurcher.server.Request[]
function Server:requests()
  check.method(self, Server, "server:requests")
  local list = {}
  for i = self.first_kept, self.last_kept do list[#list + 1] = self.kept[i] end
  return list
end

---What handlers raised, and failed TLS handshakes: tables of `error`, `traceback` and `request` that print as
---text.
---@return table[]
function Server:errors()
  check.method(self, Server, "server:errors")
  local list = {}
  for i, failure in ipairs(self.failures) do list[i] = failure end
  return list
end

---How many connections were accepted so far.
---@return integer
function Server:connections()
  check.method(self, Server, "server:connections")
  return self.accepted
end

local function called_by_own_handler(self)
  local current = task.current()
  for state in pairs(self.open) do
    if state.handle == current then return true end
  end
  return false
end

---Stops listening, closes idle connections, gives running handlers `grace` seconds to finish, then cancels
---them. Waits until all connections are closed, unless it is called by one of the server's own handlers.
---@param grace? number seconds
function Server:stop(grace)
  check.method(self, Server, "server:stop")
  if grace ~= nil then check.argument(grace, "seconds", 1, "stop") end
  self.grace = grace or self.grace
  self.stopping = true
  self.listener:close()
  if not called_by_own_handler(self) then tasks.join(self.acceptor) end
end

return server
