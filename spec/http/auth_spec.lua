local http = require "lurcher.http"
local errors = require "lurcher.base.errors"
local log_line = require "lurcher.base.log_line"
local origin = require "spec.support.origin"
local message_of = require("spec.support.raising").message

describe("auth", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  local function sent() return site:last().headers.authorization end

  it("is basic for user and password", function()
    assert(http.get(site.url, { auth = { "Aladdin", "open sesame" } }))
    assert.are.equal("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", sent())
    assert(http.client({ auth = http.basic("Aladdin", "open sesame") }):get(site.url))
    assert.are.equal("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", sent())
  end)

  it("comes from userinfo in the URL, which is shown nowhere", function()
    local res = assert(http.get((site.url:gsub("//", "//Aladdin:open%%20sesame@")) .. "/x"))
    assert.are.equal("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", sent())
    assert.are.equal(site.url .. "/x", res.url)
  end)

  it("is not sent for userinfo that is empty, which leaves the client's in place", function()
    for _, userinfo in ipairs { "@", ":@" } do
      local url = site.url:gsub("//", "//" .. userinfo)
      assert(http.get(url))
      assert.is_nil(sent())
      assert(http.client({ auth = http.bearer("abc") }):get(url))
      assert.are.equal("Bearer abc", sent())
    end
  end)

  it("in a URL that cannot be sent is an error of kind url", function()
    for _, userinfo in ipairs { "a%0Ab:c", "a:b%0D", "a%3Ab:c" } do
      local _, err = http.get((site.url:gsub("//", function() return "//" .. userinfo .. "@" end)))
      assert.are.equal("url", err.kind)
      assert.is_nil(tostring(err):find(userinfo, 1, true))
    end
  end)

  it("is a bearer token", function()
    assert(http.client({ auth = http.bearer("abc") }):get(site.url))
    assert.are.equal("Bearer abc", sent())
    assert(http.get(site.url, { auth = http.bearer(http.secret("def")) }))
    assert.are.equal("Bearer def", sent())
  end)

  it("asks a token function before each attempt", function()
    local count = 0
    site.answer = function() return { status = count < 2 and 503 or 200 } end
    local res = assert(http.get(site.url, { retry = { base = 0 }, auth = http.bearer(function()
      count = count + 1
      return "token" .. count
    end) }))
    assert.are.equal(2, res.attempts)
    assert.are.equal("Bearer token1", site:requests()[1].headers.authorization)
    assert.are.equal("Bearer token2", sent())
  end)

  it("returns the error of a token function", function()
    local failure = errors.new { kind = "timeout", message = "no token" }
    local res, err = http.get(site.url, { auth = http.bearer(function() return nil, failure end),
      retry = false })
    assert.is_nil(res)
    assert.are.equal(failure, err)
    assert.are.equal(0, #site:requests())
  end)

  it("raises when a token function gives nonsense", function()
    assert.equal("the function given to http.bearer returned no token",
      message_of(function() http.get(site.url, { auth = http.bearer(function() end) }) end))
    local smuggling = http.bearer(function() return "a\r\nb" end)
    assert.equal("the bearer token holds a control character",
      message_of(function() http.get(site.url, { auth = smuggling }) end))
  end)

  it("is left out for one request with auth=false", function()
    local client = http.client { auth = { "u", "p" } }
    assert(client:get(site.url, { auth = false }))
    assert.is_nil(sent())
    assert(client:get(site.url))
    assert.is_string(sent())
  end)

  it("is a function that sees each attempt and hop", function()
    site.paths["/a"] = { status = 302, headers = { Location = "/b" } }
    local urls = {}
    local client = http.client { auth = function(request, next)
      urls[#urls + 1] = request.url
      request.headers["X-Signature"] = request.method .. #urls
      return next(request)
    end }
    assert(client:get(site.url .. "/a"))
    assert.are.same({ site.url .. "/a", site.url .. "/b" }, urls)
    assert.are.equal("GET1", site:requests()[1].headers["x-signature"])
    assert.are.equal("GET2", site:last().headers["x-signature"])
  end)

  it("may try again in a function, as for a 401", function()
    site.answer = function(req) return { status = req.headers.authorization == "new" and 200 or 401 } end
    local res = assert(http.get(site.url, { auth = function(request, next)
      local first, err = next(request)
      if not first or first.status ~= 401 then return first, err end
      request.headers.Authorization = "new"
      return next(request)
    end }))
    assert.are.equal(200, res.status)
  end)

  it("gives way to a header in the same place, and wins over the client's", function()
    local client = http.client { headers = { Authorization = "client" } }
    assert(client:get(site.url))
    assert.are.equal("client", sent())
    assert(client:get(site.url, { auth = { "u", "p" } }))
    assert.are.same({ "Basic dTpw" }, site:last():header_list("authorization"))
    assert(http.client({ auth = { "u", "p" } }):get(site.url, { headers = { Authorization = "request" } }))
    assert.are.same({ "request" }, site:last():header_list("authorization"))
  end)

  it("refuses what cannot be sent", function()
    assert.equal("the user name must not hold a colon", message_of(function() http.basic("a:b", "c") end))
    assert.equal("the password holds a control character", message_of(function() http.basic("a", "c\n") end))
    assert.equal("the password must be a string, got nil", message_of(function() http.basic("a") end))
    assert.equal("the bearer token holds a control character",
      message_of(function() http.bearer("a\r\nb") end))
    assert.equal("the bearer token must be a string, got nil", message_of(function() http.bearer() end))
  end)

  it("shows no credentials to who prints a scheme", function()
    for _, scheme in ipairs { http.basic("ann", "s3cr3t"), http.bearer "s3cr3t", http.digest("ann", "s3cr3t") } do
      local line = log_line.make("warn", 1, "x", { auth = scheme })
      assert.is_nil(line:find("s3cr3t", 1, true), line)
      assert.is_nil(line:find("ann", 1, true), line)
    end
  end)

  it("of any scheme stays away after a redirect from A to B and back to A", function()
    local other, login = origin.start(), origin.start()
    login.answer = { status = 200, body = '{"access_token":"t"}' }
    site.paths["/start"] = { status = 302, headers = { Location = other.url .. "/b" } }
    other.answer = { status = 302, headers = { Location = site.url .. "/end" } }
    for name, scheme in pairs { basic = http.basic("u", "p"), bearer = http.bearer "t", table = { "u", "p" },
      aws = http.aws_sigv4 { access_key = "a", secret_key = "b", region = "c", service = "s3" },
      oauth2 = http.oauth2 { token_url = login.url, client_id = "x" },
      ["function"] = function(request, next)
        request.headers["Authorization"] = "own"
        return next(request)
      end } do
      local own = http.client { auth = scheme }
      assert.equal(200, assert(own:get(site.url .. "/start")).status)
      local all = site:requests()
      assert.is_string(all[#all - 1].headers.authorization, name)
      assert.is_nil(other:last().headers.authorization, name)
      assert.is_nil(all[#all].headers.authorization, name)
      assert.is_nil(all[#all].headers["x-amz-date"], name)
      own:close()
    end
    other:stop()
    login:stop()
  end)

  it("raises what an auth function raises", function()
    local ok, raised = pcall(http.get, site.url, { auth = function() error("broken", 0) end })
    assert.is_false(ok)
    assert.are.equal("broken", raised)
    assert.equal("the auth function returned nothing: it is to return next(request)",
      message_of(function() http.get(site.url, { auth = function() end }) end))
    local wrong = { ["false"] = false, ['"Bearer x"'] = "Bearer x", ["5"] = 5, ["a table"] = { status = 200 } }
    for shown, given in pairs(wrong) do
      assert.equal(("the auth function returned %s: it is to return next(request)"):format(shown),
        message_of(function() http.get(site.url, { auth = function() return given end }) end))
    end
  end)

  it("raises for a token that is empty", function()
    assert.equal("the bearer token is empty", message_of(function() http.bearer "" end))
    assert.equal("the bearer token is empty",
      message_of(function() http.get(site.url, { auth = http.bearer(function() return "" end) }) end))
  end)

  it("is not shown by its scheme, nor where a server repeats it", function()
    assert.equal("http.basic", tostring(http.basic("ann", "s3cr3t-word")))
    assert.equal("http.bearer", tostring(http.bearer "t0k3n-of-ann"))
    site.answer = function(req) return { status = 403, body = "no " .. req.headers.authorization } end
    for _, scheme in ipairs { http.bearer "t0k3n-of-ann", http.bearer(function() return "t0k3n-of-bob" end),
      { "ann", "s3cr3t-word" } } do
      local _, err = http.get(site.url, { auth = scheme, expect = 200 })
      assert.matches(": no %a+ %*%*%*$", tostring(err))
    end
  end)
end)
