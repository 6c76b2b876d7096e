local faults = require "spec.support.faults"
local process = require "spec.support.process"
local servers = require "spec.support.servers"
local task = require "lurcher.task"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local HEAD = "HTTP/1.1 200 OK\r\n"

local function keep_open(conn) conn:read(1) end

-- Runs a command in a new directory, which is removed with the spec.
local function directory_by(command, ...)
  local directory = process.directory()
  task.defer(function() process.shell('rm -r "$1"', directory) end)
  local output, status = process.shell('cd "$1" && shift && { ' .. command .. '; } 2>&1', directory, ...)
  assert(status == 0, output)
  return directory
end

-- A key and a certificate made by these options of openssl.
local function certificate(key_options)
  local directory = directory_by("openssl req -x509 $1 -nodes -days 2 -subj /CN=localhost " ..
    "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem", key_options)
  return { cert = directory .. "/cert.pem", key = directory .. "/key.pem" }
end

local EC = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1"

-- The server's answer to one request over TLS.
local function ask(tls, client_tls, bytes, finish, opts)
  local s = faults.answering(bytes or OK, finish, { tls = tls })
  local settings = { tls = client_tls or { ca = s.ca } }
  for name, value in pairs(opts or {}) do settings[name] = value end
  local client = faults.client(settings)
  local res, err = client:get(s.url)
  faults.settled(client)
  return s, res, err
end

local function refused(message, tls, client_tls)
  local s, res, err = ask(tls, client_tls)
  err = faults.check({ kind = "tls", phase = "connect", message = message, host = faults.host(s) }, res, err)
  assert.is_string(err.code)
  return err
end

describe("a certificate is refused with kind 'tls' and the reason when", function()
  it("it has expired", function() refused("expired", { expires_in = -3600 }) end)

  it("it is for another host", function() refused("wrong host", { names = { "other.test" } }) end)

  it("its issuer is not known", function()
    local err = refused("unknown issuer", {}, {})
    assert.matches("self.signed", err.message:lower())
  end)

  it("another one is trusted", function()
    refused("unknown issuer", {}, { ca = certificate(EC).cert })
  end)

  it("its key is weak", function()
    local weak = certificate "-newkey rsa:1024"
    refused("key too weak", weak, { ca = weak.cert })
  end)

  it("it is signed with SHA-1", function()
    local directory = directory_by(
      "openssl req -x509 $1 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem && " ..
      "openssl req $1 -nodes -subj /CN=localhost -keyout key.pem -out request.pem && " ..
      "printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > names && " ..
      "openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -sha1 " ..
      "-extfile names -out cert.pem", EC)
    refused("digest algorithm too weak", { cert = directory .. "/cert.pem", key = directory .. "/key.pem" },
      { ca = directory .. "/ca.pem" })
  end)

  it("its key is not among the pins", function()
    local s = faults.answering(OK, nil, { tls = {} })
    local client = faults.client { tls = { ca = s.ca, pins = "sha256//" .. ("A"):rep(43) .. "=" } }
    faults.check({ kind = "tls", message = "pins", host = faults.host(s) }, client:get(s.url))
  end)

  it("its key is not among the pins, though it is not verified", function()
    refused(nil, {}, { verify = false, pins = "sha256//" .. ("A"):rep(43) .. "=" })
  end)

  it("but not with verify=false", function()
    local _, res = ask({ expires_in = -3600, names = { "other.test" } }, { verify = false })
    assert.equal("ok", res and res.body)
  end)

  it("the file of authorities is missing", function()
    faults.check({ kind = "tls", message = "/nonexistent/ca%.pem" },
      faults.client { tls = { ca = "/nonexistent/ca.pem" } }:get(
      faults.answering(OK, nil, { tls = {} }).url))
  end)
end)

