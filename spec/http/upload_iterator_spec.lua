-- Bodies that an iterator gives: it is asked when the server takes more, and by nobody once that is over.

local faults = require "spec.support.faults"
local http = require "lurcher.http"
local http2 = require "spec.support.http2"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

local function mirror(opts)
  return serving.start(function(req)
    return { headers = { ["X-Coding"] = req.headers["transfer-encoding"] or "none",
      ["X-Type"] = req.headers["content-type"] or "none" }, body = req.body }
  end, opts)
end

-- An iterator over these values.
local function giving(...)
  local list, i = { ... }, 0
  return function()
    i = i + 1
    return list[i]
  end
end

-- An iterator without end, which counts what it gave; clean-up is noted.
local function endless(size)
  local state = { bytes = 0, calls = 0, cleaned = false }
  local piece = ("x"):rep(size or 65536)
  return function()
    if state.calls == 0 then task.defer(function() state.cleaned = true end) end
    state.calls, state.bytes = state.calls + 1, state.bytes + #piece
    return piece
  end, state
end

it("an iterator that has begun makes a late 417 the response", function()
  local count = 0
  local s = faults.raw(function(conn)
    conn:read_head()
    count = count + 1
    conn:read(1)
    conn:write "HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno"
    while conn:read(1) do end
  end)
  local given = 0
  local res = assert(faults.client():post(s.url, { expect_continue = true, body = function()
    given = given + 1
    return given <= 3 and "some bytes" or nil
  end }))
  assert.equal(417, res.status)
  assert.equal(1, count)
end)

