-- Requests through tinyproxy, squid, microsocks, dante, and an HTTPS proxy made of stunnel.

local assert = require "luassert"
local faults = require "spec.support.faults"
local origin = require "spec.support.origin"
local peer = require "spec.support.websocket_peer"
local servers = require "spec.support.servers"
local task = require "lurcher.task"
local ws = require "lurcher.ws"

local function start(opts)
  local site = origin.start(opts)
  task.defer(function() site:stop() end)
  return site
end

local function run(name, ...)
  local server = servers[name](...)
  task.defer(function() server:stop() end)
  return server
end

-- What must work through any proxy.
local function check_works(proxy)
  local plain, secure = start(), start { tls = true }
  for _, site in ipairs { plain, secure } do
    site.answer = function(req) return { status = 200, body = ("%s %d"):format(req.method, #req.body) } end
  end
  -- A proxy may end a kept connection while the next request is sent.
  local client = faults.client { proxy = proxy, tls = { ca = secure.ca }, retry = { base = 0.01 } }
  for _, site in ipairs { plain, secure } do
    assert.equal("GET 0", assert(client:get(site.url .. "/a?b")).body)
    local res = assert(client:put(site.url, { body = ("x"):rep(200000) }))
    assert.equal("PUT 200000", res.body)
    assert.is_nil(site:last().headers["Proxy-Authorization"])
  end
  assert.is_true(assert(client:get(secure.url)).reused)
  task.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function(i)
    assert.equal("GET 0", assert(client:get((i % 2 == 0 and plain or secure).url)).body)
  end)
end

local function check_refused(proxy, name)
  local plain, secure = start(), start { tls = true }
  local client = faults.client { proxy = proxy, tls = { ca = secure.ca } }
  for _, url in ipairs { plain.url, secure.url } do
    local err = faults.check({ kind = "proxy", host = name }, client:get(url))
    assert.is_nil(tostring(err):find("wrong", 1, true))
  end
end

describe("tinyproxy", function()
  it("takes requests with credentials and refuses others", function()
    local tiny = run("tinyproxy", "BasicAuth user secret")
    check_works(("http://user:secret@127.0.0.1:%d"):format(tiny.port))
    check_refused("http://127.0.0.1:" .. tiny.port, "127.0.0.1:" .. tiny.port)
  end)

  it("says which tunnel it cannot make", function()
    local tiny = run "tinyproxy"
    local client = faults.client { proxy = tiny.proxy }
    local url = "https://127.0.0.1:" .. servers.free_port()
    local err = faults.check({ kind = "proxy", phase = "connect", message = "refused a tunnel" }, client:get(url))
    assert.is_true(err.retry_safe)
    assert.is_true(assert(client:get((url:gsub("https", "http")))).status >= 500)
  end)
end)

describe("squid", function()
  it("gets digested credentials", function()
    local squid = run "squid"
    check_works(("http://user:secret@127.0.0.1:%d"):format(squid.port))
    check_refused(("http://user:wrong@127.0.0.1:%d"):format(squid.port), "127.0.0.1:" .. squid.port)
    check_refused("http://127.0.0.1:" .. squid.port, "127.0.0.1:" .. squid.port)
  end)
end)

describe("microsocks", function()
  it("takes connections with credentials and refuses others", function()
    local socks = run("microsocks", "-u user -P secret")
    for _, scheme in ipairs { "socks5", "socks5h" } do
      check_works(("%s://user:secret@127.0.0.1:%d"):format(scheme, socks.port))
      check_refused(("%s://user:wrong@127.0.0.1:%d"):format(scheme, socks.port), "127.0.0.1:" .. socks.port)
      check_refused(("%s://127.0.0.1:%d"):format(scheme, socks.port), "127.0.0.1:" .. socks.port)
    end
  end)

  it("says that the server refused, or that its name is unknown there", function()
    local socks = run "microsocks"
    local client = faults.client { proxy = "socks5h://127.0.0.1:" .. socks.port }
    local err = faults.check({ kind = "proxy", phase = "connect" },
      client:get("http://127.0.0.1:" .. servers.free_port()))
    assert.equal("connect", err.cause.kind)
    err = faults.check({ kind = "proxy", phase = "connect" }, client:get "http://nosuch.invalid/")
    assert.truthy(err.message:find("nosuch.invalid", 1, true))
    err = faults.check({ kind = "dns", phase = "connect" },
      client:get("http://nosuch.invalid/", { proxy = "socks5://127.0.0.1:" .. socks.port }))
    assert.truthy(err.message:find("nosuch.invalid", 1, true))
  end)

  it("looks names up by itself with socks5h only", function()
    local socks, site = run "microsocks", start()
    local url, resolve = site:called "server.test"
    local client = faults.client { resolve = resolve }
    assert.equal("ok", assert(client:get(url, { proxy = "socks5://127.0.0.1:" .. socks.port })).body)
    faults.check({ kind = "proxy" }, client:get(url, { proxy = "socks5h://127.0.0.1:" .. socks.port }))
  end)
end)

local function with_dante()
  it("takes connections, whether it is given credentials or not", function()
    local socks = run("dante", "none")
    for _, who in ipairs { "", "user:secret@" } do
      check_works(("socks5h://%s127.0.0.1:%d"):format(who, socks.port))
      check_works(("socks5://%s127.0.0.1:%d"):format(who, socks.port))
    end
  end)

  it("refuses credentials that it does not know, and none", function()
    local socks = run("dante", "username")
    check_refused("socks5h://nobody-here:wrong@127.0.0.1:" .. socks.port, "127.0.0.1:" .. socks.port)
    check_refused("socks5h://127.0.0.1:" .. socks.port, "127.0.0.1:" .. socks.port)
  end)

  it("says that the server refused, or that its name is unknown there", function()
    local client = faults.client { proxy = "socks5h://127.0.0.1:" .. run("dante", "none").port }
    local err = faults.check({ kind = "proxy", phase = "connect" },
      client:get("http://127.0.0.1:" .. servers.free_port()))
    assert.equal("connect", err.cause.kind)
    err = faults.check({ kind = "proxy", phase = "connect" }, client:get "http://nosuch.invalid/")
    assert.equal("dns", err.cause.kind)
  end)
end

if servers.has_dante() then describe("dante", with_dante) end

describe("WebSockets", function()
  it("go through squid, tinyproxy, microsocks and dante", function()
    local url = peer.start(function(p)
      p:accept()
      p:echo()
    end)
    local proxies = { "http://user:secret@127.0.0.1:" .. run("squid").port, run("tinyproxy").proxy,
      "socks5h://127.0.0.1:" .. run("microsocks").port }
    if servers.has_dante() then proxies[4] = "socks5://127.0.0.1:" .. run("dante", "none").port end
    for _, proxy in ipairs(proxies) do
      local c = assert(ws.connect(url, { proxy = proxy }))
      assert(c:send "hello")
      assert.equal("hello", (c:receive(20)))
      assert(c:close())
    end
  end)
end)

describe("an HTTPS proxy", function()
  it("is trusted by its own authority", function()
    local tiny = run("tinyproxy", "BasicAuth user secret")
    local tls = run("stunnel", tiny.port)
    local url = ("https://user:secret@127.0.0.1:%d"):format(tls.port)
    check_works { url = url, tls = { ca = tls.ca } }
    check_works { url = url, tls = { verify = false } }
    check_refused(url, "127.0.0.1:" .. tls.port)
  end)

  it("may ask for a certificate of the client", function()
    local tiny = run "tinyproxy"
    local tls = run("stunnel", tiny.port, "verifyPeer = yes\nCAfile = @DIR@/cert.pem")
    local url = "https://127.0.0.1:" .. tls.port
    check_works { url = url, tls = { ca = tls.ca, cert = tls.ca, key = tls.key } }
    -- With TLS 1.3 it says so when the handshake is over already.
    local site = start { tls = true }
    local client = faults.client { proxy = { url = url, tls = { ca = tls.ca } }, tls = { ca = site.ca } }
    faults.check({ kind = "proxy", host = "127.0.0.1:" .. tls.port }, client:get(site.url))
  end)

  it("carries HTTP/2 in its tunnels", function()
    local nghttpd, tiny = run "nghttpd", run "tinyproxy"
    local tls = run("stunnel", tiny.port)
    servers.write(nghttpd.directory .. "/www/a", "hello")
    local client = faults.client { proxy = { url = "https://127.0.0.1:" .. tls.port, tls = { ca = tls.ca } },
      tls = { ca = nghttpd.ca } }
    for _ = 1, 3 do
      local res = assert(client:get(nghttpd.http2 .. "/a"))
      assert.same({ "2", "hello" }, { res.http_version, res.body })
    end
  end)
end)
