local faults = require "spec.support.faults"
local process = require "spec.support.process"
local task = require "lurcher.task"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local HEAD = "HTTP/1.1 200 OK\r\n"

local function reset(conn) conn:reset() end

-- Waits until the client has taken everything, so that a reset does not overtake it.
local function later(action)
  return function(conn)
    conn:sleep(0.05)
    action(conn)
  end
end

local function keep_open(conn) conn:read(1) end

-- One request; what it gives must be the error wanted, and the client must work on.
local function fails(wanted, bytes, finish, opts)
  local s = faults.answering(bytes, finish)
  local client = faults.client(opts)
  wanted.host = wanted.host ~= false and faults.host(s) or nil
  local err = faults.check(wanted, client:get(s.url))
  faults.settled(client)
  local good = faults.answering(OK)
  assert.equal("ok", assert(client:get(good.url)).body)
  return err
end

local function succeeds(bytes, finish, opts)
  local s = faults.answering(bytes, finish)
  return assert(faults.client(opts):get(s.url))
end

local function rows(list)
  for _, row in ipairs(list) do
    it(row[1], function()
      local wanted = { kind = row[2], phase = row[3], message = row.message, retryable = list.retryable }
      fails(wanted, row[4], row.finish, row.opts)
    end)
  end
end

local function gzip(text)
  return (process.shell('gzip -c "$1"', process.script(text)))
end

local function with_length(bytes, headers)
  return HEAD .. (headers or "") .. "Content-Length: " .. #bytes .. "\r\n\r\n" .. bytes
end

describe("a body that is cut is of kind 'truncated':", function()
  rows {
    retryable = true,
    { "short of its Content-Length", "truncated", "read", HEAD .. "Content-Length: 10\r\n\r\n12345" },
    { "none of it", "truncated", "read", HEAD .. "Content-Length: 10\r\n\r\n" },
    { "without the last chunk", "truncated", "read",
      HEAD .. "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" },
    { "in a chunk", "truncated", "read", HEAD .. "Transfer-Encoding: chunked\r\n\r\n5\r\nhel" },
    { "in a chunk's size", "truncated", "read", HEAD .. "Transfer-Encoding: chunked\r\n\r\n5" },
    { "behind the last chunk's size", "truncated", "read",
      HEAD .. "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n" },
    { "by a reset", "truncated", "read", HEAD .. "Content-Length: 10\r\n\r\n12345", finish = later(reset) },
    { "by a reset before its first byte", "truncated", "read", HEAD .. "Content-Length: 10\r\n\r\n",
      finish = later(reset) },
    { "by a reset without any length", "truncated", "read", HEAD .. "\r\n12345", finish = later(reset) },
    { "by a reset in a chunk", "truncated", "read", HEAD .. "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
      finish = later(reset) },
  }

  it("in its gzip data, though the length is right", function()
    local bytes = gzip(("some text "):rep(1000))
    fails({ kind = "truncated", phase = "read" },
      with_length(bytes:sub(1, -20), "Content-Encoding: gzip\r\n"))
  end)

  it("in its gzip trailer", function()
    local bytes = gzip("some text")
    fails({ kind = "truncated", phase = "read" }, with_length(bytes:sub(1, -3), "Content-Encoding: gzip\r\n"))
  end)

  it("and what came before a reset is not lost with it", function()
    local s = faults.answering(HEAD .. "Content-Length: 1000000\r\n\r\n" .. ("x"):rep(300000), later(reset))
    local res = assert(faults.client():get(s.url, { stream = true }))
    local size = 0
    local ok, err = pcall(function()
      for piece in res:chunks() do size = size + #piece end
    end)
    assert.is_false(ok)
    assert.equal("truncated", err.kind)
    assert.equal(300000, size)
  end)
end)

