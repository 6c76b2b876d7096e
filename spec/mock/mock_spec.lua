-- Mocks: which entry answers, what it answers, and that all that stands above them really runs.

local clock = require "lurcher.clock"
local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local message_of = require("spec.support.raising").message
local mock = require "lurcher.mock"
local origin = require "spec.support.origin"
local task = require "lurcher.task"

before_each(files.begin)
after_each(files.finish)

local function new(opts)
  local m = mock.new()
  opts = opts or {}
  opts.transport = m
  opts.base_url = opts.base_url or "https://api.test"
  return m, faults.client(opts)
end

describe("an entry of a mock is for", function()
  -- { method, url, match, requests that fit, requests that do not }; a request: { method, url, options }
  for name, row in pairs {
    ["a URL with any query"] = { "GET", "https://api.test/users", nil,
      { { "GET", "/users" }, { "GET", "/users?page=2" }, { "GET", "https://API.test:443/users" } },
      { { "POST", "/users" }, { "GET", "/users/" }, { "GET", "/user" }, { "GET", "http://api.test/users" } } },
    ["a URL with its query, in any order"] = { "GET", "https://api.test/users?a=1&b=2", nil,
      { { "GET", "/users?b=2&a=1" }, { "GET", "/users", { params = { b = 2, a = "1" } } } },
      { { "GET", "/users?a=1" }, { "GET", "/users?a=1&b=2&c=3" }, { "GET", "/users?a=1&a=1&b=2" } } },
    ["a path of any origin"] = { "get", "/users", nil,
      { { "GET", "/users" }, { "GET", "http://other.test:81/users?x" } }, { { "GET", "/users/1" } } },
    ["a template"] = { "GET", "/users/{id}/files/{name}", nil, { { "GET", "/users/1/files/a%20b" } },
      { { "GET", "/users//files/a" }, { "GET", "/users/1/files/a/b" }, { "GET", "/users/1/files" } } },
    ["a URL whose characters mean something in patterns"] = { "GET", "https://api.test/a.b-c+(d)", nil,
      { { "GET", "/a.b-c+(d)" } }, { { "GET", "/aXb-c+(d)" }, { "GET", "/a.bbc+(d)" } } },
    ["a path with what is not allowed in one, in any spelling"] = { "GET", "/ü a~", nil,
      { { "GET", "/ü a~" }, { "GET", "/%c3%bc%20a%7e" } }, { { "GET", "/u a~" } } },
    ["a template with a host in any case, its own port, a fragment"] = { "GET", "https://API.test:443/é/{Id}#top", nil,
      { { "GET", "/%C3%A9/7" } }, { { "GET", "/e/7" } } },
    ["all the rest of a path"] = { "GET", "/files/{path*}", nil, { { "GET", "/files/a/b" }, { "GET", "/files/" } },
      { { "GET", "/file/a" } } },
    ["what can be called"] = { "GET", setmetatable({}, { __call = function(_, req) return req.path == "/x" end }), nil,
      { { "GET", "/x" } }, { { "GET", "/y" } } },
    ["a pattern"] = { "GET", "^https://[%w.]+/v%d/.*$", nil,
      { { "GET", "/v1/x?y" }, { "GET", "https://b.test/v2/" } }, { { "GET", "/w1/" } } },
    ["a function"] = { "GET", function(req) return #req.path == 3 end, nil, { { "GET", "/ab" } },
      { { "GET", "/abc" } } },
    ["any method"] = { "*", "/x", nil, { { "GET", "/x" }, { "PURGE", "/x" } }, { { "GET", "/y" } } },
    ["parameters"] = { "GET", "/x", { params = { a = 1, b = { "x", "y" }, c = true, d = false } },
      { { "GET", "/x?a=1&b=x&b=y&c&e=5" }, { "GET", "/x?c=%20&b=x&a=1&b=y" } },
      { { "GET", "/x?a=1&b=y&b=x&c" }, { "GET", "/x?a=1&b=x&b=y" }, { "GET", "/x?a=1&b=x&b=y&c&d" } } },
    ["headers in any case"] = { "GET", "/x", { headers = { ["X-Key"] = "k", accept = true, ["x-no"] = false } },
      { { "GET", "/x", { headers = { ["x-kEY"] = "k" } } } },
      { { "GET", "/x" }, { "GET", "/x", { headers = { ["X-Key"] = "K" } } },
        { "GET", "/x", { headers = { ["X-Key"] = "k", ["X-No"] = "" } } } } },
    ["parameters and forms as lists of pairs"] = { "POST", "/x", { params = { { "a", 1 }, { "b", 2 }, { "b", 3 } },
      form = { { "c", "4" } } },
      { { "POST", "/x?b=2&a=1&b=3", { form = { c = 4 } } } }, { { "POST", "/x?a=1&b=2", { form = { c = 4 } } } } },
    ["headers that come several times, and those of the transport"] = { "POST", "/x",
      { headers = { ["X-Two"] = { "1", 2 }, Host = "api.test", ["Content-Length"] = 3 } },
      { { "POST", "/x", { headers = { ["x-two"] = { "1", "2" } }, body = "abc" } } },
      { { "POST", "/x", { headers = { ["x-two"] = { "2", "1" } }, body = "abc" } } } },
    ["a secret"] = { "POST", "/x", { headers = { ["X-Key"] = http.secret "opensesame" },
      json = { key = http.secret "opensesame" } },
      { { "POST", "/x", { headers = { ["X-Key"] = "opensesame" }, json = { key = "opensesame" } } } },
      { { "POST", "/x", { headers = { ["X-Key"] = "***" }, json = { key = "opensesame" } } } } },
    ["a body"] = { "POST", "/x", { body = "a\0b" }, { { "POST", "/x", { body = "a\0b" } } },
      { { "POST", "/x", { body = "a\0" } }, { "POST", "/x" } } },
    ["a body that fits a pattern"] = { "POST", "/x", { body = "^%d+$" }, { { "POST", "/x", { body = "12" } } },
      { { "POST", "/x", { body = "12x" } } } },
    ["a part of JSON"] = { "POST", "/x", { json = { a = 1, list = { { id = 2 } } } },
      { { "POST", "/x", { json = { a = 1, b = 5, list = { { id = 2, n = "x" } } } } } },
      { { "POST", "/x", { json = { a = "1", list = { { id = 2 } } } } },
        { "POST", "/x", { json = { a = 1, list = { { id = 2 }, { id = 3 } } } } }, { "POST", "/x", { body = "{" } } } },
    ["a form"] = { "POST", "/x", { form = { a = "1 2", b = { "x", "y" } } },
      { { "POST", "/x", { form = { { "b", "x" }, { "b", "y" }, { "a", "1 2" }, { "c", "z" } } } } },
      { { "POST", "/x", { form = { a = "1 2" } } } } },
    ["parts of a multipart body"] = { "POST", "/x", { multipart = { a = "1", file = "text\r\n--x" } },
      { { "POST", "/x", { multipart = { { name = "a", value = "1" }, { name = "file", value = "text\r\n--x" } } } } },
      { { "POST", "/x", { multipart = { { name = "a", value = "2" } } } } } },
    ["files of a multipart body"] = { "POST", "/x",
      { multipart = { f = { filename = "a.txt", type = "text/plain", body = "z" }, tag = { "1", "2" }, none = false } },
      { { "POST", "/x", { multipart = { { name = "tag", value = "1" }, { name = "tag", value = "2" },
        { name = "f", body = "z", filename = "a.txt" } } } } },
      { { "POST", "/x", { multipart = { { name = "tag", value = "1" }, { name = "tag", value = "2" },
        { name = "f", body = "z", filename = "b.txt" } } } },
        { "POST", "/x", { multipart = { { name = "tag", value = "1" },
          { name = "f", body = "z", filename = "a.txt" } } } } } },
    ["parts as a request has them"] = { "POST", "/x",
      { multipart = { { name = "f", filename = "a.txt" }, { name = "f", value = "2" } } },
      { { "POST", "/x", { multipart = { { name = "f", value = "1", filename = "a.txt" },
        { name = "f", value = "2" } } } } },
      { { "POST", "/x", { multipart = { { name = "f", value = "2" } } } } } },
    ["what a function accepts"] = { "POST", "/x", function(req) return req:json().n > 1 end,
      { { "POST", "/x", { json = { n = 2 } } } }, { { "POST", "/x", { json = { n = 1 } } } } },
  } do
    it(name, function()
      local m, api = new()
      m:on(row[1], row[2], row[3]):reply(200, "it"):persist()
      for i, request in ipairs(row[4]) do
        local res, err = api:request(unpack(request))
        assert.equal("it", res and res.body, ("request %d: %s"):format(i, tostring(err)))
      end
      for i, request in ipairs(row[5]) do
        local res, err = api:request(unpack(request))
        assert.is_nil(res, "request " .. i)
        assert.equal("mock", err.kind)
        assert.is_false(err.retryable)
      end
      assert.equal(#row[4] + #row[5], #m:requests())
    end)
  end

  it("as many requests as it says, in the order of entries and answers", function()
    local m, api = new()
    m:on("GET", "/x"):reply(201):reply(202)
    m:on("GET", "/x"):reply(203):times(2)
    m:on("GET", "/x"):reply(204):reply(205):persist()
    local got = {}
    for i = 1, 7 do got[i] = assert(api:get "/x").status end
    assert.same({ 201, 202, 203, 203, 204, 205, 205 }, got)
    assert.is_true(m:verify())
  end)
end)

describe("a mock answers", function()
  it("status, headers and body as a server would", function()
    local m, api = new()
    m:on("GET", "/a"):reply(404, { error = "none" }, { ["X-Two"] = { "1", "2" }, ["X-N"] = 5 })
    m:on("GET", "/b"):reply("only a body")
    m:on("GET", "/c"):reply { status = 299, reason = "Odd", version = "1.0", body = "c", headers = { A = "b" } }
    m:on("GET", "/d"):reply { version = "2", body = "two" }
    m:on("HEAD", "/e"):reply(200, "five!")
    m:on("GET", "/f"):reply(204)
    local res = assert(api:get "/a")
    assert.equal("none", res:json().error)
    assert.equal("application/json", res.headers["Content-Type"])
    assert.equal("1, 2", res.headers["x-two"])
    assert.equal("5", res.headers["x-n"])
    assert.equal("only a body", assert(api:get "/b").body)
    res = assert(api:get "/c")
    assert.same({ 299, "Odd", "c" }, { res.status, res.reason, res.body })
    assert.equal("2", assert(api:get "/d").http_version)
    res = assert(api:head "/e")
    assert.same({ "", "5" }, { res.body, res.headers["content-length"] })
    assert.equal("", assert(api:get "/f").body)
  end)

  it("what a function returns, which sees the request", function()
    local m, api = new { auth = { "ann", "pw" } }
    m:on("POST", "/users/{id}"):reply(function(req)
      task.sleep(0.001)
      return 201, { id = req.captures.id, page = req.query.page, auth = req.headers.Authorization,
        n = req:json().n, path = req.path, attempt = req.attempts }
    end)
    m:on("GET", "/text"):reply(function() return "text" end)
    m:on("GET", "/table"):reply(function() return { status = 202, body = { 1 } } end)
    m:on("GET", "/fail"):reply(function() return nil, "dns" end)
    m:on("GET", "/none"):reply(function() end)
    m:on("GET", "/error"):reply(function() return nil, { kind = "timeout", phase = "task", message = "late" } end)
    m:on("GET", "/json"):reply(function() return { status = 201, json = { "a" } } end)
    m:on("POST", "/form"):reply(function(req) return 200, req:form() end)
    local got = assert(api:post("/users/a%2Fb?page=2", { json = { n = 7 } })):json()
    assert.same({ id = "a/b", page = "2", auth = "Basic YW5uOnB3", n = 7, path = "/users/a%2Fb", attempt = 1 }, got)
    assert.equal("text", assert(api:get "/text").body)
    assert.equal(202, assert(api:get "/table").status)
    local _, err = api:get "/fail"
    assert.equal("dns", err.kind)
    assert.equal(200, assert(api:get "/none").status)
    _, err = api:get "/error"
    assert.same({ "timeout", "task" }, { err.kind, err.phase })
    assert.equal("a", assert(api:get "/json"):json()[1])
    got = assert(api:post("/form", { multipart = { { name = "a", value = "1" }, { name = "b", body = "2" } } })):json()
    assert.same({ a = "1", b = "2" }, got)
  end)

  it("a body that fails on the way", function()
    local m, api = new { retry = false }
    for path, failure in pairs { kind = "truncated", error = { kind = "protocol", message = "cut" } } do
      m:on("GET", "/" .. path):reply(200, coroutine.wrap(function()
        coroutine.yield "some"
        coroutine.yield(nil, failure)
      end))
      local res = assert(api:stream("GET", "/" .. path))
      assert.equal("some", res:read(4))
      local _, err = res:read(1)
      assert.equal(path == "kind" and "truncated" or "protocol", err and err.kind)
    end
  end)

  it("bodies that are decoded, cut or too long", function()
    local m, api = new { max_body = 100 }
    m:on("GET", "/gzip"):reply(200, require("lurcher.crypto").base64_decode "H4sIAAAAAAACA8tIzcnJBwCGphA2BQAAAA==",
      { ["Content-Encoding"] = "gzip" })
    m:on("GET", "/cut"):reply(200, "short", { ["Content-Length"] = 10 })
    m:on("GET", "/long"):reply(200, ("x"):rep(101))
    m:on("GET", "/stream"):reply(200, coroutine.wrap(function()
      for _ = 1, 11 do coroutine.yield(("x"):rep(10)) end
    end))
    local res, err = api:get "/gzip"
    assert.is_true(res and res.body == "hello" or err.kind == "decode", tostring(err))
    for path, kind in pairs { cut = "truncated", long = "too_large", stream = "too_large" } do
      res, err = api:get("/" .. path)
      assert.is_nil(res)
      assert.equal(kind, err.kind)
    end
  end)

  it("streams in pieces, with the reader's pace", function()
    local m, api = new()
    local given = 0
    m:on("GET", "/big"):reply(200, function()
      given = given + 1
      return given <= 100 and ("x"):rep(64 * 1024) or nil
    end)
    m:on("GET", "/lines"):reply(200, coroutine.wrap(function()
      for i = 1, 3 do
        task.sleep(0.001)
        coroutine.yield("line " .. i .. "\n")
      end
    end)):persist()
    m:on("GET", "/events"):events({ "one", { event = "e", data = { n = 2 }, id = "7", retry = 1.5 } }, 0.001)
    local res = assert(api:stream("GET", "/big"))
    assert.is_true(given < 10, "held back: " .. given)
    local length = 0
    for piece in res:chunks() do length = length + #piece end
    assert.equal(100 * 64 * 1024, length)
    local lines = {}
    res = assert(api:stream("GET", "/lines"))
    for line in res:lines() do lines[#lines + 1] = line end
    assert.same({ "line 1", "line 2", "line 3" }, lines)
    local events = {}
    res = assert(api:stream("GET", "/events"))
    local retry
    for event in res:events() do events[#events + 1], retry = event.data, event.retry end
    assert.same({ "one", '{"n":2}' }, events)
    assert.equal(1.5, retry)
  end)

  it("streams that are closed early, and calls that are cancelled", function()
    local m, api = new()
    local ended
    m:on("GET", "/endless"):reply(200, function()
      task.defer(function() ended = true end)
      task.sleep(0.001)
      return "x"
    end):persist()
    m:on("GET", "/stall"):stall():persist()
    local res = assert(api:stream("GET", "/endless"))
    assert(res:read(1))
    res:close()
    assert.is_true(ended)
    local one = task.spawn(function() return api:get "/stall" end)
    task.yield()
    assert.equal(1, api:stats().in_flight)
    one:cancel()
    pcall(one.join, one)
    faults.settled(api)
  end)

  it("failures of all kinds", function()
    local m, api = new()
    for _, kind in ipairs { "dns", "connect", "tls", "timeout", "closed", "truncated", "protocol", "proxy" } do
      m:on("GET", "/" .. kind):fail(kind)
      local res, err = api:get("/" .. kind)
      assert.is_nil(res)
      assert.equal(kind, err.kind)
      assert.is_true(#err.message > 0 and err.message:find("api.test", 1, true) ~= nil, err.message)
      assert.equal("GET", err.method)
    end
    m:on("GET", "/t"):fail("timeout", { phase = "write", message = "my words" })
    local _, err = api:get "/t"
    assert.same({ "write", true }, { err.phase, err.message:find("my words", 1, true) ~= nil })
  end)

  it("request bodies of every sort", function()
    local m, api = new()
    m:on("PUT", "/x"):reply(function(req) return req.body end):persist()
    fs.write(files.path "sent", ("f"):rep(100000))
    local left = 3
    local bodies = { text = { body = "text" }, none = {}, file = { body = http.file(files.path "sent") },
      iterator = { body = function()
        task.sleep(0.001)
        left = left - 1
        return left >= 0 and "piece" or nil
      end } }
    local wanted = { text = "text", none = "", file = ("f"):rep(100000), iterator = "piecepiecepiece" }
    for name, opts in pairs(bodies) do assert.equal(wanted[name], assert(api:put("/x", opts)).body, name) end
    assert(fs.remove(files.path "sent"))
    local _, err = api:put("/x", bodies.file)
    assert.equal("file", err.kind)
    _, err = api:put("/x", { body = function() return nil, "broken" end })
    assert.matches("broken", tostring(err), 1, true)
  end)
end)

describe("above a mock", function()
  it("requests are repeated, redirected, logged in and given cookies", function()
    local m, api = new { retry = { attempts = 3, base = 0 }, cookies = true, auth = { "ann", "pw" } }
    m:on("GET", "/start"):fail("connect"):reply(503):reply(302, "", { Location = "/next", ["Set-Cookie"] = "a=b" })
    m:on("GET", "/next", { headers = { Cookie = "a=b", Authorization = "Basic YW5uOnB3" } }):reply("there")
    local res = assert(api:get "/start")
    assert.equal("there", res.body)
    assert.equal("https://api.test/next", res.url)
    assert.is_true(m:verify())
  end)

  it("time limits end what takes too long, in no time", function()
    clock.virtual(function()
      local m, api = new { timeout = { read = 5, total = 60 } }
      m:on("GET", "/slow"):reply(200):delay(6)
      m:on("GET", "/stall"):stall()
      m:on("GET", "/pieces"):reply(200, function()
        task.sleep(4)
        return "x"
      end)
      m:on("GET", "/late"):reply(200, "late"):delay(4)
      local _, err = api:get "/slow"
      assert.same({ "timeout", "read" }, { err.kind, err.phase })
      local began = task.now()
      _, err = api:get "/stall"
      assert.same({ "timeout", "read" }, { err.kind, err.phase })
      assert.near(5, task.now() - began, 0.01)
      _, err = api:get "/pieces"
      assert.same({ "timeout", "total" }, { err.kind, err.phase })
      assert.equal("late", assert(api:get "/late").body)
    end)
  end)

  it("limits, breakers and rates hold", function()
    clock.virtual(function()
      local m, api = new { limits = { per_origin = 2, rate = 10, burst = 1 } }
      local most, now = 0, 0
      m:on("GET", "/x"):reply(function()
        now = now + 1
        most = math.max(most, now)
        task.sleep(1)
        now = now - 1
      end):persist()
      local began = task.now()
      task.map({ 1, 2, 3, 4, 5, 6 }, function() return assert(api:get "/x").status end)
      assert.equal(2, most)
      assert.is_true(task.now() - began >= 3)
      local broken, careful = new { breaker = { failures = 2, cooldown = 10 } }
      broken:on("GET", "/x"):reply(500):persist()
      for _ = 1, 2 do careful:get "/x" end
      local _, err = careful:get "/x"
      assert.equal("circuit_open", err.kind)
      assert.equal(2, #broken:requests())
    end)
  end)

  it("downloads work", function()
    local m, api = new()
    m:on("GET", "/file"):reply(200, ("0123456789"):rep(1000), { ETag = '"a"' })
    local path = files.path "downloaded"
    assert(api:download("/file", path))
    assert.equal(10000, #assert(fs.read(path)))
  end)
end)

describe("a mock that is installed", function()
  it("is under new clients and the functions of lurcher.http, until it is undone", function()
    local site = origin.start()
    task.defer(function() site:stop() end)
    local before = faults.client()
    local m = mock.new()
    m:on("GET", "^.*$"):reply("mocked"):persist()
    local undo = m:install()
    local after, free = faults.client(), faults.client { transport = false }
    assert.equal("mocked", assert(http.get(site.url)).body)
    assert.equal("mocked", assert(after:get(site.url)).body)
    assert.equal("ok", assert(before:get(site.url)).body)
    assert.equal("ok", assert(free:get(site.url)).body)
    undo()
    undo()
    assert.equal("ok", assert(http.get(site.url)).body)
    assert.equal("ok", assert(faults.client():get(site.url)).body)
  end)

  it("is undone in any order", function()
    local undos, site = {}, origin.start()
    task.defer(function() site:stop() end)
    local function what() return assert(http.get(site.url)).body end
    local first
    for i = 1, 3 do
      local m = mock.new()
      m:on("GET", "^.*$"):reply("mock " .. i):persist()
      undos[i], first = m:install(), first or m
    end
    undos[2]()
    assert.equal("mock 3", what())
    undos[3]()
    assert.equal("mock 1", what())
    local again = first:install()
    undos[1]()
    assert.equal("mock 1", what())
    again()
    assert.equal("ok", what())
  end)

  it("is undone at the end of its task", function()
    local site = origin.start()
    task.defer(function() site:stop() end)
    task.spawn(function()
      mock.new():install()
      assert.equal("mock", select(2, http.get(site.url)).kind)
    end):join()
    assert.equal("ok", assert(http.get(site.url)).body)
  end)

  it("lets chosen origins pass, and refuses WebSockets", function()
    local site = origin.start()
    task.defer(function() site:stop() end)
    local m, api = new()
    m:pass_through(site.url .. "/whatever")
    assert.equal("ok", assert(api:get(site.url .. "/x")).body)
    assert.equal("mock", select(2, api:get "http://other.test/").kind)
    m:install()
    local _, err = require("lurcher.ws").connect "wss://api.test/"
    assert.equal("mock", err.kind)
  end)
end)

describe("a mock tells", function()
  it("what was nearest to a request, and where it differs", function()
    local m, api = new()
    m:on("POST", "/users", { json = { name = "ann" }, headers = { ["X-Key"] = "k" } }):reply(201)
    m:on("GET", "/other"):reply(200)
    local _, err = api:post("/users", { json = { name = "bob" }, headers = { ["X-Key"] = "k" } })
    assert.matches("POST https://api.test/users", err.message, 1, true)
    assert.matches("mock_spec.lua:", err.message, 1, true)
    assert.matches('json.name: wanted "ann", got "bob"', err.message, 1, true)
    assert.is_nil(err.message:find("X-Key", 1, true))
    assert.equal(200, assert(api:get "/other").status)
    _, err = api:get "/other"
    assert.matches("as often as it may (1)", err.message, 1, true)
    _, err = select(2, new()):get "/x"
    assert.matches("it has no entries", err.message, 1, true)
  end)

  it("no secret of the request", function()
    local _, api = new()
    local _, err = api:get("/x?token=hunter22", { headers = { Authorization = http.secret "s3cr3t-value" } })
    assert.is_nil(err.message:find("hunter22", 1, true))
    assert.is_nil(err.message:find("s3cr3t", 1, true))
  end)

  it("no value whose name says that it is secret", function()
    local function opts(value)
      return { params = { access_token = value },
        headers = { Authorization = "Bearer " .. value, Cookie = "a=" .. value, ["X-Api-Key"] = value },
        json = { deep = { { password = value } }, list = { { client_secret = value } } } }
    end
    local m, api = new()
    m:on("POST", "/x", opts "opensesame"):reply(200)
    m:on("POST", "/form", { form = { password = "opensesame" }, body = "password=opensesame" }):reply(200)
    local other = opts "shibboleth"
    other.json.list[2] = {}
    for path, sent in pairs { x = other, form = { form = { password = "shibboleth" } } } do
      local _, err = api:post("/" .. path, sent)
      assert.matches("wanted ***, got ***", err.message, 1, true)
      assert.is_nil(err.message:find "opensesame" or err.message:find "shibboleth", err.message)
    end
  end)

  it("the place where long bodies differ, and null", function()
    local m, api = new()
    m:on("POST", "/x", { body = ("x"):rep(5000) .. "ab" }):reply(200)
    m:on("POST", "/null", { json = { a = json.null } }):reply(200)
    local _, err = api:post("/x", { body = ("x"):rep(5000) .. "ac" })
    assert.matches('xxxab" (5002 bytes)', err.message, 1, true)
    assert.matches('xxxac" (5002 bytes, another from byte 5002 on)', err.message, 1, true)
    _, err = api:post("/null", { json = { a = 1 } })
    assert.matches("json.a: wanted null, got 1", err.message, 1, true)
  end)

  it("what was not used, and what was not expected", function()
    local m, api = new()
    m:on("GET", "/a"):reply(200):times(3)
    m:on("GET", "/b"):reply(200):optional()
    m:on("GET", "/c"):reply(200):persist()
    api:get "/a"
    api:get "/unknown"
    local ok, err = m:verify()
    assert.is_nil(ok)
    assert.equal("mock", err.kind)
    assert.matches("GET /a .-answered 1 times, 2 more", err.message)
    assert.matches("GET /c .-answered 0 times, 1 more", err.message)
    assert.matches("unexpected: GET https://api.test/unknown", err.message, 1, true)
    assert.is_nil(err.message:find("GET /b", 1, true))
  end)
end)

describe("trailers of a mock", function()
  local function get(trailers)
    local m, api = new { max_headers = 4096, retry = false }
    m:on("GET", "/"):reply { body = function()
      local body = m.body
      m.body = nil
      return body
    end, trailers = trailers }
    m.body = "x"
    return api:get "/"
  end

  it("count towards the limit of headers", function()
    assert.are.equal("x", assert(get { Checksum = "abc" }).body)
    local _, err = get { Checksum = ("x"):rep(5000) }
    assert.are.equal("too_large", err.kind)
  end)

  it("are lines", function()
    assert.matches("control characters", message_of(get, { A = "b\r\nC: d" }), 1, true)
  end)
end)

describe("mistakes with mocks raise:", function()
  local function raised_by(fn, ...)
    local m = mock.new()
    return message_of(fn, m, ...)
  end

  for name, row in pairs {
    ["a pattern that does not compile"] = { function(m) m:on("GET", "^%f$") end, "the pattern does not compile" },
    ["a pattern of a body that does not compile"] = { function(m) m:on("GET", "/", { body = "^%f$" }) end,
      "the pattern of the body does not compile" },
    ["what is no method"] = { function(m) m:on("G ET", "/") end, "is no method" },
    ["an unknown part of a part"] = {
      function(m) m:on("GET", "/", { multipart = { f = { name = "f", file = "x" } } }) end,
      "unknown option 'file'" },
    ["a body and JSON"] = { function(m) m:on("GET", "/"):reply { body = "x", json = {} } end, "not both" },
    ["no URL"] = { function(m) m:on("GET", "users") end, "neither a URL, nor a path" },
    ["a URL that cannot be read"] = { function(m) m:on("GET", "http://a b/") end, "mock:on" },
    ["an unknown part of match"] = { function(m) m:on("GET", "/", { header = {} }) end, "headers" },
    ["an impossible status"] = { function(m) m:on("GET", "/"):reply(42) end, "from 200 to 999, got 42" },
    ["a body that is none"] = { function(m) m:on("GET", "/"):reply(200, true) end, "the body must be" },
    ["a header that cannot be sent"] = { function(m) m:on("GET", "/"):reply(200, "", { A = "b\r\nC: d" }) end,
      "without control characters" },
    ["an unknown kind"] = { function(m) m:on("GET", "/"):fail "timout" end, "timeout" },
    ["an unknown phase"] = { function(m) m:on("GET", "/"):fail("timeout", { phase = "reading" }) end, "phase" },
    ["a dot for a colon"] = { function(m) m.on("GET", "/") end, "mock:on" },
    ["another transport"] = { function() http.client { transport = {} } end,
      "a mock (lurcher.mock), a cassette (lurcher.cassette) or false" },
  } do
    it(name, function() assert.matches(row[2], raised_by(row[1]), 1, true) end)
  end

  it("what a reply function raises, and returns nonsense", function()
    local m, api = new()
    m:on("GET", "/raises"):reply(function() error "on purpose" end)
    m:on("GET", "/body"):reply(200, function() error "in the body" end)
    m:on("GET", "/status"):reply(function() return 7 end)
    m:on("GET", "/nil"):reply(function() return nil, { id = 7 } end)
    m:on("GET", "/pieces"):reply(200, function() return 5 end)
    for path, message in pairs { raises = "on purpose", body = "in the body", status = "from 200 to 999",
      ["nil"] = "followed by a kind of failure", pieces = "gave a number" } do
      assert.matches(message, message_of(function() api:get("/" .. path) end), 1, true)
    end
    faults.settled(api)
  end)
end)
