local http = require "lurcher.http"
local server = require "lurcher.server"
local serving = require "spec.support.serving"
local socket = require "spec.support.socket"
local task = require "lurcher.task"

local GET, start, connect = serving.GET, serving.start, serving.connect

describe("server.start", function()
  it("serves on a free loopback port and tells its URL", function()
    local s = start(function(req) return { body = "you asked for " .. req.path } end)
    assert.truthy(s.url:match("^http://127%.0%.0%.1:%d+$"))
    local res = connect(s):request("GET /here HTTP/1.1\r\nHost: a\r\n\r\n")
    assert.equal(200, res.status)
    assert.equal("you asked for /here", res.body)
    assert.equal(tostring(#res.body), res.headers["content-length"])
    assert.truthy(res.headers.date:match("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$"))
  end)

  it("takes options with a handler in them, and a handler with options", function()
    local one = start { handler = function() return "one" end, record = 1 }
    local two = start(function() return "two" end, { record = 1 })
    assert.equal("one", connect(one):request(GET).body)
    assert.equal("two", connect(two):request(GET).body)
  end)

  it("answers 204 when the handler returns nothing, or when there is none", function()
    local s = start {}
    local res = connect(s):request(GET)
    assert.equal(204, res.status)
    assert.is_nil(res.headers["content-length"])
    assert.equal(1, #s:requests())
  end)

  it("gives the handler what was sent", function()
    local seen
    local s = start(function(req) seen = req end)
    connect(s):request("PUT /a%20b?x=1&y=%2B+z&x=2&flag HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one:  2 \r\n" ..
      "Content-Length: 4\r\n\r\nbody")
    assert.equal("PUT", seen.method)
    assert.equal("/a%20b", seen.path)
    assert.equal("/a%20b?x=1&y=%2B+z&x=2&flag", seen.target)
    assert.equal("x=1&y=%2B+z&x=2&flag", seen.query_string)
    assert.same({ x = { "1", "2" }, y = "+ z", flag = "" }, seen.query)
    assert.equal("1, 2", seen.headers["X-ONE"])
    assert.same({ "1", "2" }, seen:header_list("x-One"))
    assert.equal("a", seen.headers.host)
    assert.is_nil(seen.headers.missing)
    assert.equal("body", seen.body)
    assert.equal("1.1", seen.version)
    assert.truthy(seen.remote_address:match("^127%.0%.0%.1:%d+$"))
    local names = {}
    for name in seen:each_header() do names[#names + 1] = name end
    assert.same({ "Host", "X-One", "x-one", "Content-Length" }, names)
    assert.equal(seen, s:requests()[1])
  end)

  it("takes the path out of a target in absolute form", function()
    local s = start(function(req) return req.path .. " " .. (req.query_string or "none") end)
    local client = connect(s)
    assert.equal("/p q=1", client:request("GET http://other:81/p?q=1 HTTP/1.1\r\nHost: a\r\n\r\n").body)
    assert.equal("/ none", client:request("GET http://other HTTP/1.1\r\nHost: a\r\n\r\n").body)
  end)

  it("sends the status, reason and headers that the handler gives", function()
    local s = start(function()
      return {
        status = 299, reason = "Fine", body = "x",
        headers = { ["X-List"] = { "a", "b" }, ["X-Number"] = 7, Date = false },
      }
    end)
    local res = connect(s):request(GET)
    assert.truthy(res.head:find("HTTP/1.1 299 Fine\r\n", 1, true))
    assert.truthy(res.head:find("X-List: a\r\nX-List: b\r\n", 1, true))
    assert.equal("7", res.headers["x-number"])
    assert.is_nil(res.headers.date)
  end)

  it("sends any status of three digits that is no interim one", function()
    for _, status in ipairs { 200, 299, 599, 999 } do
      local s = start(function() return { status = status } end)
      assert.equal(status, connect(s):request(GET).status)
    end
  end)

  it("keeps the order of headers given as pairs", function()
    local s = start(function() return { headers = { { "B", "1" }, { "A", "2" }, { "B", "3" } } } end)
    assert.truthy(connect(s):request(GET).head:find("\r\nB: 1\r\nA: 2\r\nB: 3\r\n", 1, true))
  end)

  it("listens on a Unix socket and removes it at the end", function()
    local path = os.tmpname()
    os.remove(path)
    local s = start(function() return "local" end, { unix_socket = path })
    local client = assert(socket.connect_unix(path))
    assert.equal("local", client:request(GET).body)
    client:close()
    s:stop()
    assert.is_nil(io.open(path))
  end)

  it("returns nil and an error when the port is taken", function()
    local s = start {}
    local other, err = server.start { port = s.port }
    assert.is_nil(other)
    assert.equal("connect", err.kind)
    assert.truthy(err.message:find("port " .. s.port, 1, true))
  end)

  it("raises on unknown options and on a handler that cannot be called", function()
    assert.error_matches(function() server.start { prot = 1 } end, "'prot'; did you mean 'port'")
    assert.error_matches(function() server.start(7) end, "bad argument #1 to 'server.start'")
    assert.error_matches(function() server.raw() end, "bad argument #1 to 'server.raw'")
    assert.error_matches(function() server.start { tls = { crt = "x" } } end, "unknown option 'crt'")
  end)

  it("keeps the latest requests only", function()
    local s = start { record = 3 }
    local client = connect(s)
    for i = 1, 5 do client:request("GET /" .. i .. " HTTP/1.1\r\nHost: a\r\n\r\n") end
    local paths = {}
    for i, req in ipairs(s:requests()) do paths[i] = req.path end
    assert.same({ "/3", "/4", "/5" }, paths)
  end)
end)

describe("a connection", function()
  it("is kept alive and counted once", function()
    local s = start(function(req) return req.path end)
    local client = connect(s)
    for i = 1, 3 do
      assert.equal("/" .. i, client:request("GET /" .. i .. " HTTP/1.1\r\nHost: a\r\n\r\n").body)
    end
    assert.equal(1, s:connections())
    assert.equal(3, #s:requests())
  end)

  it("is closed when the client asks for it", function()
    local s = start(function() return "bye" end)
    local client = connect(s)
    local res = client:request("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert.equal("close", res.headers.connection)
    assert.equal("", client:receive_all())
  end)

  it("is closed when the handler says so", function()
    local s = start(function() return { headers = { Connection = "close" }, body = "bye" } end)
    local client = connect(s)
    assert.equal("bye", client:request(GET).body)
    assert.equal("", client:receive_all())
  end)

  it("of HTTP/1.0 is closed unless it asks to be kept", function()
    local s = start(function() return "x" end)
    local client = connect(s)
    local res = client:request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert.equal("keep-alive", res.headers.connection)
    assert.equal("x", client:request("GET / HTTP/1.0\r\n\r\n").body)
    assert.equal("", client:receive_all())
  end)

  it("answers pipelined requests in order", function()
    local s = start(function(req)
      if req.path == "/1" then task.sleep(0.01) end
      return req.path .. req.body
    end)
    local client = connect(s)
    assert(client:send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" ..
      "\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n" ..
      "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n"))
    assert.equal("/1ab", client:response().body)
    assert.equal("/2c", client:response().body)
    assert.equal("/3", client:response().body)
  end)

  it("serves a client that sent FIN after its request", function()
    local s = start(function()
      task.sleep(0.01)
      return "still there"
    end)
    local client = connect(s)
    client:send(GET)
    client:shutdown()
    assert.equal("still there", client:response().body)
    assert.equal("", client:receive_all())
  end)

  it("reads a request that comes byte by byte", function()
    local s = start(function(req) return req.body end)
    local client = connect(s)
    local request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" ..
      "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    for i = 1, #request do
      client:send(request:sub(i, i))
      task.yield()
    end
    assert.equal("abc", client:response().body)
  end)
end)

describe("a request's body", function()
  it("is decoded from chunks, with extensions and trailers", function()
    local s = start(function(req) return req.body end)
    local res = connect(s):request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" ..
      "3;a=b\r\nabc\r\n00A \r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n")
    assert.equal("abc0123456789", res.body)
  end)

  it("is asked for with 100 Continue", function()
    local s = start(function(req) return req.body end)
    local client = connect(s)
    client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert.equal("HTTP/1.1 100 Continue\r\n\r\n", client:receive_until("\r\n\r\n"))
    client:send("abc")
    assert.equal("abc", client:response().body)
  end)

  it("is refused with 413 when it is too large, before it is sent if possible", function()
    local s = start(function() return "never" end, { max_body = 10 })
    local requests = {
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n2\r\n",
    }
    for _, request in ipairs(requests) do
      local client = connect(s)
      assert.equal(413, client:request(request).status)
      assert.equal("", client:receive_all())
    end
    assert.equal(0, #s:requests())
  end)

  it("that is malformed is refused with 400", function()
    local s = start(function() return "never" end)
    local bodies = { "x\r\n", "-1\r\n", "\r\n", "1\r\nabc", "1000000000000000\r\n", "3\nabcd\n" }
    for _, body in ipairs(bodies) do
      local client = connect(s)
      local res = client:request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" .. body)
      assert.equal(400, res.status)
      client:close()
    end
  end)

  it("that ends early is not given to the handler", function()
    local s = start(function() return "never" end)
    local client = connect(s)
    client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    client:shutdown()
    assert.equal("", client:receive_all())
    assert.equal(0, #s:requests())
  end)

  it("arrives whole when it is large, in both directions", function()
    local block = {}
    for i = 0, 65535 do block[#block + 1] = string.char(i % 251) end
    local body = table.concat(block):rep(64)
    local s = start(function(req) return req.body end)
    local client = connect(s)
    local sender = task.spawn(function()
      assert(client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body))
    end)
    local res = client:response()
    sender:join()
    assert.is_true(res.body == body)
  end)
end)

describe("a response's body", function()
  it("from an iterator goes out piece by piece", function()
    local go_on = task.event()
    local s = start(function()
      local count = 0
      return { body = function()
        count = count + 1
        if count == 2 then go_on:wait() end
        return ({ "one", "", "three" })[count]
      end }
    end)
    local client = connect(s)
    client:send(GET)
    assert.truthy(client:receive_until("\r\n\r\n"):find("Transfer-Encoding: chunked", 1, true))
    assert.equal("3\r\none\r\n", client:receive(8))
    go_on:set()
    assert.equal("5\r\nthree\r\n0\r\n\r\n", client:receive(15))
    assert.equal("", select(2, client:request(GET)) or "")
  end)

  it("from an iterator is sent as it is when the handler gives its length", function()
    local pieces = { "ab", "c" }
    local s = start(function()
      local i = 0
      return { headers = { ["Content-Length"] = 3 }, body = function()
        i = i + 1
        return pieces[i]
      end }
    end)
    local client = connect(s)
    assert.equal("abc", client:request(GET).body)
    assert.equal("abc", client:request(GET).body)
    pieces = { "ab" }
    client:send(GET)
    assert.truthy(client:receive_until("\r\n\r\n"))
    assert.equal("ab", client:receive_all())
  end)

  it("from an iterator ends with the connection for HTTP/1.0", function()
    local s = start(function()
      local left = 3
      return { body = function()
        left = left - 1
        return left >= 0 and "x" or nil
      end }
    end)
    assert.equal("xxx", connect(s):request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").body)
  end)

  it("from an iterator that fails is cut off, and the failure kept", function()
    for _, fail in ipairs {
      function() error("no more", 0) end,
      function() return nil, "no more" end,
    } do
      local s = start(function()
        local given = false
        return { body = function()
          if given then return fail() end
          given = true
          return "piece"
        end }
      end)
      local res, err = http.get(s.url, { retry = false })
      assert.is_nil(res)
      assert.equal("truncated", err.kind)
      assert.matches("^no more", tostring(s:errors()[1]))
    end
  end)

  it("is left out for HEAD, with the headers it would have", function()
    local called = false
    local s = start(function(req)
      if req.path == "/stream" then return { body = function() called = true end } end
      return "12345"
    end)
    local client = connect(s)
    assert.equal("5", client:request("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD").headers["content-length"])
    local res = client:request("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD")
    assert.equal("chunked", res.headers["transfer-encoding"])
    assert.is_false(called)
    assert.equal("12345", client:request(GET).body)
  end)

  it("is left out for 204 and 304", function()
    local status
    local s = start(function() return { status = status, body = "dropped" } end)
    local client = connect(s)
    for _, value in ipairs { 204, 304 } do
      status = value
      local res = client:request(GET)
      assert.equal(value, res.status)
      assert.is_nil(res.headers["content-length"])
    end
    status = 200
    assert.equal("dropped", client:request(GET).body)
  end)

  it("waits for a slow client instead of piling up", function()
    local sent = 0
    local piece = ("x"):rep(65536)
    local s = start(function()
      return { body = function()
        if sent >= 64 * #piece then return nil end
        sent = sent + #piece
        return piece
      end }
    end)
    local client = connect(s)
    client:send(GET)
    client:receive_until("\r\n\r\n")
    local before
    repeat
      before = sent
      for _ = 1, 50 do task.sleep(0.001) end
    until sent == before
    if sent == 64 * #piece then return end -- the system's buffers took all of it
    local received = 0
    repeat
      local size = tonumber(client:receive_until("\r\n"):match("%x+"), 16)
      client:receive(size + 2)
      received = received + size
    until size == 0
    assert.equal(64 * #piece, received)
  end)
end)

describe("a bad request", function()
  local refused = {
    { "nonsense\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a\r\nbad name: x\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501 },
    { "GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417 },
    { "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
    { "GET / HTTP/1.1\r\nHost: a\r\nX: " .. ("x"):rep(70000), 431 },
  }
  for _, case in ipairs(refused) do
    it("gets status " .. case[2] .. ": " .. case[1]:sub(1, 60):gsub("%c+", " "), function()
      local s = start(function() return "never" end)
      local client = connect(s)
      local res = client:request(case[1])
      assert.equal(case[2], res.status)
      assert.equal("close", res.headers.connection)
      assert.equal("", client:receive_all())
      assert.equal(0, #s:requests())
    end)
  end

  it("that comes too slowly gets 408, an idle connection is just closed", function()
    local s = start(function() return "x" end, { head_timeout = 0.05 })
    local slow, idle = connect(s), connect(s)
    slow:send("GET / HTT")
    assert.equal(408, slow:response().status)
    assert.equal("", idle:receive_all())
  end)

  it("whose body comes too slowly gets 408", function()
    local s = start(function() return "x" end, { body_timeout = 0.05 })
    local client = connect(s)
    assert.equal(408, client:request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc").status)
  end)
end)

describe("an error in the handler", function()
  it("is told of a response that is none, in words of the response", function()
    for words, response in pairs {
      ["unknown response field 'code'; it is written status = "] = { code = 200 },
      ["unknown response field 'sleep'; it is written delay = "] = { sleep = 1 },
      ["the response's fault must be one of 'garbage', 'reset'"] = { fault = "rest" },
      ["the response's delay must be "] = { delay = -1 },
      ["a response has one of body, json and events"] = { json = {}, body = "x" },
      ["unknown response field 'boddy'; did you mean 'body'?"] = { boddy = "x" },
      ["the response's headers must be a table, got \"x\""] = { headers = "x" },
      ["response headers are strings by name: { [\"Content-Type\"]"] = { headers = { "A: b" } },
    } do
      local s = start(function() return response end)
      local client = connect(s)
      local res = client:request(GET)
      assert.equal(500, res.status)
      assert.matches(words, tostring(s:errors()[1]), 1, true)
    end
  end)

  it("gives status 500, and is kept", function()
    local s = start(function() error("it went wrong") end)
    local res = connect(s):request(GET)
    assert.equal(500, res.status)
    assert.equal("the handler failed; the server's log has why\n", res.body)
    local failures = s:errors()
    assert.equal(1, #failures)
    assert.truthy(tostring(failures[1]):find("server_spec.lua:%d+: it went wrong"))
    assert.equal("/", failures[1].request.path)
  end)

  it("counts when it is returned as nil and an error", function()
    local s = start(function() return nil, "no luck" end)
    assert.equal(500, connect(s):request(GET).status)
    assert.equal("no luck", s:errors()[1].error)
  end)

  it("includes responses that cannot be sent", function()
    local bad
    local s = start(function() return bad end)
    local cases = {
      { { stauts = 200 }, "did you mean 'status'" },
      { { status = "200" }, "whole number" },
      { { status = 101 }, "from 200 to 999, got 101" },
      { { status = 0 / 0 }, "from 200 to 999, got nan" },
      { { body = 7 }, "string or an iterator" },
      { { headers = { ["a b"] = "c" } }, "may not stand there" },
      { { headers = { a = "b\r\nc: d" } }, "may not stand there" },
      { 12, "not a number" },
    }
    for i, case in ipairs(cases) do
      bad = case[1]
      assert.equal(500, connect(s):request(GET).status)
      assert.truthy(tostring(s:errors()[i]):find(case[2], 1, true))
    end
  end)

  it("while a body is sent cuts the response off", function()
    local s = start(function()
      local first = true
      return { body = function()
        if not first then error("in the middle") end
        first = false
        return "begun"
      end }
    end)
    local client = connect(s)
    client:send(GET)
    client:receive_until("\r\n\r\n")
    assert.equal("5\r\nbegun\r\n", client:receive_all())
    assert.truthy(tostring(s:errors()[1]):find("in the middle", 1, true))
  end)
end)

describe("a server asked for what does not fit", function()
  it("ends the connection when a handler announces a length and gives no body", function()
    local short = assert(server.start(function() return { headers = { ["Content-Length"] = "5" } } end))
    local _, err = http.get(short.url, { retry = false })
    assert.equal("truncated", err.kind)
    assert.equal("5", assert(http.head(short.url)).headers["Content-Length"])
    short:stop()
  end)

  it("takes ports up to 65535", function()
    -- an address that is not this machine's, so that no port is needed
    local s, err = server.start(function() end, { host = "192.0.2.1", port = 65535 })
    assert.is_nil(s)
    assert.equal("connect: cannot listen on 192.0.2.1 port 65535: Cannot assign requested address",
      tostring(err))
  end)

  it("tells which port is in use, and what is no address; localhost is one", function()
    local first = start(function() return "here" end)
    local _, err = server.start(function() end, { port = first.port })
    assert.same({ "connect", "EADDRINUSE" }, { err.kind, err.code })
    _, err = server.start(function() end, { host = "nowhere.invalid" })
    assert.matches("nowhere.invalid port 0: that is no address", tostring(err), 1, true)
    local named = start(function() return "there" end, { host = "localhost" })
    assert.equal("there", assert(http.get(named.url)).body)
  end)

  it("raises for a port that is none", function()
    for _, port in ipairs { 65536, 70000, -1, 80.5, "80" } do
      local ok, message = pcall(server.start, function() end, { port = port })
      assert.is_false(ok)
      assert.matches("option 'port' must be a whole number up to 65535", message, 1, true)
    end
  end)
end)
