-- HAR archives in and out, mocks of cassettes, and WebSockets on a cassette.

local cassette = require "lurcher.cassette"
local crypto = require "lurcher.crypto"
local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local mock = require "lurcher.mock"
local peer = require "spec.support.websocket_peer"
local servers = require "spec.support.servers"
local serving = require "spec.support.serving"
local ws = require "lurcher.ws"

local path, archive

before_each(function()
  files.begin()
  path, archive = files.path "tape.json", files.path "a.har"
end)
after_each(files.finish)

local function har(entries) return json.encode { log = { version = "1.2", entries = entries } } end

describe("an HAR archive", function()
  it("of a browser becomes a cassette, without its secrets", function()
    assert(fs.write(archive, har {
      { request = { method = "POST", url = "https://a.test/login#top", httpVersion = "http/2.0",
          headers = { { name = ":authority", value = "a.test" }, { name = "cookie", value = "sid=1234567890abcdef" },
            { name = "content-type", value = "application/x-www-form-urlencoded" } },
          postData = { mimeType = "x", params = { { name = "user", value = "ann" },
            { name = "password", value = "opensesame" } } } },
        response = { status = 200, statusText = "", httpVersion = "h2",
          headers = { { name = "content-encoding", value = "br" }, { name = "content-length", value = "5" },
            { name = "content-type", value = "application/json" } },
          content = { size = 9, mimeType = "application/json", text = '{"ok":true,"echo":"opensesame"}' } } },
      { request = { method = "GET", url = "https://a.test/i.png", headers = {} },
        response = { status = 200, headers = {}, content = { encoding = "base64", text = "AAEC" } } },
      { request = { method = "GET", url = "https://a.test/down", headers = {} },
        response = { status = 0, headers = {}, content = {}, _error = "net::ERR_CONNECTION_REFUSED" } },
    }))
    assert.are.equal(3, cassette.from_har(archive, path))
    assert.is_nil(files.read("tape.json"):find "opensesame" or files.read("tape.json"):find "1234567890")
    assert(cassette.use(path, { mode = "none" }, function()
      local res = assert(http.post("https://a.test/login", { form = { user = "ann", password = "other" } }))
      assert.are.same({ "2", '{"ok":true,"echo":"***"}' }, { res.http_version, res.body })
      assert.are.equal("\0\1\2", http.get("https://a.test/i.png").body)
      local _, err = http.get("https://a.test/down", { retry = false })
      assert.are.equal("connect", err.kind)
    end))
  end)

  it("has the kinds of failures that Chrome tells of", function()
    local entries, got = {}, {}
    for i, why in ipairs { "net::ERR_NAME_NOT_RESOLVED", "net::ERR_CONNECTION_TIMED_OUT", "net::ERR_CERT_INVALID",
      "net::ERR_EMPTY_RESPONSE", "net::ERR_FAILED" } do
      entries[i] = { request = { method = "GET", url = "https://a.test/" .. i },
        response = { status = 0, _error = why } }
    end
    assert(fs.write(archive, har(entries)))
    assert(cassette.from_har(archive, path))
    assert(cassette.use(path, function()
      for i in ipairs(entries) do got[i] = select(2, http.get("https://a.test/" .. i, { retry = false })).kind end
    end))
    assert.are.same({ "dns", "timeout", "tls", "closed", "connect" }, got)
  end)

  it("may hold nonsense where nobody looks", function()
    assert(fs.write(archive, har { { request = { method = "POST", url = "http://a.test/",
      headers = { 1, { name = "A" } }, postData = { params = { 1, { name = "x" } } } },
      response = { status = 200, headers = "x", content = 5 },
      _webSocketMessages = { 1, { type = "send", opcode = 1, data = 7 } } } }))
    assert.are.equal(1, cassette.from_har(archive, path))
  end)

  it("of a cassette comes back the same", function()
    local cut = faults.answering "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"
    local s = serving.start(function(req)
      return { status = 201, body = req.path == "/b" and "\255" or "text\nmore" }
    end)
    assert(cassette.use(path, function()
      assert(http.post(s.url .. "/a?x=1&y", { json = { a = 1 } }))
      assert(http.get(s.url .. "/b"))
      http.get(("http://127.0.0.1:%d/"):format(servers.free_port()), { retry = false })
      http.get(cut.url, { retry = false })
    end))
    assert.are.equal(4, cassette.to_har(path, archive))
    local log = json.decode(files.read "a.har").log
    assert.are.same({ "1.2", 4, '{"a":1}', "base64" }, { log.version, #log.entries,
      log.entries[1].request.postData.text, log.entries[2].response.content.encoding })
    assert.are.same({ { name = "x", value = "1" }, { name = "y", value = "" } }, log.entries[1].request.queryString)
    local before = files.read "tape.json"
    assert.are.equal(4, cassette.from_har(archive, path))
    assert.are.equal(before, files.read "tape.json")
  end)

  for name, row in pairs {
    ["no JSON"] = { "x", "is no JSON" }, ["something else"] = { "{}", "is no HAR archive" },
    ["a status that is none"] = { har { { request = { method = "GET", url = "http://a/" },
      response = { status = 2000 } } }, "its entry 1 has no status from 100 to 999" },
    ["an entry without a request"] = { har { { response = {} } }, "its entry 1 has no request" },
  } do
    it("is refused clearly when it holds " .. name, function()
      assert(fs.write(archive, row[1]))
      local _, err = cassette.from_har(archive, path)
      assert.are.equal("file", err.kind)
      assert.matches(row[2], err.message, 1, true)
    end)
  end
end)

