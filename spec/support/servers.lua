-- Real servers for specs and benchmarks: nginx, nghttpd and httpbin on free loopback ports, each in a
-- directory of its own below the system's temporary one. Plain Lua, so that benchmarks can use it too.
--
--   local nginx = servers.nginx()
--   http.get(nginx.http .. "/small")
--   http.get(nginx.http2 .. "/small", { tls = { ca = nginx.ca } })
--   nginx:stop()
--
-- A server lives no longer than the process that started it: its keeper, a shell, waits for a pipe's end.

local servers = {}

local START_SECONDS, ATTEMPTS = 30, 5

local given = {} -- ports handed out by this process

---@class Server
---@field directory string
local Server = {}
Server.__index = Server

---Writes a whole file.
---@param path string
---@param text string
function servers.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return text
end

-- Runs a shell command in which $1, $2, … stand for the further arguments.
local function shell(command, ...)
  local words = { "sh -c '" .. command:gsub("'", "'\\''") .. "' sh" }
  for i = 1, select("#", ...) do words[i + 1] = "'" .. tostring(select(i, ...)) .. "'" end
  return os.execute(table.concat(words, " ")) == 0
end

---A TCP port nobody listens on, below those the system gives to clients. Another process may still be faster,
---so every server is tried on several.
---@return integer
function servers.free_port()
  local taken = {}
  for _, path in ipairs { "/proc/net/tcp", "/proc/net/tcp6" } do
    for port in read(path):gmatch(":%s[0-9A-F]+:(%x%x%x%x)") do taken[tonumber(port, 16)] = true end
  end
  local random = assert(io.open("/dev/urandom", "rb"))
  local port
  repeat
    local high, low = random:read(2):byte(1, 2)
    port = 20000 + (high * 256 + low) % 12000
  until not taken[port] and not given[port]
  given[port] = true
  random:close()
  return port
end

-- A fresh directory with cert.pem and key.pem for localhost and 127.0.0.1 (the certificate is its own issuer)
-- and an empty www, readable by a worker process of another user.
local function new_directory()
  local pipe = assert(io.popen("mktemp -d"))
  local directory = pipe:read("*l")
  pipe:close()
  assert(directory, "mktemp failed")
  assert(shell([[cd "$1" && mkdir www && chmod 755 . www && openssl req -x509 -newkey ec \
    -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem 2>/dev/null]], directory),
    "openssl could not make a certificate")
  return directory
end

local function runs(pid)
  local state = read("/proc/" .. pid .. "/stat"):match("%) (%a)")
  return state ~= nil and state ~= "Z"
end

-- Whether somebody listens on a TCP port.
local function listens(port)
  return read("/proc/net/tcp"):find((":%04X 00000000:0000 0A"):format(port), 1, true) ~= nil
end

-- Runs a shell command in `directory` until stop(), which removes the directory. `ready` is a URL that
-- answers once it serves, or a port on which it listens then. Returns nil and the log when the command ends before
-- that.
local function spawn(directory, command, ready)
  local keeper = assert(io.popen(([[
    cd %s && exec >log 2>&1; PATH=$PATH:/usr/sbin # nghttpd and danted are there
    %s </dev/null &
    pid=$!; echo $pid >pid.new; mv pid.new pid
    cat >/dev/null; kill $pid 2>/dev/null; wait $pid
    cd /; rm -rf %s]]):format(directory, command, directory), "w"))
  local self = setmetatable({ directory = directory, keeper = keeper }, Server)
  local deadline = os.time() + START_SECONDS
  local pid
  repeat
    pid = self:pid()
    -- Any answer will do, a 404 too; curl itself fails as long as nobody listens.
    local answers
    if type(ready) == "number" then
      answers = pid and (listens(ready) or not os.execute("sleep 0.02"))
    else
      answers = pid and shell('curl -sk --max-time 2 -o /dev/null "$1" || { sleep 0.02; false; }', ready)
    end
    if answers and runs(pid) then return self end
  until (pid and not runs(pid)) or os.time() > deadline
  local log = read(directory .. "/log") .. read(directory .. "/error.log")
  self:stop()
  return nil, log
end

---The process that was started.
---@return string|nil
function Server:pid()
  return read(self.directory .. "/pid"):match("%d+")
end

---Ends the server and waits until it is gone.
function Server:stop()
  if not self.keeper then return end
  self.keeper:close()
  self.keeper = nil
end

