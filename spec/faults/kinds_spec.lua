-- Every kind of error that requests can meet, from servers that cause it.

local http = require "lurcher.http"
local origin = require "spec.support.origin"
local server = require "lurcher.server"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

describe("a request fails with kind", function()
  -- A server that answers every connection with these bytes, then closes.
  local function answering(bytes)
    return serving.raw(function(conn)
      conn:read_request()
      if bytes then conn:write(bytes) end
    end).url
  end

  -- A server that does as told with every connection.
  local function doing(fn) return serving.raw(fn).url end

  local function fails(kind, url, opts)
    opts = opts or {}
    if opts.retry == nil then opts.retry = false end
    local res, err = http.get(url, opts)
    assert.is_nil(res)
    assert.are.equal(kind, err.kind)
    assert.is_true(err:is(kind))
    assert.are.equal("GET", err.method)
    assert.is_string(err.url)
    assert.is_boolean(err.retryable)
    assert.is_number(err.attempts)
    assert.is_number(err.elapsed)
    assert.is_true(#err.message > 0)
    assert.not_matches("\n", tostring(err))
    return err
  end

  it("dns when the name does not resolve", function()
    local err = fails("dns", "http://does-not-exist.invalid/")
    assert.matches("does%-not%-exist%.invalid", tostring(err))
    assert.is_true(err.retryable)
  end)

  it("connect when nobody listens", function()
    local s = assert(server.raw(function() end))
    local url = s.url
    s:stop()
    local err = fails("connect", url)
    assert.is_true(err.retry_safe)
    assert.is_true(err.retryable)
  end)

  it("closed when the peer closes or resets before the head is complete", function()
    assert.is_true(fails("closed", answering(nil)).retryable)
    fails("closed", answering("HTTP/1.1 200 OK\r\nContent-Le"))
    fails("closed", answering("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"))
    fails("closed", doing(function(conn)
      conn:read_request()
      conn:reset()
    end))
  end)

  it("truncated when the body is cut", function()
    fails("truncated", answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))
    fails("truncated", answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"))
    fails("truncated", doing(function(conn)
      conn:read_request()
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
      conn:reset()
    end))
  end)

  it("protocol when the peer breaks HTTP", function()
    for _, bytes in ipairs { "nonsense\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5abc\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "HTTP/1.1 101 Switching\r\n\r\n" } do
      assert.is_false(fails("protocol", answering(bytes)).retryable)
    end
  end)

  it("too_large when a cap is passed", function()
    local long = "HTTP/1.1 200 OK\r\nX: " .. ("y"):rep(3000) .. "\r\nContent-Length: 3000\r\n\r\n"
      .. ("z"):rep(3000)
    local err = fails("too_large", answering(long), { max_body = 2999 })
    assert.are.equal(2999, err.limit)
    assert.is_true(err.observed > 2999)
    fails("too_large", answering(long), { max_headers = 2000 })
    assert.are.equal(3000, #assert(http.get(answering(long), { max_body = 3000, max_headers = false })).body)
  end)

  it("decode when the content encoding is broken", function()
    fails("decode", answering("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"))
    fails("decode", answering("HTTP/1.1 200 OK\r\nContent-Encoding: magic\r\nContent-Length: 5\r\n\r\nhello"))
    local url = answering("HTTP/1.1 200 OK\r\nContent-Encoding: magic\r\nContent-Length: 5\r\n\r\nhello")
    assert.are.equal("hello", assert(http.get(url, { decompress = false })).body)
  end)

  it("redirect, status and url without a fault of the network", function()
    local site = origin.start()
    site.answer = { status = 302, headers = { Location = "ftp://h/" } }
    fails("redirect", site.url)
    fails("status", site.url, { redirects = false, expect = 200 })
    fails("url", site.url .. "\r\n")
    fails("url", "http://")
    site:stop()
  end)

  it("canceled when the client is closed", function()
    local client = http.client()
    client:close()
    local _, err = client:get("http://127.0.0.1:1/")
    assert.are.equal("canceled", err.kind)
  end)

  describe("timeout in phase", function()
    local function silent()
      return doing(function(conn)
        conn:read_request()
        task.sleep(60)
      end)
    end

    local function times_out(phase, url, timeout)
      local err = fails("timeout", url, { timeout = timeout })
      assert.are.equal(phase, err.phase)
      assert.matches("timeout%." .. phase, tostring(err))
      return err
    end

    it("read when no byte comes", function()
      assert.is_true(times_out("read", silent(), { read = 0.05 }).retryable)
    end)

    it("read when the body stalls", function()
      times_out("read", doing(function(conn)
        conn:read_request()
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        task.sleep(60)
      end), { read = 0.05 })
    end)

    it("total when it drips", function()
      times_out("total", doing(function(conn)
        conn:read_request()
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while conn:write("x") do task.sleep(0.01) end
      end), { total = 0.1, read = 5 })
    end)

    it("connect when the TLS handshake hangs", function()
      local url = doing(function() task.sleep(60) end)
      times_out("connect", (url:gsub("^http:", "https:")), { connect = 0.1 })
    end)

    it("write when the peer does not read", function()
      local url = doing(function() task.sleep(60) end)
      local _, err = http.post(url, { body = ("x"):rep(64 * 1024 * 1024), timeout = { write = 0.1 } })
      assert.are.equal("timeout", err.kind)
      assert.are.equal("write", err.phase)
      assert.is_false(err.retryable)
    end)

    it("queue when no slot gets free", function()
      local url = silent()
      local client = http.client { limits = { inflight = 1 }, retry = false }
      local handle = task.spawn(function() client:get(url) end)
      while client:stats().in_flight == 0 do task.yield() end
      local _, err = client:get(url, { timeout = { queue = 0.05 } })
      assert.are.equal("timeout", err.kind)
      assert.are.equal("queue", err.phase)
      assert.is_false(err.retryable)
      handle:cancel()
      pcall(handle.join, handle)
    end)

    it("task when the time of a task is up", function()
      local url = silent()
      local res, err = task.timeout(0.05, http.get, url)
      assert.is_nil(res)
      assert.are.equal("timeout", err.kind)
      assert.are.equal("task", err.phase)
    end)
  end)

  describe("tls", function()
    local function tls_fails(pattern, tls, opts)
      local s = serving.start(function() return "ok" end, { tls = tls })
      opts = opts or { tls = { ca = s.ca } }
      local err = fails("tls", s.url, opts)
      assert.matches(pattern, tostring(err):lower())
      return err
    end

    it("when the issuer is unknown", function()
      tls_fails("self.signed", true, {})
    end)

    it("when the certificate is for another host", function()
      tls_fails("host", { names = { "other.example" } })
    end)

    it("when the certificate has expired", function()
      tls_fails("expired", { expires_in = -100 })
    end)

    it("when the server speaks too old a version", function()
      tls_fails("", { max = "1.2" }, { tls = { min = "1.3", verify = false } })
    end)

    it("when the server speaks no TLS", function()
      local url = doing(function(conn) conn:write("HTTP/1.1 400 Bad\r\n\r\n") end)
      fails("tls", (url:gsub("^http:", "https:")))
    end)

    it("when a pin does not fit", function()
      local pin = "sha256//" .. ("A"):rep(43) .. "="
      tls_fails("", true, { tls = { verify = false, pins = pin } })
    end)
  end)
end)

describe("TLS options", function()
  local site

  before_each(function() site = origin.start { tls = true } end)
  after_each(function() site:stop() end)

  it("trust a given certificate file", function()
    assert.are.equal("ok", assert(http.get(site.url, { tls = { ca = site.ca } })).body)
    assert.are.equal("ok", assert(http.client({ tls = { ca = site.ca } }):get(site.url)).body)
  end)

  it("merge by key", function()
    local client = http.client { tls = { ca = site.ca, min = "1.3" } }
    assert.are.equal("ok", assert(client:get(site.url, { tls = { min = "1.2" } })).body)
    local _, err = client:get(site.url, { tls = { ca = false }, retry = false })
    assert.are.equal("tls", err.kind)
  end)

  it("do without verification only where asked", function()
    local client = http.client()
    assert(client:get(site.url, { tls = { verify = false } }))
    local _, err = client:get(site.url, { retry = false })
    assert.are.equal("tls", err.kind)
  end)

  it("give another server name for the certificate", function()
    local named = origin.start { tls = { names = { "inner.example" } } }
    local res = assert(http.get(named.url, { tls = { ca = named.ca, server_name = "inner.example" } }))
    assert.are.equal("ok", res.body)
    named:stop()
  end)
end)

describe("addresses", function()
  it("are resolved as told", function()
    local site = origin.start()
    local url, resolve = site:called("name.example")
    local res = assert(http.client({ resolve = resolve }):get(url .. "/x"))
    assert.are.equal(url .. "/x", res.url)
    assert.are.equal(("name.example:%d"):format(site.port), site:last().headers.host)
    site:stop()
  end)

  it("may have an international name", function()
    local site = origin.start()
    local url, resolve = site:called("bücher.example")
    local res = assert(http.get(url .. "/ü", { resolve = resolve }))
    local ascii = ("xn--bcher-kva.example:%d"):format(site.port)
    assert.are.equal("http://" .. ascii .. "/%C3%BC", res.url)
    assert.are.equal(ascii, site:last().headers.host)
    site:stop()
  end)

  it("may be a Unix socket", function()
    local path = os.tmpname()
    os.remove(path)
    local s = assert(server.start(function(req) return req.path end, { unix_socket = path }))
    local res = assert(http.get("http://localhost/x", { unix_socket = path }))
    assert.are.equal("/x", res.body)
    assert.are.equal(path, res.remote_address)
    s:stop()
    os.remove(path)
  end)

  it("may be given for this side", function()
    local site = origin.start()
    assert(http.get(site.url, { local_address = "127.0.0.1", ip = "4" }))
    site:stop()
  end)
end)
