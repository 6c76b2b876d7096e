-- Server-sent events: what the web platform's tests of event streams check, in pieces cut anywhere, and what a
-- response makes of it.

local event_stream = require "lurcher.http.event_stream"
local faults = require "spec.support.faults"
local message_of = require("spec.support.raising").message
local utf8 = require "lurcher.base.utf8"

local MIB = 1024 * 1024
local MARK, BAD = "\239\187\191", "\239\191\189"

-- Each: a stream, and its events, written type|data|id|retry; "" for a message's type, no id, no retry.
local CASES = {
  ["one mark at the start is no text"] = { MARK .. "data:1\n\n" .. MARK .. "data:2\n\ndata:3\n\n", { "|1", "|3" } },
  ["a second mark is text"] = { MARK .. MARK .. "data:1\n\ndata:2\n\ndata:3\n\n", { "|2", "|3" } },
  ["comments"] = { "data:1\r:\0\n:\r\ndata:2\n:" .. ("x"):rep(2048) .. "\rdata:3\n:data:fail\r:"
    .. ("x"):rep(2048) .. "\ndata:4\n\n", { "|1\n2\n3\n4" } },
  ["an event without its empty line is none"] = { "retry:1000\ndata:test1\n\nid:test\ndata:test2",
    { "|test1||1" } },
  ["an event at the end needs one more line end"] = { "data: a\n", {} },
  ["data"] = { "data:\n\ndata\ndata\n\ndata:test\n\n", { "|", "|\n", "|test" } },
  ["a type holds for one event"] = { "event:test\ndata:x\n\ndata:x\n\n", { "test|x", "|x" } },
  ["the last type counts"] = { "event:a\nevent:b\ndata:x\n\n", { "b|x" } },
  ["an empty type is a message"] = { "event: \ndata:data\n\nevent\ndata:y\n\n", { "|data", "|y" } },
  ["a type without data is no event, and is forgotten"] = { "event:a\n\ndata:x\n\n", { "|x" } },
  ["an id stays"] = { "id: …\ndata:hello\n\ndata:b\n\n", { "|hello|…", "|b|…" } },
  ["an empty id takes it away"] = { "id: a\ndata:x\n\nid\ndata:y\n\nid: b\ndata:z\n\nid:\ndata:w\n\n",
    { "|x|a", "|y", "|z|b", "|w" } },
  ["an id without data counts for the next"] = { "id:7\n\ndata:x\n\n", { "|x|7" } },
  ["an id counts once its event ends"] = { "data:x\nid:1\n\nid:2\ndata:y", { "|x|1" } },
  ["an id with NUL is none"] = { "id: a\ndata:x\n\nid: \0a\ndata:y\n\nid: b\0\ndata:z\n\n",
    { "|x|a", "|y|a", "|z|a" } },
  ["fields are told apart by their very names"] = { "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\r"
    .. "data_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n", { "|\0\n 2\n1\n3\n\n4" } },
  ["unknown fields"] = { "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n",
    { "|test\n\ntest" } },
  ["one leading space is none of the value"] = { "data:\ttest\rdata: \ndata:test\n\n", { "|\ttest\n\ntest" } },
  ["line ends"] = { "data:test\r\ndata\ndata:test\r\n\r\n", { "|test\n\ntest" } },
  ["CR alone"] = { "data:a\rid:1\r\rdata:b\r\r", { "|a|1", "|b|1" } },
  ["LF CR is two line ends"] = { "data:a\n\rdata:b\n\r", { "|a", "|b" } },
  ["CR CRLF is two line ends"] = { "data:a\r\r\ndata:b\r\r\n", { "|a", "|b" } },
  ["CRLF all along"] = { "data:a\r\n\r\ndata:b\r\n\r\n", { "|a", "|b" } },
  ["CRLF first, CR later, LF at last"] = { "data:a\r\n\r\ndata:b\rdata:c\r\rdata:d\n\n", { "|a", "|b\nc", "|d" } },
  ["NUL"] = { "data:\0\n\n\n\n", { "|\0" } },
  ["no other line ends"] = { "data:a\226\128\168b\194\133c\vd\fe\n\n", { "|a\226\128\168b\194\133c\vd\fe" } },
  ["retry"] = { "retry:3000\ndata:x\n\ndata:y\n\n", { "|x||3", "|y" } },
  ["retry without data is told with the next event"] = { "retry: 1500\n\ndata:x\n\ndata:y\n\n", { "|x||1.5", "|y" } },
  ["retry is digits only"] = { "retry:1000x\nretry:-5\nretry: 5 \n"
    .. "retry:0x10\nretry:1e3\nretry:1.5\nretry\nretry:\ndata:x\n\n",
    { "|x" } },
  ["a bad retry leaves the good one"] = { "retry:3000\nretry:1000x\ndata:x\n\n", { "|x||3" } },
  ["UTF-8"] = { "data:ok…ä€😀\nevent:ü\n\n", { "ü|ok…ä€😀" } },
  ["bytes that are no UTF-8 are replaced"] = { "event:\255\n"
    .. "data:a\195(\226\130 \240\159\152 \237\160\128\nid:\192\175\n\n",
    { BAD .. "|a" .. BAD .. "(" .. BAD .. " " .. BAD .. " " .. BAD:rep(3) .. "|" .. BAD:rep(2) } },
  ["a character cut by a line end"] = { "data:a\195\ndata:\164b\n\n", { "|a" .. BAD .. "\n" .. BAD .. "b" } },
  ["nothing"] = { "", {} },
  ["line ends alone"] = { "\n\r\n\r\n\n", {} },
  ["a colon first, then many"] = { ":\n::\ndata::a:b\n\n", { "|:a:b" } },
}

