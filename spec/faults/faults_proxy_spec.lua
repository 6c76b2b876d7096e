-- Proxies that refuse, lie, die and say nothing: each by its kind and cause.

local assert = require "luassert"
local faults = require "spec.support.faults"
local origin = require "spec.support.origin"
local proxying = require "spec.support.proxying"
local servers = require "spec.support.servers"
local task = require "lurcher.task"

local function start(opts)
  local site = origin.start(opts)
  task.defer(function() site:stop() end)
  return site
end

local PLAIN, SECURE = "http://server.invalid/", "https://server.invalid/"

-- What a request through a proxy fails with that sends these bytes.
local function failing(bytes, url, finish, opts)
  local proxy = proxying.start(function(conn)
    conn:write(bytes)
    if finish then finish(conn) end
  end)
  opts = opts or {}
  opts.proxy = (opts.scheme or "http") .. "://" .. proxy.name
  opts.scheme = nil
  local client = faults.client(opts)
  local res, err = client:get(url)
  return proxy, res, err
end

local function check(wanted, proxy, res, err)
  faults.check(wanted, res, err)
  assert.truthy(err.message:find(proxy.name, 1, true), err.message)
  local cause = err.cause and err.cause.kind or nil
  assert.equal(wanted.cause, cause)
  return err
end

describe("a proxy that answers CONNECT", function()
  for _, status in ipairs { "400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "407 Who",
    "500 Broken", "502 Bad Gateway", "503 Service Unavailable", "302 Found", "999 Odd" } do
    it("with " .. status .. " is kind proxy, and the request was not sent", function()
      for _, rest in ipairs { "Content-Length: 5\r\n\r\nabcde", "\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nab" } do
        local err = check({ kind = "proxy", phase = "connect", message = status }, failing(
          "HTTP/1.1 " .. status .. "\r\n" .. rest, SECURE))
        assert.truthy(err.message:find("server.invalid:443", 1, true), err.message)
        assert.is_true(err.retry_safe)
      end
    end)
  end

  it("with a refusal that never ends is told of at once", function()
    check({ kind = "proxy", message = "403" }, failing("HTTP/1.1 403 No\r\nContent-Length: 99999\r\n\r\nabc", SECURE,
      function(conn) conn:read() end))
  end)

  for name, bytes in pairs {
    garbage = "hello, world\r\n\r\n",
    nothing = "",
    ["half a status line"] = "HTTP/1.1 2",
    ["half a head"] = "HTTP/1.1 200 OK\r\nA: b\r\n",
    ["another protocol"] = "SSH-2.0-OpenSSH\r\n",
    ["bytes of any kind"] = "\0\1\2\255\r\n\r\n",
    ["a header without a colon"] = "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    ["contradictory lengths"] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
  } do
    it("with " .. name .. " is kind proxy", function()
      check({ kind = "proxy", phase = "connect" }, failing(bytes, SECURE))
      if bytes == "" then return end
      check({ kind = "proxy", phase = "connect" }, failing(bytes, SECURE, function(conn) conn:reset() end))
    end)
  end

  it("with a head that is too large is kind too_large", function()
    local line = "X-Long: " .. ("x"):rep(1000) .. "\r\n"
    for _, head in ipairs { line:rep(500), "A: b\r\n" .. line:rep(300) } do
      local err = check({ kind = "too_large" }, failing("HTTP/1.1 200 OK\r\n" .. head, SECURE))
      assert.equal(262144, err.limit)
    end
    check({ kind = "too_large" }, failing("HTTP/1.1 200 OK\r\n" .. line:rep(50), SECURE, nil, { max_headers = 4096 }))
  end)

  it("with a line without end fails", function()
    local proxy, res, err = failing("HTTP/1.1 200 OK\r\nX: " .. ("x"):rep(400000), SECURE)
    assert.is_nil(res)
    assert.truthy(err.kind == "proxy" or err.kind == "too_large", tostring(err))
    assert.truthy(err.message:find(proxy.name, 1, true))
  end)

  it("with 200 and ends is kind proxy, caused by TLS", function()
    check({ kind = "proxy", phase = "connect", cause = "tls" }, failing("HTTP/1.1 200 OK\r\n\r\n", SECURE))
    check({ kind = "proxy", phase = "connect", cause = "tls" },
      failing("HTTP/1.1 200 OK\r\n\r\n", SECURE, function(conn)
        conn:read()
        conn:reset()
      end))
  end)

  it("with 200 and a body is at fault in TLS", function()
    check({ kind = "tls", phase = "connect" },
      failing("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", SECURE, function(conn) conn:read() end))
  end)
end)

