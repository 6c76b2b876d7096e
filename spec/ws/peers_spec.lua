-- WebSockets against other people's servers, and through proxies.

local peer = require "spec.support.websocket_peer"
local process = require "lurcher.process"
local proxying = require "spec.support.proxying"
local task = require "lurcher.task"
local ws = require "lurcher.ws"

-- A certificate of a server that is stopped again: its files stay as long as the spec.
local function certificate()
  local cert, key = os.tmpname(), os.tmpname()
  task.defer(function()
    os.remove(cert)
    os.remove(key)
  end)
  local made = assert(process.run("openssl", { "req", "-x509", "-newkey", "ec", "-pkeyopt",
    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert }))
  assert.are.equal(0, made.status)
  return cert, key
end

local PEERS = {
  ["python3-websockets"] = { "/usr/bin/python3", "spec/support/echo_websockets.py" },
  ["node's ws"] = { "node", "spec/support/echo_ws.js" },
}

-- Starts one; gives its port.
local function start(command, ...)
  local child = assert(process.start(command[1], { command[2], ... }))
  task.defer(function() child:kill "KILL" end)
  return assert(child:lines()(), "it does not start")
end

local function exchange(c)
  local texts = { "", "hello", "grüße", ("x"):rep(125), ("y"):rep(126), ("z"):rep(65536),
    ("0123456789abcdef"):rep(2 ^ 15) }
  for _, text in ipairs(texts) do
    assert(c:send(text))
    assert.are.same({ text, "text" }, { c:receive(20) })
    assert(c:send_binary(text .. "\255\0"))
    assert.are.same({ text .. "\255\0", "binary" }, { c:receive(20) })
  end
  task.all {
    function()
      for i = 1, 500 do assert(c:send("message " .. i)) end
      return true
    end,
    function()
      for i = 1, 500 do assert.are.equal("message " .. i, (c:receive(20))) end
      return true
    end,
  }
end

for name, command in pairs(PEERS) do
  describe(name, function()
    it("speaks with us, plain and compressed", function()
      local port = start(command)
      for _, compress in ipairs { false, true, { client_no_context_takeover = false },
        { server_no_context_takeover = true, server_max_window_bits = 10, client_max_window_bits = 9 } } do
        local c = assert(ws.connect("ws://127.0.0.1:" .. port, { compress = compress }))
        assert.are.equal(compress and true or false, c.response:header "Sec-WebSocket-Extensions" ~= nil)
        exchange(c)
        assert.is_true(c:close(1000, "done"))
        assert.are.equal(1000, select(2, c:receive()).code)
      end
    end)

    it("speaks with us over TLS", function()
      local cert, key = certificate()
      local url = "wss://localhost:" .. start(command, cert, key)
      local c = assert(ws.connect(url, { tls = { ca = cert }, compress = true }))
      exchange(c)
      assert.is_true(c:close())
      local _, err = ws.connect(url)
      assert.are.equal("tls", err.kind)
    end)
  end)
end

describe("through a proxy", function()
  local function echo(p)
    p:accept()
    p:echo()
  end

  it("a WebSocket goes in a tunnel, whether it is ws or wss", function()
    local proxy = proxying.start()
    local plain, secure = peer.serve(echo), peer.serve(echo, { tls = true })
    for _, s in ipairs { plain, secure } do
      local c = assert(ws.connect(s.ws, { proxy = proxy.url, tls = { ca = s.ca } }))
      exchange(c)
      assert.is_true(c:close())
    end
    assert.matches("^CONNECT 127.0.0.1:" .. plain.port .. " HTTP/1.1\r\n", proxy.heads[1])
    assert.matches("^CONNECT 127.0.0.1:" .. secure.port .. " HTTP/1.1\r\n", proxy.heads[2])
    assert.is_nil(proxy.heads[1]:lower():find("sec-websocket", 1, true))
  end)

  it("credentials of its URL go to the proxy only", function()
    local seen
    local proxy = proxying.start()
    local url = peer.start(function(p)
      seen = p:accept().headers["proxy-authorization"]
      p:echo()
    end)
    local c = assert(ws.connect(url, { proxy = proxying.with(proxy.url, "u:p") }))
    assert.is_true(c:close())
    assert.is_nil(seen)
    assert.matches("Proxy%-Authorization: Basic dTpw", proxy.heads[#proxy.heads])
  end)

  it("a refusal is kind 'proxy'", function()
    for _, status in ipairs { 403, 407, 502 } do
      local proxy = proxying.start(function(conn)
        conn:write("HTTP/1.1 " .. status .. " No\r\nContent-Length: 0\r\n\r\n")
      end)
      local _, err = ws.connect(peer.start(echo), { proxy = proxy.url })
      assert.are.equal("proxy", err.kind)
      assert.matches(tostring(status), err.message)
    end
    local _, err = ws.connect(peer.start(echo), { proxy = "http://127.0.0.1:1" })
    assert.are.same({ "proxy", "connect" }, { err.kind, err.cause.kind })
  end)

  it("of HTTPS a WebSocket goes, too", function()
    local proxy = proxying.start(nil, { tls = true })
    local url = peer.start(echo)
    local c = assert(ws.connect(url, { proxy = { url = proxy.url, tls = { ca = proxy.ca or proxy.server.ca } } }))
    exchange(c)
    assert.is_true(c:close())
  end)
end)

describe("metrics", function()
  it("count a WebSocket as a request with status 101", function()
    local metrics = require "lurcher.metrics"
    local url = peer.start(function(p)
      p:accept()
      p:echo()
    end)
    local c = assert(ws.connect(url, { name = "a socket" }))
    c:send "x"
    c:receive()
    c:close()
    assert.matches("a socket", metrics.prometheus(), 1, true)
    local counted = false
    for _, series in ipairs(metrics.snapshot()) do
      if series.name == "a socket" then counted = series.statuses["101"] end
    end
    assert.are.equal(1, counted)
  end)
end)
