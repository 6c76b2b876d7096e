local faults = require "spec.support.faults"
local peer = require "spec.support.websocket_peer"
local retry = require "lurcher.retry"
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
      assert.matches("ws_spec.lua:%d+: ", raised)
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

describe("a WebSocket", function()
  it("sends and receives texts and bytes of every size", function()
    local c = connect(peer.start(echo))
    for _, size in ipairs { 0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 1000000 } do
      local text = ("x"):rep(size)
      assert.is_true(c:send(text))
      assert.are.same({ text, "text" }, { c:receive() })
      assert.is_true(c:send_binary(text:gsub("x", "\255")))
      local bytes, kind = c:receive()
      assert.are.equal(size, #bytes)
      assert.are.equal("binary", kind)
    end
    assert.is_true(c:close())
  end)

  it("masks what it sends, with another key each time", function()
    local raw = {}
    local url = peer.start(function(p)
      p:accept()
      for i = 1, 2 do raw[i] = p.conn:read(2 + 4 + 5) end
      p:frame()
    end)
    local c = connect(url)
    c:send "Hello"
    c:send "Hello"
    c:close()
    assert.are_not.equal(raw[1], raw[2])
    assert.are.equal("\129\133", raw[1]:sub(1, 2))
  end)

  it("raises for a text that is not UTF-8", function()
    local c = connect(peer.start(echo))
    for _, text in ipairs { "\255", "\192\128", "\237\160\128", "a\226\130", "\244\144\128\128" } do
      assert.has_error(function() c:send(text) end,
        "websocket:send: a text is UTF-8, and this one is not; send_binary takes any bytes")
    end
    c:send "\226\130\172 \240\157\132\158"
    assert.are.equal("\226\130\172 \240\157\132\158", (c:receive()))
    c:close()
  end)

  it("ends a loop over messages at 1000 and 1001", function()
    for _, code in ipairs { 1000, 1001 } do
      local url = peer.start(function(p)
        p:accept()
        p:send("text", "one")
        p:send("binary", "two")
        p:send("close", peer.closing(code, "done"))
        p:frame()
      end)
      local got = {}
      local c = connect(url)
      for message, kind in c do got[#got + 1] = kind .. " " .. message end
      assert.are.same({ "text one", "binary two" }, got)
      local message, err = c:receive()
      assert.is_nil(message)
      assert.are.same({ "closed", code, "done" }, { err.kind, err.code, err.reason })
      local sent, failure = c:send "x"
      assert.is_nil(sent)
      assert.are.same({ "closed", code }, { failure.kind, failure.code })
      assert.is_true(c:close())
    end
  end)

  it("raises at another end of a loop over messages", function()
    for _, case in ipairs { { peer.closing(4000, "go"), 4000, "go" }, { "", 1005, "" }, { false, 1006, "" } } do
      local url = peer.start(function(p)
        p:accept()
        p:send("text", "one")
        if case[1] then p:send("close", case[1]) else return end
        p:frame()
      end)
      local got = {}
      local ok, err = pcall(function()
        for message in connect(url) do got[#got + 1] = message end
      end)
      assert.is_false(ok)
      assert.are.same({ "one" }, got)
      assert.are.same({ "closed", case[2], case[3] }, { err.kind, err.code, err.reason })
    end
  end)

  it("answers the close frame of the server with its code", function()
    local answer = task.queue()
    local url = peer.start(function(p)
      p:accept()
      p:send("close", peer.closing(3333, "because"))
      answer:put(p:frame())
    end)
    local c = connect(url)
    c:receive()
    local frame = answer:get()
    assert.are.same({ 8, peer.closing(3333), true }, { frame.opcode, frame.payload, frame.masked })
  end)

  it("closes with a code and a reason", function()
    local got = {}
    local url = peer.start(function(p)
      p:accept()
      local frame = p:frame()
      got[#got + 1] = frame.payload
      p:send("close", frame.payload)
    end)
    assert.is_true(connect(url):close())
    assert.is_true(connect(url):close(4001, "später"))
    local c = connect(url)
    assert.is_true(c:close(1000))
    assert.is_true(c:close())
    assert.are.same({ peer.closing(1000), peer.closing(4001, "später"), peer.closing(1000) }, got)
  end)

  it("raises for codes and reasons that must not be sent", function()
    local c = connect(peer.start(echo))
    for _, code in ipairs { 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536 } do
      assert.has_error(function() c:close(code) end, ("websocket:close: %d is no code that may be sent: "
        .. "1000 to 1003, 1007 to 1014, 3000 to 4999"):format(code))
    end
    assert.is_false(pcall(c.close, c, 1000, ("x"):rep(124)))
    assert.is_false(pcall(c.close, c, 1000, "\255"))
    assert.is_true(c:close(1000, ("x"):rep(123)))
  end)

  it("gives up a close that is not answered", function()
    local url = peer.start(function(p)
      p:accept()
      p.conn:read(2 ^ 20)
    end)
    local c = connect(url)
    local ok, err = c:close()
    assert.is_nil(ok)
    assert.are.equal("timeout", err.kind)
    assert.are.same({ nil, "timeout" }, { c:receive() and 1, select(2, c:receive()).kind })
  end)

  it("waits no longer than it is told for a message, and goes on", function()
    local c = connect(peer.start(echo))
    local message, err = c:receive(0.02)
    assert.is_nil(message)
    assert.are.same({ "timeout", "read", 0.02 }, { err.kind, err.phase, err.limit })
    assert.matches("nothing came in 0 s$", tostring(select(2, c:receive(0))))
    c:send "x"
    assert.are.equal("x", (c:receive(10)))
    c:close()
  end)

  it("lets several tasks send at once, each message whole", function()
    local c = connect(peer.start(echo))
    local count = 200
    local seen = {}
    task.all {
      function()
        task.map({ 1, 2, 3, 4 }, function(i)
          for n = 1, count / 4 do assert(c:send((("%d-%d "):format(i, n)):rep(500))) end
        end)
        return true
      end,
      function()
        for _ = 1, count do
          local message = assert(c:receive())
          local first = message:match("^%S+ ")
          assert.are.equal(first:rep(500), message)
          seen[first] = true
        end
        return true
      end,
    }
    local kinds = 0
    for _ in pairs(seen) do kinds = kinds + 1 end
    assert.are.equal(count, kinds)
    c:close()
  end)

  it("raises when two tasks receive", function()
    local c = connect(peer.start(echo))
    local first = task.spawn(function() return c:receive() end)
    task.yield()
    local ok, raised = pcall(c.receive, c)
    assert.is_false(ok)
    assert.matches("ws_spec%.lua:%d+: another task receives from this WebSocket already", raised)
    c:send "x"
    assert.are.equal("x", (first:join()))
    c:close()
  end)

  it("is closed with 1001 when its task ends", function()
    local codes = task.queue()
    local url = peer.start(function(p)
      p:accept()
      local frame = p:frame()
      codes:put(frame and frame.payload or "nothing")
    end)
    task.spawn(function() connect(url) end):join()
    assert.are.equal(peer.closing(1001), codes:get())
  end)

  it("goes on after a cancelled receive", function()
    local c = connect(peer.start(echo))
    local waiting = task.spawn(function() c:receive() end)
    task.yield()
    waiting:cancel()
    pcall(waiting.join, waiting)
    c:send "still here"
    assert.are.equal("still here", (c:receive()))
    c:close()
  end)

  it("can be cancelled at every step of its life", function()
    local url = peer.start(echo)
    local reached = 0
    for steps = 0, 30 do
      local running = task.spawn(function()
        local c = assert(ws.connect(url))
        c:send(("x"):rep(100000))
        c:receive()
        c:close()
        reached = reached + 1
      end)
      for _ = 1, steps do task.yield() end
      running:cancel()
      pcall(running.join, running)
    end
    assert.is_true(reached >= 0)
  end)

  it("raises for fields and methods that it does not have", function()
    local c = connect(peer.start(echo))
    assert.has_error(function() return c.recv end, "a WebSocket has no field 'recv'; it is written c:receive()")
    assert.is_false(pcall(c.send, c, nil))
    assert.is_false(pcall(c.send, c, {}))
    assert.is_false(pcall(c.send))
    c:close()
  end)

  it("connects again under retry.call", function()
    local count = 0
    local url = peer.start(function(p)
      count = count + 1
      if count < 3 then return end
      p:accept()
      p:echo()
    end)
    local c = assert(retry.call(function() return ws.connect(url) end, { attempts = 5, base = 0.01 }))
    assert.are.equal(3, count)
    c:send "x"
    assert.are.equal("x", (c:receive()))
    c:close()
  end)
end)

describe("pings", function()
  it("are answered with what they hold, also between fragments", function()
    local pongs = {}
    local url = peer.start(function(p)
      p:accept()
      p:send("ping", "")
      p:send("text", "a", { fin = false })
      p:send("ping", ("p"):rep(125))
      p:send("continuation", "b")
      for i = 1, 2 do pongs[i] = p:frame() end
      p:echo()
    end)
    local c = connect(url)
    assert.are.equal("ab", (c:receive()))
    c:close()
    assert.are.same({ 10, "", 10, ("p"):rep(125) },
      { pongs[1].opcode, pongs[1].payload, pongs[2].opcode, pongs[2].payload })
  end)

  it("are sent when nothing comes, and an answer keeps the connection", function()
    local pings = 0
    local url = peer.start(function(p)
      p:accept()
      while pings < 3 do
        local frame = assert(p:frame())
        if frame.opcode == 9 then
          pings = pings + 1
          p:send("pong", frame.payload)
        end
      end
      p:send("text", "alive")
      p:echo()
    end)
    local c = connect(url, { ping = 0.05 })
    assert.are.equal("alive", (c:receive()))
    assert.are.equal(3, pings)
    c:close()
  end)

  it("without an answer end the connection with kind 'timeout'", function()
    local url = peer.start(function(p)
      p:accept()
      p.conn:read(2 ^ 20)
    end)
    local c = connect(url, { ping = 0.05 })
    local message, err = c:receive()
    assert.is_nil(message)
    assert.are.same({ "timeout", 0.05 }, { err.kind, err.limit })
    assert.are.equal("timeout", select(2, c:send "x").kind)
  end)

  it("do not end the connection while the script reads nothing", function()
    local url = peer.start(function(p)
      p:accept()
      for _ = 1, 40 do p:send("binary", ("x"):rep(65536)) end
      p:echo()
    end)
    local c = connect(url, { ping = 0.05 })
    task.sleep(0.4)
    for _ = 1, 40 do assert.are.equal(65536, #assert(c:receive())) end
    c:close()
  end)

  it("of a server that floods and does not read cost no memory", function()
    local flood, bytes = ("\137\125" .. ("p"):rep(125)):rep(1000), 0
    local url = peer.start(function(p)
      p:accept()
      while bytes < 60e6 and p.conn:write(flood) do bytes = bytes + #flood end
    end)
    local c = connect(url, { ping = false })
    local before = faults.resident()
    local message, err = c:receive()
    assert.is_nil(message)
    assert.are.equal("closed", err.kind)
    assert.is_true(bytes >= 60e6)
    assert.is_true(faults.resident() - before < 8192 * faults.memory_slack())
  end)

  it("can be switched off", function()
    local got
    local url = peer.start(function(p)
      p:accept()
      got = p:frame().opcode
    end)
    local c = connect(url, { ping = false })
    task.sleep(0.1)
    c:close()
    assert.are.equal(8, got)
  end)
end)

describe("back-pressure", function()
  it("stops the server while nobody receives", function()
    local sent = 0
    local url = peer.start(function(p)
      p:accept()
      for _ = 1, 400 do
        if not p:send("binary", ("x"):rep(100000)) then return end
        sent = sent + 1
      end
      p:echo()
    end)
    local c = connect(url)
    task.sleep(0.3)
    local before = sent
    assert.is_true(before < 300)
    for _ = 1, 400 do assert.are.equal(100000, #assert(c:receive())) end
    assert.are.equal(400, sent)
    c:close()
  end)

  it("has a sender wait while the server takes nothing", function()
    local go = task.event()
    local url = peer.start(function(p)
      p:accept()
      go:wait()
      p:echo()
    end)
    local c = connect(url)
    local sent = 0
    local sender = task.spawn(function()
      for _ = 1, 300 do
        assert(c:send_binary(("x"):rep(100000)))
        sent = sent + 1
      end
    end)
    task.sleep(0.3)
    assert.is_true(sent < 250)
    go:set()
    for _ = 1, 300 do assert(c:receive()) end
    sender:join()
    assert.are.equal(300, sent)
    c:close()
  end)

  it("ends a sender that waits for longer than timeout.write", function()
    local url = peer.start(function(p)
      p:accept()
      task.sleep(60)
    end)
    local c = connect(url, { timeout = { write = 0.2 } })
    local ok, err
    repeat ok, err = c:send_binary(("x"):rep(1000000)) until not ok
    assert.are.same({ "timeout", "write", 0.2 }, { err.kind, err.phase, err.limit })
  end)
end)