describe("a handshake that fails is of kind 'tls':", function()
  for _, version in ipairs { "1.0", "1.1" } do
    it("the server speaks TLS " .. version .. " at most", function()
      refused(nil, { min = "1.0", max = version })
    end)
  end

  it("the server speaks TLS 1.2 at most and the client 1.3 at least", function()
    local s = faults.answering(OK, nil, { tls = { max = "1.2" } })
    faults.check({ kind = "tls", phase = "connect", host = faults.host(s) },
      faults.client { tls = { ca = s.ca, min = "1.3" } }:get(s.url))
  end)

  it("the same, though the certificate is not verified", function()
    refused(nil, { max = "1.2" }, { min = "1.3", verify = false })
  end)

  it("the server demands a certificate of the client", function()
    local authority = certificate(EC)
    local s, res, err = ask({ client_ca = authority.cert })
    faults.check({ kind = "tls", host = faults.host(s) }, res, err)
  end)

  local function bare(handler)
    local s = faults.raw(handler)
    return s, (s.url:gsub("^http:", "https:"))
  end

  for name, handler in pairs {
    ["the server closes at once"] = function() end,
    ["the server resets at once"] = function(conn) conn:reset() end,
    ["the server closes after the client's hello"] = function(conn) conn:read() end,
    ["the server resets after the client's hello"] = function(conn)
      conn:read()
      conn:reset()
    end,
    ["the server answers in plain HTTP before it is asked"] = function(conn)
      conn:write("HTTP/1.1 400 Bad\r\n\r\n")
    end,
    ["the server speaks plain HTTP"] = function(conn)
      conn:read()
      conn:write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    end,
    ["the server sends an alert"] = function(conn)
      conn:read()
      conn:write("\21\3\3\0\2\2\40")
    end,
    ["the server sends nonsense"] = function(conn)
      conn:read()
      conn:write(("\22\3\3\0\16" .. ("z"):rep(16)))
    end,
  } do
    it(name, function()
      local s, url = bare(handler)
      local client = faults.client()
      faults.check({ kind = "tls", phase = "connect", host = faults.host(s) }, client:get(url))
      faults.settled(client)
    end)
  end

  it("but of kind 'timeout', phase 'connect', when it hangs", function()
    local s, url = bare(function(conn)
      while conn:read() do end
    end)
    local client = faults.client { timeout = { connect = 0.2 } }
    local err = faults.check({ kind = "timeout", phase = "connect", host = faults.host(s) }, client:get(url))
    assert.is_true(err.retryable)
    faults.settled(client)
  end)
end)