describe("a mock of a cassette", function()
  it("answers as it was recorded, again and again, and refuses the rest", function()
    local count = 0
    local s = serving.start(function()
      count = count + 1
      return { status = 200, body = tostring(count) }
    end)
    assert(cassette.use(path, function()
      for _ = 1, 2 do assert(http.get(s.url .. "/a")) end
      assert(http.get(s.url .. "/b"))
    end))
    local m = assert(mock.from_cassette(path))
    m:on("GET", "/own"):reply "mine"
    local api = http.client { transport = m, base_url = s.url, retry = false }
    local bodies = {}
    for i = 1, 3 do bodies[i] = api:get("/a").body end
    assert.are.same({ "1", "2", "2" }, bodies)
    assert.are.equal("mine", api:get("/own").body)
    local _, err = m:verify()
    assert.matches("GET http[^\n]*/b", err.message)
    assert.are.equal("3", api:get("/b").body)
    assert(m:verify())
    _, err = api:get "/c"
    assert.are.equal("mock", err.kind)
    assert.matches("the nearest is entry", err.message, 1, true)
    assert.are.equal(3, count)
  end)

  it("says why a file is none", function()
    local m, err = mock.from_cassette(files.path "none.json")
    assert.is_nil(m)
    assert.are.equal("file", err.kind)
  end)
end)

