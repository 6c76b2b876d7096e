local http = require "lurcher.http"
local server = require "lurcher.server"
local serving = require "spec.support.serving"
local socket = require "spec.support.socket"
local task = require "lurcher.task"

local start, raw, eventually = serving.start, serving.raw, serving.eventually

-- A client of its own for each spec, so that no connection is left in a shared pool.
local function client_of(s, opts)
  opts = opts or {}
  opts.base_url = s.url
  opts.retry = false
  opts.tls = opts.tls or { ca = s.ca }
  local client = http.client(opts)
  task.defer(function() client:close() end)
  return client
end

local function read_file(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

-- Paths of a self-signed certificate and its key, made by the openssl command.
local function certificate()
  local path = os.tmpname()
  task.defer(function()
    os.remove(path)
    os.remove(path .. ".key")
  end)
  local command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 " ..
    "-subj /CN=spec -addext subjectAltName=IP:127.0.0.1 -keyout %s.key -out %s 2>/dev/null"
  assert(os.execute(command:format(path, path)) == 0)
  return path, path .. ".key"
end

-- How a connection to `s` ends, seen by Python: "clean", or "cut" when close_notify is missing.
local function ending(s)
  local path = os.tmpname()
  task.defer(function() os.remove(path) end)
  os.execute(("/usr/bin/python3 spec/support/tls_ending.py %d >%s 2>&1 &"):format(s.port, path))
  return eventually(function() return read_file(path):match("^(.-)\n") end)
end

describe("a server with tls = true", function()
  it("is trusted by clients that are given its certificate, and by no other", function()
    local s = start(function() return "secret" end, { tls = true })
    assert.truthy(s.url:match("^https://127%.0%.0%.1:%d+$"))
    assert.equal("secret", assert(client_of(s):get("/")).body)
    local res, err = client_of(s, { tls = {} }):get("/")
    assert.is_nil(res)
    assert.equal("tls", err.kind)
    assert.equal("tls", eventually(function() return s:errors()[1] end).error.kind)
  end)

  it("keeps the certificate in a file as long as it runs", function()
    local s = start(function() end, { tls = true })
    assert.truthy(s.ca_pem:find("^%-%-%-%-%-BEGIN CERTIFICATE"))
    assert.equal(s.ca_pem, read_file(s.ca))
    s:stop()
    assert.is_nil(read_file(s.ca))
  end)

  it("tells the handler what the handshake brought", function()
    local s = start(function(req)
      local tls = req.tls
      return ("%s %s %s"):format(tls.version, tls.server_name or "none", tls.alpn)
    end, { tls = { names = { "spec.example" }, max = "1.2" } })
    local res = assert(client_of(s, { resolve = { ["spec.example:" .. s.port] = "127.0.0.1" } })
      :get("https://spec.example:" .. s.port .. "/"))
    assert.equal("1.2 spec.example http/1.1", res.body)
  end)

  it("carries large bodies in both directions", function()
    local body = {}
    for i = 1, 4000000 / 8 do body[i] = ("%08d"):format(i) end
    body = table.concat(body)
    local s = start(function(req) return req.body end, { tls = true })
    local res = assert(client_of(s):post("/", { body = body }))
    assert.is_true(res.body == body)
  end)

  it("serves many connections at once", function()
    local s = start(function(req) return req.path end, { tls = true })
    local client = client_of(s, { limits = { per_origin = 50 } })
    local paths = {}
    for i = 1, 200 do paths[i] = "/" .. i end
    local function get(path) return assert(client:get(path)).body end
    local bodies = task.map(paths, get, { concurrency = 50 })
    assert.same(paths, bodies)
  end)

  it("refuses bytes that are no handshake", function()
    local s = start(function() end, { tls = true })
    local client = assert(socket.connect(s.url))
    client:send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    client:receive_all()
    client:close()
    assert.truthy(tostring(eventually(function() return s:errors()[1] end)):find("http request", 1, true))
  end)

  it("can be stopped while a client keeps it waiting in the handshake", function()
    local s = start(function() end, { tls = true })
    local client = assert(socket.connect(s.url))
    client:send("\22\3\1\2\0\1")
    task.sleep(0)
    s:stop(1000)
    client:close()
    assert.same({}, s:errors())
  end)
end)

describe("the tls option", function()
  it("takes certificate and key from files", function()
    local cert, key = certificate()
    local s = start(function() return "from files" end, { tls = { cert = cert, key = key } })
    assert.is_nil(s.ca)
    assert.equal("from files", assert(client_of(s, { tls = { ca = cert } }):get("/")).body)
  end)

  it("returns nil and an error when a file cannot be used", function()
    local s, err = server.start { tls = { cert = "/nowhere/cert.pem" } }
    assert.is_nil(s)
    assert.equal("tls", err.kind)
    assert.truthy(err.message:find("/nowhere/cert.pem: No such file", 1, true))
    local none = os.tmpname()
    err = select(2, server.start { tls = { cert = none } })
    os.remove(none)
    assert.truthy(err.message:find("no start line", 1, true), err.message)
  end)

  it("refuses an encrypted key, and asks nobody for its password", function()
    local cert, key = certificate()
    local encrypted = os.tmpname()
    assert(os.execute(("openssl pkey -aes256 -passout pass:right -in %s -out %s"):format(key, encrypted)) == 0)
    local s, err = server.start { tls = { cert = cert, key = encrypted } }
    os.remove(encrypted)
    assert.is_nil(s)
    assert.equal("tls", err.kind)
    assert.truthy(err.message:find(encrypted, 1, true))
  end)

  it("can ask clients for a certificate", function()
    local cert, key = certificate()
    local s = start(function() return "known" end, { tls = { client_ca = cert } })
    assert.equal("known", assert(client_of(s, { tls = { ca = s.ca, cert = cert, key = key } }):get("/")).body)
    local res, err = client_of(s):get("/")
    assert.is_nil(res)
    assert.equal("tls", err.kind)
  end)

  local refused = {
    { "an expired certificate", { expires_in = -60 }, "expired" },
    { "a certificate for another name", { names = { "other.example" } }, "" },
    { "a TLS version that is too old", { max = "1.1" }, "" },
  }
  for _, case in ipairs(refused) do
    it("can give " .. case[1], function()
      local s = start(function() end, { tls = case[2] })
      local res, err = client_of(s):get("/")
      assert.is_nil(res)
      assert.equal("tls", err.kind)
      assert.truthy(err.message:find(case[3], 1, true))
    end)
  end

  it("can leave out close_notify", function()
    local function handler() return { headers = { Connection = "close" }, body = "x" } end
    assert.equal("clean", ending(start(handler, { tls = true })))
    assert.equal("cut", ending(start(handler, { tls = { close_notify = false } })))
  end)
end)

describe("server.raw over TLS", function()
  it("writes any bytes and knows the handshake", function()
    local s = raw(function(conn)
      local req = conn:read_request()
      conn:write("HTTP/1.1 200 OK\r\n\r\n" .. req.target .. " " .. conn.tls.version)
    end, { tls = true })
    assert.equal("/x 1.3", assert(client_of(s):get("/x")).body)
  end)

  it("closes with or without close_notify", function()
    local notify
    local s = raw(function(conn)
      conn:read_request()
      conn:close { notify = notify }
    end, { tls = true })
    notify = true
    assert.equal("clean", ending(s))
    notify = false
    assert.equal("cut", ending(s))
  end)

  it("can reset the connection", function()
    local s = raw(function(conn)
      conn:read_request()
      conn:reset()
    end, { tls = true })
    local _, err = client_of(s):get("/")
    assert.equal("closed", err.kind)
  end)
end)