-- Calls start(directory) until a server comes up: a port may be taken between the choice and the start.
local function try(what, start)
  local log
  for _ = 1, ATTEMPTS do
    local server, failure = start(new_directory())
    if server then return server end
    log = failure
  end
  error(what .. " does not start: " .. log, 0)
end

local NGINX = [[
daemon off;
worker_processes 1;
pid @DIR@/nginx.pid;
error_log @DIR@/error.log warn;
events { worker_connections 4000; }
http {
  access_log off;
  default_type application/json;
  client_body_temp_path @DIR@/client; proxy_temp_path @DIR@/proxy; fastcgi_temp_path @DIR@/fcgi;
  uwsgi_temp_path @DIR@/uwsgi; scgi_temp_path @DIR@/scgi;
  gzip on; gzip_types *; gzip_min_length 100;
  ssl_certificate @DIR@/cert.pem; ssl_certificate_key @DIR@/key.pem;
  server { listen 127.0.0.1:@HTTP@; @LOCATIONS@ }
  server { listen 127.0.0.1:@HTTPS@ ssl; @LOCATIONS@ }
  server { listen 127.0.0.1:@HTTP2@ ssl http2; @LOCATIONS@ }
}
]]

local LOCATIONS = [[
    location /small { return 200 '{"id":12345,"name":"widget"}'; }
    location /connection {
      return 200 '{"number":$connection,"requests":$connection_requests,"protocol":"$server_protocol"}';
    }
    location /large { root @DIR@/www; gzip off; }
    location / { root @DIR@/www; }
]]

---nginx with plain HTTP, HTTPS with HTTP/1.1 only, and HTTPS with HTTP/2: fields `http`, `https`, `http2`
---(URLs without a slash at the end) and `ca`. Files below `directory`/www are served. `options.config`
---replaces the configuration, `options.prefix` goes before the command ("taskset -c 1").
---@param options? { config: string, prefix: string }
---@return Server
function servers.nginx(options)
  options = options or {}
  return try("nginx", function(directory)
    local values = { DIR = directory, LOCATIONS = LOCATIONS:gsub("@DIR@", directory) }
    values.HTTP, values.HTTPS, values.HTTP2 = servers.free_port(), servers.free_port(), servers.free_port()
    local config = (options.config or NGINX):gsub("@([A-Z0-9]+)@", values)
    servers.write(directory .. "/nginx.conf", config)
    local command = (options.prefix or "") .. " /usr/sbin/nginx -p . -e log -c " .. directory .. "/nginx.conf"
    local server, log = spawn(directory, command, ("http://127.0.0.1:%d/"):format(values.HTTP))
    if not server then return nil, log end
    server.http = "http://127.0.0.1:" .. values.HTTP
    server.https = "https://localhost:" .. values.HTTPS
    server.http2 = "https://localhost:" .. values.HTTP2
    server.ca = directory .. "/cert.pem"
    return server
  end)
end

---nghttpd, HTTP/2 over TLS: fields `http2` and `ca`. Files below `directory`/www are served.
---@param flags? string further options of nghttpd
---@return Server
function servers.nghttpd(flags)
  return try("nghttpd", function(directory)
    local port = servers.free_port()
    local command = ("nghttpd -a 127.0.0.1 -d www %s %d key.pem cert.pem"):format(flags or "", port)
    local server, log = spawn(directory, command, ("https://127.0.0.1:%d/"):format(port))
    if not server then return nil, log end
    server.http2 = "https://localhost:" .. port
    server.ca = directory .. "/cert.pem"
    return server
  end)
end

---httpbin under gunicorn, HTTP/1.1 with keep-alive: field `http`.
---@return Server
function servers.httpbin()
  return try("httpbin", function(directory)
    local port = servers.free_port()
    local command = ("/usr/bin/gunicorn --bind 127.0.0.1:%d --worker-class gthread --threads 16 " ..
      "--graceful-timeout 1 httpbin:app"):format(port)
    local server, log = spawn(directory, command, ("http://127.0.0.1:%d/get"):format(port))
    if not server then return nil, log end
    server.http = "http://127.0.0.1:" .. port
    return server
  end)
end

local TINYPROXY = [[
Port @PORT@
Listen 127.0.0.1
Timeout 30
LogLevel Critical
MaxClients 200
@MORE@
]]