describe("a connection that ends before the head does is of kind 'closed':", function()
  rows {
    retryable = true,
    { "without a byte", "closed", "read", "" },
    { "by a reset at once", "closed", "read", "", finish = reset },
    { "in the status line", "closed", "read", "HTTP/1.1 20" },
    { "behind the status line", "closed", "read", HEAD },
    { "in a header line", "closed", "read", HEAD .. "Content-Le" },
    { "between header lines", "closed", "read", HEAD .. "Content-Length: 5\r\n" },
    { "behind an interim response", "closed", "read", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" },
    { "by a reset in the head", "closed", "read", HEAD .. "Content-Le", finish = later(reset) },
  }

  it("while the request's body is sent, in phase 'write'", function()
    local s = faults.raw(function(conn)
      conn:read_line()
      conn:reset()
    end)
    faults.check({ kind = "closed", phase = "write", host = faults.host(s) },
      faults.client():put(s.url, { body = ("x"):rep(32 * 1024 * 1024) }))
  end)

  it("as soon as it is accepted", function()
    local s = faults.raw(reset)
    faults.check({ kind = "closed", host = faults.host(s) }, faults.client():get(s.url))
  end)
end)

describe("a peer that breaks HTTP is of kind 'protocol':", function()
  rows {
    retryable = false,
    { "a chunk size that is no number", "protocol", "read",
      HEAD .. "Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n", finish = keep_open },
    { "a chunk size of 17 digits", "protocol", "read",
      HEAD .. "Transfer-Encoding: chunked\r\n\r\n12345678901234567\r\nhello\r\n0\r\n\r\n",
      finish = keep_open },
    { "a chunk that is longer than its size", "protocol", "read",
      HEAD .. "Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n", finish = keep_open },
    { "a negative Content-Length", "protocol", "read", HEAD .. "Content-Length: -5\r\n\r\nhello" },
    { "a Content-Length beyond all numbers", "protocol", "read",
      HEAD .. "Content-Length: 10000000000000000000000\r\n\r\nhello" },
    { "a Content-Length with letters", "protocol", "read", HEAD .. "Content-Length: 5abc\r\n\r\nhello" },
    { "an empty Content-Length", "protocol", "read", HEAD .. "Content-Length: \r\n\r\nhello" },
    { "two lengths in one line", "protocol", "read", HEAD .. "Content-Length: 10, 5\r\n\r\nhello" },
    { "two different lengths", "protocol", "read",
      HEAD .. "Content-Length: 10\r\nContent-Length: 5\r\n\r\nhello" },
    { "a transfer coding that nobody knows", "protocol", "read",
      HEAD .. "Transfer-Encoding: rot13\r\n\r\nhello" },
    { "no status line (HTTP/0.9)", "protocol", "read", "<html>hello</html>" },
    { "a line that is no status line", "protocol", "read", "nonsense\r\n\r\n" },
    { "status 'abc'", "protocol", "read", "HTTP/1.1 abc OK\r\n\r\n" },
    { "status 99999", "protocol", "read", "HTTP/1.1 99999 OK\r\n\r\n" },
    { "status 000", "protocol", "read", "HTTP/1.1 000 OK\r\n\r\n" },
    { "version HTTP/9.9", "protocol", "read", "HTTP/9.9 200 OK\r\n\r\n" },
    { "an HTTP/2 status line on a plain connection", "protocol", "read", "HTTP/2 200 OK\r\n\r\nhello" },
    { "a NUL in a header", "protocol", "read", HEAD .. "X: a\0b\r\n\r\n" },
    { "a CR in a header", "protocol", "read", HEAD .. "X: a\rb\r\n\r\n" },
    { "a header line without a colon", "protocol", "read", HEAD .. "hello\r\n\r\n" },
    { "a space before the colon", "protocol", "read", HEAD .. "Content-Length : 5\r\n\r\nhello" },
    { "a first header line that continues nothing", "protocol", "read", HEAD .. " folded\r\n\r\n" },
    { "101 that was not asked for", "protocol", "read",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello",
      finish = keep_open },
    { "101 and the end", "protocol", "read", "HTTP/1.1 101 Switching\r\n\r\n" },
    { "a flood of 100 Continue", "protocol", "read", ("HTTP/1.1 100 Continue\r\n\r\n"):rep(1000),
      finish = keep_open },
    { "a flood of 103 Early Hints", "protocol", "read",
      ("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"):rep(1000), finish = keep_open },
  }
end)

describe("what is strange but clear is accepted:", function()
  it("Transfer-Encoding beside Content-Length, which then does not count", function()
    local number = 0
    local s = faults.raw(function(conn)
      number = number + 1
      while conn:read_request() do
        conn:write(HEAD .. "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
      end
    end)
    local client = faults.client()
    assert.equal("hello", assert(client:get(s.url)).body)
    assert.equal("hello", assert(client:get(s.url)).body)
    assert.equal(2, number, "such a connection is not used again")
  end)

  it("'chunked' named twice, on a connection that is not used again", function()
    local s = faults.raw(function(conn)
      while conn:read_request() do
        conn:write(HEAD .. "Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
      end
    end)
    local client = faults.client()
    client:get(s.url)
    client:get(s.url)
    assert.equal(2, s:connections())
  end)

  it("the same length twice", function()
    assert.equal("hello", succeeds(HEAD .. "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello").body)
  end)

  it("a folded header", function()
    assert.equal("a b", succeeds(HEAD .. "X: a\r\n b\r\nContent-Length: 0\r\n\r\n").headers.x)
    local twice = HEAD .. "X: a\r\n  b \r\n\tc\r\nContent-Length: 0\r\n\r\n"
    assert.equal("a b c", succeeds(twice).headers.x)
  end)

  it("lines that end in LF alone", function()
    assert.equal("hello", succeeds("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello").body)
  end)

  it("a thousand cookies", function()
    local res = succeeds(HEAD .. ("Set-Cookie: a=b\r\n"):rep(1000) .. "Content-Length: 0\r\n\r\n")
    assert.equal(1000, #res:header_list "set-cookie")
  end)

  it("a few interim responses", function()
    local interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"
    assert.equal("ok", succeeds(interim .. OK).body)
  end)

  it("bytes that are no UTF-8 in a header", function()
    assert.equal("\255\128", succeeds(HEAD .. "X: \255\128\r\nContent-Length: 0\r\n\r\n").headers.x)
  end)

  it("no reason in the status line", function()
    local res = succeeds("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok")
    assert.equal("ok", res.body)
    assert.equal("", res.reason)
  end)

  it("a body that ends with the connection", function()
    assert.equal("hello", succeeds(HEAD .. "\r\nhello").body)
    assert.equal("hello", succeeds("HTTP/1.0 200 OK\r\n\r\nhello").body)
  end)
end)

describe("what comes behind a response never meets the next request:", function()
  it("a continuation line that begins the next head is no part of this one", function()
    local first = HEAD .. "Content-Length: 2\r\nX: a\r\n b\r\n\r\nok"
    local second = HEAD .. " X: c\r\nContent-Length: 2\r\n\r\nok"
    local s = faults.raw(function(conn)
      while conn:read_request() do
        conn:write(first)
        if conn:read_request() then conn:write(second) end
      end
    end)
    local client = faults.client()
    for _ = 1, 3 do
      assert.equal("a b", assert(client:get(s.url)).headers.x)
      local wanted = { kind = "protocol", phase = "read", message = "continuation line" }
      faults.check(wanted, client:get(s.url))
    end
  end)

  local function not_poisoned(first, method, status)
    local answers = { first, OK }
    local s = faults.raw(function(conn)
      while conn:read_request() do
        conn:write(table.remove(answers, 1))
        conn:sleep(0.02)
      end
    end)
    local client = faults.client()
    local res = assert(client:request(method or "GET", s.url))
    assert.equal(status or 200, res.status)
    task.sleep(0.05)
    res = assert(client:get(s.url))
    assert.equal("ok", res.body)
    assert.equal(200, res.status)
  end

  it("bytes behind the body", function()
    not_poisoned(OK .. "HTTP/1.1 500 Evil\r\nContent-Length: 4\r\n\r\nevil")
  end)

  it("bytes behind the last chunk", function()
    not_poisoned(HEAD .. "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
      .. "HTTP/1.1 500 Evil\r\nContent-Length: 4\r\n\r\nevil")
  end)

  it("the body of a 204", function()
    not_poisoned("HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil", "GET", 204)
  end)

  it("the body of a 304", function()
    not_poisoned("HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil", "GET", 304)
  end)

  it("the body of a HEAD response", function()
    not_poisoned(HEAD .. "Content-Length: 4\r\n\r\nevil", "HEAD")
  end)

  it("a response that nobody asked for, while the connection is idle", function()
    local idle = task.event()
    local s = faults.raw(function(conn)
      assert(conn:read_request())
      conn:write(OK)
      if conn.number == 1 then
        idle:wait()
        conn:write("HTTP/1.1 500 Evil\r\nContent-Length: 4\r\n\r\nevil")
      end
      if conn:read_request() then conn:write(OK) end
    end)
    local client = faults.client()
    assert.equal("ok", assert(client:get(s.url)).body)
    idle:set()
    task.sleep(0.05)
    assert.equal(200, assert(client:get(s.url)).status)
  end)
end)

describe("an answer before all of the request's body is sent", function()
  local body = ("x"):rep(20000000) -- more than the sockets hold

  for what, finish in pairs { ["resets"] = reset, ["closes"] = function(conn) conn:close() end } do
    it("counts when the server " .. what .. " the connection then", function()
      for _, status in ipairs { "200 OK", "413 Content Too Large" } do
        local s = faults.raw(function(conn)
          conn:read_head()
          conn:write("HTTP/1.1 " .. status .. "\r\nContent-Length: 2\r\n\r\nok")
          conn:sleep(0.05)
          finish(conn)
        end)
        assert.equal("ok", assert(faults.client():post(s.url, { body = body })).body)
      end
    end)
  end

  it("that is cut by a reset is of kind 'truncated', at once", function()
    local s = faults.raw(function(conn)
      conn:read_head()
      conn:write(HEAD .. "Content-Length: 10\r\n\r\nok")
      conn:sleep(0.05)
      conn:reset()
    end)
    faults.check({ kind = "truncated" }, faults.client():post(s.url, { body = body }))
  end)
end)

describe("what is too large is of kind 'too_large':", function()
  rows {
    { "a header line of 1 MB", "too_large", "read", HEAD .. "X: " .. ("a"):rep(1000000) .. "\r\n\r\n",
      finish = keep_open },
    { "a status line of 1 MB", "too_large", "read", "HTTP/1.1 200 " .. ("a"):rep(1000000) .. "\r\n\r\n",
      finish = keep_open },
    { "100,000 headers", "too_large", "read", HEAD .. ("X: aaaaaaaaaa\r\n"):rep(100000) .. "\r\n",
      finish = keep_open },
    { "headers that pass max_headers", "too_large", "read", HEAD .. ("X: aaaaaaaaaa\r\n"):rep(100) .. "\r\n",
      opts = { max_headers = 1024 } },
    { "trailers that pass max_headers", "too_large", "read",
      HEAD .. "Transfer-Encoding: chunked\r\n\r\n0\r\n" .. ("X: aaaaaaaaaa\r\n"):rep(100) .. "\r\n",
      opts = { max_headers = 1024 } },
    { "a body of known length", "too_large", "read", with_length(("x"):rep(2000)),
      opts = { max_body = 1000 } },
    { "a body of unknown length", "too_large", "read", HEAD .. "\r\n" .. ("x"):rep(2000),
      opts = { max_body = 1000 } },
  }

  -- libcurl's own limits: a line, and all of them.
  for what, row in pairs {
    ["of 200 KB in one line"] = { length = 200 * 1024, count = 1, limit = 100 },
    ["of 400 KB"] = { length = 4096, count = 100, limit = 300 },
  } do
    it("headers " .. what .. ", whatever max_headers says, with the limit that counted", function()
      local lines = ("X: " .. ("a"):rep(row.length) .. "\r\n"):rep(row.count)
      local err = fails({ kind = "too_large", phase = "read" }, HEAD .. lines .. "\r\n", keep_open,
        { max_headers = 1024 * 1024 })
      assert.equal(row.limit * 1024, err.limit)
      assert.is_true(err.observed > err.limit)
    end)
  end

  it("headers without end", function()
    local s = faults.server(function(conn)
      conn:write(HEAD)
      -- lines so long that their bytes are too many before their number is
      while conn:write(("X: " .. ("a"):rep(1000) .. "\r\n"):rep(10)) do conn:sleep(0) end
    end)
    local err = faults.check({ kind = "too_large", phase = "read", host = faults.host(s) },
      faults.client():get(s.url))
    assert.equal(256 * 1024, err.limit)
    assert.is_true(err.observed > err.limit)
  end)

  it("a gzip bomb, without much memory", function()
    local bytes = gzip(("\0"):rep(32 * 1024 * 1024))
    local before = faults.resident()
    local err = fails({ kind = "too_large", phase = "read" },
      with_length(bytes, "Content-Encoding: gzip\r\n"), nil, { max_body = 1024 * 1024 })
    assert.equal(1024 * 1024, err.limit)
    assert.is_true(err.observed > err.limit)
    assert.is_true(faults.resident() - before < 16 * 1024)
  end)

  it("with the limit and what was observed", function()
    local bytes = with_length(("z"):rep(3000), "X: " .. ("y"):rep(3000) .. "\r\n")
    local wanted = { kind = "too_large", phase = "read", retryable = false }
    local err = fails(wanted, bytes, nil, { max_body = 2999 })
    assert.equal(2999, err.limit)
    assert.equal(3000, err.observed)
    err = fails(wanted, bytes, nil, { max_headers = 2000 })
    assert.equal(2000, err.limit)
    assert.is_true(err.observed > 2000)
  end)

  it("but exactly the limit is not", function()
    assert.equal(1000, #succeeds(with_length(("x"):rep(1000)), nil, { max_body = 1000 }).body)
  end)

  it("but headers without a limit are not", function()
    local bytes = with_length("ok", "X: " .. ("y"):rep(3000) .. "\r\n")
    assert.equal("ok", succeeds(bytes, nil, { max_headers = false }).body)
  end)
end)

describe("an encoded body that does not decode is of kind 'decode':", function()
  rows {
    { "not gzip at all", "decode", "read", with_length("hello world", "Content-Encoding: gzip\r\n") },
    { "six codings in turn", "decode", "read",
      with_length("hello", "Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip\r\n") },
    { "a coding that nobody knows", "decode", "read", with_length("hello", "Content-Encoding: rot13\r\n") },
  }

  it("bytes behind the gzip data", function()
    fails({ kind = "decode", phase = "read" },
      with_length(gzip "hello" .. "trailing", "Content-Encoding: gzip\r\n"))
  end)

  it("but is given as it came when it is not to be decoded", function()
    for _, coding in ipairs { "gzip", "rot13" } do
      local bytes = with_length("hello", "Content-Encoding: " .. coding .. "\r\n")
      assert.equal("hello", succeeds(bytes, nil, { decompress = false }).body)
    end
  end)

  it("but several gzip members are one body", function()
    local res = succeeds(with_length(gzip "hello " .. gzip "world", "Content-Encoding: gzip\r\n"))
    assert.equal("hello world", res.body)
  end)

  it("but an empty body needs no decoding", function()
    assert.equal("", succeeds(HEAD .. "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n").body)
  end)
end)

describe("silence is of kind 'timeout':", function()
  rows {
    retryable = true,
    { "no byte of a response", "timeout", "read", "", finish = keep_open, message = "timeout%.read",
      opts = { timeout = { read = 0.1 } } },
    { "half a head", "timeout", "read", HEAD .. "X: ", finish = keep_open,
      opts = { timeout = { read = 0.1 } } },
    { "half a body", "timeout", "read", HEAD .. "Content-Length: 10\r\n\r\nhello", finish = keep_open,
      opts = { timeout = { read = 0.1 } } },
  }
  rows {
    retryable = false,
    { "longer than total", "timeout", "total", HEAD, finish = keep_open, message = "timeout%.total",
      opts = { timeout = 0.1 } },
  }

  local function drip(bytes)
    return function(conn)
      for i = 1, #bytes do
        if not conn:write(bytes:sub(i, i)) then return end
        conn:sleep(0.02)
      end
      conn:read(1)
    end
  end

  it("a head that drips passes read, but not total", function()
    local s = faults.server(drip(HEAD .. ("X: y\r\n"):rep(1000)))
    local client = faults.client { timeout = { read = 10, total = 0.3 } }
    faults.check({ kind = "timeout", phase = "total", host = faults.host(s) }, client:get(s.url))
  end)

  it("a body that drips passes read, but not total", function()
    local s = faults.server(function(conn)
      conn:write(HEAD .. "Content-Length: 1000\r\n\r\n")
      drip(("x"):rep(1000))(conn)
    end)
    local client = faults.client { timeout = { read = 10, total = 0.3 } }
    faults.check({ kind = "timeout", phase = "total", host = faults.host(s) }, client:get(s.url))
  end)

  it("a peer that does not take the request's body, in phase 'write'", function()
    local s = faults.raw(function(conn)
      conn:read_head()
      task.sleep(60)
    end)
    local client = faults.client { timeout = { write = 0.2, read = 20 } }
    for method, retryable in pairs { PUT = true, POST = false } do
      faults.check({ kind = "timeout", phase = "write", message = "timeout%.write", retryable = retryable,
        host = faults.host(s) }, client:request(method, s.url, { body = ("x"):rep(64 * 1024 * 1024) }))
    end
  end)

  it("until the time of the task is up, in phase 'task'", function()
    local client = faults.client()
    local res, err = task.timeout(0.05, function()
      return client:get(faults.answering("", keep_open).url)
    end)
    assert.is_nil(res)
    assert.equal("timeout", err.kind)
    assert.equal("task", err.phase)
    faults.settled(client)
  end)
end)

describe("a connection that cannot be made", function()
  it("is of kind 'connect' when refused", function()
    local s = faults.answering(OK)
    s:stop()
    local wanted = { kind = "connect", phase = "connect", host = faults.host(s), message = "refused" }
    local err = faults.check(wanted, faults.client():get(s.url))
    assert.is_true(err.retryable)
    assert.is_true(err.retry_safe)
    assert.equal("COULDNT_CONNECT", err.code)
  end)

  it("is of kind 'dns' when the name does not resolve", function()
    faults.check({ kind = "dns", phase = "connect", host = "nowhere.invalid", retryable = true },
      faults.client():get "http://nowhere.invalid/")
  end)

  it("fails all requests that wait for the same name", function()
    local client = faults.client()
    local _, errs = task.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function()
      return client:get "http://nowhere.invalid/"
    end, { errors = "collect" })
    for i = 1, 8 do assert.equal("dns", errs[i].kind) end
    faults.settled(client)
  end)
end)

describe("a redirect that leads nowhere is of kind 'redirect':", function()
  local function location(value) return "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n" .. value .. "\r\n" end

  for name, value in pairs {
    ["a loop"] = "Location: /\r\n",
    ["another scheme"] = "Location: ftp://localhost/\r\n",
    ["a file"] = "Location: file:///etc/passwd\r\n",
    ["no URL"] = "Location: http://[::1\r\n",
    ["a bad port"] = "Location: http://localhost:99999/\r\n",
  } do
    it(name, function()
      local s = faults.answering(location(value))
      local res, err = faults.client():get(s.url)
      assert.is_nil(res)
      assert.equal("redirect", err.kind, tostring(err))
      assert.is_number(err.elapsed)
    end)
  end
end)

describe("without a fault of the network a request fails with kind", function()
  it("'status' when it is not the expected one", function()
    local s = faults.answering "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"
    local client = faults.client { redirects = false }
    faults.check({ kind = "status", message = "302", retryable = false }, client:get(s.url, { expect = 200 }))
  end)

  for what, url in pairs { ["a line end"] = "http://127.0.0.1:1/\r\n", ["no host"] = "http://" } do
    it("'url' when there is " .. what .. " in it", function()
      local wanted = { kind = "url", attempts = 0, retryable = false }
      faults.check(wanted, faults.client():get(url))
    end)
  end

  it("'canceled' when the client is closed", function()
    local client = faults.client()
    client:close()
    faults.check({ kind = "canceled", retryable = false }, client:get "http://127.0.0.1:1/")
  end)
end)
