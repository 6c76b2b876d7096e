local peer = require "spec.support.websocket_peer"
local serving = require "spec.support.serving"
local task = require "lurcher.task"
local ws = require "lurcher.ws"

local function echo(p)
  p:accept()
  p:echo()
end

local function connect(url, opts)
  return assert(ws.connect(url, opts))
end

describe("ws.connect", function()
  it("makes the handshake of RFC 6455", function()
    local seen
    local url = peer.start(function(p)
      seen = p:accept()
      p:frame()
    end)
    local c = connect(url .. "/chat?room=1#top", { headers = { ["X-One"] = "1", Origin = "http://a.example" } })
    assert.are.equal(101, c.response.status)
    c:close()
    assert.are.equal("GET", seen.method)
    assert.are.equal("/chat?room=1", seen.target)
    assert.are.equal("websocket", seen.headers["upgrade"])
    assert.are.equal("Upgrade", seen.headers["connection"])
    assert.are.equal("13", seen.headers["sec-websocket-version"])
    assert.are.equal(24, #seen.headers["sec-websocket-key"])
    assert.are.equal("1", seen.headers["x-one"])
    assert.are.equal("http://a.example", seen.headers["origin"])
    assert.are.equal((url:gsub("^ws://", "")), seen.headers["host"])
    assert.is_nil(seen.headers["sec-websocket-extensions"])
    assert.is_nil(seen.headers["sec-websocket-protocol"])
  end)

  it("takes ws, wss, http and https URLs", function()
    local plain, secure = peer.serve(echo), peer.serve(echo, { tls = true })
    for _, given in ipairs { plain.ws, plain.url, (plain.ws:gsub("^ws", "WS")) } do
      local c = connect(given)
      c:send "x"
      assert.are.equal("x", c:receive())
      assert.is_true(c:close())
    end
    for _, given in ipairs { secure.url, secure.ws } do
      local c = connect(given, { tls = { ca = secure.ca } })
      local big = ("0123456789"):rep(30000)
      c:send(big)
      assert.are.equal(big, (c:receive()))
      assert.is_true(c:close())
    end
  end)

  it("sends a user name and password of the URL, and auth", function()
    local seen = {}
    local url = peer.start(function(p)
      seen[#seen + 1] = p:accept().headers["authorization"]
      p:frame()
    end)
    connect((url:gsub("//", "//ada:pw@"))):close()
    connect(url, { auth = { "u", "p" } }):close()
    assert.are.same({ "Basic YWRhOnB3", "Basic dTpw" }, seen)
  end)

  it("offers subprotocols, and tells the one chosen", function()
    local seen
    local url = peer.start(function(p)
      seen = p:accept("Sec-WebSocket-Protocol: b\r\n")
      p:frame()
    end)
    local c = connect(url, { protocols = { "a", "b" } })
    assert.are.equal("b", c.protocol)
    assert.are.equal("a, b", seen.headers["sec-websocket-protocol"])
    c:close()
  end)

  it("has no protocol where the server chooses none", function()
    local c = connect(peer.start(echo), { protocols = "a" })
    assert.is_nil(c.protocol)
    c:close()
  end)

  it("gives kind 'status' and the response when the server refuses", function()
    local s = serving.start(function(req)
      if req.path == "/chunks" then
        local pieces = { "over", " and ", "out" }
        return { status = 503, headers = { ["Retry-After"] = "7" }, body = function()
          return table.remove(pieces, 1)
        end }
      elseif req.path == "/large" then
        return { status = 400, body = ("x"):rep(1e6) }
      end
      return { status = tonumber(req.path:match "%d+"), body = "no " .. req.path, headers = { Location = "/200" } }
    end)
    for _, status in ipairs { 200, 301, 302, 401, 403, 404, 426, 500 } do
      local c, err = ws.connect(s.url .. "/" .. status)
      assert.is_nil(c)
      assert.are.equal("status", err.kind)
      assert.are.equal(status, err.response.status)
      assert.are.equal("no /" .. status, err.response.body)
      assert.are.equal("/200", err.response.headers.location)
    end
    local url = s.url:gsub("^http", "ws") .. "/chunks"
    local _, err = ws.connect(url)
    assert.are.equal(url, err.url)
    assert.are.equal("over and out", err.response.body)
    assert.are.equal(7, err.response:retry_after())
    _, err = ws.connect(s.url .. "/large")
    assert.are.equal(65536, #err.response.body)
  end)

  it("gives kind 'connect' when nobody listens", function()
    local s = serving.raw(function() end)
    s:stop()
    local _, err = ws.connect(s.url)
    assert.are.equal("connect", err.kind)
    assert.is_true(err.retryable)
  end)

  it("gives kind 'url' for what is none", function()
    for _, url in ipairs { "", "example.com/x", "ftp://a/", "ws://", "ws://a b/", "ws://a:99999/" } do
      local c, err = ws.connect(url)
      assert.is_nil(c)
      assert.are.equal("url", err.kind)
    end
  end)

  it("tells of a wrong URL as it was written", function()
    for url, message in pairs {
      ["ws://"] = "the URL has no host at byte 6",
      ["wss://a b/"] = "the URL has a space in the host at byte 8",
      ["http://a b/"] = "the URL has a space in the host at byte 9",
      ["ftp://a/"] = "a WebSocket's URL begins with ws://, wss://, http:// or https://",
      ["example.com"] = "the URL has no scheme: ws://, wss://, http:// or https://",
    } do
      local _, err = ws.connect(url)
      assert.are.same({ message, url }, { err.message, err.url })
    end
  end)

  it("raises for wrong options", function()
    for message, opts in pairs {
      ["unknown option 'protocol'; did you mean 'protocols'?"] = { protocol = "a" },
      ["unknown option 'pong'; did you mean 'ping'?"] = { pong = 2 },
      ["option 'protocols' must be a list of names (tokens)"] = { protocols = { "a b" } },
      ["option 'protocols' must be a list that names each only once"] = { protocols = { "a", "a" } },
      ["option 'max_message' must be"] = { max_message = "1" },
      ["option 'ping' must be"] = { ping = 0 },
      ["the header 'Upgrade' belongs to the handshake"] = { headers = { Upgrade = "h2c" } },
      ["the header 'sec-websocket-key' belongs to the handshake"] = { headers = { ["sec-websocket-key"] = "x" } },
      ["unknown option 'server_bits'"] = { compress = { server_bits = 3 } },
      ["option 'client_max_window_bits' must be"] = { compress = { client_max_window_bits = 8 } },
      ["unknown option 'json'"] = { json = {} },
    } do
      local ok, raised = pcall(ws.connect, "ws://127.0.0.1:1/", opts)
      assert.is_false(ok)
      assert.matches(message, raised, 1, true)
      assert.matches("handshake_spec.lua:%d+: ", raised)
    end
  end)
end)

describe("a wrong answer to the handshake", function()
  -- What is sent instead of a right answer, and the kind of the error.
  local cases = {
    { "a wrong accept", "websocket", function() return { accept = "c29tZXRoaW5nIGVsc2U=" } end },
    { "no accept", "websocket", function() return { accept = false } end },
    { "the key itself", "websocket", function(key) return { accept = key } end },
    { "no Upgrade", "websocket", function() return { upgrade = false } end },
    { "another Upgrade", "websocket", function() return { upgrade = "Upgrade: h2c" } end },
    { "no Connection", "websocket", function() return { connection = false } end },
    { "another Connection", "websocket", function() return { connection = "Connection: close" } end },
    { "a subprotocol nobody offered", "websocket", function() return { more = "Sec-WebSocket-Protocol: z\r\n" } end },
    { "a subprotocol of another case", "websocket", function() return { more = "Sec-WebSocket-Protocol: A\r\n" } end },
    { "two subprotocols", "websocket", function() return { more = "Sec-WebSocket-Protocol: a, b\r\n" } end },
    { "an extension nobody offered", "websocket",
      function() return { more = "Sec-WebSocket-Extensions: permessage-deflate\r\n" } end },
    { "garbage", "protocol", function() return { text = "SSH-2.0-OpenSSH_9\r\n\r\n" } end },
    { "a bad header", "protocol", function() return { more = "no colon\r\n" } end },
    { "another version", "protocol", function() return { text = "HTTP/3 101 X\r\n\r\n" } end },
    { "nothing", "closed", function() return { text = "" } end },
    { "half a head", "closed", function() return { text = "HTTP/1.1 101 Switching Protocols\r\nUpgra" } end },
    { "a head of 300 KB", "too_large", function() return { more = "X: " .. ("x"):rep(300000) .. "\r\n" } end },
    { "endless headers", "too_large", function() return { more = ("X: " .. ("x"):rep(90) .. "\r\n"):rep(5000) } end },
    { "a flood of 1xx", "protocol", function() return { text = ("HTTP/1.1 102 Processing\r\n\r\n"):rep(200) } end },
  }
  for _, case in ipairs(cases) do
    it("is kind '" .. case[2] .. "': " .. case[1], function()
      local url = peer.start(function(p)
        local req = assert(p.conn:read_head())
        local key = req.headers["sec-websocket-key"]
        local how = case[3](key)
        local accept = how.accept == nil and peer.accept_of(key) or how.accept
        p.conn:write(how.text or table.concat { "HTTP/1.1 101 Switching Protocols\r\n",
          how.upgrade == false and "" or (how.upgrade or "Upgrade: WebSocket") .. "\r\n",
          how.connection == false and "" or (how.connection or "Connection: keep-alive, upgrade") .. "\r\n",
          accept and "Sec-WebSocket-Accept: " .. accept .. "\r\n" or "", how.more or "", "\r\n" })
      end)
      local c, err = ws.connect(url, { protocols = { "a", "b" } })
      assert.is_nil(c)
      assert.are.equal(case[2], err.kind)
      assert.are.equal(url .. "/", err.url)
    end)
  end

  it("may come byte by byte, behind interim responses, with frames in the same packet", function()
    local url = peer.start(function(p)
      local req = p.conn:read_head()
      local text = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        .. "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        .. "X-Long: " .. ("y"):rep(100000) .. "\r\nSec-WebSocket-Accept: "
        .. peer.accept_of(req.headers["sec-websocket-key"]) .. "\r\n\r\n" .. peer.frame("text", "first")
        .. peer.frame("text", "second")
      for i = 1, 100 do p.conn:write(text:sub(i, i)) end
      p.conn:write(text:sub(101))
      p:echo()
    end)
    local c = connect(url)
    assert.are.equal("first", (c:receive()))
    assert.are.equal("second", (c:receive()))
    assert.are.equal(100000, #c.response.headers["x-long"])
    assert.is_true(c:close())
  end)
end)

describe("the time for the handshake", function()
  local function silent(p) p.conn:read(2 ^ 20) end

  it("is timeout.total", function()
    local _, err = ws.connect(peer.start(silent), { timeout = 0.1 })
    assert.are.same({ "timeout", "total", 0.1 }, { err.kind, err.phase, err.limit })
  end)

  it("is timeout.read for each byte", function()
    local _, err = ws.connect(peer.start(silent), { timeout = { read = 0.1 } })
    assert.are.same({ "timeout", "read", 0.1 }, { err.kind, err.phase, err.limit })
  end)

  it("does not limit the connection", function()
    local c = connect(peer.start(echo), { timeout = { total = 5, read = 0.05 } })
    task.sleep(0.2)
    c:send "x"
    assert.are.equal("x", (c:receive()))
    c:close()
  end)
end)
