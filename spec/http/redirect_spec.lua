local http = require "lurcher.http"
local origin = require "spec.support.origin"

describe("redirects", function()
  local site, other

  before_each(function() site, other = origin.start(), origin.start() end)
  after_each(function()
    site:stop()
    other:stop()
  end)

  local function to(location, status)
    return { status = status or 302, headers = { Location = location }, body = "moved" }
  end

  it("are followed, with a history", function()
    site.paths["/a"], site.paths["/b"] = to("/b"), to("c?x=1", 301)
    local res = assert(http.get(site.url .. "/a"))
    assert.are.equal(site.url .. "/c?x=1", res.url)
    assert.are.equal(200, res.status)
    assert.are.equal(1, res.attempts)
    assert.are.equal(2, #res.history)
    assert.are.equal(302, res.history[1].status)
    assert.are.equal(site.url .. "/a", res.history[1].url)
    assert.are.equal("moved", res.history[1].body)
    assert.are.equal(301, res.history[2].status)
  end)

  for _, case in ipairs {
    { 301, "POST", "GET" }, { 302, "POST", "GET" }, { 303, "POST", "GET" }, { 307, "POST", "POST" },
    { 308, "POST", "POST" }, { 301, "PUT", "PUT" }, { 302, "PUT", "PUT" }, { 303, "PUT", "GET" },
    { 303, "DELETE", "GET" }, { 301, "DELETE", "DELETE" }, { 303, "GET", "GET" }, { 307, "PATCH", "PATCH" },
  } do
    it(("of status %d turn %s into %s"):format(unpack(case)), function()
      site.paths["/a"] = to("/b", case[1])
      local res = assert(http.request(case[2], site.url .. "/a", { json = { 1 } }))
      local last = site:last()
      assert.are.equal("/b", last.path)
      assert.are.equal(case[3], last.method)
      assert.are.equal(case[3], res.method)
      if case[2] == case[3] then
        assert.are.equal("[1]", last.body)
        assert.are.equal("application/json", last.headers["content-type"])
      else
        assert.are.equal("", last.body)
        assert.is_nil(last.headers["content-type"])
        assert.is_nil(last.headers["content-length"])
      end
    end)
  end

  it("keep HEAD, with 303 too", function()
    for _, status in ipairs { 301, 302, 303, 307, 308 } do
      site.paths["/a"] = to("/b", status)
      assert(http.head(site.url .. "/a"))
      assert.are.equal("HEAD", site:last().method)
    end
  end)

  it("that become GET lose every Content-* header the script gave", function()
    site.paths["/a"] = to("/b", 303)
    assert(http.post(site.url .. "/a", { body = "x", headers = { ["Content-Type"] = "text/x",
      ["Content-Language"] = "en", ["X-Kept"] = "1" } }))
    local h = site:last().headers
    assert.is_nil(h["content-type"])
    assert.is_nil(h["content-language"])
    assert.are.equal("1", h["x-kept"])
  end)

  for _, status in ipairs { 300, 304, 305, 306 } do
    it(("are not followed for status %d"):format(status), function()
      site.paths["/a"] = to("/b", status)
      assert.are.equal(status, assert(http.get(site.url .. "/a")).status)
    end)
  end

  it("without Location are the response", function()
    site.paths["/a"] = { status = 302 }
    assert.are.equal(302, assert(http.get(site.url .. "/a")).status)
  end)

  it("are the response with redirects=false or 0", function()
    site.paths["/a"] = to("/b")
    assert.are.equal(302, assert(http.get(site.url .. "/a", { redirects = false })).status)
    assert.are.equal(302, assert(http.get(site.url .. "/a", { redirects = 0 })).status)
    assert.are.equal(302, assert(http.client({ redirects = false }):get(site.url .. "/a")).status)
  end)

  it("beyond the limit are an error", function()
    site.answer = function(req) return to("/" .. (tonumber(req.path:match("%d+")) + 1)) end
    local _, err = http.get(site.url .. "/0")
    assert.are.equal("redirect", err.kind)
    assert.matches("more than 10", err.message)
    assert.are.equal(11, #site:requests())
    _, err = http.get(site.url .. "/0", { redirects = 2 })
    assert.matches("more than 2", err.message)
    assert.are.equal(14, #site:requests())
  end)

  it("in a loop are an error at once", function()
    site.paths["/a"], site.paths["/b"] = to("/b"), to("/a")
    local _, err = http.get(site.url .. "/a")
    assert.are.equal("redirect", err.kind)
    assert.matches("form a loop", err.message)
    assert.are.equal(2, #site:requests())
  end)

  it("to the same place are followed when a cookie was set", function()
    site.answer = function(req)
      if req.headers.cookie then return { status = 200, body = "in" } end
      return { status = 302, headers = { Location = req.path, ["Set-Cookie"] = "seen=1" } }
    end
    assert.are.equal("in", assert(http.client():get(site.url .. "/login")).body)
  end)

  for what, location in pairs { ["another scheme"] = "ftp://h/", ["mail"] = "mailto:a@b",
    ["javascript"] = "javascript:x",
    ["a bad port"] = "http://h:99999/", ["no host"] = "http:///x" } do
    it("to " .. what .. " are an error of kind redirect", function()
      site.paths["/a"] = to(location)
      local _, err = http.get(site.url .. "/a")
      assert.are.equal("redirect", err.kind)
    end)
  end

  it("follow a Location with blanks and UTF-8", function()
    site.paths["/a"] = to("/ü x")
    assert(http.get(site.url .. "/a"))
    assert.are.equal("/%C3%BC%20x", site:last().target)
  end)

  it("carry the fragment over, unless Location has one", function()
    site.paths["/a"], site.paths["/b"] = to("/c"), to("/c#new")
    assert.are.equal(site.url .. "/c#old", assert(http.get(site.url .. "/a#old")).url)
    assert.are.equal(site.url .. "/c#new", assert(http.get(site.url .. "/b#old")).url)
  end)

  it("leave raw_target behind", function()
    site.paths["/a"], site.paths["/raw"] = to("/b"), to("/b")
    assert(http.get(site.url .. "/a", { raw_target = "/raw?x=1" }))
    assert.are.equal("/raw?x=1", site:requests()[1].target)
    assert.are.equal("/b", site:last().target)
  end)

  it("use the same connection for a stream", function()
    site.paths["/a"] = to("/b")
    local res = assert(http.client():get(site.url .. "/a", { stream = true }))
    assert.is_true(res.reused)
    res:close()
  end)

  it("do not add params again, nor the base URL", function()
    site.paths["/v1/a"] = to("/b?y=1")
    local api = http.client { base_url = site.url .. "/v1", params = { x = 1 } }
    assert(api:get("a"))
    assert.are.equal("/b?y=1", site:last().target)
  end)

  describe("to another origin", function()
    local SECRET = { Authorization = "Basic eA==", Cookie = "a=1", ["Proxy-Authorization"] = "x",
      ["X-Key"] = "k",
      ["X-Open"] = "o" }

    it("drop credentials and secret headers", function()
      site.paths["/a"] = to(other.url .. "/b")
      assert(http.get(site.url .. "/a", { headers = SECRET, secret_headers = { "x-KEY" } }))
      local h = other:last().headers
      assert.is_nil(h.authorization)
      assert.is_nil(h.cookie)
      assert.is_nil(h["proxy-authorization"])
      assert.is_nil(h["x-key"])
      assert.are.equal("o", h["x-open"])
    end)

    it("drop the client's credentials as well", function()
      site.paths["/a"] = to(other.url .. "/b")
      local api = http.client { auth = { "u", "p" }, headers = { Cookie = "a=1", ["X-Key"] = "k" },
        secret_headers = { "X-Key" } }
      assert(api:get(site.url .. "/a"))
      assert.is_string(site:last().headers.authorization)
      local h = other:last().headers
      assert.is_nil(h.authorization)
      assert.is_nil(h.cookie)
      assert.is_nil(h["x-key"])
    end)

    it("drop userinfo's credentials and a given Host", function()
      site.paths["/a"] = to(other.url .. "/b")
      local res = assert(http.get(site.url:gsub("//", "//user:pw@") .. "/a",
        { headers = { Host = "virtual" } }))
      assert.is_string(site:last().headers.authorization)
      assert.is_nil(other:last().headers.authorization)
      assert.are.equal("127.0.0.1:" .. other.port, other:last().headers.host)
      assert.are.equal(other.url .. "/b", res.url)
    end)

    it("do not give them back on the way home", function()
      site.paths["/a"], other.paths["/b"] = to(other.url .. "/b"), to(site.url .. "/c")
      assert(http.get(site.url .. "/a", { auth = { "u", "p" } }))
      assert.are.equal("/c", site:last().path)
      assert.is_nil(site:last().headers.authorization)
    end)

    it("keep them within the origin", function()
      site.paths["/a"] = to("/b")
      assert(http.get(site.url .. "/a", { headers = SECRET, secret_headers = { "X-Key" } }))
      local h = site:last().headers
      assert.are.equal("Basic eA==", h.authorization)
      assert.are.equal("a=1", h.cookie)
      assert.are.equal("k", h["x-key"])
    end)

    it("do not use credentials in Location", function()
      site.paths["/a"] = to(other.url:gsub("//", "//evil:pw@") .. "/b")
      local res = assert(http.get(site.url .. "/a"))
      assert.is_nil(other:last().headers.authorization)
      assert.are.equal(other.url .. "/b", res.url)
    end)

    it("send the body along with 307", function()
      site.paths["/a"] = to(other.url .. "/b", 307)
      assert(http.post(site.url .. "/a", { body = "payload" }))
      assert.are.equal("payload", other:last().body)
    end)
  end)

  describe("from https", function()
    local secure

    before_each(function() secure = origin.start { tls = true } end)
    after_each(function() secure:stop() end)

    it("to http are refused", function()
      secure.paths["/a"] = to(site.url .. "/b")
      local _, err = http.get(secure.url .. "/a", { tls = { ca = secure.ca } })
      assert.are.equal("redirect", err.kind)
      assert.matches("allow_downgrade", err.message)
      assert.are.equal(0, #site:requests())
    end)

    it("to http are followed with allow_downgrade, without credentials", function()
      secure.paths["/a"] = to(site.url .. "/b")
      assert(http.get(secure.url .. "/a", { tls = { ca = secure.ca }, allow_downgrade = true,
        auth = { "u", "p" } }))
      assert.are.equal("/b", site:last().path)
      assert.is_nil(site:last().headers.authorization)
    end)
  end)

  it("choose jar cookies anew for each hop", function()
    local client = http.client()
    local elsewhere, resolve = other:called("other.test")
    client.cookies:set { name = "mine", value = "1", url = site.url }
    client.cookies:set { name = "theirs", value = "2", url = elsewhere }
    site.paths["/a"] = to(elsewhere .. "/b")
    assert(client:get(site.url .. "/a", { resolve = resolve }))
    assert.are.equal("mine=1", site:last().headers.cookie)
    assert.are.equal("theirs=2", other:last().headers.cookie)
  end)

  it("share one total clock", function()
    site.answer = function(req)
      require("lurcher.task").sleep(0.15)
      return to("/" .. (tonumber(req.path:match("%d+")) + 1))
    end
    local _, err = http.get(site.url .. "/0", { timeout = 0.4, retry = false })
    assert.are.equal("timeout", err.kind)
    assert.are.equal("total", err.phase)
  end)
end)
