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
local errors = require "lurcher.base.errors"
local kept = require "lurcher.server.kept"
local log = require "lurcher.log"
local faults = require "lurcher.server.faults"
local folder = require "lurcher.server.folder"
local routes = require "lurcher.server.routes"
local rows = require "lurcher.base.rows"
local running = require "lurcher.server.running"
local server_http = require "lurcher.server.http1"
local server_raw = require "lurcher.server.raw"
local task = require "lurcher.task"

local KIB = 1024

-- So many bytes of heads and bodies are kept for `requests()`, and of those that failed for `errors()`.
local KEPT_BYTES = 64 * KIB * KIB
local KEPT_FAILURES = 1000

-- What a request costs besides its bytes.
local REQUEST_SIZE = 1024

local server = {}

---@class lurcher.server.Server
---@field url string without a slash at the end: "http://127.0.0.1:40123"
---@field port integer 0 on a Unix socket
---@field ca string? path of the self-signed certificate in PEM; removed when the server ends
---@field ca_pem string? the same certificate as text
local Server = {}
Server.__index = Server

local function port(value)
  if type(value) ~= "number" or value % 1 ~= 0 or value < 0 or value > 65535 then
    return "a whole number up to 65535"
  end
end

local VERSIONS = "'1.0'|'1.1'|'1.2'|'1.3'"

local TLS_OPTIONS, TLS_DEFAULT = rows.of("server.tls", "lurcher.server.TlsOptions", {
  { "cert", check = "string", shown = "self-signed", help = "the server's certificate, a PEM file",
    example = 'tls = { cert = "server.pem", key = "server.key" }' },
  { "key", check = "string", help = "its private key, a PEM file",
    example = 'tls = { cert = "server.pem", key = "server.key" }' },
  { "client_ca", check = "string", help = "the authorities of clients, which then need a certificate",
    example = 'tls = { client_ca = "ca.pem" }' },
  { "alpn", check = "table", type = "string[]", default = { "http/1.1" }, help = "the protocols it agrees to",
    example = 'tls = { alpn = { "h2" } }' },
  { "names", check = "table", type = "string[]", default = { "localhost", "127.0.0.1", "::1" },
    help = "of the self-signed certificate", example = 'tls = { names = { "api.test" } }' },
  { "expires_in", check = "number", default = 30 * 24 * 3600,
    help = "seconds for which the self-signed certificate is valid; negative: it has expired",
    example = "tls = { expires_in = -1 }" },
  { "close_notify", check = "boolean", default = true, help = "say goodbye at the end of a connection",
    example = "tls = { close_notify = false }" },
  { "min", check = VERSIONS, help = "the oldest version of TLS", example = 'tls = { min = "1.3" }' },
  { "max", check = VERSIONS, help = "the newest version of TLS", example = 'tls = { max = "1.2" }' },
})

local RAW_ROWS = {
  { "host", check = "string", default = "127.0.0.1", help = "the address it listens on",
    example = 'host = "0.0.0.0"' },
  { "port", check = port, type = "integer", shown = "any that is free", help = "the port it listens on",
    example = "port = 8080" },
  { "unix_socket", check = "string", help = "the path of a socket to listen on instead",
    example = 'unix_socket = "/tmp/api.sock"' },
  { "tls", check = "boolean|table", type = "boolean|lurcher.server.TlsOptions", default = false,
    help = "`true`: with a self-signed certificate, see `s.ca`; or a table", example = "tls = true" },
  { "record", check = "integer", default = 10000, help = "how many requests are kept for `s:requests()`",
    example = "record = 100" },
  { "grace", check = "duration", shown = "5 of server.start, 0 of server.raw",
    help = "seconds that `s:stop()` gives to what runs", example = "grace = 1" },
}

local RAW_OPTIONS, RAW_DEFAULT = rows.of("server.raw", "lurcher.server.RawOptions", RAW_ROWS)

local MOST = 2 ^ 52 -- bytes: what stands for no limit where a whole number is wanted

