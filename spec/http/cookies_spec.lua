local clock = require "lurcher.clock"
local cookies = require "lurcher.http.cookies.jar"
local http = require "lurcher.http"
local origin = require "spec.support.origin"
local message_of = require("spec.support.raising").message
local task = require "lurcher.task"

describe("the cookie jar", function()
  local jar

  before_each(function() jar = cookies.new() end)

  local function receive(line, url) jar:receive({ line }, url or "http://www.example.com/dir/page") end
  local function header(url) return jar:header(url or "http://www.example.com/dir/page", false) end

  it("sends back what it got", function()
    receive("a=1")
    receive("b=2")
    assert.are.equal("a=1; b=2", header())
  end)

  it("replaces a cookie of the same name, domain and path, in its place", function()
    receive("a=1; Path=/")
    receive("b=2; Path=/")
    receive("a=3; Path=/")
    assert.are.equal("a=3; b=2", header())
    assert.are.equal(2, #jar:list())
  end)

  it("keeps values as they are", function()
    receive('a="x y,z=1"; Path=/')
    receive("b=; Path=/")
    assert.are.equal('a="x y,z=1"; b=', header())
  end)

  for what, line in pairs { ["no equals sign"] = "abc", ["no name"] = "=1", ["a control character"] = "a=\1",
    ["too many bytes"] = "a=" .. ("x"):rep(5000), ["nothing"] = "" } do
    it("ignores a line with " .. what, function()
      receive(line)
      assert.is_nil(header())
    end)
  end

  describe("domains", function()
    it("without Domain mean that host only", function()
      receive("a=1")
      assert.are.equal("a=1", header("http://www.example.com/dir/"))
      assert.are.equal("a=1", header("http://WWW.Example.COM/dir/"))
      assert.is_nil(header("http://example.com/dir/"))
      assert.is_nil(header("http://x.www.example.com/dir/"))
    end)

    it("with Domain mean that domain and all below", function()
      receive("a=1; Domain=.Example.com; Path=/")
      assert.are.equal("a=1", header("http://example.com/"))
      assert.are.equal("a=1", header("http://a.b.example.com/"))
      assert.is_nil(header("http://badexample.com/"))
      assert.is_nil(header("http://example.com.evil.org/"))
    end)

    it("may be written with international letters, composed or not", function()
      receive("a=1; Domain=.B\195\188cher.example; Path=/", "http://www.xn--bcher-kva.example/")
      receive("b=2; Domain=bu\204\136cher.example; Path=/", "http://b\195\188cher.example/")
      assert.are.equal("a=1; b=2", header("http://xn--bcher-kva.example/"))
      jar:set { name = "c", value = "3", domain = "b\195\188cher.example" }
      assert.are.equal("3", (jar:get("c", "http://x.b\195\188cher.example/")))
      assert.are.equal("xn--bcher-kva.example", jar:list()[3].domain)
    end)

    it("that are no names are ignored", function()
      receive("a=1; Domain=\226\128\174b\195\188cher.example", "http://xn--bcher-kva.example/")
      receive("a=1; Domain=b\195\188cher.example/x", "http://xn--bcher-kva.example/")
      receive("a=1; Domain=u@b\195\188cher.example", "http://xn--bcher-kva.example/")
      assert.are.equal(0, jar.count)
    end)

    it("are ignored from other hosts", function()
      receive("a=1; Domain=other.com")
      receive("a=1; Domain=x.www.example.com")
      receive("a=1; Domain=ample.com")
      assert.are.equal(0, jar.count)
    end)

    it("that are public suffixes are refused", function()
      receive("a=1; Domain=com")
      receive("a=1; Domain=co.uk", "http://example.co.uk/")
      receive("a=1; Domain=github.io", "http://me.github.io/")
      assert.are.equal(0, jar.count)
    end)

    it("that are public suffixes mean the host itself when it is one", function()
      receive("a=1; Domain=localhost; Path=/", "http://localhost/")
      assert.are.equal("a=1", header("http://localhost/"))
      assert.is_nil(header("http://x.localhost/"))
    end)

    it("with a dot at the end are refused", function()
      receive("a=1; Domain=example.com.", "http://www.example.com./")
      assert.are.equal(0, jar.count)
    end)

    it("that are addresses match exactly", function()
      receive("a=1; Path=/", "http://127.0.0.1/")
      assert.are.equal("a=1", header("http://127.0.0.1/"))
      assert.is_nil(header("http://127.0.0.2/"))
      receive("b=1; Domain=0.0.1; Path=/", "http://127.0.0.1/")
      assert.are.equal(1, jar.count)
      receive("c=1; Domain=127.0.0.1; Path=/", "http://127.0.0.1/")
      assert.are.equal(2, jar.count)
      receive("d=1", "http://[::1]/")
      assert.are.equal("d=1", header("http://[::1]:8080/"))
    end)

    it("ignore ports", function()
      receive("a=1; Path=/", "http://www.example.com:8080/")
      assert.are.equal("a=1", header("http://www.example.com:9090/"))
    end)
  end)

  describe("paths", function()
    it("default to the directory of the request", function()
      receive("a=1", "http://h.test/one/two?x=/three/four")
      assert.are.equal("a=1", header("http://h.test/one"))
      assert.are.equal("a=1", header("http://h.test/one/x"))
      assert.is_nil(header("http://h.test/onefold"))
      assert.is_nil(header("http://h.test/"))
    end)

    it("match at slashes", function()
      receive("a=1; Path=/docs", "http://h.test/")
      assert.are.equal("a=1", header("http://h.test/docs"))
      assert.are.equal("a=1", header("http://h.test/docs/"))
      assert.is_nil(header("http://h.test/docs2"))
      receive("b=1; Path=/deep/", "http://h.test/")
      assert.are.equal("b=1", header("http://h.test/deep/x"))
      assert.is_nil(header("http://h.test/deep"))
    end)

    it("that are not absolute count as absent", function()
      receive("a=1; Path=docs", "http://h.test/one/two")
      assert.are.equal("a=1", header("http://h.test/one/x"))
    end)

    it("order the cookies: longest first, then the oldest", function()
      receive("short=1; Path=/", "http://h.test/a/b/c")
      receive("long=1; Path=/a/b", "http://h.test/a/b/c")
      receive("second=1; Path=/", "http://h.test/a/b/c")
      assert.are.equal("long=1; short=1; second=1", header("http://h.test/a/b/c"))
    end)
  end)

  describe("expiry", function()
    it("by Max-Age goes before Expires", function()
      receive("a=1; Max-Age=100; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
      assert.are.equal("a=1", header())
      receive("a=1; Max-Age=0; Expires=Thu, 01 Jan 2099 00:00:00 GMT")
      assert.is_nil(header())
    end)

    it("by Expires removes", function()
      receive("a=1")
      receive("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
      assert.is_nil(header())
      assert.are.equal(0, jar.count)
    end)

    it("with nonsense is as if not given", function()
      receive("a=1; Expires=tomorrow; Max-Age=ten")
      assert.are.equal("a=1", header())
      assert.is_nil(jar:list()[1].expires)
    end)
  end)

  it("keeps secure cookies to https", function()
    receive("a=1; Secure; Path=/", "https://h.test/")
    assert.are.equal("a=1", header("https://h.test/"))
    assert.is_nil(header("http://h.test/"))
  end)

  it("does not let plain http overwrite a secure cookie", function()
    receive("a=1; Secure; Path=/", "https://h.test/")
    receive("a=2; Path=/", "http://h.test/")
    assert.are.equal("a=1", header("https://h.test/"))
  end)

  it("takes no secure cookie from plain http", function()
    receive("a=1; Secure; Path=/", "http://h.test/")
    receive("b=1; secure", "http://h.test/")
    assert.are.equal(0, jar.count)
    receive("b=1; Path=/", "http://h.test/")
    receive("b=2; Path=/; Secure", "http://h.test/")
    assert.are.equal("b=1", header("http://h.test/"))
  end)

  it("does not let plain http put a cookie before a secure one, at another domain or path either", function()
    receive("a=1; Secure; Path=/x; Domain=h.test", "https://www.h.test/")
    for url, line in pairs { ["http://h.test/"] = "a=2; Path=/x", ["http://www.h.test/"] = "a=2; Path=/x/y",
      ["http://b.www.h.test/"] = "a=2; Path=/x/", ["http://www.h.test/#"] = "a=2; Path=/x; Domain=h.test" } do
      receive(line, url)
      assert.are.equal(1, jar.count, line)
    end
    receive("a=2; Path=/", "http://h.test/") -- goes behind it
    receive("a=2; Path=/xy", "http://h.test/")
    receive("A=2; Path=/x", "http://h.test/")
    receive("a=2; Path=/x", "http://other.test/")
    assert.are.equal(5, jar.count)
    receive("a=; Path=/x; Domain=h.test; Max-Age=0", "https://www.h.test/")
    receive("a=3; Path=/x", "http://h.test/") -- none is secure any more
    assert.are.equal("A=2; a=3; a=2", header("http://h.test/x"))
  end)

  it("does not let plain http put a cookie of a domain before a secure one of a host below it", function()
    receive("a=1; Secure; Path=/", "https://www.h.test/")
    receive("a=2; Path=/; Domain=h.test", "http://h.test/")
    assert.are.equal(1, jar.count)
  end)

  it("keeps plain http from a cookie that became secure later", function()
    receive("a=1; Path=/", "https://h.test/")
    receive("a=2; Secure; Path=/", "https://h.test/")
    receive("a=3; Path=/x", "http://h.test/")
    assert.are.equal("a=2", header("https://h.test/x"))
    receive("a=4; Path=/", "https://h.test/")
    receive("a=5; Path=/x", "http://h.test/")
    assert.are.equal("a=5; a=4", header("https://h.test/x"))
  end)

  it("holds __Secure- and __Host- to their promises in any case, and wants a Path given", function()
    for _, line in ipairs { "__secure-a=1; Path=/", "__SECURE-a=1", "__host-b=1; Secure; Path=/; Domain=h.test",
      "__HOST-b=1; Secure; Path=/x", "__Host-b=1; Secure", "__Host-b=1; Path=/" } do
      receive(line, "https://h.test/")
      assert.are.equal(0, jar.count, line)
    end
    receive("__hOsT-b=1; Secure; Path=/", "https://h.test/")
    assert.are.equal(1, jar.count)
    receive("__hOsT-c=1; Secure; Path=/", "http://h.test/")
    assert.are.equal(1, jar.count)
  end)

  it("ignores attributes of more than 1,024 bytes, and cookies of more than 4,096", function()
    local long = ("x"):rep(1024)
    receive("a=1; Path=/" .. long)
    receive("b=1; Max-Age=0" .. (" "):rep(2000))
    receive("c=1; Max-Age=" .. ("0"):rep(1025))
    receive("d=1; " .. ("y"):rep(99000) .. "; Path=/d")
    receive("e=1; Path=/" .. long:sub(2) .. "; Path=/" .. long)
    local paths = {}
    for _, cookie in ipairs(jar:list()) do paths[cookie.name] = cookie.path end
    assert.same({ a = "/dir", c = "/dir", d = "/d", e = "/" .. long:sub(2) }, paths)
    jar:clear()
    receive("a=" .. ("x"):rep(4095))
    assert.are.equal(1, jar.count)
    receive("ab=" .. ("x"):rep(4095))
    assert.are.equal(1, jar.count)
  end)

  it("has a later attribute undo an earlier one", function()
    receive("a=1; Domain=example.com; Domain=")
    receive("b=1; Path=/dir/page; Path=")
    assert.is_true(jar:list()[1].host_only)
    assert.are.equal("/dir", jar:list()[2].path)
  end)

  it("drops first what expired, then what is not secure, then what was not sent for the longest time", function()
    local url = "https://h.test/"
    receive("old=1; Secure; Path=/", url)
    for i = 1, 178 do receive(("c%d=1; Path=/p%d"):format(i, i), url) end
    receive("short=1; Path=/; Max-Age=1000", url)
    header(url .. "p1") -- c1 was used last
    receive("n=1; Secure; Path=/", url)
    assert.is_nil((jar:get("c2")))
    for _, name in ipairs { "old", "c1", "c3", "short", "n" } do assert.are.equal("1", (jar:get(name)), name) end
    for i = 1, 179 do receive(("s%d=1; Secure; Path=/"):format(i), url) end
    assert.are.equal(180, jar.count)
    assert.is_nil((jar:get("c1")))
    assert.is_nil((jar:get("old"))) -- all are secure, and it was used first
    assert.are.equal("1", (jar:get("n")))
  end)

  it("drops nothing that counts where something has expired", function()
    clock.virtual(function()
      for i = 1, 179 do receive(("c%d=1"):format(i), "https://h.test/") end
      receive("short=1; Secure; Max-Age=1", "https://h.test/")
      task.sleep(2)
      receive("n=1", "https://h.test/")
      for _, name in ipairs { "c1", "c179", "n" } do assert.are.equal("1", (jar:get(name)), name) end
      assert.are.equal(180, jar.count)
    end)
  end)

  it("drops what crowds before what is alone, when there are too many in all", function()
    receive("lonely=1", "http://lonely.test/")
    for domain = 1, 30 do
      for i = 1, 100 do receive(("c%d=1"):format(i), ("http://h%d.test/"):format(domain)) end
    end
    assert.are.equal(3000, jar.count)
    assert.are.equal("1", (jar:get("lonely")))
    assert.is_nil((jar:get("c1", "http://h1.test/")))
  end)

  it("holds __Secure- and __Host- to their promises", function()
    receive("__Secure-a=1; Path=/", "https://h.test/")
    receive("__Host-b=1; Secure; Path=/; Domain=h.test", "https://h.test/")
    receive("__Host-c=1; Secure", "https://h.test/x/y")
    assert.are.equal(0, jar.count)
    receive("__Secure-a=1; Secure; Path=/", "https://h.test/")
    receive("__Host-b=1; Secure; Path=/", "https://h.test/")
    assert.are.equal(2, jar.count)
  end)

  it("has room for 180 cookies of a domain and 3,000 in all", function()
    for i = 1, 200 do receive(("c%d=1"):format(i)) end
    assert.are.equal(180, jar.count)
    assert.is_nil(jar:get("c20"))
    assert.are.equal("1", jar:get("c21"))
    for i = 1, 3100 do receive("a=1", ("http://h%d.test/"):format(i)) end
    assert.are.equal(3000, jar.count)
  end)

  it("is read and written by scripts", function()
    jar:set { name = "a", value = "1", domain = "example.com" }
    jar:set { name = "b", value = "2", url = "https://h.test/x", path = "/x", secure = true, http_only = true,
      expires = os.time() + 60 }
    assert.are.equal("1", (jar:get("a")))
    assert.are.equal("1", (jar:get("a", "http://www.example.com/")))
    assert.is_nil(jar:get("a", "http://other.com/"))
    assert.are.equal("2", (jar:get("b", "https://h.test/x/y")))
    assert.is_nil(jar:get("b", "http://h.test/x"))
    local list = jar:list()
    assert.are.equal(2, #list)
    assert.are.equal("a", list[1].name)
    assert.is_true(list[2].http_only)
    jar:clear()
    assert.are.same({}, jar:list())
    assert.is_nil(jar:get("a"))
  end)

  it("takes values that are marked as secrets, and shows them as such", function()
    jar:set { name = "sid", value = http.secret "s3cr3t-sid", url = "https://h/" }
    assert.equal("sid=s3cr3t-sid", jar:header("https://h/"))
    assert.equal("***", tostring(jar:get("sid", http.secret "https://h/")))
    assert.equal("***", tostring(jar:get "sid"))
    assert.equal("***", tostring(jar:list()[1].value))
  end)

  it("refuses nonsense from scripts", function()
    for _, fields in ipairs { { path = "/x\ny" }, { path = "/x;y" }, { domain = "a.org\nb.org" }, { domain = "a b" },
      { domain = "a.org/" } } do
      fields.name, fields.value, fields.url = "a", "b", "https://h/"
      assert.equal("cookies:set: the path or the domain holds a character that may not stand in a cookie",
        message_of(function() jar:set(fields) end))
    end
    assert.equal("cookies:set: option 'expires' must be seconds since 1970, got nan",
      message_of(function() jar:set { name = "a", value = "b", url = "https://h/", expires = 0 / 0 } end))
    assert.equal("cookies:set: 'domain' or an absolute 'url' is needed",
      message_of(function() jar:set { name = "a", value = "1" } end))
    assert.equal("cookies:set: 'name' and 'value' are needed",
      message_of(function() jar:set { name = "a", domain = "h" } end))
    assert.equal("cookies:set: the name or the value holds a character that may not stand in a cookie",
      message_of(function() jar:set { name = "a", value = "1; Secure", domain = "h" } end))
    assert.equal("cookies:set: the name or the value holds a character that may not stand in a cookie",
      message_of(function() jar:set { name = "a\r\n", value = "1", domain = "h" } end))
    assert.equal("cookies:set: unknown option 'nam'; did you mean 'name'?",
      message_of(function() jar:set { nam = "a", value = "1", domain = "h" } end))
    assert.equal("bad argument #1 to 'cookies:get' (string expected, got 1)",
      message_of(function() jar:get(1) end))
  end)
end)

describe("cookies of a client", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  it("come back in the next request", function()
    site.paths["/login"] = { headers = { { "Set-Cookie", "sid=1; Path=/" },
      { "Set-Cookie", "x=2; Path=/deep" } } }
    local client = http.client()
    assert(client:get(site.url .. "/login"))
    assert(client:get(site.url .. "/"))
    assert.are.equal("sid=1", site:last().headers.cookie)
    assert(client:get(site.url .. "/deep/er"))
    assert.are.equal("x=2; sid=1", site:last().headers.cookie)
    assert.are.equal("1", (client.cookies:get("sid", site.url)))
  end)

  it("come back within one redirect, and one retry", function()
    site.paths["/a"] = { status = 302, headers = { Location = "/b", ["Set-Cookie"] = "hop=1" } }
    assert(http.client():get(site.url .. "/a"))
    assert.are.equal("hop=1", site:last().headers.cookie)
    site.paths["/c"] = function(req)
      return { status = req.headers.cookie and 200 or 503, headers = { ["Set-Cookie"] = "try=1" } }
    end
    assert.are.equal(200, assert(http.client({ retry = { base = 0 } }):get(site.url .. "/c")).status)
  end)

  it("go along with the answer to the challenge that set them", function()
    site.answer = function(req)
      if req.headers.authorization then return { body = req.headers.cookie or "none" } end
      return { status = 401, headers = { ["Set-Cookie"] = "login=1",
        ["WWW-Authenticate"] = 'Digest realm="r", nonce="n", qop="auth"' } }
    end
    local function asks(request, next)
      local res = next(request)
      if res.status == 401 then request.headers["Authorization"] = "Own x" end
      return next(request)
    end
    for _, make in ipairs { function() return http.digest("ann", "secret") end, function() return asks end } do
      assert.are.equal("login=1", assert(http.client({ auth = make() }):get(site.url)).body)
      assert.are.equal("none", assert(http.client({ auth = make(), cookies = false }):get(site.url)).body)
      local given = assert(http.client({ auth = make() }):get(site.url, { headers = { Cookie = "a=2" } }))
      assert.are.equal("a=2; login=1", given.body)
    end
  end)

  it("follow those the script gives, which win", function()
    local client = http.client()
    client.cookies:set { name = "a", value = "jar", url = site.url }
    client.cookies:set { name = "b", value = "jar", url = site.url }
    assert(client:get(site.url, { headers = { Cookie = "a=mine; z=1" } }))
    assert.are.same({ "a=mine; z=1; b=jar" }, site:last():header_list("cookie"))
  end)

  it("are not kept with cookies=false", function()
    site.answer = { headers = { ["Set-Cookie"] = "sid=1" } }
    local client = http.client { cookies = false }
    assert(client:get(site.url))
    assert(client:get(site.url))
    assert.is_nil(site:last().headers.cookie)
    assert.is_false(client.cookies)
  end)

  it("are shared by an extended client", function()
    local client = http.client()
    client.cookies:set { name = "a", value = "1", url = site.url }
    assert(client:extend({ headers = { ["X-A"] = "1" } }):get(site.url))
    assert.are.equal("a=1", site:last().headers.cookie)
    assert(client:extend({ cookies = false }):get(site.url))
    assert.is_nil(site:last().headers.cookie)
  end)

  it("of two clients are apart", function()
    local one, two = http.client(), http.client()
    one.cookies:set { name = "a", value = "1", url = site.url }
    assert(two:get(site.url))
    assert.is_nil(site:last().headers.cookie)
  end)

  it("reach hosts below a domain", function()
    local client = http.client()
    local www, resolve = site:called("www.example.com")
    local api, resolve_api = site:called("api.example.com")
    site.answer = { headers = { ["Set-Cookie"] = "wide=1; Domain=example.com" } }
    assert(client:get(www, { resolve = resolve }))
    site.answer = nil
    assert(client:get(api, { resolve = resolve_api }))
    assert.are.equal("wide=1", site:last().headers.cookie)
  end)
end)
