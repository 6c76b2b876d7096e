local native = require "lurcher.native.task"
local server = require "lurcher.server"
local serving = require "spec.support.serving"
local socket = require "spec.support.socket"
local task = require "lurcher.task"

local GET, start, connect, eventually = serving.GET, serving.start, serving.connect, serving.eventually

local function open_servers()
  return native.counts().server or 0
end

describe("stopping a server", function()
  it("closes idle connections and refuses new ones", function()
    local before = open_servers()
    local s = start(function() return "x" end)
    assert.equal(before + 1, open_servers())
    local client = connect(s)
    client:request(GET)
    s:stop()
    assert.equal("", client:receive_all())
    local other, err = socket.connect(s.url)
    assert.is_nil(other)
    assert.equal("ECONNREFUSED", err)
    assert.equal(before, open_servers())
  end)

  it("may be done twice, and by two tasks at once", function()
    local s = start {}
    task.all { function() s:stop() end, function() s:stop() end }
    s:stop()
  end)

  it("lets running handlers finish", function()
    local entered, finish = task.event(), task.event()
    local s = start(function()
      entered:set()
      finish:wait()
      return "finished"
    end)
    local client = connect(s)
    client:send(GET)
    entered:wait()
    local stopping = task.spawn(function() s:stop() end)
    task.yield()
    finish:set()
    local res = client:response()
    assert.equal("finished", res.body)
    assert.equal("close", res.headers.connection)
    stopping:join()
  end)

  it("cancels handlers after the grace time, which run their clean-up", function()
    local entered, cleaned = task.event(), false
    local s = start(function()
      task.defer(function() cleaned = true end)
      entered:set()
      task.event():wait()
    end)
    local client = connect(s)
    client:send(GET)
    entered:wait()
    s:stop(0.01)
    assert.is_true(cleaned)
    assert.equal("", client:receive_all())
    assert.same({}, s:errors())
  end)

  it("does not wait for handlers whose client has gone", function()
    local entered = task.event()
    local s = start(function()
      entered:set()
      task.event():wait()
    end)
    local client = connect(s)
    client:send(GET)
    entered:wait()
    client:close()
    s:stop(1000)
  end)

  it("can be done by one of its own handlers", function()
    local s
    s = start(function()
      s:stop()
      return "stopped"
    end)
    assert.equal("stopped", connect(s):request(GET).body)
    eventually(function() return not socket.connect(s.url) end)
  end)

  it("can happen at any moment of a request", function()
    local before = open_servers()
    local request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    for length = 0, #request do
      local s = assert(server.start(function()
        local count = 0
        return { body = function()
          count = count + 1
          task.sleep(0.001)
          return count < 3 and "piece" or nil
        end }
      end))
      local client = assert(socket.connect(s.url))
      client:send(request:sub(1, length))
      for _ = 1, length % 5 do task.yield() end
      s:stop(0)
      client:close()
    end
    assert.equal(before, open_servers())
  end)
end)

describe("many connections", function()
  it("are served at the same time", function()
    local count = math.min(2000, math.floor((socket.descriptor_limit() - 100) / 2))
    local entered, go_on = 0, task.event()
    local s = start(function(req)
      entered = entered + 1
      go_on:wait()
      return req.path
    end)
    local clients = {}
    task.defer(function() for _, client in ipairs(clients) do client:close() end end)
    for i = 1, count do
      clients[i] = assert(socket.connect(s.url))
      clients[i]:send("GET /" .. i .. " HTTP/1.1\r\nHost: a\r\n\r\n")
      if i % 50 == 0 then task.yield() end
    end
    eventually(function() return entered == count end)
    go_on:set()
    for i, client in ipairs(clients) do assert.equal("/" .. i, client:response().body) end
    assert.equal(count, s:connections())
  end)
end)