describe("a proxy of plain requests", function()
  it("that answers 407 is kind proxy, whatever its body", function()
    for _, rest in ipairs { "Content-Length: 5\r\n\r\nabcde", "Content-Length: 99\r\n\r\nabc", "\r\nto the end" } do
      local err = check({ kind = "proxy", message = "407" }, failing("HTTP/1.1 407 Who\r\n" .. rest, PLAIN))
      assert.is_true(err.retry_safe)
    end
    local proxy = proxying.start(function(conn) conn:write "HTTP/1.1 407 Who\r\nContent-Length: 3\r\n\r\nabc" end)
    local client = faults.client { proxy = proxy.url }
    check({ kind = "proxy", message = "407" }, proxy, client:stream("GET", PLAIN))
    check({ kind = "proxy", message = "407" }, proxy, client:post(PLAIN, { body = ("x"):rep(3000000) }))
    local given = 0
    check({ kind = "proxy", message = "407" }, proxy, client:post(PLAIN, { body = function()
      given = given + 1
      return given < 10 and "piece" or nil
    end }))
  end)

  it("that answers otherwise has answered", function()
    local _, res = failing("HTTP/1.1 502 Bad\r\nContent-Length: 2\r\n\r\nno", PLAIN)
    assert.same({ 502, "no" }, { res.status, res.body })
  end)

  it("that ends without an answer is kind closed, and names both", function()
    local err = check({ kind = "closed" }, failing("", PLAIN))
    assert.truthy(err.message:find("server.invalid", 1, true))
    check({ kind = "truncated" }, failing("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", PLAIN))
    check({ kind = "protocol" }, failing("hello\r\n\r\n", PLAIN))
  end)
end)

