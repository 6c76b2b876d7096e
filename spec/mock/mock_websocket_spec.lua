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
