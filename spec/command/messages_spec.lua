local files = require "spec.support.files"
local fs = require "lurcher.fs"
local process = require "spec.support.process"
local peer = require "spec.support.websocket_peer"
local serving = require "spec.support.serving"
local sse = require "lurcher.command.sse"
local task = require "lurcher.task"
local ws = require "lurcher.command.ws"

local function collector()
  local parts = {}
  return { write = function(_, ...)
    for i = 1, select("#", ...) do parts[#parts + 1] = (select(i, ...)) end
  end, flush = function() end, text = function() return table.concat(parts) end }
end

-- What a command writes, and its status.
local function run(command, list, streams)
  local out, err = collector(), collector()
  streams = streams or {}
  streams.out, streams.err = out, err
  local status = command.perform(list, streams)
  return { status = status, out = out.text(), err = err.text() }
end

local function closes_after(...)
  local messages = { ... }
  return function(p)
    p:accept()
    for _, message in ipairs(messages) do p:send(message[1], message[2]) end
    p:send("close", "\3\232") -- 1000
    p:frame()
  end
end

describe("lurcher ws", function()
  it("prints messages as lines, and what is none as JSON", function()
    local url = peer.start(closes_after({ "text", '{"a": 1}' }, { "text", "ü b" }, { "text", "two\nlines" },
      { "binary", "bytes" }, { "binary", "\0\255" }))
    assert.same({ status = 0, err = "", out = '{"a": 1}\nü b\n"two\\nlines"\n"bytes"\n"\\u0000ÿ"\n' }, run(ws, { url }))
  end)

  it("sends lines only when asked to, and closes with 1000 at their end", function()
    files.begin()
    assert(fs.write(files.path "lines", "one\r\ntwo\n\nthree"))
    local sent, code = {}, nil
    local url = peer.start(function(p)
      p:accept()
      for frame in function() return p:frame() end do
        if frame.opcode == 8 then
          code = frame.payload
          p:send("close", frame.payload)
          break
        end
        sent[#sent + 1] = frame.payload
        p:send("text", frame.payload:upper())
      end
    end)
    local ended = run(ws, { url, "-" }, { input = files.path "lines" })
    assert.same({ status = 0, err = "", out = "ONE\nTWO\n\nTHREE\n" }, ended)
    assert.same({ "one", "two", "", "three" }, sent)
    assert.equal("\3\232", code)
    files.finish()
  end)

  it("ends when the server does, whatever is left to send", function()
    local url = peer.start(closes_after { "text", "bye" })
    local _, pipe = files.begin(), files.path "pipe"
    process.shell('mkfifo "$1"', pipe)
    local writer = assert(io.open(pipe, "r+")) -- there may be more to read
    assert.same({ status = 0, err = "", out = "bye\n" }, run(ws, { url, "-" }, { input = pipe }))
    writer:close()
    files.finish()
  end)

  it("takes headers, parameters and credentials", function()
    local request
    local url = peer.start(function(p)
      request = p:accept()
      p:send("close", "\3\232")
      p:frame()
    end)
    assert.equal(0, run(ws, { url .. "/x", "a==b c", "X-One:1", "--auth=u:p" }).status)
    assert.same({ "/x", "b c" }, { request.path, request.query.a })
    assert.same({ "1", "Basic dTpw" }, { request.headers["x-one"], request.headers.authorization })
  end)

  it("prints what --pick finds, and steers no terminal", function()
    local sends = closes_after({ "text", '{"a": {"b":"\\u001bx"}}' }, { "text", "\27[31m" })
    local function serve() return peer.start(sends) end
    assert.equal("\27x\n\27[31m\n", run(ws, { serve(), "--pick=a.b" }).out)
    local on_terminal = { columns = 80 }
    assert.equal('{"a": {"b": "\\u001bx"}}\n\\x1b[31m\n', run(ws, { serve(), "--no-color" }, on_terminal).out)
    assert.equal("\\x1bx\n\\x1b[31m\n", run(ws, { serve(), "--pick=a.b", "--no-color" }, on_terminal).out)
  end)

  it("ends with 1 for what goes wrong, with 2 for wrong usage", function()
    local refused = run(ws, { serving.start(function() return { status = 403 } end).url })
    assert.equal(1, refused.status)
    assert.matches("^lurcher: GET http://.-: status 403 Forbidden, expected 101\n$", refused.err)
    local broken = run(ws, { peer.start(function(p)
      p:accept()
      p:send("text", "a")
    end) })
    assert.same({ 1, "a\n" }, { broken.status, broken.out })
    assert.matches("closed", broken.err)
    assert.equal(2, run(ws, { "ws://h/", "a=b" }).status)
    assert.equal(2, run(ws, {}).status)
  end)
end)

describe("lurcher sse", function()
  local EVENTS = 'event: x\ndata: {"n": 1,"t":"ü"}\nid: 7\n\ndata: a\ndata: b "\n\n'

  -- A server that has so many connections' worth of events, and is asked no more.
  local function serve(requests)
    return serving.start(function(req)
      requests[#requests + 1] = req
      if #requests == 3 then return { status = 204 } end
      return { headers = { ["Content-Type"] = "text/event-stream" }, body = "retry: 1\n" .. EVENTS }
    end).url
  end

  it("prints events as lines of JSON, over reconnects", function()
    local requests = {}
    local lines = '{"event":"x","data":"{\\"n\\": 1,\\"t\\":\\"ü\\"}","id":"7"}\n'
      .. '{"event":"message","data":"a\\nb \\"","id":"7"}\n'
    assert.same({ status = 0, err = "", out = lines .. lines }, run(sse, { serve(requests), "X-One:1" }))
    assert.same({ "1", "7" }, { requests[1].headers["x-one"], requests[2].headers["last-event-id"] })
  end)

  it("ends with the stream after one attempt", function()
    local requests = {}
    assert.equal(2, select(2, run(sse, { serve(requests), "--retry=1" }).out:gsub("\n", "")))
    assert.equal(1, #requests)
  end)

  it("prints what --pick finds, in data that is JSON too", function()
    assert.equal("1\nnull\n", run(sse, { serve {}, "--retry=1", "--pick=data.n" }).out)
    assert.equal("x\nmessage\n", run(sse, { serve {}, "--retry=1", "--pick=event" }).out)
  end)

  it("posts a body", function()
    local requests = {}
    assert.equal(0, run(sse, { serve(requests), "a=b" }).status)
    assert.same({ "POST", '{"a":"b"}', 1 }, { requests[1].method, requests[1].body, #requests })
  end)

  it("shows an event when it has come", function()
    local gate, seen = task.event(), 0
    local url = serving.start(function()
      local n = 0
      return { headers = { ["Content-Type"] = "text/event-stream" }, body = function()
        n = n + 1
        if n == 2 then gate:wait() end
        return n <= 2 and "data: x\n\n" or nil
      end }
    end).url
    local out = { write = function()
      seen = seen + 1
      gate:set()
    end, flush = function() end }
    sse.perform({ url, "--retry=1" }, { out = out, err = collector() })
    assert.equal(2, seen)
  end)

  it("ends with 1 for what goes wrong", function()
    local ended = run(sse, { serving.start(function() return { body = "x" } end).url })
    assert.equal(1, ended.status)
    assert.matches("the answer is no event stream", ended.err)
  end)
end)
