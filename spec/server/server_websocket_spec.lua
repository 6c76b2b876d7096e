local crypto = require "lurcher.crypto"
local peer = require "spec.support.websocket_peer"
local serving = require "spec.support.serving"
local task = require "lurcher.task"
local ws = require "lurcher.ws"

local start, connect = serving.start, serving.connect

local HANDSHAKE = "GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
  .. "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " .. crypto.base64(("k"):rep(16)) .. "\r\n\r\n"

local function echo(c)
  for message, kind in c do
    if kind == "text" then c:send(message) else c:send_binary(message) end
  end
end

-- A bare connection behind the handshake.
local function shaken(s)
  local client = connect(s)
  client:send(HANDSHAKE)
  assert.truthy(client:receive_until("\r\n\r\n"):find("^HTTP/1.1 101 "))
  return client
end

describe("a WebSocket of lurcher.server", function()
  it("speaks with our client", function()
    local seen
    local s = start(function()
      return { websocket = function(c)
        echo(c)
        seen = c
      end, protocol = { "b", "c" } }
    end)
    local c = assert(ws.connect(s.url, { protocols = { "a", "b" } }))
    assert.equal("b", c.protocol)
    for _, text in ipairs { "hello", "", ("ä"):rep(70), ("x"):rep(70000) } do
      assert(c:send(text))
      assert.equal(text, (c:receive()))
    end
    c:send_binary "\0\255"
    local message, kind = c:receive()
    assert.equal("\0\255", message)
    assert.equal("binary", kind)
    c:close(1000, "bye")
    serving.eventually(function() return seen end)
    assert.equal("/", seen.request.path)
    assert.equal(101, seen.request.status)
    local _, err = seen:receive()
    assert.equal("closed", err.kind)
    assert.equal("bye", err.reason)
    assert.equal(0, #s:errors())
  end)

  it("is closed when its function returns, and with 1011 when that raises", function()
    local s = start(function(req)
      return { websocket = function(c)
        if req.path == "/close" then return c:close(4000, "enough") end
        if req.path == "/raise" then error("oh no", 0) end
      end }
    end)
    for path, code in pairs { ["/close"] = 4000, ["/raise"] = 1011, ["/"] = 1000 } do
      local c = assert(ws.connect(s.url .. path))
      local _, err = c:receive()
      assert.equal(code, err.code, path)
    end
    serving.eventually(function() return #s:errors() == 1 end)
    assert.truthy(tostring(s:errors()[1]):find("oh no", 1, true))
  end)

  it("refuses what is no handshake, and goes on", function()
    local s = start(function() return { websocket = echo } end)
    local client = connect(s)
    assert.equal(426, client:request(serving.GET).status)
    assert.equal("13", client:request((HANDSHAKE:gsub("Version: 13", "Version: 8"))).headers["sec-websocket-version"])
    assert.equal(400, client:request((HANDSHAKE:gsub("Key: %S+", "Key: short"))).status)
    assert.equal(1, s:connections())
    assert.equal(426, connect(s):request((HANDSHAKE:gsub("HTTP/1.1", "HTTP/1.0"))).status)
  end)

  it("waits for the answer to its close, but not for ever", function()
    require("lurcher.clock").virtual(function()
      local began, ended = task.now(), nil
      local s = start(function()
        return { websocket = function(c)
          task.defer(function() ended = task.now() end)
          c:close(4000, "enough")
          for _ in c do end
        end }
      end)
      local client = shaken(s)
      assert.equal("\136", client:receive_all():sub(1, 1))
      assert.near(3, ended - began, 0.5)
      s:stop(0)
    end)
  end)

  it("closes with the code that a client's fault has", function()
    local s = start(function() return { websocket = echo } end)
    local mask = { mask = "abcd" }
    for name, case in pairs {
      ["not masked"] = { 1002, peer.frame("text", "x") },
      ["reserved bits"] = { 1002, peer.frame("text", "x", { rsv = 4, mask = "abcd" }) },
      ["unknown opcode"] = { 1002, peer.frame(3, "x", mask) },
      ["nothing to continue"] = { 1002, peer.frame("continuation", "x", mask) },
      ["a message in a message"] = { 1002,
        peer.frame("text", "x", { fin = false, mask = "abcd" }) .. peer.frame("text", "", mask) },
      ["a long ping"] = { 1002, peer.frame("ping", ("x"):rep(126), mask) },
      ["not UTF-8"] = { 1007, peer.frame("text", "\255", mask) },
      ["too large"] = { 1009, peer.frame("binary", "", { form = 64, length = 2 ^ 40, mask = "abcd" }) },
      ["beyond all numbers"] = { 1009, "\130\255" .. ("\255"):rep(8) .. "abcd" },
      ["a close of one byte"] = { 1002, peer.frame("close", "x", mask) },
      ["a code that may not be sent"] = { 1002, peer.frame("close", peer.closing(1006, ""), mask) },
      ["a code of nobody"] = { 1002, peer.frame("close", peer.closing(2999, ""), mask) },
      ["a code above all"] = { 1002, peer.frame("close", peer.closing(5000, ""), mask) },
      ["a close"] = { 4001, peer.frame("close", peer.closing(4001, "so"), mask) },
    } do
      local client = shaken(s)
      client:send(case[2])
      client:shutdown()
      local answered = client:receive_all()
      assert.equal(136, answered:byte(1), name)
      assert.equal(case[1], answered:byte(3) * 256 + answered:byte(4), name)
    end
  end)

  it("takes no message of endlessly many frames", function()
    local s = start(function() return { websocket = echo } end)
    local client = shaken(s)
    local how = { fin = false, mask = "abcd" }
    local frames = peer.frame("text", "", how) .. peer.frame("continuation", "", how):rep(65536)
    local sender = task.spawn(function() client:send(frames) end)
    assert.equal("\136", client:receive(1))
    sender:join()
  end)

  it("puts messages together, and answers pings among their frames", function()
    local s = start(function() return { websocket = echo } end)
    local client = shaken(s)
    local mask = "\1\2\3\4"
    client:send(peer.frame("text", "one ", { fin = false, mask = mask }) .. peer.frame("ping", "p", { mask = mask })
      .. peer.frame("continuation", "two", { mask = mask }))
    assert.equal(peer.frame("pong", "p") .. peer.frame("text", "one two"), client:receive(3 + 9))
  end)

  it("waits no longer than it is told, and loses nothing by that", function()
    local got = task.queue()
    local s = start(function()
      return { websocket = function(c)
        local _, err = c:receive(0.01)
        got:put(err.kind)
        got:put((c:receive()))
      end }
    end)
    local c = assert(ws.connect(s.url))
    assert.equal("timeout", got:get())
    c:send "late"
    assert.equal("late", got:get())
    c:close()
  end)

  it("takes messages of several tasks without mixing them", function()
    local s = start(function()
      return { websocket = function(c)
        task.map({ "a", "b", "c", "d" }, function(letter) c:send(letter:rep(300000)) end)
      end }
    end)
    local c = assert(ws.connect(s.url))
    local seen = {}
    for message in c do
      assert.equal(message:sub(1, 1):rep(300000), message)
      seen[#seen + 1] = message:sub(1, 1)
    end
    table.sort(seen)
    assert.equal("abcd", table.concat(seen))
  end)
end)
