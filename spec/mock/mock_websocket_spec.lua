-- WebSockets that a mock answers: the server's side is a function.

local clock = require "lurcher.clock"
local mock = require "lurcher.mock"
local task = require "lurcher.task"
local ws = require "lurcher.ws"

local function connect(script, opts)
  local m = mock.new()
  local entry = m:on("GET", "wss://chat.test/{room}")
  if type(script) == "function" then entry:websocket(script, opts) else script(entry) end
  local undo = m:install()
  local c, err = ws.connect("wss://chat.test/one?x=1", opts and { protocols = { opts.protocol } })
  undo()
  return c, err, m
end

describe("a WebSocket of a mock", function()
  it("carries what both sides say", function()
    local c = assert(connect(function(server)
      server:send("room " .. server.request.captures.room)
      for message, kind in server do server:send(kind .. " " .. message) end
    end))
    assert.are.same({ "room one", "text" }, { c:receive() })
    assert(c:send "hi")
    assert(c:send_binary "\0\1")
    assert.are.equal("text hi", (c:receive()))
    assert.are.equal("binary \0\1", (c:receive()))
    assert(c:close())
    local _, err = c:receive()
    assert.are.equal("closed", err.kind)
  end)

  it("is closed by the server, in words, and at the end of its function", function()
    local c = assert(connect(function(server) server:close(4001, "enough") end))
    local _, err = c:receive()
    assert.are.same({ "closed", 4001, "enough" }, { err.kind, err.code, err.reason })
    assert.is_nil((c:send "x"))
    local list = {}
    for message in assert(connect(function(server)
      server:send "a"
      server:send "b"
    end)) do list[#list + 1] = message end
    assert.are.same({ "a", "b" }, list)
  end)

  it("chooses a subprotocol", function()
    assert.are.equal("v2.chat", assert(connect(function() end, { protocol = "v2.chat" })).protocol)
  end)

  it("waits in virtual time", function()
    clock.virtual(function()
      local c = assert(connect(function(server)
        task.sleep(3600)
        server:send "late"
        task.sleep(math.huge)
      end))
      local _, err = c:receive(10)
      assert.are.equal("timeout", err.kind)
      assert.are.equal("late", (c:receive()))
      assert(c:close())
    end)
  end)

  it("raises where it is read what the function raised", function()
    local c = assert(connect(function() error "oops" end))
    local ok, raised = pcall(c.receive, c)
    assert.is_false(ok)
    assert.matches("oops", tostring(raised), 1, true)
  end)

  it("keeps to the limits of who connects", function()
    clock.virtual(function()
      local m = mock.new()
      m:on("GET", "ws://a.test/delay"):websocket(function(server) server:send "x" end):delay(4):times(2)
      m:on("GET", "ws://a.test/calls"):reply(function()
        task.sleep(60)
        return 403
      end)
      m:install()
      local began = task.now()
      for path in pairs { delay = true, calls = true } do
        local _, err = ws.connect("ws://a.test/" .. path, { timeout = 3 })
        assert.are.same({ "timeout", "total" }, { err.kind, err.phase }, path)
      end
      assert.near(6, task.now() - began, 0.01)
      assert.are.equal("x", (assert(ws.connect "ws://a.test/delay"):receive()))
      m:on("GET", "ws://a.test/long"):websocket(function(server) server:send(("x"):rep(11)) end)
      local _, err = assert(ws.connect("ws://a.test/long", { max_message = 10 })):receive()
      assert.are.same({ "too_large", 10, 11 }, { err.kind, err.limit, err.observed })
    end)
  end)

  it("raises what a server cannot say, and takes nothing once it is closed", function()
    local raised = {}
    local c = assert(connect(function(server)
      for i, call in ipairs { { "send", "\255" }, { "close", 999 }, { "close", "x" }, { "close", 1000, ("x"):rep(124) },
        { "receive", "soon" } } do
        raised[i] = not pcall(server[call[1]], server, unpack(call, 2))
      end
      server:close(1006)
      raised.err = select(2, server:send "late")
    end))
    assert.are.equal(1006, select(2, c:receive()).code)
    assert.are.same({ true, true, true, true, true }, { unpack(raised) })
    assert.are.equal("closed", raised.err.kind)
  end)

  it("is refused by a reply or a failure, and when no entry is for it", function()
    local m = mock.new()
    m:on("GET", "ws://a.test/no"):reply(403, "forbidden")
    m:on("GET", "ws://a.test/down"):fail "connect"
    local undo = m:install()
    local _, err = ws.connect "ws://a.test/no"
    assert.are.same({ "status", 403, "forbidden" }, { err.kind, err.response.status, err.response.body })
    _, err = ws.connect "ws://a.test/down"
    assert.are.equal("connect", err.kind)
    _, err = ws.connect "ws://a.test/else"
    assert.are.equal("mock", err.kind)
    undo()
  end)

  it("ends with its task", function()
    local ended = false
    task.scope(function(scope)
      scope:spawn(function()
        assert(connect(function()
          task.defer(function() ended = true end)
          task.sleep(math.huge)
        end))
        task.yield()
      end)
    end)
    assert.is_true(ended)
  end)
end)
