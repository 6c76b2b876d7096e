local http = require "lurcher.http"
local origin = require "spec.support.origin"
local server = require "lurcher.server"
local serving = require "spec.support.serving"
local message_of = require("spec.support.raising").message

describe("a response", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  local function get(answer, opts)
    site.answer = answer
    return assert(http.get(site.url .. "/path", opts))
  end

  it("has status, reason, ok, url, method, body and attempts", function()
    local res = get { status = 404, reason = "Gone Fishing", body = "none" }
    assert.are.equal(404, res.status)
    assert.are.equal("Gone Fishing", res.reason)
    assert.is_false(res.ok)
    assert.are.equal(site.url .. "/path", res.url)
    assert.are.equal("GET", res.method)
    assert.are.equal("none", res.body)
    assert.are.equal(1, res.attempts)
    assert.are.same({}, res.history)
    assert.is_true(get({ status = 299, body = "" }).ok)
  end)

  it("has version, timings, sizes and connection", function()
    local client = http.client()
    site.answer = { status = 200, body = "hello" }
    local res = assert(client:get(site.url))
    assert.are.equal("1.1", res.http_version)
    for _, name in ipairs { "queue", "dns", "connect", "tls", "first_byte", "total" } do
      assert.is_number(res.timings[name])
      assert.is_true(res.timings[name] >= 0)
    end
    assert.is_true(res.elapsed > 0)
    assert.is_true(res.bytes_received >= 5)
    assert.is_true(res.bytes_sent > 0)
    assert.matches("127.0.0.1", res.remote_address, 1, true)
    assert.is_false(res.reused)
    assert.is_true(assert(client:get(site.url)).reused)
  end)

  it("has timings whose steps fit into each other", function()
    local tls = origin.start { tls = true }
    local times = assert(http.client({ tls = { ca = tls.ca } }):get(tls.url)).timings
    assert.is_true(times.connect > 0 and times.tls > 0)
    assert.is_true(times.dns + times.connect + times.tls <= times.first_byte)
    assert.is_true(times.first_byte <= times.total)
    tls:stop()
  end)

  it("is quoted in UTF-8 where its status is not the expected one", function()
    local function quoted(content_type, body)
      local res = get { status = 404, headers = { ["Content-Type"] = content_type }, body = body }
      return select(2, res:expect(200)).message:match(": (.*)$")
    end
    assert.are.equal("zu groß", quoted("text/plain; charset=iso-8859-1", "zu gro\223"))
    assert.are.equal("gro?", quoted("text/plain; charset=utf-8", "gro\223"))
    assert.are.equal(("x"):rep(199) .. "…", quoted("text/plain", ("x"):rep(199) .. "ßß"))
  end)

  it("raises for fields that do not exist, with the nearest one", function()
    local res = get { status = 200 }
    for name, message in pairs {
      status_code = "a response has no field 'status_code'; did you mean 'status'?",
      haeders = "a response has no field 'haeders'; did you mean 'headers'?",
      json_ = "a response has no field 'json_'; did you mean 'json'?",
      content = "a response has no field 'content'; it is written res.body",
      nonsense = "a response has no field 'nonsense'",
    } do
      local line = debug.getinfo(1, "l").currentline + 1
      local ok, failure = pcall(function() return res[name] end)
      assert.is_false(ok)
      assert.are.equal(("spec/http/response_spec.lua:%d: %s"):format(line, message), failure)
    end
    assert.is_nil(res[1])
  end)

  it("has a field for everything that it may know, even if it does not", function()
    for _, streamed in ipairs { false, true } do
      local res = get({ status = 200, body = "" }, { stream = streamed })
      for _, name in ipairs { "status", "reason", "ok", "http_version", "url", "method", "headers", "elapsed",
        "timings", "history", "attempts", "reused", "remote_address", "bytes_received", "bytes_sent" } do
        assert.not_nil(res[name], name)
      end
    end
  end)

  it("prints its headers and its timings, and itself without a blank at the end", function()
    local s = serving.raw(function(conn)
      conn:read_request()
      conn:write "HTTP/1.1 200 OK\r\nX-Two: b\r\nX-One: a\27[31m\r\nContent-Length: 0\r\n\r\n"
    end)
    local res = assert(http.get(s.url))
    local printed = "\n" .. tostring(res.headers) .. "\n"
    assert.matches("\nx-one: a\\x1b[31m\nx-two: b\n", printed, 1, true)
    assert.matches("^queue %S+ ?.*, rate %S+.*, dns .*, connect .*, tls .*, first_byte .*, total ",
      tostring(res.timings))
    local bare = get { status = 200, reason = "" }
    assert.are.equal("GET " .. bare.url .. ": 200", tostring(bare))
    assert.are.equal("GET " .. res.url .. ": 200 OK", tostring(res))
  end)

  it("tells where its Location leads", function()
    for given, wanted in pairs { ["/x?y=1#z"] = "%s/x?y=1#z", ["http://other.example/"] = "http://other.example/",
      ["a b"] = "%s/a%%20b", ["?q"] = "%s/path?q" } do
      local res = get({ status = 302, headers = { { "Location", given } } }, { redirects = false })
      local base = res.url:match("^http://[^/]+")
      assert.are.equal(wanted:format(base), res:location())
    end
    assert.is_nil(get({ status = 200 }):location())
    local none, err = get({ status = 201, headers = { { "Location", "http://h:99999999/" } } }):location()
    assert.is_nil(none)
    assert.are.equal("url", err.kind)
  end)

  it("has headers in any case, repeated ones joined", function()
    local res = get { status = 200, headers = { { "X-One", "1" }, { "X-Two", "a" }, { "x-two", "b" } } }
    assert.are.equal("1", res.headers["x-one"])
    assert.are.equal("1", res.headers["X-ONE"])
    assert.are.equal("a, b", res.headers["X-Two"])
    assert.is_nil(res.headers["x-three"])
    assert.are.equal("a", res:header("x-TWO"))
    assert.is_nil(res:header("x-three"))
    assert.are.same({ "a", "b" }, res:header_list("X-Two"))
    assert.are.same({}, res:header_list("X-Three"))
  end)

  it("iterates over headers in the order of the wire", function()
    local res = get { status = 200, headers = { { "B", "1" }, { "A", "2" }, { "B", "3" } } }
    local seen = {}
    for name, value in res:each_header() do
      if #name == 1 then seen[#seen + 1] = name .. value end
    end
    assert.are.same({ "B1", "A2", "B3" }, seen)
    local names = {}
    for name in pairs(res.headers) do names[name] = true end
    assert.is_true(names.a and names.b)
  end)

  it("tells the seconds the server asks to wait", function()
    assert.are.equal(7, get({ status = 200, headers = { ["Retry-After"] = "7" } }):retry_after())
    local used_up = { ["RateLimit-Remaining"] = "0", ["RateLimit-Reset"] = "9" }
    assert.are.equal(9, get({ status = 200, headers = used_up }):retry_after())
    assert.is_nil(get({ status = 200 }):retry_after())
  end)

  it("keeps headers that are not UTF-8", function()
    assert.are.equal("caf\233", get({ status = 200, headers = { ["X-A"] = "caf\233" } }):header("X-A"))
  end)

  it("decodes JSON, or says where it is wrong", function()
    assert.are.same({ a = { 1, 2 } }, get({ body = '{"a":[1,2]}' }):json())
    local value, err = get({ body = '{"a":' }):json()
    assert.is_nil(value)
    assert.are.equal("decode", err.kind)
    assert.are.equal(site.url .. "/path", err.url)
    value, err = get({ body = "" }):json()
    assert.is_nil(value)
    assert.are.equal("decode", err.kind)
  end)

  it("gives text as UTF-8", function()
    local headers = { ["Content-Type"] = "text/plain; charset=iso-8859-1" }
    assert.are.equal("café", get({ headers = headers, body = "caf\233" }):text())
    assert.are.equal("café", get({ body = "café" }):text())
    local text, err = get({ headers = { ["Content-Type"] = "text/plain; charset=klingon" },
      body = "x" }):text()
    assert.is_nil(text)
    assert.are.equal("decode", err.kind)
    assert.matches("klingon", err.message)
  end)

  describe("expect", function()
    it("gives the response when the status fits", function()
      local res = get { status = 201 }
      assert.are.equal(res, res:expect(201))
      assert.are.equal(res, res:expect(200, 201))
      assert.are.equal(res, res:expect { 200, 201 })
      assert.are.equal(res, res:expect("2xx"))
      assert.are.equal(res, res:expect(404, "2xx"))
    end)

    it("gives an error of kind status otherwise", function()
      local res = get { status = 404, body = '{"error":"no such item"}' }
      local none, err = res:expect("2xx")
      assert.is_nil(none)
      assert.are.equal("status", err.kind)
      assert.are.equal(res, err.response)
      assert.is_false(err.retryable)
      assert.matches("404 Not Found", tostring(err))
      assert.matches("no such item", tostring(err))
    end)

    it("refuses what is no status", function()
      assert.equal('res:expect wants a status, "2xx", or a list of these',
        message_of(function() get({}):expect("ok") end))
      assert.equal('res:expect wants a status, "2xx", or a list of these',
        message_of(function() get({}):expect() end))
    end)

    it("is an option as well", function()
      site.answer = { status = 500 }
      local res, err = http.get(site.url, { expect = "2xx", retry = false })
      assert.is_nil(res)
      assert.are.equal("status", err.kind)
      assert.are.equal(500, err.response.status)
      assert.are.equal(500, assert(http.get(site.url, { expect = { 200, 500 }, retry = false })).status)
      assert.are.equal(500, assert(http.get(site.url, { expect = "5xx", retry = false })).status)
    end)
  end)

  it("parses Link headers against its URL", function()
    local res = get { headers = { { "Link", '</p?page=2>; rel="next"' }, { "Link", "<x>; rel=prev" } } }
    assert.are.equal(site.url .. "/p?page=2", res:links().next.url)
    assert.are.equal(site.url .. "/x", res:links().prev.url)
    assert.are.same({}, get({}):links())
  end)

  it("lists the cookies it set", function()
    local res = get { headers = { { "Set-Cookie", "a=1; Path=/x; Secure; HttpOnly; Max-Age=60" },
      { "Set-Cookie", "b=2" }, { "Set-Cookie", "nonsense" } } }
    local list = res:cookies()
    assert.are.equal(2, #list)
    assert.are.equal("a", list[1].name)
    assert.are.equal("1", list[1].value)
    assert.are.equal("/x", list[1].path)
    assert.is_true(list[1].secure)
    assert.is_true(list[1].http_only)
    assert.is_true(math.abs(list[1].expires - os.time() - 60) <= 2)
    assert.are.equal("127.0.0.1", list[2].domain)
    assert.are.equal("/", list[2].path)
    assert.is_nil(list[2].expires)
    assert.is_false(list[2].secure)
  end)

  it("prints as method, URL and status", function()
    assert.are.equal("GET " .. site.url .. "/path: 200 OK", tostring(get { status = 200 }))
  end)

  it("has an empty reason when the server gave none", function()
    local bare = assert(server.raw(function(conn)
      conn:read_request()
      conn:write("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok")
    end))
    local res = assert(http.get(bare.url))
    assert.are.equal("ok", res.body)
    assert.are.equal("", res.reason)
    bare:stop()
  end)

  it("gives one value where there is one, and nil for a header that is not there", function()
    assert.are.equal(1, select("#", http.get(site.url)))
    assert.are.equal(1, select("#", http.get(site.url, { timeout = 5 })))
    local res = assert(http.get(site.url))
    assert.are.equal(1, select("#", res:header("X-Not-There")))
    assert.is_nil((res:header("X-Not-There")))
  end)
end)