describe("an iterator as a body", function()
  for name, pieces in pairs { ["nothing"] = {}, ["one piece"] = { "abc" }, ["empty pieces"] = { "", "a", "", "b", "" },
    ["secrets"] = { http.secret "abcdef" }, ["large pieces"] = { ("a"):rep(300000), ("b"):rep(1000001) },
    ["many pieces"] = { unpack((function()
      local list = {}
      for i = 1, 3000 do list[i] = i .. "," end
      return list
    end)()) } } do
    it(("of %s is sent chunked, without Content-Type"):format(name), function()
      local whole = {}
      for i, piece in ipairs(pieces) do whole[i] = type(piece) == "string" and piece or "abcdef" end
      local res = assert(faults.client():post(mirror().url, { body = giving(unpack(pieces)) }))
      assert.is_true(res.body == table.concat(whole))
      assert.equal("chunked", res.headers["X-Coding"])
      assert.equal("none", res.headers["X-Type"])
      assert.is_true(res.bytes_sent > #res.body)
    end)
  end

  it("may wait between its pieces: each is sent at once, and timeout.write stands still", function()
    local s = mirror()
    local n = 0
    local res = assert(faults.client { timeout = { write = 0.05, read = 0.05 } }:post(s.url, { body = function()
      n = n + 1
      task.sleep(0.1)
      return n <= 3 and ("piece %d;"):format(n) or nil
    end }))
    assert.equal("piece 1;piece 2;piece 3;", res.body)
  end)

  it("may send requests of its own, of the same client", function()
    local s = mirror()
    local client, n = faults.client { limits = { per_origin = 2 } }, 0
    local res = assert(client:post(s.url, { body = function()
      n = n + 1
      if n <= 3 then return assert(client:post(s.url, { body = "<" .. n .. ">" })).body end
    end }))
    assert.equal("<1><2><3>", res.body)
  end)

  it("is not asked before the connection is there, and not ahead of the server", function()
    local body, state = endless()
    local asked
    local s = faults.raw(function(conn)
      asked = state.calls
      conn:read_head()
      conn:sleep(0.3)
      asked = state.bytes
      conn:sleep(10)
    end)
    faults.check({ kind = "timeout", phase = "write" },
      faults.client { timeout = { write = 0.5 } }:post(s.url, { body = body }))
    assert.is_true(asked < 16 * 1024 * 1024, asked .. " bytes were asked for")
    assert.is_true(state.cleaned)
    local _, refused = faults.client():post("http://127.0.0.1:1/", { body = body })
    assert.equal("connect", refused.kind)
  end)

  it("takes no memory for what was sent", function()
    local s = faults.raw(function(conn)
      conn:read_head()
      while true do
        local bytes = conn:read()
        if not bytes or bytes:find("0\r\n\r\n", -5, true) then break end
      end
      conn:write(OK)
    end)
    local piece, left = ("y"):rep(100000), 600
    local before = faults.resident()
    assert(faults.client():post(s.url, { body = function()
      left = left - 1
      return left >= 0 and piece or nil
    end }))
    assert.is_true(faults.resident() - before < 16 * 1024 * faults.memory_slack())
  end)

  it("that raises has that raised on, and the server never gets a whole body", function()
    local got = {}
    local s = faults.raw(function(conn)
      conn:read_head()
      repeat
        local bytes = conn:read()
        got[#got + 1] = bytes
      until not bytes
      got.ended = true
    end)
    local failure = setmetatable({}, { __tostring = function() return "mine" end })
    local n = 0
    local client = faults.client { retry = { base = 0 } }
    local ok, err = pcall(client.post, client, s.url, { body = function()
      n = n + 1
      if n == 2 then error(failure) end
      return "abc"
    end })
    assert.is_false(ok)
    assert.equal(failure, err)
    assert.equal(2, n)
    faults.eventually(function() return got.ended end, "the end of the connection")
    assert.is_nil(table.concat(got):find("0\r\n\r\n", 1, true))
  end)

  it("that returns nil and an error has that returned, and nothing is repeated", function()
    local s = mirror()
    for _, failure in ipairs { "out of data", false, { kind = "timeout", message = "mine" } } do
      local n = 0
      local res, err = faults.client { retry = { base = 0 } }:put(s.url, { body = function()
        n = n + 1
        if n == 2 then return nil, failure end
        return "abc"
      end })
      assert.is_nil(res)
      assert.equal(failure, err)
      assert.equal(2, n)
    end
  end)

  it("that gives anything but strings raises", function()
    for _, value in ipairs { 1, true, { "a" } } do
      assert.error_matches(function() http.post(mirror().url, { body = giving(value) }) end,
        "the iterator of a body must return strings")
    end
  end)

  for _, status in ipairs { 413, 400, 500, 401 } do
    it(("is given up, and cleans up, when the server answers %d early"):format(status), function()
      local s = faults.raw(function(conn)
        conn:read_head()
        conn:read(1000)
        conn:write(("HTTP/1.1 %d Early\r\nContent-Length: 3\r\nConnection: close\r\n\r\nwhy"):format(status))
        conn:shutdown()
        while conn:read() do end
      end)
      local body, state = endless()
      local res = assert(faults.client { retry = { base = 0 } }:put(s.url, { body = body }))
      assert.equal(status, res.status)
      assert.equal("why", res.body)
      assert.equal(1, res.attempts)
      assert.is_true(state.cleaned)
      local streamed, again = endless()
      local stream = assert(faults.client():request("PUT", s.url, { body = streamed, stream = true, expect = false }))
      assert.equal(status, stream.status)
      assert.is_true(again.cleaned)
      assert.equal("why", stream:read_all())
    end)
  end

  it("that a redirect asks for again is kind 'redirect'; 303 goes on without it", function()
    local s = serving.start(function(req)
      if req.path == "/end" then return { body = req.method .. #req.body } end
      return { status = tonumber(req.path:sub(2)), headers = { Location = "/end" } }
    end)
    local client = faults.client { retry = { base = 0 } }
    for _, status in ipairs { 307, 308, 302 } do
      faults.check({ kind = "redirect", message = "cannot be sent again" },
        client:put(s.url .. "/" .. status, { body = giving "abc" }))
    end
    assert.equal("GET0", assert(client:put(s.url .. "/303", { body = giving "abc" })).body)
    assert.equal("GET0", assert(client:post(s.url .. "/302", { body = giving "abc" })).body)
  end)

  it("makes the 503 and the 401 the response", function()
    local count = 0
    local s = serving.start(function(req)
      count = count + 1
      local headers = req.path == "/401" and { ["WWW-Authenticate"] = 'Digest realm="a", nonce="b", qop="auth"' }
      return { status = tonumber(req.path:sub(2)), headers = headers or nil, body = "no" }
    end)
    local client = faults.client { retry = { base = 0 }, auth = http.digest("user", "password") }
    for _, status in ipairs { 503, 401 } do
      local res = assert(client:put(s.url .. "/" .. status, { body = giving "abc" }))
      assert.equal(status, res.status)
      assert.equal("no", res.body)
    end
    assert.equal(2, count)
  end)

  it("that was not asked yet is sent to the next address, or on another connection", function()
    local s = mirror()
    local port = s.url:match ":(%d+)$"
    local client = faults.client { resolve = { ["two.test:" .. port] = "127.0.0.2,127.0.0.1" } }
    assert.equal("abc", assert(client:post("http://two.test:" .. port, { body = giving "abc" })).body)
  end)

  it("is not given twice to a reused connection that dies", function()
    local count = 0
    local s = faults.raw(function(conn)
      local request = conn:read_request()
      conn:write(OK)
      request = request and conn:read_head()
      if not request then return end
      count = count + 1
      conn:read(5)
      conn:close()
    end)
    for _, method in ipairs { "PUT", "POST" } do
      count = 0
      local client = faults.client { retry = { base = 0 } }
      assert(client:get(s.url))
      local n = 0
      local err = faults.check({ kind = "closed", retryable = false }, client:request(method, s.url, { body = function()
        n = n + 1
        if n > 200 then return nil end
        task.sleep(0.001)
        return ("x"):rep(1000)
      end }))
      assert.equal(1, err.attempts)
      assert.equal(1, count)
    end
  end)

  it("is cancelled with its request, at any moment, and cleans up", function()
    local s = faults.raw(function(conn)
      conn:read_head()
      while conn:read(10000) do conn:sleep(0.001) end
    end)
    for i = 1, 12 do
      local client = faults.client()
      local body, state = endless()
      local sending = task.spawn(function()
        client:post(s.url, { body = function()
          if i % 3 == 0 then task.sleep(0.002) end
          return body()
        end, stream = i % 2 == 0 })
      end)
      task.sleep(0.001 * i)
      sending:cancel()
      pcall(sending.join, sending)
      assert.equal("canceled", sending.status)
      assert.equal(state.calls > 0, state.cleaned)
    end
  end)

  it("goes on while a streamed response is read", function()
    local s = faults.raw(function(conn)
      conn:read_head()
      conn:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      local got = ""
      repeat
        local bytes = conn:read()
        got = got .. (bytes or "")
        if bytes then conn:write(("%x\r\n%s\r\n"):format(#bytes, bytes)) end
      until not bytes or got:find("0\r\n\r\n", 1, true)
      conn:write("0\r\n\r\n")
    end)
    local turns = task.queue(10)
    local opts = { stream = true, body = function() return turns:get() end }
    local res = assert(faults.client():request("POST", s.url, opts))
    turns:put("first")
    assert.matches("first", assert(res:read()))
    turns:put("second")
    assert.matches("second", assert(res:read()))
    res:close()
  end)

  it("that raises while a streamed response is read has that raised there", function()
    local s = faults.raw(function(conn)
      conn:read_head()
      conn:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
      while conn:read() do end
    end)
    for _, how in ipairs { "raise", "return" } do
      local go = task.event()
      local res = assert(faults.client():request("POST", s.url, { stream = true, body = function()
        go:wait()
        if how == "raise" then error("broken", 0) end
        return nil, "broken"
      end }))
      assert.equal("a", res:read())
      go:set()
      if how == "raise" then
        assert.has_error(function() res:read() end, "broken")
      else
        assert.same({ n = 2, nil, "broken" }, { n = 2, res:read() })
      end
    end
  end)

  it("goes over HTTP/2 as DATA", function()
    local got
    local s = http2.server(function(conn)
      local stream = conn:request()
      got = conn.seen
      conn:respond(stream, "ok")
    end)
    local res = assert(faults.client { tls = { ca = s.ca } }:post(s.url, { body = giving("abc", "def") }))
    assert.equal("2", res.http_version)
    local data = ""
    for _, frame in ipairs(got) do if frame.kind == "DATA" then data = data .. frame.payload end end
    assert.equal("abcdef", data)
  end)

  it("is kind 'protocol' where a server is known to speak HTTP/1.0 only", function()
    local s = faults.raw(function(conn)
      while true do
        local request = conn:read_request()
        if not request then return end
        conn:write("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
      end
    end)
    local client = faults.client()
    assert(client:get(s.url))
    faults.check({ kind = "protocol", phase = "write", message = "HTTP/1.0" },
      client:post(s.url, { body = giving "abc" }))
  end)

  it("is not sent twice, empty the second time, by a middleware or an auth function", function()
    local s = mirror()
    local function twice(request, next)
      assert(next(request))
      return next(request)
    end
    for _, opts in ipairs { { middleware = { twice } }, { auth = twice } } do
      assert.error_matches(function() faults.client(opts):post(s.url, { body = giving "abc" }) end,
        "the request was sent already, and its body %(an iterator%) cannot be had again")
    end
  end)

  it("shows by name to middleware, which may give another body", function()
    local s, seen = mirror(), nil
    local client = faults.client { middleware = { function(request, next)
      seen = tostring(request.body)
      request.body = giving("x", "y")
      return next(request)
    end } }
    assert.equal("xy", assert(client:post(s.url, { body = giving "abc" })).body)
    assert.equal("an iterator", seen)
  end)
end)
