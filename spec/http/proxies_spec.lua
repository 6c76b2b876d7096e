-- Proxies: which one a request goes through, what it is told and what not. Real ones are in
-- faults/real_proxies_spec.lua, what can go wrong in faults/faults_proxy_spec.lua.

local faults = require "spec.support.faults"
local http = require "lurcher.http"
local message_of = require("spec.support.raising").message
local origin = require "spec.support.origin"
local process = require "spec.support.process"
local proxying = require "spec.support.proxying"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local function start(opts)
  local site = origin.start(opts)
  task.defer(function() site:stop() end)
  return site
end

local SECRETS = { "secret", "dXNlcjpzZWNyZXQ" }

local function has_no_secret(text)
  for _, word in ipairs(SECRETS) do assert.is_nil(text:find(word, 1, true), text) end
end

describe("a proxy", function()
  it("gets plain requests with the whole URL, and tunnels for encrypted ones", function()
    local plain, secure, proxy = start(), start { tls = true }, proxying.start()
    local client = faults.client { proxy = proxy.url, tls = { ca = secure.ca } }
    assert.equal("ok", assert(client:get(plain.url .. "/a?b=c")).body)
    assert.equal("ok", assert(client:get(secure.url .. "/d")).body)
    assert.same({ "GET " .. plain.url .. "/a?b=c", "CONNECT " .. secure.url:match("//(.*)") }, proxy.log)
    assert.equal("/d", secure:last().path)
  end)

  it("is the client's or the request's, and false is none", function()
    local site, one, other = start(), proxying.start(), proxying.start()
    local client = faults.client { proxy = one.url }
    assert(client:get(site.url))
    assert(client:get(site.url, { proxy = other.url }))
    assert(client:get(site.url, { proxy = false }))
    assert(client:extend({ proxy = false }):get(site.url))
    assert.same({ 1, 1 }, { one.connections, other.connections })
    assert.equal(4, #site:requests())
  end)

  it("sends bodies, streams and any status of the server", function()
    local site, proxy = start(), proxying.start()
    local client = faults.client { proxy = proxy.url }
    site.answer = function(req) return { status = 502, body = req.method .. " " .. req.body } end
    local res = assert(client:post(site.url, { body = ("x"):rep(100000) }))
    assert.equal(502, res.status)
    assert.equal("POST " .. ("x"):rep(100000), res.body)
    site.answer = function() return { status = 200, body = "a\nb\n" } end
    local lines = {}
    assert(client:stream("GET", site.url, function(out)
      for line in out:lines() do lines[#lines + 1] = line end
    end))
    assert.same({ "a", "b" }, lines)
  end)

  it("hands a 407 of the server itself through a tunnel", function()
    local site, proxy = start { tls = true }, proxying.start()
    site.answer = { status = 407 }
    local client = faults.client { proxy = proxying.with(proxy.url, "user:secret"), tls = { ca = site.ca } }
    assert.equal(407, assert(client:get(site.url)).status)
  end)

  it("takes its tunnels over for further requests", function()
    local site, proxy = start { tls = true }, proxying.start()
    local client = faults.client { proxy = proxy.url, tls = { ca = site.ca } }
    for i = 1, 5 do assert.equal(i > 1, assert(client:get(site.url)).reused) end
    assert.equal(1, proxy.connections)
  end)

  it("has connections of its own, as each of its users has", function()
    local site, proxy, other = start { tls = true }, proxying.start(), proxying.start()
    local client = faults.client { tls = { ca = site.ca } }
    local function reused(url) return assert(client:get(site.url, { proxy = url })).reused end
    local ada, bob = proxying.with(proxy.url, "ada:secret1"), proxying.with(proxy.url, "bob:secret1")
    local ways = { false, proxy.url, other.url, ada, bob, proxying.with(proxy.url, "ada:secret2") }
    for _, url in ipairs(ways) do assert.is_false(reused(url)) end
    for _, url in ipairs(ways) do assert.is_true(reused(url)) end
    assert.same({ 4, 1 }, { proxy.connections, other.connections })
  end)

  it("leaves limits to the origin", function()
    local site, proxy, other = start(), proxying.start(), proxying.start()
    local now, most = 0, 0
    site.answer = function()
      now = now + 1
      most = math.max(most, now)
      task.sleep(0.005)
      now = now - 1
      return { status = 200 }
    end
    local client = faults.client { limits = { per_origin = 2 } }
    local urls = { proxy.url, other.url, false, proxying.with(proxy.url, "a:b") }
    task.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function(i)
      assert(client:get(site.url, { proxy = urls[i % 4 + 1] }))
    end)
    assert.equal(2, most)
  end)

  it("with HTTP/2 is reused for many requests at once", function()
    local servers = require "spec.support.servers"
    local nghttpd, proxy = servers.nghttpd(), proxying.start()
    task.defer(function() nghttpd:stop() end)
    servers.write(nghttpd.directory .. "/www/a", "hello")
    local client = faults.client { proxy = proxy.url, tls = { ca = nghttpd.ca } }
    task.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function()
      local res = assert(client:get(nghttpd.http2 .. "/a"))
      assert.same({ "hello", "2" }, { res.body, res.http_version })
    end)
    assert.equal(1, proxy.connections)
  end)

  it("is told to open a tunnel for HTTP/2 without TLS", function()
    local proxy = proxying.start(function() end)
    local client = faults.client { proxy = proxy.url, http_version = "2-prior-knowledge" }
    local err = select(2, client:get "http://plain.example/")
    assert.equal("proxy", err.kind)
    assert.same({ "CONNECT plain.example:80" }, proxy.log)
  end)

  it("is left out where there is a Unix socket", function()
    local client = faults.client { proxy = "http://127.0.0.1:1", unix_socket = "/nonexistent/socket" }
    local err = select(2, client:get "http://a.example/")
    assert.equal("connect", err.kind)
  end)

  it("is found by resolve and ip, which say nothing of the server's name then", function()
    local proxy = proxying.start(function(conn)
      conn:write "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    end)
    local named = "proxy.example:" .. proxy.port
    local client = faults.client { proxy = "http://" .. named, ip = "4",
      resolve = { [named] = "127.0.0.1", ["a.example:80"] = "127.0.0.9" } }
    assert.equal("hi", assert(client:get "http://a.example/").body)
    assert.same({ "GET http://a.example/" }, proxy.log)
  end)

  it("may be cancelled in CONNECT", function()
    local asked
    local proxy = proxying.start(function(conn)
      asked = true
      conn:read()
    end)
    local client = faults.client { proxy = proxy.url }
    local call = task.spawn(function() client:get "https://a.example/" end)
    serving.eventually(function() return asked end)
    call:cancel()
    faults.settled(client)
  end)
end)

describe("credentials of a proxy", function()
  it("go to it from the start, and never to the server", function()
    local plain, secure = start(), start { tls = true }
    local proxy = proxying.start()
    local client = faults.client { proxy = proxying.with(proxy.url, "user:s%65cret"), tls = { ca = secure.ca } }
    assert(client:get(plain.url))
    assert(client:get(secure.url))
    for _, head in ipairs(proxy.heads) do
      assert.truthy(head:find("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=", 1, true), head)
    end
    for _, site in ipairs { plain, secure } do assert.is_nil(site:last().headers["Proxy-Authorization"]) end
  end)

  it("given as a header go to the proxy alone, and to nobody without one", function()
    local plain, secure, proxy = start(), start { tls = true }, proxying.start()
    local client = faults.client { proxy = { [secure.url] = proxy.url, ["*"] = false },
      headers = { ["Proxy-Authorization"] = "Custom abc", ["X-Other"] = "private" }, tls = { ca = secure.ca } }
    assert(client:get(plain.url))
    assert(client:get(secure.url))
    assert.is_nil(plain:last().headers["Proxy-Authorization"])
    assert.is_nil(secure:last().headers["Proxy-Authorization"])
    assert.equal("private", secure:last().headers["X-Other"])
    assert.truthy(proxy.heads[1]:find("Proxy-Authorization: Custom abc", 1, true))
    assert.is_nil(proxy.heads[1]:find("private", 1, true))
    assert(client:get(plain.url, { proxy = proxying.with(proxy.url, "user:secret") }))
    assert.truthy(proxy.heads[2]:find("Proxy-Authorization: Custom abc", 1, true), proxy.heads[2])
    assert.is_nil(proxy.heads[2]:find("Basic", 1, true))
  end)

  it("do not show in errors", function()
    local client = faults.client()
    local url = "http://user:secret@127.0.0.1:1"
    has_no_secret(tostring(select(2, client:get("http://a.example/", { proxy = url }))))
    for _, bad in ipairs { "ftp://user:secret@h", "http://user:secret@", "http://user:secret@h:port",
      "http://user:secret@h/path", "http://us%3Aer:secret@h", "http://us%0Aer:secret@h", "socks4://user:secret@h" } do
      has_no_secret(message_of(function() http.client { proxy = bad } end))
      has_no_secret(message_of(function() http.client { proxy = { ["*"] = bad } } end))
    end
    has_no_secret(message_of(function() http.client { proxy = { url = url, tsl = {} } } end))
    has_no_secret(tostring(http.client { proxy = url }))
  end)

  it("do not show in the trace and in logs", function()
    local proxy = proxying.start(function(conn)
      conn:write "HTTP/1.1 407 Proxy Authentication Required\r\nX: secret\r\nContent-Length: 0\r\n\r\n"
    end)
    local script = process.script([[
      local http = require "lurcher.http"
      for _, url in ipairs { "http://a.example/", "https://a.example/" } do
        print(http.get(url, { proxy = "]] .. proxying.with(proxy.url, "user:secret") .. [[" }))
      end]])
    local ended = process.run { "--trace=headers", "--log=debug", script }
    assert.truthy(ended.out:find("proxy: the proxy", 1, true), ended.out .. ended.err)
    has_no_secret(ended.out .. ended.err)
  end)

  it("that it wants digested are so, in tunnels and without, and later from the start", function()
    local crypto = require "lurcher.native.crypto"
    local function md5(...)
      local digest, text = crypto.digest "MD5", table.concat({ ... }, ":")
      digest:update(text, 1, #text)
      return crypto.hex(digest:finish())
    end
    local refused, nonce = 0, "n1"
    local proxy = proxying.start(function(conn, head)
      local given = head.header "Proxy-Authorization" or ""
      local field = function(name) return given:match(name .. '="?([^",]*)') end
      local wanted = field "nonce" == nonce and md5(md5("user", "r", "secret"), nonce, field "nc", field "cnonce",
        "auth", md5(head.method, head.target))
      if wanted and field "response" == wanted then return true end
      refused = refused + 1
      local stale = field "nonce" and field "nonce" ~= nonce and ", stale=true" or ""
      conn:write("HTTP/1.1 407 P\r\nContent-Length: 5\r\nProxy-Authenticate: Basic realm=r\r\n"
        .. 'Proxy-Authenticate: Digest realm="r", qop="auth", nonce="' .. nonce .. '"' .. stale .. "\r\n\r\nabcde")
    end)
    local plain, secure = start(), start { tls = true }
    local client = faults.client { proxy = proxying.with(proxy.url, "user:secret"), tls = { ca = secure.ca } }
    assert.equal("ok", assert(client:post(plain.url .. "/a", { body = "twice" })).body)
    assert.equal("twice", plain:last().body)
    assert.equal(1, refused)
    assert.equal("ok", assert(client:get(secure.url)).body)
    assert.equal("ok", assert(client:get(plain.url)).body)
    assert.equal("ok", assert(client:get(plain.url, { timeout = 9 })).body)
    assert.equal(1, refused)
    nonce = "n2"
    assert.equal("ok", assert(client:get(plain.url)).body)
    assert.equal(2, refused)
    for _, head in ipairs(proxy.heads) do
      if head:find("Digest", 1, true) then has_no_secret(head) end
    end
    local wrong = client:extend { proxy = proxying.with(proxy.url, "user:wrong") }
    for _, site in ipairs { plain, secure } do
      local before = refused
      faults.check({ kind = "proxy", message = "407", host = proxy.name }, wrong:post(site.url, { body = "x" }))
      assert.is_true(refused - before <= 2)
    end
  end)

  it("of an OAuth2 client's proxy serve its token requests, too", function()
    local site, tokens, proxy = start(), start(), proxying.start()
    tokens.answer = { status = 200, headers = { ["Content-Type"] = "application/json" },
      body = '{"access_token":"abcdef","expires_in":60}' }
    local client = faults.client { proxy = proxying.with(proxy.url, "user:secret"),
      auth = http.oauth2 { token_url = tokens.url .. "/token", client_id = "i", client_secret = "s" } }
    assert(client:get(site.url))
    assert.same({ "POST " .. tokens.url .. "/token", "GET " .. site.url .. "/" }, proxy.log)
  end)
end)

describe("the map of proxies", function()
  -- The proxies that some URLs are asked of, by name; what is not asked of one fails to resolve.
  local function asked(options, urls)
    local log = {}
    local function named(name)
      return proxying.start(function(conn)
        log[#log + 1] = name
        conn:write "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
      end).url
    end
    local client = faults.client(options(named))
    for _, url in ipairs(urls) do
      local res, err = client:get(url)
      if not res and err.kind == "dns" then log[#log + 1] = "direct" end
    end
    return log
  end

  it("takes the origin, then the longest end of a name, then the rest", function()
    local log = asked(function(named)
      return { proxy = { ["http://api.one.invalid"] = named "origin", ["one.invalid"] = named "one",
        [".deep.one.invalid"] = named "deep", ["one.invalid:81"] = named "port", ["off.invalid"] = false,
        ["*"] = named "rest" } }
    end, { "http://api.one.invalid/", "http://api.one.invalid:81/", "http://one.invalid/", "http://x.deep.one.invalid/",
      "http://DEEP.one.invalid/", "http://off.invalid/", "http://other.invalid/", "http://notone.invalid/" })
    assert.same({ "origin", "port", "one", "deep", "deep", "direct", "rest", "rest" }, log)
  end)

  it("leaves alone what is not in it", function()
    local log = asked(function(named) return { proxy = { ["a.invalid"] = { url = named "a" } } } end,
      { "http://a.invalid/", "http://b.invalid/" })
    assert.same({ "a", "direct" }, log)
  end)

  it("gives way to no_proxy, for a single proxy as well", function()
    local urls = { "http://in.invalid/", "http://x.in.invalid/", "http://in.invalid:81/", "http://out.invalid/" }
    assert.same({ "direct", "direct", "direct", "p" }, asked(function(named)
      return { proxy = named "p", no_proxy = { "in.invalid" } }
    end, urls))
    assert.same({ "p", "p", "direct", "p" }, asked(function(named)
      return { proxy = { ["*"] = named "p" }, no_proxy = "in.invalid:81, other.invalid" }
    end, urls))
    assert.same({ "direct", "direct" }, asked(function(named)
      return { proxy = named "p", no_proxy = { "*" } }
    end, { "http://a.invalid/", "http://b.invalid/" }))
  end)

  it("is asked anew for each hop of redirects", function()
    local one, other = start(), start()
    local proxy, second = proxying.start(), proxying.start()
    one.paths["/a"] = { status = 302, headers = { Location = other.url .. "/b" } }
    other.paths["/b"] = { status = 302, headers = { Location = one.url .. "/c" } }
    local client = faults.client { proxy = { [one.url] = proxying.with(proxy.url, "user:secret"),
      [other.url] = second.url } }
    assert.equal("ok", assert(client:get(one.url .. "/a")).body)
    assert.same({ "GET " .. one.url .. "/a", "GET " .. one.url .. "/c" }, proxy.log)
    assert.same({ "GET " .. other.url .. "/b" }, second.log)
    assert.is_nil(second.heads[1]:find("Proxy-Authorization", 1, true))
  end)
end)

describe("proxies that are written wrongly", function()
  local cases = {
    { "ftp://h", "begins with http://, https://, socks5:// or socks5h://" },
    { "http://", "cannot be used" },
    { "http://h:99999", "cannot be used" },
    { "http://h:0", "port 0" },
    { "http://h/path", "behind its port" },
    { "http://h?x", "behind its port" },
    { "http://a%3Ab:c@h", "colon" },
    { "socks5://" .. ("u"):rep(256) .. "@h", "at most 255 bytes" },
    { 5, "option 'proxy' must be a URL" },
    { { url = "http://h", tls = { ca = "x" } }, "https://" },
    { { url = "https://h", tls = { caa = "x" } }, "did you mean 'ca'" },
    { { url = "https://h", tls = { server_name = "x" } }, "server_name" },
    { { url = "https://h", tls = { key = "x" } }, "tls.cert" },
    { { url = "https://h", tsl = {} }, "unknown key 'tsl'" },
    { { url = 5 }, "url must be a string" },
    { { tls = {} }, "url must be a string" },
    { { ["http://h/path"] = "http://p" }, "more than an origin" },
    { { ["ws://h"] = "http://p" }, "no http or https origin" },
    { { ["10.0.0.0/40"] = "http://p" }, "neither an origin" },
    { { "http://p" }, "keys are origins" },
  }
  for _, case in ipairs(cases) do
    it("raise: " .. case[2], function()
      local told = message_of(function() http.client { proxy = case[1] } end)
      assert.truthy(told:find(case[2], 1, true), told)
      assert.truthy(message_of(function() http.get("http://127.0.0.1:1/", { proxy = case[1] }) end)
        :find(case[2], 1, true))
    end)
  end

  it("raise for entries of no_proxy", function()
    for _, bad in ipairs { "10.0.0.0/33", "[::1", "a b/x" } do
      local told = message_of(function() http.client { no_proxy = { bad } } end)
      assert.truthy(told:find("is no host, address or network", 1, true), told)
    end
    assert.truthy(message_of(function() http.client { no_proxy = { 5 } } end):find("list of strings", 1, true))
  end)

  it("are told where an option is misspelt", function()
    assert.truthy(message_of(function() http.client { proxies = {} } end):find("proxy", 1, true))
  end)
end)

describe("proxy = 'env'", function()
  -- What a child with these variables prints for each URL: "proxied", or the kind of its error. The proxy of these
  -- specs answers CONNECT as it does any request, so that TLS fails: it was asked.
  local function run(variables, urls, options)
    local proxy = proxying.start(function(conn)
      conn:write "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nproxied"
    end)
    local words = { "env", "-i" }
    for name, value in pairs(variables) do words[#words + 1] = name .. "=" .. value:gsub("PROXY", proxy.name) end
    local script = process.script([[
      local http = require "lurcher.http"
      local client = http.client { retry = false, ]] .. (options or 'proxy = "env"'):gsub("PROXY", proxy.name) .. [[ }
      for _, url in ipairs(arg) do
        local res, err = client:get(url)
        print(res and res.body or err.kind, err and err.message or "")
      end]])
    for _, word in ipairs { process.lurcher, script } do words[#words + 1] = word end
    for _, url in ipairs(urls) do words[#words + 1] = url end
    table.remove(words, 1)
    local ended = process.run(words, { command = "env" })
    local lines = {}
    for line in ended.out:gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
    assert.equal(#urls, #lines, ended.err)
    local kinds = {}
    for i, line in ipairs(lines) do kinds[i] = line:match("^%S+") end
    return kinds, ended.out, proxy
  end

  local A, B = "http://a.invalid/", "https://b.invalid/"

  it("reads http_proxy in lower case only, https_proxy and all_proxy in both", function()
    local url = "http://PROXY"
    assert.same({ "proxied", "dns" }, run({ http_proxy = url }, { A, B }))
    assert.same({ "dns", "dns" }, run({ HTTP_PROXY = url }, { A, B }))
    for _, name in ipairs { "https_proxy", "HTTPS_PROXY" } do
      assert.same({ "dns", "tls" }, run({ [name] = url }, { A, B }))
    end
    for _, name in ipairs { "all_proxy", "ALL_PROXY" } do
      assert.same({ "proxied", "tls" }, run({ [name] = url }, { A, B }))
    end
    assert.same({ "dns", "tls" }, run({ all_proxy = url, http_proxy = "" }, { A, B }))
    assert.same({ "proxied" }, run({ http_proxy = " PROXY " }, { A }))
    assert.same({ "dns", "dns" }, run({}, { A, B }))
  end)

  it("heeds no_proxy in both cases, unless the option is given", function()
    local variables = { http_proxy = "http://PROXY", no_proxy = "localhost, .a.invalid" }
    assert.same({ "dns", "proxied" }, run(variables, { A, "http://c.invalid/" }))
    assert.same({ "dns" }, run({ http_proxy = "PROXY", NO_PROXY = "*" }, { A }))
    assert.same({ "proxied", "dns" }, run(variables, { A, "http://c.invalid/" },
      'proxy = "env", no_proxy = { "c.invalid" }'))
    assert.same({ "proxied" }, run(variables, { A }, 'proxy = "env", no_proxy = false'))
  end)

  it("is asked for nothing otherwise", function()
    local variables = { http_proxy = "http://127.0.0.1:1", all_proxy = "http://127.0.0.1:1", no_proxy = "*" }
    assert.same({ "dns" }, run(variables, { A }, "name = 'x'"))
    assert.same({ "proxied" }, run(variables, { A }, 'proxy = "http://PROXY"'))
    assert.same({ "proxied", "dns" }, run(variables, { A, "http://c.invalid/" },
      'proxy = { ["a.invalid"] = "http://PROXY", ["*"] = "env" }'))
  end)

  it("fails requests when the variable makes no sense, and does not show it", function()
    local kinds, out = run({ http_proxy = "gopher://user:secret@h" }, { A })
    assert.same({ "proxy" }, kinds)
    assert.truthy(out:find("http_proxy", 1, true), out)
    has_no_secret(out)
  end)
end)