---tinyproxy, an HTTP proxy: fields `port` and `proxy` (its URL without credentials).
---@param more? string further lines of its configuration, such as "BasicAuth user password"
---@return Server
function servers.tinyproxy(more)
  return try("tinyproxy", function(directory)
    local values = { PORT = servers.free_port(), MORE = more or "" }
    servers.write(directory .. "/tiny.conf", (TINYPROXY:gsub("@(%u+)@", values)))
    local server, log = spawn(directory, "tinyproxy -d -c tiny.conf", values.PORT)
    if not server then return nil, log end
    server.port, server.proxy = values.PORT, "http://127.0.0.1:" .. values.PORT
    return server
  end)
end

---microsocks, a SOCKS 5 proxy: field `port`.
---@param flags? string "-u user -P password"
---@return Server
function servers.microsocks(flags)
  return try("microsocks", function(directory)
    local port = servers.free_port()
    local server, log = spawn(directory, ("microsocks -i 127.0.0.1 -p %d %s"):format(port, flags or ""), port)
    if not server then return nil, log end
    server.port = port
    return server
  end)
end

local DANTE = [[
logoutput: @DIR@/dante.log
internal: 127.0.0.1 port = @PORT@
external: lo
clientmethod: none
socksmethod: @METHOD@
user.privileged: root
user.unprivileged: nobody
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
]]

---Whether this Debian has dante: release 13 does not.
function servers.has_dante()
  return read "/usr/sbin/danted" ~= ""
end

---dante, a SOCKS 5 proxy: field `port`.
---@param method string "none", or "username": users of this machine, with their passwords
---@return Server
function servers.dante(method)
  return try("danted", function(directory)
    local values = { PORT = servers.free_port(), METHOD = method, DIR = directory }
    servers.write(directory .. "/danted.conf", (DANTE:gsub("@(%u+)@", values)))
    local server, log = spawn(directory, "danted -f danted.conf", values.PORT)
    if not server then return nil, log end
    server.port = values.PORT
    return server
  end)
end

local SQUID = [[
http_port 127.0.0.1:@PORT@
pid_filename none
access_log none
cache_log /dev/null
cache deny all
shutdown_lifetime 0 seconds
pinger_enable off
auth_param digest program /usr/lib/squid/digest_file_auth @DIR@/users
auth_param digest children 1
auth_param digest realm squid
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
]]

---squid, an HTTP proxy that asks for Digest: field `port`. It knows the user "user" with the password "secret".
---@return Server
function servers.squid()
  return try("squid", function(directory)
    local values = { PORT = servers.free_port(), DIR = directory }
    servers.write(directory .. "/users", "user:secret\n")
    servers.write(directory .. "/squid.conf", (SQUID:gsub("@(%u+)@", values)))
    local server, log = spawn(directory, "/usr/sbin/squid -N -f squid.conf", values.PORT)
    if not server then return nil, log end
    server.port = values.PORT
    return server
  end)
end

local STUNNEL = [[
foreground = yes
pid =
[proxy]
accept = 127.0.0.1:@PORT@
connect = 127.0.0.1:@TO@
cert = @DIR@/cert.pem
key = @DIR@/key.pem
@MORE@
]]

---stunnel, which makes an HTTPS proxy of an HTTP one: fields `port` and `ca`, which is also a client's certificate
---that it may ask for, and `key`.
---@param to integer the port of the HTTP proxy
---@param more? string further lines of its configuration
---@return Server
function servers.stunnel(to, more)
  return try("stunnel", function(directory)
    local values = { PORT = servers.free_port(), TO = to, DIR = directory }
    values.MORE = (more or ""):gsub("@DIR@", directory)
    servers.write(directory .. "/stunnel.conf", (STUNNEL:gsub("@(%u+)@", values)))
    local server, log = spawn(directory, "stunnel4 stunnel.conf", values.PORT)
    if not server then return nil, log end
    server.port, server.ca, server.key = values.PORT, directory .. "/cert.pem", directory .. "/key.pem"
    return server
  end)
end

---Any other command: `command(port)` gives the shell line of an HTTP server. Fields
---`port` and `http`.
---@param what string
---@param command fun(port: integer): string
---@return Server
function servers.command(what, command)
  return try(what, function(directory)
    local port = servers.free_port()
    local server, log = spawn(directory, command(port), ("http://127.0.0.1:%d/"):format(port))
    if not server then return nil, log end
    server.port, server.http = port, "http://127.0.0.1:" .. port
    return server
  end)
end

return servers
