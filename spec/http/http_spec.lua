local http = require "lurcher.http"
local json = require "lurcher.json"
local origin = require "spec.support.origin"
local server = require "lurcher.server"
local serving = require "spec.support.serving"
local message_of = require("spec.support.raising").message

-- With the position, which must be a line of this file.
local function raised(...)
  local ok, message = pcall(...)
  assert.is_false(ok, "did not raise")
  return message
end

local function sent_headers(req)
  local names = {}
  for name in req:each_header() do names[#names + 1] = name:lower() end
  table.sort(names)
  return names
end

describe("lurcher.http", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  describe("verbs", function()
    it("takes the usual methods in lower case with http.request", function()
      for _, method in ipairs { "get", "head", "post", "put", "patch", "delete", "options", "trace" } do
        assert(http.request(method, site.url))
        assert.equal(method:upper(), site:last().method)
      end
    end)

    for _, method in ipairs { "get", "post", "put", "patch", "delete", "options" } do
      it("sends " .. method:upper(), function()
        local res = assert(http[method](site.url .. "/x"))
        assert.are.equal(200, res.status)
        assert.are.equal("ok", res.body)
        assert.are.equal(method:upper(), site:last().method)
        assert.are.equal(method:upper(), res.method)
      end)
    end

    it("sends HEAD, whose response has no body", function()
      local res = assert(http.head(site.url))
      assert.are.equal("", res.body)
      assert.are.equal("2", res:header("Content-Length"))
    end)

    it("sends any other method with http.request", function()
      assert(http.request("PURGE", site.url))
      assert.are.equal("PURGE", site:last().method)
      assert(http.request("get", site.url))
      assert.are.equal("GET", site:last().method)
    end)

    it("refuses methods that are no token, and CONNECT", function()
      for _, method in ipairs { "", "GE T", "GET\r\n", "G\0T", "connect", 5, ("A"):rep(24) } do
        assert.matches("http_spec%.lua:%d+: ", raised(http.request, method, site.url))
      end
    end)
  end)

  describe("URLs", function()
    it("of other types than string raise with the caller's line", function()
      local line = debug.getinfo(1, "l").currentline + 1
      local message = raised(function() http.get(nil) end)
      assert.matches("http_spec%.lua:" .. line .. ": the URL must be a string, got nil", message)
    end)

    for what, url in pairs { ["without scheme"] = "example.com/x", ["that are relative"] = "/items",
      ["of another scheme"] = "ftp://example.com/", ["with a bad port"] = "http://h:99999/",
      ["without host"] = "http:///x", ["that are empty"] = "" } do
      it(what .. " are errors of kind url", function()
        local res, err = http.get(url)
        assert.is_nil(res)
        assert.are.equal("url", err.kind)
        assert.is_false(err.retryable)
        assert.are.equal("GET", err.method)
      end)
    end

    for what, url in pairs { CR = "http://h/a\rb", LF = "http://h/a\nb", NUL = "http://h/a\0b" } do
      it("with " .. what .. " are errors of kind url, and nothing is sent", function()
        local _, err = http.get(url)
        assert.are.equal("url", err.kind)
      end)
    end

    it("are percent-encoded where needed, and left alone where not", function()
      assert(http.get(site.url .. "/a b/ä/%20%C3/x?q=ü e"))
      assert.are.equal("/a%20b/%C3%A4/%20%C3/x?q=%C3%BC%20e", site:last().target)
    end)

    it("lose dot segments and keep their fragment to themselves", function()
      local res = assert(http.get(site.url .. "/a/../b/./c#part"))
      assert.are.equal("/b/c", site:last().target)
      assert.are.equal(site.url .. "/b/c#part", res.url)
    end)

    it("can be sent as another request target", function()
      assert(http.request("OPTIONS", site.url, { raw_target = "*" }))
      assert.are.equal("*", site:last().target)
    end)
  end)

  describe("base_url", function()
    it("takes relative URLs below itself", function()
      local api = http.client { base_url = site.url .. "/v1" }
      for relative, target in pairs { ["items"] = "/v1/items", ["/items"] = "/v1/items", [""] = "/v1",
        ["?a=1"] = "/v1?a=1", ["items/7?b=2"] = "/v1/items/7?b=2", ["items:batch"] = "/v1/items:batch" } do
        local res = assert(api:get(relative))
        assert.are.equal(target, site:last().target)
        assert.are.equal(site.url .. target, res.url)
      end
    end)

    it("may end with a slash or have a query", function()
      assert(http.client({ base_url = site.url .. "/v1/" }):get("items"))
      assert.are.equal("/v1/items", site:last().target)
      assert(http.client({ base_url = site.url .. "/v1?key=1" }):get("items?a=2"))
      assert.are.equal("/v1/items?key=1&a=2", site:last().target)
    end)

    it("leaves absolute URLs alone", function()
      local api = http.client { base_url = "http://nowhere.invalid/v1" }
      assert(api:get(site.url .. "/other"))
      assert.are.equal("/other", site:last().target)
    end)
  end)

  describe("params", function()
    it("are added to those in the URL", function()
      assert(http.get(site.url .. "/?z=0", { params = { b = 2, a = { 1, "x y" } } }))
      assert.are.equal("/?z=0&a=1&a=x%20y&b=2", site:last().target)
    end)

    it("of client and request merge by key", function()
      local api = http.client { base_url = site.url, params = { key = "k", page = 1 } }
      assert(api:get("/", { params = { page = 2 } }))
      assert.are.equal("/?key=k&page=2", site:last().target)
      assert(api:get("/", { params = { key = false } }))
      assert.are.equal("/?page=1", site:last().target)
      assert(api:get("/"))
      assert.are.equal("/?key=k&page=1", site:last().target)
      assert(api:get("/", { params = false }))
      assert.are.equal("/", site:last().target)
    end)

    it("keep the order of a list", function()
      assert(http.get(site.url, { params = { { "b", 1 }, { "a", 2 }, { "b", 3 } } }))
      assert.are.equal("/?b=1&a=2&b=3", site:last().target)
    end)
  end)

  describe("headers", function()
    it("are few by default", function()
      assert(http.get(site.url))
      assert.are.same({ "accept", "accept-encoding", "host", "user-agent" }, sent_headers(site:last()))
      assert.matches("^lurcher/%d", site:last().headers["user-agent"])
    end)

    it("of client and request merge in any case", function()
      local api = http.client { headers = { ["X-One"] = "1", ["X-Two"] = "2" } }
      assert(api:get(site.url, { headers = { ["x-two"] = "3", ["X-Four"] = 4 } }))
      local h = site:last().headers
      assert.are.equal("1", h["x-one"])
      assert.are.equal("3", h["x-two"])
      assert.are.equal("4", h["x-four"])
    end)

    it("are removed by false", function()
      local api = http.client { headers = { ["X-One"] = "1" } }
      assert(api:get(site.url, { headers = { ["x-one"] = false, accept = false, ["User-Agent"] = false } }))
      assert.are.same({ "accept-encoding", "host" }, sent_headers(site:last()))
    end)

    it("with a list value are several lines", function()
      assert(http.get(site.url, { headers = { ["X-A"] = { "1", "2" } } }))
      assert.are.same({ "1", "2" }, site:last():header_list("x-a"))
    end)

    it("may be empty", function()
      assert(http.get(site.url, { headers = { ["X-A"] = "" } }))
      assert.are.same({ "" }, site:last():header_list("x-a"))
    end)

    it("may replace Host", function()
      assert(http.get(site.url, { headers = { Host = "other.example" } }))
      assert.are.same({ "other.example" }, site:last():header_list("host"))
    end)

    it("cannot smuggle lines", function()
      for name, value in pairs { ["X-A"] = "1\r\nX-B: 2", ["X-A\r\nX-B"] = "1", ["X\0"] = "1",
        ["X-C"] = "\0" } do
        assert.matches("http_spec%.lua:%d+: ", raised(http.get, site.url,
          { headers = { [name] = value } }))
        assert.matches("http_spec%.lua:%d+: ", raised(http.client, { headers = { [name] = value } }))
      end
      assert.are.equal(0, #site:requests())
    end)

    it("refuse Content-Length and Transfer-Encoding", function()
      local length, coding = { ["content-length"] = "7" }, { ["Transfer-Encoding"] = "chunked" }
      assert.equal("header 'content-length' cannot be set: it is computed from the body",
        message_of(function() http.post(site.url, { body = "x", headers = length }) end))
      assert.equal("header 'Transfer-Encoding' cannot be set: it is chosen with the body",
        message_of(function() http.post(site.url, { headers = coding }) end))
    end)

    it("name the agent the client gives", function()
      assert(http.client({ user_agent = "mine/1" }):get(site.url))
      assert.are.equal("mine/1", site:last().headers["user-agent"])
      assert(http.get(site.url, { user_agent = false }))
      assert.is_nil(site:last().headers["user-agent"])
    end)

    it("ask for no coding with decompress=false", function()
      assert(http.get(site.url, { decompress = false }))
      assert.is_nil(site:last().headers["accept-encoding"])
    end)
  end)

  describe("bodies", function()
    it("are strings as they are", function()
      assert(http.post(site.url, { body = "a\0b\r\n" }))
      assert.are.equal("a\0b\r\n", site:last().body)
      assert.is_nil(site:last().headers["content-type"])
      assert.are.equal("5", site:last().headers["content-length"])
    end)

    it("are JSON with its content type", function()
      assert(http.post(site.url, { json = { a = { 1, 2 } } }))
      assert.are.equal("application/json", site:last().headers["content-type"])
      assert.are.same({ a = { 1, 2 } }, json.decode(site:last().body))
    end)

    it("are forms with their content type", function()
      assert(http.post(site.url, { form = { b = "x y", a = { "ä", 2 } } }))
      assert.are.equal("application/x-www-form-urlencoded", site:last().headers["content-type"])
      assert.are.equal("a=%C3%A4&a=2&b=x+y", site:last().body)
      assert(http.post(site.url, { form = { { "z", 1 }, { "a", 2 } } }))
      assert.are.equal("z=1&a=2", site:last().body)
    end)

    it("leave a given content type alone", function()
      assert(http.post(site.url, { json = {}, headers = { ["content-type"] = "application/vnd.api+json" } }))
      assert.are.same({ "application/vnd.api+json" }, site:last():header_list("content-type"))
    end)

    it("have no content type where false removes it", function()
      assert(http.post(site.url, { json = { 1 }, headers = { ["content-type"] = false } }))
      assert.are.equal("[1]", site:last().body)
      assert.is_nil(site:last().headers["content-type"])
    end)

    it("go with any method, GET too", function()
      for _, method in ipairs { "GET", "DELETE", "PUT", "PATCH", "QUERY" } do
        assert(http.request(method, site.url, { body = "q" }))
        assert.are.equal(method, site:last().method)
        assert.are.equal("q", site:last().body)
      end
    end)

    for _, method in ipairs { "POST", "PUT", "PATCH" } do
      it("may be empty or absent in a " .. method .. ", and are of no type then", function()
        for _, opts in ipairs { {}, { body = "" } } do
          assert(http.request(method, site.url, opts))
          assert.are.equal("0", site:last().headers["content-length"])
          assert.is_nil(site:last().headers["content-type"])
        end
      end)
    end

    it("may be large", function()
      local body = ("0123456789abcdef"):rep(65536 * 2)
      assert(http.put(site.url, { body = body }))
      assert.are.equal(body, site:last().body)
    end)

    it("exclude each other", function()
      assert.matches("exclude each other", message_of(http.post, site.url, { body = "x", json = {} }))
      assert.matches("exclude each other", message_of(http.post, site.url, { form = {}, json = {} }))
    end)

    it("are sent without Expect when the server answers 417 to it", function()
      local asked = {}
      local refusing = assert(server.raw(function(conn)
        for req in function() return conn:read_head() end do
          asked[#asked + 1] = req.headers.expect or "none"
          if req.headers.expect then
            conn:write "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 5\r\n\r\nnever"
          else
            conn:write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" .. conn:read(3))
          end
        end
      end))
      for _, opts in ipairs { {}, { stream = true } } do
        opts.body, opts.expect_continue = "abc", true
        local res = assert(http.post(refusing.url, opts))
        assert.are.equal(200, res.status)
        assert.are.equal("abc", opts.stream and res:read_all() or res.body)
      end
      assert.are.same({ "100-continue", "none", "100-continue", "none" }, asked)
      refusing:stop()
    end)

    it("that are empty are waited for by nobody", function()
      assert(http.post(site.url, { body = "", expect_continue = true }))
      assert.is_nil(site:last().headers.expect)
    end)

    it("wait for 100 Continue only on request", function()
      assert(http.post(site.url, { body = ("x"):rep(2000000) }))
      assert.is_nil(site:last().headers.expect)
      assert(http.post(site.url, { body = "x", expect_continue = true }))
      assert.are.equal("100-continue", site:last().headers.expect:lower())
    end)
  end)

  it("sends each header as a line of its own, in whatever mixture", function()
    local head
    local raw = serving.raw(function(conn)
      head = conn:read_request().head
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    end)
    assert(http.post(raw.url .. "/x", { body = "b", headers = { ["X-One"] = { "1", "2" }, ["X-Empty"] = "",
      Cookie = "a=b", Authorization = "Basic eA==", TE = "trailers", ["Content-Type"] = "text/x",
      ["User-Agent"] = "me" } }))
    local lines = {}
    for line in head:gmatch("([^\r\n]+)\r\n") do lines[#lines + 1] = line end
    table.sort(lines)
    assert.are.same({ "Accept-Encoding: gzip, deflate, br, zstd", "Accept: */*", "Authorization: Basic eA==",
      "Content-Length: 1", "Content-Type: text/x", "Cookie: a=b", "Host: " .. raw.url:match("//(.*)$"),
      "POST /x HTTP/1.1", "TE: trailers", "User-Agent: me", "X-Empty:", "X-One: 1", "X-One: 2" }, lines)
  end)

  describe("secrets", function()
    it("are sent but never shown", function()
      local token = http.secret("s3cret-v4lue")
      assert.are.equal("***", tostring(token))
      local api = http.client { headers = { ["X-Token"] = token }, params = { t = token } }
      assert(api:get(site.url))
      assert.are.equal("s3cret-v4lue", site:last().headers["x-token"])
      assert.are.equal("s3cret-v4lue", site:last().query.t)
      local _, err = api:get("nothing.invalid/s3cret-v4lue")
      assert.not_matches("s3cret", tostring(err))
      assert.not_matches("s3cret", err.url)
    end)

    it("stand for bodies, form fields and passwords too", function()
      local value = http.secret("s3cret-v4lue")
      assert(http.post(site.url, { body = value }))
      assert.are.equal("s3cret-v4lue", site:last().body)
      assert(http.post(site.url, { form = { p = value }, auth = { "u", value } }))
      assert.are.equal("p=s3cret-v4lue", site:last().body)
      assert(http.post(site.url, { json = { p = { value } } }))
      assert.are.equal('{"p":["s3cret-v4lue"]}', site:last().body)
    end)

    it("keep userinfo and secret query values out of errors", function()
      local _, err = http.get("http://user:pass@nothing.invalid/?access_token=abc&x=1", { retry = false })
      assert.not_matches("pass", tostring(err))
      assert.not_matches("abc", tostring(err))
      assert.matches("x=1", err.url)
    end)
  end)

  it("says that functions of the module are called with a dot", function()
    for _, name in ipairs { "get", "request", "client" } do
      local ok, message = pcall(function() http[name](http, "http://127.0.0.1/") end)
      assert.is_false(ok)
      assert.matches("http_spec%.lua:%d+: call it with a dot: http%." .. name, message)
    end
  end)
end)

-- A server in another process: nothing else happens in this one while it takes its time.
describe("the times of a response", function()
  it("hold the wait for an idle loop to wake up, on a reused connection too", function()
    local process, task = require "spec.support.process", require "lurcher.task"
    local child = process.start { process.script [[
      local server, task = require "lurcher.server", require "lurcher.task"
      local s = server.start(function(req)
        if req.path == "/slow" then task.sleep(0.05) end
        return "ok"
      end)
      print(s.url .. "!")
      io.flush()
      task.sleep(60)]] }
    task.defer(function() child:finish() end)
    child:wait_for "!"
    local url = child.out:match "^[^!]+"
    assert(http.get(url))
    local res = assert(http.get(url .. "/slow"))
    assert.is_true(res.reused)
    assert.is_true(res.timings.first_byte >= 0.045, res.timings.first_byte)
    assert.is_true(res.elapsed >= 0.045)
  end)
end)