describe("a WebSocket on a cassette", function()
  local function talk(url)
    local c = assert(ws.connect(url .. "/chat?token=abcdefgh"))
    assert(c:send "hello")
    local first = c:receive()
    assert(c:send_binary "\0\1")
    local second, kind = c:receive()
    assert(c:send "bye")
    local _, err = c:receive()
    return first, second, kind, err.code
  end

  it("is replayed as it was recorded, without secrets", function()
    local s = peer.serve(function(p)
      p:accept()
      p:send("text", '{"got":"' .. p:frame().payload .. '","token":"abcdefgh"}')
      p:send("binary", p:frame().payload)
      p:frame()
      p:send("close", peer.closing(4000, "done"))
      p:frame()
    end)
    local recorded = { assert(cassette.use(path, function() return talk(s.ws) end)) }
    s:stop()
    local replayed = { assert(cassette.use(path, { mode = "none" }, function() return talk(s.ws) end)) }
    assert.are.equal('{"got":"hello","token":"***"}', replayed[1])
    replayed[1] = recorded[1]
    assert.are.same(recorded, replayed)
    assert.is_nil(files.read("tape.json"):find "abcdefgh")
  end)

  -- What is sent in place of what was recorded: "hello", two bytes, and '{"a":1,"token":"***"}'.
  local function send(c, given)
    for _, one in ipairs(given) do
      local ok, err = c[one[2] or "send"](c, one[1])
      if ok then ok, err = c:receive() end
      if not ok then return err end
    end
    return select(2, c:close()) or "well"
  end

  local function said(given) return function() return send(assert(ws.connect "ws://a.test/chat"), given) end end

  local function write_talk()
    assert(fs.write(path, '{"lurcher_cassette":1,"entries":[{"request":{"method":"GET","url":"http://a.test/chat"},'
      .. '"response":{"status":101},"messages":[{"sent":"hello"},{"received":"1"},{"sent_base64":"AAE="},'
      .. '{"received":"2"},{"sent":"{\\"a\\":1,\\"token\\":\\"***\\"}"},{"received":"3"}]}]}'))
  end

  local HELLO, BYTES, JSON = { "hello" }, { "\0\1", "send_binary" }, { '{ "token": "opensesame", "a": 1 }' }

  for name, row in pairs {
    ["what was recorded"] = { { HELLO, BYTES, JSON } },
    ["less"] = { { HELLO } },
    ["another text"] = { { { "hullo" } }, "message 1 ", 'recorded "hello" (text), got "hullo" (text)' },
    ["bytes for text"] = { { { "hello", "send_binary" } }, "message 1 ", 'got "hello" (binary)' },
    ["other bytes"] = { { HELLO, { "\0\2x", "send_binary" } }, "message 2 ", 'got "??x" (binary)' },
    ["another value"] = { { HELLO, BYTES, { '{"a":2,"token":"opensesame"}' } }, "message 3 ", '"a":2' },
    ["more"] = { { HELLO, BYTES, JSON, { "more" } }, "message 4 ", 'is "more" (text), and the cassette' },
  } do
    it("compares what a script sends with it: " .. name, function()
      write_talk()
      local errs = { [0] = cassette.use(path, { mode = "none" }, said(row[1])) }
      local m = assert(mock.from_cassette(path))
      local undo = m:install()
      errs[1] = said(row[1])()
      undo()
      for i = 0, 1 do
        local err = errs[i]
        if not row[2] then
          assert.are.equal("well", err)
        else
          assert.are.equal("mock", err.kind)
          assert.matches(row[2] .. "that was sent over the WebSocket", err.message, 1, true)
          assert.matches(row[3], err.message, 1, true)
          assert.is_nil(err.message:find "opensesame")
        end
      end
    end)
  end

  it("does not compare messages where bodies are not compared", function()
    write_talk()
    assert.are.equal("well", cassette.use(path, { mode = "none", match = { "method", "url" } },
      said { { "hullo" }, { "x" }, JSON }))
  end)

  for name, answer in pairs {
    ["with a length"] = { status = 403, headers = { ["X-Why"] = "this" }, body = "no entry" },
    ["in chunks"] = { status = 403, headers = { ["X-Why"] = "this" }, body = coroutine.wrap(function()
      coroutine.yield "no "
      coroutine.yield "entry"
    end) },
  } do
    it("is refused as it was refused, " .. name, function()
      local s = serving.start(function() return answer end)
      local function ask()
        local c, err = ws.connect((s.url:gsub("^http", "ws")))
        return c == nil, err.kind, err.message, err.response.status
      end
      local recorded = { cassette.use(path, ask) }
      assert.matches("Forbidden, expected 101: no entry", recorded[3], 1, true)
      assert.are.same(recorded, { cassette.use(path, { mode = "none" }, ask) })
    end)
  end

  it("fails as it failed, and holds no secret in bytes", function()
    local s = peer.serve(function(p)
      p:accept()
      p:send("binary", "\0" .. p:frame().payload)
      p:frame()
      p:send("text", "\255")
      p:frame()
    end)
    local function ask()
      local c = assert(ws.connect(s.ws .. "/?token=opensesame"))
      assert(c:send_binary "\0opensesame")
      local bytes = c:receive()
      assert(c:send "x")
      local _, err = c:receive()
      return #bytes > 3, err.kind, err.message:match "[%w ]+$"
    end
    local recorded = { cassette.use(path, ask) }
    assert.are.same(recorded, { cassette.use(path, { mode = "none" }, ask) })
    for _, one in ipairs(json.decode(files.read "tape.json").entries[1].messages) do
      for _, text in pairs(one) do
        assert.is_nil((tostring(crypto.base64_decode(text) or "") .. text):find "opensesame")
      end
    end
  end)
end)