local HTTP_ROWS = {
  { "handler", check = "callable", type = "fun(req: lurcher.server.Request): table|string|nil",
    help = "the handler, where it is not given as an argument", example = "handler = print" },
  { "routes", check = "table", type = "table<string, function|table|string>",
    help = "handlers and responses by method and path, in place of one handler",
    example = 'routes = { ["GET /users/{id}"] = find_user }' },
  { "delay", check = "duration", default = 0, help = "seconds before each response, unless it has its own",
    example = "delay = 0.2" },
  { "fault", check = faults.mismatch, type = "string",
    help = "how every response goes wrong, unless it says otherwise: see below", example = 'fault = "truncate"' },
  { "cors", check = "boolean", default = false, help = "let pages of any origin read the responses",
    example = "cors = true" },
  { "log", check = "boolean|callable", type = "boolean|fun(req: lurcher.server.Request)", default = false,
    help = "a line of lurcher.log (info) for each request that was answered; or what is called then",
    example = "log = true" },
  { "handler_timeout", check = "limit|false", default = false,
    help = "seconds that a handler may take; then it is cancelled, and the answer is 500",
    example = "handler_timeout = 5" },
  { "max_head", check = "count|huge", default = 64 * KIB, shown = "64 KiB",
    help = "bytes of a request's head; more is answered 431", example = "max_head = 8192" },
  { "max_body", check = "size|huge", default = 64 * KIB * KIB, shown = "64 MiB",
    help = "bytes of a request's body; more is answered 413", example = "max_body = 1e6" },
  { "head_timeout", check = "limit|false", default = 60,
    help = "seconds within which a head has to come; also ends idle connections",
    example = "head_timeout = 5" },
  { "body_timeout", check = "limit|false", default = 60, help = "seconds without a byte of the body",
    example = "body_timeout = 5" },
}
for _, row in ipairs(RAW_ROWS) do HTTP_ROWS[#HTTP_ROWS + 1] = row end

local HTTP_OPTIONS, HTTP_DEFAULT = rows.of("server.start", "lurcher.server.Options", HTTP_ROWS)

-- A file for clients that want the certificate's path.
local function write_certificate(pem)
  local path = os.tmpname()
  if not path then return nil end -- the host does not permit it; the text is there all the same
  local file = assert(io.open(path, "w"))
  file:write(pem)
  file:close()
  return path
end

local function make_tls(given)
  if not given then return nil end
  given = given == true and {} or check.options(given, TLS_OPTIONS, "tls")
  local configuration, pem = native.tls {
    cert = given.cert, key = given.key, client_ca = given.client_ca, min = given.min, max = given.max,
    names = given.names or TLS_DEFAULT.names,
    expires_in = given.expires_in or TLS_DEFAULT.expires_in,
    alpn = given.alpn or TLS_DEFAULT.alpn,
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
  local host = opts.host or RAW_DEFAULT.host
  if host == "localhost" then host = RAW_DEFAULT.host end
  local listener
  listener, err = native.listen(host, opts.port or 0, opts.unix_socket, tls)
  if not listener then return nil, err end
  local self = setmetatable({
    listener = listener, tls = tls, close_notify = close_notify, serve = serve, handler = handler,
    head_limit = math.min(opts.max_head or HTTP_DEFAULT.max_head, MOST),
    body_limit = opts.max_body or HTTP_DEFAULT.max_body,
    head_timeout = opts.head_timeout == nil and HTTP_DEFAULT.head_timeout or opts.head_timeout or 0,
    body_timeout = opts.body_timeout == nil and HTTP_DEFAULT.body_timeout or opts.body_timeout or 0,
    grace = opts.grace or 0, delay = opts.delay, fault = opts.fault, handler_timeout = opts.handler_timeout or false,
    cors = opts.cors, log = opts.log or false,
    open = {}, accepted = 0, stopping = false,
    kept = kept.new(opts.record or RAW_DEFAULT.record, KEPT_BYTES), failures = kept.new(KEPT_FAILURES, KEPT_BYTES),
    port = listener:port(), unix_socket = opts.unix_socket,
  }, Server)
  local shown = host:find(":", 1, true) and "[" .. host .. "]" or host
  local scheme = tls and "https" or "http"
  self.url = opts.unix_socket and "http://localhost" or ("%s://%s:%d"):format(scheme, shown, self.port)
  if pem then self.ca, self.ca_pem = write_certificate(pem), pem end
  running[self] = true
  self.acceptor = tasks.daemon(accept_connections, self)
  return self
end

-- ---- public ----

---Starts a server. The handler gets a request and returns `{ status = 200, headers = {}, body = string or
---iterator }`, a string (status 200), or nothing (204). It may block. An iterator's pieces go out in chunks
---as they come. What it raises (or returns as `nil, err`) is logged and kept for `s:errors()`, and the client
---gets status 500 with it.
---
---Header values may be strings, numbers, lists (several lines) or `false` (leaves out Date or Connection);
---headers given as a list of pairs `{ {name, value}, … }` keep their order.
---
---A response may also have `json` in place of a body, `events` (a list or an iterator), `delay` (seconds), `fault`
---("reset", "truncate", "stall", "slow", "garbage") and `websocket` (a function, see lurcher.server.WebSocket).
---@param handler lurcher.server.Options|(fun(req: lurcher.server.Request): table|string|nil) or the options
---@param opts? lurcher.server.Options when the handler came first
---@return lurcher.server.Server? nil when the port or the certificate cannot be used
---@return lurcher.Error?
function server.start(handler, opts)
  if opts == nil and type(handler) == "table" and check.mismatch(handler, "callable") then
    opts, handler = handler, handler.handler
  elseif handler ~= nil then
    check.argument(handler, "callable", 1, "server.start")
  end
  opts = check.options(opts, HTTP_OPTIONS, "server.start") or {}
  if opts.routes and handler then errors.raise("server.start: a handler and the option 'routes' exclude each other") end
  if opts.routes then handler = routes.handler(opts.routes) end
  opts.grace = opts.grace or 5
  return start(opts, "server.start", server_http.serve, handler or function() end)
end

---A handler that looks for another one by method and path. Text goes before `{name}`, which is one segment
---(`req.params.name`), and that before `{name*}`, which is all the rest. HEAD is answered by GET's; what has no route
---is answered 404, or 405 with the methods that there are.
---@param given table<string, function|table|string> handlers and responses by "METHOD /path" or "/path"
---@return fun(req: lurcher.server.Request): any
server.routes = routes.handler

---A handler that answers GET and HEAD with the files of a folder: with their types, validators (ETag, Last-Modified)
---and ranges. Behind a route that ends in `{path*}` that part is the file's name. Nothing out of the folder is given,
---whatever the path or a link says.
---@param path string
---@param opts? lurcher.server.FolderOptions
---@return fun(req: lurcher.server.Request): table
server.folder = folder.handler

---Starts a server that calls `handler(conn)` for every connection (after the TLS handshake), see
---lurcher.server.RawConnection. The connection is closed (FIN) when it returns.
---@param handler fun(conn: lurcher.server.RawConnection)
---@param opts? lurcher.server.RawOptions
---@return lurcher.server.Server?
---@return lurcher.Error?
function server.raw(handler, opts)
  check.argument(handler, "callable", 1, "server.raw")
  opts = check.options(opts, RAW_OPTIONS, "server.raw") or {}
  return start(opts, "server.raw", server_raw.serve, handler)
end

local function size_of(req)
  return REQUEST_SIZE + #req.head + #(req.body or "")
end

---Keeps a request for `requests()`.
---@package
---@private
function Server:keep(req)
  self.kept:add(req, size_of(req))
end

local failure_metatable = {
  __tostring = function(failure)
    return tostring(failure.error) .. (failure.traceback and "\n" .. failure.traceback or "")
  end,
}

-- Where in the script something was raised, when its text does not say.
local function place_of(text, traceback)
  if text:find("^[^\n]-:%d+: ") then return nil end
  for line in (traceback or ""):gmatch("\n%s*([^\n]+)") do
    local place = line:match("^(.-:%d+): in ")
    if place and not place:find("^lurcher/") then return place end
  end
end

---What was answered, as the option `log` wants it.
---@package
---@private
function Server:note(req)
  if self.log == true then
    log.info("served", { request = req.method .. " " .. req.path, status = req.status })
  elseif self.log then
    self.log(req)
  end
end

---@package
---@private
function Server:keep_error(err, traceback, req)
  local text, size = server_http.text_of(err), req and size_of(req) or REQUEST_SIZE
  if type(err) == "string" then size = size + #err end
  self.failures:add(setmetatable({ error = err, traceback = traceback, request = req }, failure_metatable), size)
  if not traceback then return end
  log.error("the server's handler failed: " .. text,
    { request = req and req.method .. " " .. req.path, at = place_of(text, traceback) })
end

---The requests received so far: the latest `record` of them, with at most 64 MiB of heads and bodies; none
---that was refused because of a malformed head or body.
---@return lurcher.server.Request[]
function Server:requests()
  check.method(self, Server, "server:requests")
  return self.kept:list()
end

---What handlers raised, and failed TLS handshakes, the latest thousand: tables of `error`, `traceback` and
---`request` that print as text.
---@return table[]
function Server:errors()
  check.method(self, Server, "server:errors")
  return self.failures:list()
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
  if grace ~= nil then check.argument(grace, "duration", 1, "stop") end
  self.grace = grace or self.grace
  self.stopping = true
  self.listener:close()
  if not called_by_own_handler(self) then tasks.join(self.acceptor) end
end

return server