describe("the end of a TLS connection", function()
  it("without close_notify is no fault when the length is known", function()
    local _, res = ask({ close_notify = false }, nil, OK)
    assert.equal("ok", res and res.body)
  end)

  it("without close_notify is no fault behind the last chunk", function()
    local _, res = ask({ close_notify = false }, nil,
      HEAD .. "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    assert.equal("ok", res and res.body)
  end)

  it("without close_notify cuts a body without length: kind 'truncated'", function()
    local s, res, err = ask({ close_notify = false }, nil, HEAD .. "\r\nhello")
    faults.check({ kind = "truncated", phase = "read", host = faults.host(s) }, res, err)
  end)

  it("with close_notify ends a body without length", function()
    local _, res = ask({}, nil, HEAD .. "\r\nhello")
    assert.equal("hello", res and res.body)
  end)

  for name, close_notify in pairs { ["with"] = true, ["without"] = false } do
    it(name .. " close_notify before the end of a body is of kind 'truncated'", function()
      local s, res, err = ask({ close_notify = close_notify }, nil, HEAD .. "Content-Length: 9\r\n\r\nhello")
      faults.check({ kind = "truncated", phase = "read", host = faults.host(s) }, res, err)
    end)

    it(name .. " close_notify before the head is of kind 'closed'", function()
      local s, res, err = ask({ close_notify = close_notify }, nil, "")
      faults.check({ kind = "closed", phase = "read", host = faults.host(s) }, res, err)
    end)

    it(name .. " close_notify in the head is of kind 'closed'", function()
      local s, res, err = ask({ close_notify = close_notify }, nil, HEAD .. "Conten")
      faults.check({ kind = "closed", phase = "read", host = faults.host(s) }, res, err)
    end)
  end

  it("by a reset in the body is of kind 'truncated'", function()
    local s, res, err = ask({}, nil, HEAD .. "Content-Length: 9\r\n\r\nhello", function(conn)
      conn:sleep(0.05)
      conn:reset()
    end)
    faults.check({ kind = "truncated", phase = "read", host = faults.host(s) }, res, err)
  end)

  it("while it is idle is not seen by the next request", function()
    local s = faults.raw(function(conn)
      if conn:read_request() then conn:write(OK) end
    end, { tls = {} })
    local client = faults.client { tls = { ca = s.ca } }
    for _ = 1, 5 do
      assert.equal("ok", assert(client:get(s.url)).body)
      task.sleep(0.01)
    end
  end)
end)

describe("over TLS", function()
  -- Between the client and a TLS server; the first so many bytes of the server's come through, then `finish`.
  local function cut_after(bytes_of_server, finish)
    local inner = faults.server(function(conn)
      conn:write(HEAD .. "Content-Length: 100000\r\n\r\n" .. ("x"):rep(100000))
      keep_open(conn)
    end, { tls = {} })
    local directory = inner.ca
    local socket = require "spec.support.socket"
    local outer = faults.raw(function(conn)
      local other = assert(socket.connect(inner.url))
      task.defer(function() other:close() end)
      task.scope(function(scope)
        local up = scope:spawn(function()
          while true do
            local bytes = conn:read()
            if not bytes then return end
            other:send(bytes)
          end
        end)
        local passed = 0
        while passed < bytes_of_server do
          local bytes = other:receive_some(bytes_of_server - passed)
          if not bytes then break end
          passed = passed + #bytes
          conn:write(bytes)
        end
        finish(conn)
        up:cancel()
      end)
    end)
    return outer, (outer.url:gsub("^http:", "https:")), directory
  end

  it("a corrupt record is of kind 'tls'", function()
    local s, url, ca = cut_after(30000, function(conn)
      conn:write("\23\3\3\0\32" .. ("z"):rep(20000))
      conn:sleep(0.2)
    end)
    local client = faults.client { tls = { ca = ca } }
    local err = faults.check({ kind = "tls", phase = "read", host = faults.host(s) }, client:get(url))
    assert.truthy(err.message:find "SSL" or err.message:find "record")
  end)

  it("a record cut in the middle is of kind 'truncated'", function()
    local s, url, ca = cut_after(30000, function() end)
    local client = faults.client { tls = { ca = ca } }
    faults.check({ kind = "truncated", phase = "read", host = faults.host(s) }, client:get(url))
  end)

  it("an HTTP/2 status line where HTTP/1.1 was agreed on is of kind 'protocol'", function()
    local s, res, err = ask({}, nil, "HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok")
    faults.check({ kind = "protocol", phase = "read", host = faults.host(s) }, res, err)
  end)

  it("bytes that nobody asked for are no answer to the next request", function()
    local idle = task.event()
    local s = faults.raw(function(conn)
      if not conn:read_request() then return end
      conn:write(OK)
      if conn.number > 1 then return end
      idle:wait()
      conn:write("HTTP/1.1 500 Evil\r\nContent-Length: 4\r\n\r\nevil")
      conn:read()
    end, { tls = {} })
    local client = faults.client { tls = { ca = s.ca } }
    assert.equal(200, assert(client:get(s.url)).status)
    idle:set()
    task.sleep(0.05)
    assert.equal(200, assert(client:get(s.url)).status)
  end)

  it("a connection is used again", function()
    local nginx = servers.nginx()
    task.defer(function() nginx:stop() end)
    local client = faults.client { tls = { ca = nginx.ca } }
    assert.is_false(assert(client:get(nginx.https .. "/small")).reused)
    task.sleep(0.05)
    assert.is_true(assert(client:get(nginx.https .. "/small")).reused)
  end)

  it("server_name is the name that is asked for and verified", function()
    local s = faults.server(function(conn, request)
      local text = tostring(conn.tls and conn.tls.server_name) .. " " .. tostring(request.headers.host)
      conn:write(HEAD .. "Content-Length: " .. #text .. "\r\n\r\n" .. text)
    end, { tls = { names = { "other.test" } } })
    local client = faults.client { tls = { ca = s.ca, server_name = "other.test" } }
    assert.equal("other.test " .. faults.host(s), assert(client:get(s.url)).body)
    local wrong = faults.client { tls = { ca = s.ca, server_name = "wrong.test" } }
    faults.check({ kind = "tls", message = "wrong host" }, wrong:get(s.url))
  end)

  it("server_name must be a name", function()
    for _, name in ipairs { "", "a b", "a:443", "a\0b", "a/b" } do
      local ok, err = pcall(function()
        return faults.client { tls = { server_name = name } }:get "https://127.0.0.1:9/"
      end)
      assert.is_false(ok, name)
      assert.truthy(tostring(err):find "server_name")
    end
  end)
end)

describe("an encrypted key of the client", function()
  local EXPECTED = {
    { "without a password", nil, "then give tls.key_password" },
    { "with an empty one", "", "tls.key_password is wrong" },
    { "with a wrong one", "wrong", "tls.key_password is wrong" },
    { "with the right one", "right" },
  }

  for _, case in ipairs(EXPECTED) do
    it(case[1] .. (case[3] and " is an error of kind 'tls', and nobody is asked" or " is used"), function()
      local own = certificate(EC)
      local encrypted = own.key .. ".encrypted"
      process.shell('openssl pkey -aes256 -passout pass:right -in "$1" -out "$2"', own.key, encrypted)
      local s, res, err = ask({}, { verify = false, cert = own.cert, key = encrypted, key_password = case[2] })
      if not case[3] then
        assert.equal("ok", assert(res, err).body)
        return
      end
      faults.check({ kind = "tls", message = case[3], host = faults.host(s) }, res, err)
      assert.truthy(err.message:find(encrypted, 1, true))
      assert.equal("SSL_CERTPROBLEM", err.code)
    end)
  end
end)