local function shown(event)
  local parts = { event.event == "message" and "" or event.event, event.data }
  if event.id ~= "" or event.retry then parts[3] = event.id end
  if event.retry then parts[4] = tostring(event.retry) end
  return table.concat(parts, "|")
end

-- The events of a stream that comes in these pieces.
local function parsed(pieces, max)
  local events, stream = {}, event_stream.new(max or MIB)
  for _, piece in ipairs(pieces) do
    stream:feed(piece)
    local event, err = stream:next()
    while event do
      events[#events + 1] = shown(event)
      event, err = stream:next()
    end
    if err then return events, err end
  end
  return events
end

local function cut(text, size)
  local pieces = {}
  for at = 1, #text, size do pieces[#pieces + 1] = text:sub(at, at + size - 1) end
  return pieces
end

local function answer(text, head)
  return function(conn)
    conn:write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" .. (head or "Connection: close\r\n") .. "\r\n"
      .. text)
  end
end

local function open(handler)
  local res = assert(faults.client():get(faults.server(handler).url, { stream = true }))
  return res
end

local function gather(iterator)
  local list = {}
  local ok, err = pcall(function()
    for event in iterator do list[#list + 1] = shown(event) end
  end)
  return list, not ok and err or nil
end

describe("an event stream", function()
  for name, case in pairs(CASES) do
    it("reads " .. name .. ", wherever it is cut", function()
      local text, expected = case[1], case[2]
      assert.same(expected, parsed { text })
      for at = 1, #text - 1 do assert.same(expected, parsed { text:sub(1, at), text:sub(at + 1) }) end
      for size = 1, 3 do assert.same(expected, parsed(cut(text, size))) end
    end)
  end

  it("takes one LF away behind a CR, not each that comes by itself", function()
    assert.same({ "|a", "|b" }, parsed { "data:a\r", "\n", "\r", "\n", "data:b\r", "\n", "\n" })
  end)

  it("replaces what is no UTF-8 in a type that came in an earlier piece", function()
    assert.same({ BAD .. "|x" }, parsed { "event:\130\n", "data:x\n\n" })
  end)

  it("comes as it is from a server", function()
    for _, case in pairs(CASES) do
      assert.same(case[2], (gather(open(answer(case[1])):events())))
    end
  end)

  it("has 'message', an empty id and no retry where the server says nothing", function()
    local event = open(answer "data: x\n\n"):events()()
    assert.same({ event = "message", data = "x", id = "" }, event)
  end)

  it("gives each event as it comes", function()
    local conn_of
    local res = open(function(conn)
      conn_of = conn
      answer("data: 1\n\n", "")(conn)
      conn:read_request()
    end)
    local events = res:events()
    assert.equal("1", events().data)
    for i = 2, 4 do
      conn_of:write(("data: %d\n\n"):format(i))
      assert.equal(tostring(i), events().data)
    end
    res:close()
  end)

  it("gives what arrived before it was cut, then raises", function()
    local events, err = gather(open(answer("data: 1\n\ndata: 2\n\ndata: 3\n", "Content-Length: 1000\r\n")):events())
    assert.same({ "|1", "|2" }, events)
    assert.equal("truncated", err.kind)
  end)

  it("raises kind 'too_large' for a line that never ends, in bounded memory", function()
    local sent = 0
    local res = open(function(conn)
      answer("data: 1\n\ndata: ")(conn)
      local piece = ("x"):rep(65536)
      while sent < 1024 * MIB and conn:write(piece) do sent = sent + #piece end
    end)
    local events, err = gather(res:events())
    assert.same({ "|1" }, events)
    assert.equal("too_large", err.kind)
    assert.equal(MIB, err.limit)
    assert.is_true(err.observed > MIB and err.observed < 2 * MIB)
    assert.matches("a line of the event stream has more than 1048576 bytes", err.message, 1, true)
    assert.equal("GET", err.method)
    assert.is_true(sent < 64 * MIB, "read on behind the limit")
  end)

  it("raises kind 'too_large' for an event of too many lines, and for comments and names too long", function()
    local lines, err = parsed({ "data:1\n\n" .. ("data:12345\n"):rep(20) }, 100)
    assert.same({ "|1" }, lines)
    assert.equal("too_large", err.kind)
    assert.matches("an event of the event stream has more than 100 bytes", err.message, 1, true)
    for _, start in ipairs { ":", "name", "id:", "data:", "" } do
      for _, size in ipairs { 1, 7, 1000 } do
        err = select(2, parsed(cut(start .. ("x"):rep(200), size), 100))
        assert.equal("too_large", err and err.kind)
      end
    end
    assert.same({ "|" .. ("x"):rep(95) }, (parsed({ "data:" .. ("x"):rep(95) .. "\n\n" }, 100)))
  end)

  it("takes another limit", function()
    local line = "data:" .. ("x"):rep(2 * MIB) .. "\n\n"
    assert.equal(2 * MIB, #open(answer(line)):events({ max = 3 * MIB })().data)
    local _, err = gather(open(answer(line)):events { max = 1000 })
    assert.equal(1000, err.limit)
    assert.equal("res:events: option 'max' must be a whole number of at least 1 or math.huge, got 0",
      message_of(function() open(answer "").events(open(answer ""), { max = 0 }) end))
  end)

  it("reads hostile streams in linear time", function()
    local size = 256 * 1024
    for name, text in pairs { lf = ("\n"):rep(size), cr = ("\r"):rep(size), crs = ("x\r"):rep(size / 2) .. "\n",
      names = ("x\n"):rep(size / 2), data = ("data\n"):rep(size / 8) .. "\n",
      bad = "data:" .. ("\255"):rep(size) .. "\n\n",
      mixed = ("\r\n\r\r\n"):rep(size / 8), colons = (":"):rep(size), ids = ("id:\0\n"):rep(size / 8) } do
      local before = os.clock()
      parsed(cut(text, 32768))
      local once = os.clock() - before
      before = os.clock()
      parsed(cut(text:rep(4), 32768), 8 * MIB)
      assert.is_true(os.clock() - before < 40 * once + 1, name)
    end
  end)

  it("is read once", function()
    local res = open(answer "data: x\n\n")
    local events = res:events()
    assert.equal("x", events().data)
    assert.is_nil(events())
    assert.equal("the stream was read already: it is read once", message_of(function() res:events() end))
  end)

  it("may be left", function()
    local client = faults.client()
    local res = assert(client:get(faults.server(answer "data: 1\n\ndata: 2\n\n").url, { stream = true }))
    assert.equal("1", res:events()().data)
    res:close()
    faults.settled(client)
  end)

  it("is decoded by its coding first", function()
    local res = open(function(conn)
      local packed = require("spec.support.process").shell("printf 'data: packed\\n\\n' | gzip -c")
      conn:write(("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"):format(#packed) .. packed)
    end)
    assert.same({ "|packed" }, (gather(res:events())))
  end)
end)

describe("text that is to be UTF-8", function()
  it("has U+FFFD for each part that is none", function()
    for text, expected in pairs {
      ["ok ä€😀"] = "ok ä€😀", ["\128"] = BAD, ["\192\128"] = BAD:rep(2), ["\224\128\128"] = BAD:rep(3),
      ["\240\144\128"] = BAD, ["\240\144\128x"] = BAD .. "x", ["\244\144\128\128"] = BAD:rep(4),
      ["a\226\130"] = "a" .. BAD, ["\226\130\226\130\172"] = BAD .. "€", [""] = "",
    } do
      assert.equal(expected, utf8.valid(text))
    end
  end)
end)
