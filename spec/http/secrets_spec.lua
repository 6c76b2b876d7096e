-- What a script marks as a secret stays one, wherever it travels.

local crypto = require "lurcher.crypto"
local http = require "lurcher.http"
local json = require "lurcher.json"
local origin = require "spec.support.origin"
local process = require "spec.support.process"
local url = require "lurcher.url"

describe("a secret", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  local function assert_hidden(text)
    assert.is_nil(text:find("s3cr3t", 1, true), text)
    assert.is_truthy(text:find("***", 1, true), text)
  end

  it("as a parameter is masked where res.url is printed, which can be requested again", function()
    local token = http.secret "s3cr3t a/b"
    local res = assert(http.get(site.url .. "/p", { params = { q = token, page = 2 } }))
    assert.are.equal(site.url .. "/p?page=2&q=***", tostring(res.url))
    assert_hidden(("%s"):format(res.url))
    assert_hidden(tostring("URL: " .. res.url))
    assert_hidden(tostring(res.url .. "&x=1"))
    assert_hidden(tostring(res))
    assert.are.equal(2, res.url:find "ttp") -- string methods see what is shown
    assert_hidden(res.url:sub(1))
    assert.are.equal("page=2&q=s3cr3t%20a%2Fb", url.parse(res.url).query)
    assert(http.get(res.url))
    assert.are.equal("s3cr3t a/b", site:last().query.q)
    assert(http.get(res.url .. "&x=1"))
    assert.are.equal("1", site:last().query.x)
    assert.are.equal(site.url .. "/x", url.join(res.url, "/x"))
    assert.are.equal('{"url":"' .. site.url .. '/p?page=2&q=***"}', json.encode { url = res.url })
    assert(http.post(site.url, { json = { res.url } }))
    assert.matches("s3cr3t", site:last().body)
    assert.is_nil(http.default():breaker(res.url))
    assert.is_truthy(http.default():stats(res.url))
  end)

  it("in a path, a client's params or a redirect is masked, too", function()
    local token = http.secret "s3cr3t"
    site.paths["/from"] = { status = 302, headers = { Location = "/to?echo=s3cr3t" } }
    local client = http.client { params = { q = token } }
    local hook = site.url .. "/hook/"
    assert.are.equal(hook .. "***?q=***", tostring(assert(client:get(hook .. token)).url))
    local res = assert(client:get(site.url .. "/from"))
    assert.are.equal(site.url .. "/to?echo=***", tostring(res.url))
    assert_hidden(tostring(res.history[1].url))
    local streamed = assert(client:stream("GET", site.url .. "/s"))
    assert_hidden(tostring(streamed.url))
    streamed:close()
    assert.are.same({}, res:links())
    assert.are.same({}, res:cookies())
    client:close()
  end)

  it("leaves URLs without one plain strings", function()
    local held = http.secret "s3cr3t"
    assert.are.equal("string", type(assert(http.get(site.url .. "/p?q=1")).url))
    assert.is_truthy(held)
  end)

  it("is masked in an error's message, not only when that is printed", function()
    local token = http.secret "s3cr3t"
    local _, err = json.decode '{"token": "s3cr3t" nonsense'
    assert_hidden(err.message .. "***")
    local _, other = json.decode 's3cr3t is no JSON'
    assert_hidden(other.message)
    site.answer = { body = '"s3cr3t' }
    local _, third = assert(http.get(site.url)):json()
    assert.is_nil(third.message:find("s3cr3t", 1, true), third.message)
    assert.is_truthy(token)
  end)

  it("is masked in excerpts that cut it off", function()
    local token = "s3cr3t." .. ("abcdefghij"):rep(60)
    local held = http.secret(token)
    local _, err = json.decode('{"token": "' .. token .. '" nonsense')
    assert.is_nil(err.message:find("s3cr3t", 1, true), err.message)
    _, err = json.decode(token)
    assert.is_nil(err.message:find("s3cr3t", 1, true), err.message)
    site.answer = { status = 401, body = "invalid token " .. token }
    _, err = http.get(site.url, { expect = "2xx" })
    assert.matches("invalid token %*%*%*$", err.message)
    assert.is_truthy(held)
  end)

  it("of Basic authentication is masked in base64", function()
    local client = http.client { auth = { "joe", http.secret "s3cr3t" } }
    local pair = crypto.base64 "joe:s3cr3t"
    site.answer = { status = 500, body = "got Basic " .. pair }
    local _, err = client:get(site.url, { expect = "2xx", retry = false })
    assert.is_nil(err.message:find(pair, 1, true), err.message)
    assert.matches("got Basic %*%*%*", err.message)
    client:close()
  end)
end)

describe("a script's last error", function()
  for what, code in pairs {
    ["as a text"] = "error('cannot log in with s3cr3t')",
    ["as a URL"] = "error(http.get(url, { params = { x = token } }).url)",
    ["behind a text"] = "error('failed: ' .. http.get(url, { params = { x = token } }).url)",
    ["as it is sent"] = "error('http://h/?x=s3cr3t%2F1')",
  } do
    it("shows no marked secret " .. what, function()
      local site = origin.start()
      local ended = process.run { "-e", ([[
        local http, url = require "lurcher.http", ...
        local token = http.secret "s3cr3t"
        local other = http.secret "s3cr3t/1"
        %s
        print(token, other)]]):format(code), site.url }
      assert.are.equal(1, ended.status)
      assert.is_nil(ended.err:find("s3cr3t", 1, true), ended.err)
      assert.is_truthy(ended.err:find("***", 1, true), ended.err)
      site:stop()
    end)
  end
end)
