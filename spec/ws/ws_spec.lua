local faults = require "spec.support.faults"
local peer = require "spec.support.websocket_peer"
local retry = require "lurcher.retry"
local task = require "lurcher.task"
local ws = require "lurcher.ws"

local function echo(p)
  p:accept()
  p:echo()
end

local function connect(url, opts)
  return assert(ws.connect(url, opts))
end

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