describe("a proxy that cannot be reached", function()
  for _, scheme in ipairs { "http", "https", "socks5", "socks5h" } do
    it("is kind proxy, and the cause says why: " .. scheme, function()
      local port = servers.free_port()
      for _, url in ipairs { PLAIN, SECURE } do
        local name = "127.0.0.1:" .. port
        local client = faults.client { proxy = scheme .. "://" .. name }
        local err = check({ kind = "proxy", phase = "connect", cause = "connect" }, { name = name }, client:get(url))
        assert.truthy(tostring(err.cause):find("refused", 1, true))
        assert.is_true(err.retry_safe)
        err = check({ kind = "proxy", phase = "connect", cause = "dns" }, { name = "proxy.invalid:1" },
          client:get(url, { proxy = scheme .. "://proxy.invalid:1" }))
        assert.truthy(tostring(err):find("cause: dns", 1, true))
      end
    end)
  end

  it("times out in phase connect when it is silent", function()
    for _, scheme in ipairs { "http", "https", "socks5h" } do
      local proxy, res, err = failing("", SECURE, function(conn) while conn:read() do end end,
        { timeout = { connect = 0.2 }, scheme = scheme })
      check({ kind = "timeout", phase = "connect" }, proxy, res, err)
      assert.is_true(err.retry_safe)
    end
    local proxy, res, err = failing("", PLAIN, function(conn) conn:read() end, { timeout = { read = 0.2 } })
    check({ kind = "timeout", phase = "read" }, proxy, res, err)
  end)

  it("is tried again where the policy names the kind, a POST too", function()
    local site, tries = start { tls = true }, 0
    local proxy = proxying.start(function(conn)
      tries = tries + 1
      if tries == 3 then return true end
      if tries == 2 then conn:write "HTTP/1.1 503 Later\r\n\r\n" end
    end)
    local client = faults.client { proxy = proxy.url, tls = { ca = site.ca },
      retry = { kinds = { "proxy" }, base = 0.001 } }
    local res = assert(client:post(site.url, { body = "once" }))
    assert.equal(3, res.attempts)
    assert.equal(1, #site:requests())
  end)
end)

describe("TLS", function()
  it("with the proxy fails as kind proxy, with the server in the tunnel as kind tls", function()
    local site, proxy = start { tls = true }, proxying.start(nil, { tls = true })
    local function get(tls, own)
      local client = faults.client { proxy = { url = proxy.url, tls = tls }, tls = own }
      return client:get(site.url)
    end
    assert.equal("ok", assert(get({ ca = proxy.ca }, { ca = site.ca })).body)
    assert.equal("ok", assert(get({ verify = false }, { ca = site.ca })).body)
    for _, tls in ipairs { {}, { ca = site.ca }, { ca = "/nonexistent" }, { ca = proxy.ca, pins = "sha256//AAAA" },
      { ca = proxy.ca, cert = "/nonexistent" } } do
      check({ kind = "proxy", phase = "connect", cause = "tls", message = "TLS" }, proxy, get(tls, { ca = site.ca }))
      check({ kind = "proxy", phase = "connect", cause = "tls" }, proxy, get(tls, { verify = false }))
    end
    local err = check({ kind = "tls", phase = "connect" }, proxy, get({ ca = proxy.ca }, {}))
    assert.truthy(err.message:find(site.url:match "//(.*)", 1, true))
    check({ kind = "tls", phase = "connect" }, proxy, get({ ca = proxy.ca }, { ca = proxy.ca }))
    check({ kind = "tls" }, proxy, get({ verify = false }, { ca = site.ca, pins = "sha256//AAAA" }))
  end)

  it("with a proxy that does not speak it is kind proxy, and in the tunnel kind tls", function()
    for _, bytes in ipairs { "HTTP/1.1 400 Bad Request\r\n\r\n", "" } do
      local wrong = faults.raw(function(conn)
        conn:read()
        conn:write(bytes)
      end)
      local own = { name = wrong.url:match "//(.*)$" }
      for _, url in ipairs { PLAIN, SECURE } do
        local client = faults.client { proxy = "https://" .. own.name }
        check({ kind = "proxy", phase = "connect", cause = "tls" }, own, client:get(url))
      end
    end
    local proxy = proxying.start()
    local plain = faults.raw(function(conn)
      conn:read()
      conn:write "HTTP/1.1 400 Bad Request\r\n\r\n"
    end)
    local client = faults.client { proxy = proxy.url }
    check({ kind = "tls" }, proxy, client:get((plain.url:gsub("^http:", "https:"))))
  end)

  it("of plain requests over an HTTPS proxy is the proxy's alone", function()
    local site, proxy = start(), proxying.start(nil, { tls = true })
    local client = faults.client { proxy = { url = proxy.url, tls = { ca = proxy.ca } } }
    assert.equal("ok", assert(client:get(site.url)).body)
    check({ kind = "proxy", cause = "tls" }, proxy, client:get(site.url, { proxy = proxy.url }))
  end)
end)

-- A SOCKS server of these replies, one after each thing that it reads; then it ends.
local function socks(replies, url, opts)
  local proxy = faults.raw(function(conn)
    for _, reply in ipairs(replies) do
      if not conn:read() then return end
      conn:write(reply)
    end
  end)
  opts = opts or {}
  local name = proxy.url:match "//(.*)$"
  opts.proxy = (opts.scheme or "socks5h") .. "://" .. (opts.userinfo or "") .. name
  opts.scheme, opts.userinfo = nil, nil
  local client = faults.client(opts)
  return { name = name }, client:get(url)
end

describe("SOCKS", function()
  local HELLO = "\5\0"
  local replies = { "failed", "rules", "network is unreachable", "unreachable", "refused", "TTL", "command",
    "type of address" }
  local causes = { nil, nil, "connect", "dns", "connect", "connect" }
  for code, words in ipairs(replies) do
    it(("reply %d is kind proxy: %s"):format(code, words), function()
      for _, url in ipairs { PLAIN, SECURE } do
        local reply = "\5" .. string.char(code) .. "\0\1\0\0\0\0\0\0"
        local err = check({ kind = "proxy", phase = "connect", cause = causes[code], message = words },
          socks({ HELLO, reply }, url))
        assert.is_true(err.retry_safe)
        assert.truthy(err.message:find("server.invalid", 1, true))
      end
    end)
  end

  it("reply 4 for an address, or a name that is looked up here, is about the host", function()
    local reply = "\5\4\0\1\0\0\0\0\0\0"
    check({ kind = "proxy", cause = "connect" }, socks({ HELLO, reply }, "http://127.0.0.1:1/"))
    check({ kind = "proxy", cause = "connect" }, socks({ HELLO, reply }, "http://localhost:1/", { scheme = "socks5" }))
  end)

  it("that looks names up here says which does not resolve", function()
    local _, res, err = socks({ HELLO }, PLAIN, { scheme = "socks5" })
    faults.check({ kind = "dns", phase = "connect", host = "server.invalid" }, res, err)
  end)

  for name, case in pairs {
    ["no reply"] = {},
    ["half of the first reply"] = { "\5" },
    ["an HTTP answer"] = { "HTTP/1.1 200 OK\r\n\r\n" },
    ["another version"] = { "\4\0" },
    ["no way to authenticate"] = { "\5\255" },
    ["a way nobody offered"] = { "\5\2" },
    ["half of the second reply"] = { HELLO, "\5\0\0" },
    ["a cut address"] = { HELLO, "\5\0\0\3\9abc" },
    ["a type of address there is not"] = { HELLO, "\5\0\0\9\0\0\0\0\0\0" },
    ["a wrong version later"] = { HELLO, "\4\0\0\1\0\0\0\0\0\0" },
    ["a code there is not"] = { HELLO, "\5\99\0\1\0\0\0\0\0\0" },
  } do
    it("with " .. name .. " is kind proxy", function()
      for _, url in ipairs { PLAIN, SECURE } do check({ kind = "proxy", phase = "connect" }, socks(case, url)) end
    end)
  end

  it("that rejects user and password is kind proxy and shows neither", function()
    local proxy, res, err = socks({ "\5\2", "\1\1" }, PLAIN, { userinfo = "user:secret@" })
    check({ kind = "proxy" }, proxy, res, err)
    assert.is_nil(tostring(err):find("secret", 1, true))
    check({ kind = "proxy" }, socks({ "\5\2", "\1" }, PLAIN, { userinfo = "user:secret@" }))
    check({ kind = "proxy" }, socks({ "\5\2" }, PLAIN, { userinfo = "user:secret@" }))
  end)

  it("that ends after its consent is kind proxy for TLS and closed for plain requests", function()
    local consent = "\5\0\0\1\0\0\0\0\0\0"
    check({ kind = "proxy", cause = "tls" }, socks({ HELLO, consent }, SECURE))
    check({ kind = "closed" }, socks({ HELLO, consent }, PLAIN))
  end)
end)

describe("a proxy that drops one connection in twenty", function()
  it("loses none of 1,000 requests that may be repeated", function()
    local site = start()
    local count = 0
    local proxy = proxying.start(function(conn)
      count = count + 1
      if count % 20 ~= 0 then return true end
      conn:reset()
    end)
    local client = faults.client { proxy = proxy.url, limits = { per_origin = 16 },
      retry = { kinds = { "proxy", "closed", "truncated", "connect" }, base = 0.001, budget = false } }
    local list = {}
    for i = 1, 1000 do list[i] = i end
    task.map(list, function() assert.equal("ok", assert(client:get(site.url)).body) end, { concurrency = 16 })
    assert.is_true(count > 1000)
    faults.settled(client)
  end)
end)
