-- OAuth2 tokens, against a token server and an API of the specs.

local clock = require "lurcher.clock"
local crypto = require "lurcher.crypto"
local http = require "lurcher.http"
local json = require "lurcher.json"
local message_of = require("spec.support.raising").message
local origin = require "spec.support.origin"
local task = require "lurcher.task"

describe("oauth2", function()
  local login, site, client

  -- The token server's answer to its n-th request.
  local answer

  local function token(n, more)
    local fields = { access_token = "t" .. n, token_type = "Bearer" }
    for name, value in pairs(more or {}) do fields[name] = value end
    return { status = 200, headers = { ["Content-Type"] = "application/json" }, body = json.encode(fields) }
  end

  before_each(function()
    login, site = origin.start(), origin.start()
    answer = function(n) return token(n, { expires_in = 3600 }) end
    login.answer = function(req) return answer(#login:requests(), req) end
  end)

  after_each(function()
    if client then client:close() end
    client = nil
    login:stop()
    site:stop()
  end)

  local function scheme(opts)
    local all = { token_url = login.url .. "/token", client_id = "id", client_secret = "s3cr3t" }
    for name, value in pairs(opts or {}) do
      if value == false then all[name] = nil else all[name] = value end
    end
    return http.oauth2(all)
  end

  local function connect(opts, more)
    more = more or {}
    more.auth = scheme(opts)
    client = http.client(more)
    return client
  end

  local function sent() return site:last().headers.authorization end

  local function form(req)
    local fields = {}
    for name, value in (req or login:last()).body:gmatch "([^&=]+)=([^&]*)" do fields[name] = value end
    return fields
  end

  it("fetches a token when one is needed, and keeps it", function()
    connect { scope = { "a", "b" }, audience = "x", resource = "y", params = { z = 1 } }
    assert.equal(0, #login:requests())
    for _ = 1, 3 do assert.equal(200, assert(client:get(site.url)).status) end
    assert.equal("Bearer t1", sent())
    assert.equal(1, #login:requests())
    local request = login:last()
    assert.equal("POST", request.method)
    assert.equal("application/json", request.headers.accept)
    assert.equal("Basic " .. crypto.base64 "id:s3cr3t", request.headers.authorization)
    assert.same({ grant_type = "client_credentials", scope = "a+b", audience = "x", resource = "y", z = "1" }, form())
  end)

  it("gives id and secret as the server wants them", function()
    connect { client_id = "a:b c", client_secret = http.secret "d+é" }
    assert(client:get(site.url))
    assert.equal("Basic " .. crypto.base64 "a%3Ab+c:d%2B%C3%A9", login:last().headers.authorization)
    client:close()
    connect { auth = "body" }
    assert(client:get(site.url))
    assert.is_nil(login:last().headers.authorization)
    assert.same({ grant_type = "client_credentials", client_id = "id", client_secret = "s3cr3t" }, form())
    client:close()
    connect { client_secret = false }
    assert(client:get(site.url))
    assert.same({ grant_type = "client_credentials", client_id = "id" }, form())
  end)

  it("asks for nothing with what belongs to the client's own requests", function()
    connect(nil, { headers = { ["X-Api"] = "1" }, params = { page = 1 }, base_url = site.url,
      middleware = { function(request, next)
        request.headers["X-Middle"] = "1"
        return next(request)
      end } })
    assert(client:get "/x")
    local request = login:last()
    assert.is_nil(request.headers["x-api"])
    assert.is_nil(request.headers["x-middle"])
    assert.equal("/token", request.target)
  end)

  it("goes by the client's TLS and times", function()
    local safe = origin.start { tls = true }
    safe.answer = function() return token(1) end
    connect({ token_url = safe.url }, { tls = { ca = safe.ca } })
    assert.equal(200, assert(client:get(site.url)).status)
    client:close()
    connect({ token_url = safe.url }, { retry = false })
    local _, err = client:get(site.url)
    assert.equal("tls", err.kind)
    client:close()
    safe.answer = function() task.sleep(5) end
    connect({ token_url = safe.url }, { tls = { ca = safe.ca }, timeout = 0.3, retry = false })
    _, err = client:get(site.url)
    assert.equal("timeout", err.kind)
    safe:stop()
  end)

  it("asks once for all requests that wait, and shares a failure", function()
    connect()
    local numbers = {}
    for i = 1, 30 do numbers[i] = i end
    local usual = answer
    answer = function(n)
      task.sleep(0.05)
      return usual(n)
    end
    local function status() return (assert(client:get(site.url)).status) end
    for _, one in ipairs(task.map(numbers, status, { concurrency = 30 })) do assert.equal(200, one) end
    assert.equal(1, #login:requests())
    client:close()
    connect()
    answer = function()
      task.sleep(0.05)
      return { status = 400, body = '{"error": "invalid_scope"}' }
    end
    local kinds = task.map(numbers, function()
      local _, err = client:get(site.url)
      return err.kind .. " " .. err.code
    end, { concurrency = 30 })
    assert.equal("status invalid_scope", kinds[1])
    assert.equal("status invalid_scope", kinds[30])
    assert.equal(2, #login:requests())
  end)

  it("has the next one ask when the task that asked is canceled", function()
    connect()
    local usual, asked = answer, task.event()
    answer = function(n)
      if n == 1 then
        asked:set()
        task.sleep(10)
      end
      return usual(n)
    end
    task.scope(function(scope)
      local first = scope:spawn(function() return client:get(site.url) end)
      asked:wait()
      local second = scope:spawn(function() return assert(client:get(site.url)).status end)
      task.yield()
      first:cancel()
      assert.equal(200, second:join())
    end)
    assert.equal("Bearer t2", sent())
  end)

  it("renews a token before it expires, also one whose life is a text", function()
    for _, lifetime in ipairs { 100, "100" } do
      answer = function(n) return token(n, { expires_in = lifetime }) end
      local before = #login:requests()
      clock.virtual(function()
        local own = http.client { auth = scheme() }
        assert(own:get(site.url))
        task.sleep(89)
        assert(own:get(site.url))
        assert.equal(before + 1, #login:requests())
        task.sleep(2)
        assert(own:get(site.url))
        assert.equal(before + 2, #login:requests())
        own:close()
      end)
    end
  end)

  it("uses a token to its end when it cannot be renewed", function()
    clock.virtual(function()
      local own = http.client { auth = scheme(), retry = false }
      answer = function(n) return n == 1 and token(1, { expires_in = 100 }) or { status = 503 } end
      assert(own:get(site.url))
      task.sleep(95)
      assert.equal(200, assert(own:get(site.url)).status)
      assert.equal(2, #login:requests())
      task.sleep(6)
      local _, err = own:get(site.url)
      assert.equal("status", err.kind)
      own:close()
    end)
  end)

  it("renews once when a token is refused with 401", function()
    connect()
    site.answer = function(req) return { status = req.headers.authorization == "Bearer t2" and 200 or 401 } end
    local res = assert(client:post(site.url, { body = "x" }))
    assert.equal(200, res.status)
    assert.equal(1, res.attempts)
    assert.equal("x", site:last().body)
    site.answer = { status = 401 }
    assert.equal(401, assert(client:get(site.url)).status)
    assert.equal(3, #login:requests())
    assert.equal(4, #site:requests())
  end)

  it("uses a token of unknown life until it is refused", function()
    for _, more in ipairs { {}, { expires_in = "soon" }, { expires_in = -1 }, { expires_in = json.null } } do
      answer = function(n) return token(n, more) end
      connect()
      local before = #login:requests()
      for _ = 1, 3 do assert(client:get(site.url)) end
      assert.equal(before + 1, #login:requests())
      client:close()
    end
  end)

  it("refreshes, and takes a new refresh token only when one comes", function()
    site.answer = { status = 401 }
    answer = function(n) return token(n, { refresh_token = n == 2 and "r2" or nil }) end
    connect { grant = "refresh_token", refresh_token = http.secret "r0" }
    local sent_tokens = {}
    for _ = 1, 2 do assert(client:get(site.url)) end
    for i, request in ipairs(login:requests()) do
      assert.equal("refresh_token", form(request).grant_type)
      sent_tokens[i] = form(request).refresh_token
    end
    assert.same({ "r0", "r0", "r2" }, sent_tokens)
  end)

  it("tells a refusal by kind 'status' and OAuth's code", function()
    connect(nil, { retry = false })
    for body, expected in pairs {
      ['{"error": "invalid_client", "error_description": "who?"}'] = { "invalid_client", "invalid_client: who?" },
      ["<html>"] = { nil, "the answer is no JSON object" },
      ["[]"] = { nil, "the answer holds none" },
      ['"x"'] = { nil, "the answer is no JSON object" },
      ['{"access_token": 1}'] = { nil, "the answer holds none" },
      ['{"access_token": "a\\r\\nb"}'] = { nil, "it holds a character that cannot be sent" },
    } do
      for _, status in ipairs { 200, 400, 503 } do
        answer = function() return { status = status, body = body } end
        local res, err = client:get(site.url)
        assert.is_nil(res)
        assert.equal("status", err.kind)
        assert.equal(expected[1], err.code)
        assert.equal(status, err.response.status)
        if status == 200 or expected[1] then assert.matches(expected[2], err.message, 1, true) end
        assert.matches("/token", tostring(err), 1, true)
      end
    end
    assert.equal(0, #site:requests())
  end)

  it("asks again when the token server is out of order, but not when it refuses", function()
    connect(nil, { retry = { base = 0 } })
    answer = function(n) return n == 1 and { status = 503 } or token(n) end
    assert.equal(200, assert(client:get(site.url)).status)
    client:close()
    connect(nil, { retry = { base = 0 } })
    answer = function() return { status = 400, body = '{"error": "invalid_grant"}' } end
    local before = #login:requests()
    assert.is_nil((client:get(site.url)))
    assert.equal(before + 1, #login:requests())
  end)

  it("tells a token server that is gone by its own kind", function()
    local gone = origin.start()
    gone:stop()
    connect({ token_url = gone.url }, { retry = false })
    local _, err = client:get(site.url)
    assert.equal("connect", err.kind)
  end)

  it("opens no circuit of the API when the token server is down", function()
    answer = function() return { status = 500 } end
    connect({}, { retry = false, breaker = { failures = 2 } })
    for _ = 1, 4 do assert.equal("status", select(2, client:get(site.url)).kind) end
    login:stop()
    for _ = 1, 4 do assert.equal("connect", select(2, client:get(site.url)).kind) end
    assert.equal("closed", client:breaker(site.url).state)
    login = origin.start()
  end)

  it("stays with its origin, and prints nothing", function()
    local other = origin.start()
    site.answer = { status = 307, headers = { Location = other.url .. "/b" } }
    connect()
    assert(client:get(site.url))
    assert.is_nil(other:last().headers.authorization)
    other:stop()
    local one = scheme()
    assert.equal("http.oauth2", tostring(one))
    assert.is_nil(next(one))
    answer = function() return token("-s3cr3ttoken") end
    client:close()
    connect()
    site.answer = function(req) return { status = 500, body = req.headers.authorization } end
    local _, err = client:get(site.url, { expect = "2xx", retry = false })
    assert.is_nil(tostring(err):find("s3cr3t", 1, true), tostring(err))
  end)

  it("hides its credentials where the token server repeats them, and cuts what it says", function()
    answer = function(_, req)
      return { status = 400, headers = { ["Content-Type"] = "application/json" }, body = json.encode {
        error = ("e"):rep(10000), error_description = "d" .. tostring(req.headers.authorization) .. req.body } }
    end
    for _, auth in ipairs { "basic", "body" } do
      connect { grant = "refresh_token", refresh_token = "ref-s3cr3t-1", client_secret = "own-s3cr3t-2", auth = auth }
      local _, err = client:get(site.url)
      assert.equal(("e"):rep(200) .. "…", err.code)
      assert.is_true(#err.message < 1000)
      client:close()
    end
    answer = function(_, req)
      return { status = 400, headers = { ["Content-Type"] = "application/json" }, body = json.encode {
        error = "invalid_client", error_description = tostring(req.headers.authorization) .. " " .. req.body } }
    end
    for auth, hidden in pairs { basic = "Basic %*%*%* ", body = "client_secret=%*%*%*&" } do
      connect { grant = "refresh_token", refresh_token = "ref-s3cr3t-1", client_secret = "own-s3cr3t-2", auth = auth }
      local _, err = client:get(site.url)
      collectgarbage()
      assert.equal("invalid_client", err.code)
      assert.matches(hidden, tostring(err))
      assert.matches("refresh_token=%*%*%*", tostring(err))
      client:close()
    end
  end)

  -- A server that has given the new refresh token takes the old one no more: the person would have to log in again.
  it("keeps the refresh token that comes while the request is cancelled", function()
    local reached, go = task.event(), task.event()
    answer = function(n)
      reached:set()
      go:wait()
      return token(n, { expires_in = 3600, refresh_token = "r" .. n })
    end
    connect { grant = "refresh_token", refresh_token = "r0" }
    local asking = task.spawn(function() return client:get(site.url) end)
    reached:wait()
    asking:cancel()
    go:set()
    assert.is_false(pcall(asking.join, asking))
    assert.equal("canceled", asking.status)
    assert.equal(200, assert(client:get(site.url)).status)
    assert.equal("Bearer t1", sent())
    assert.equal(1, #login:requests())
  end)

  it("waits no longer than for other clean-up when a refresh is cancelled", function()
    clock.virtual(function()
      local reached = task.event()
      answer = function()
        reached:set()
        task.sleep(1000)
      end
      connect({ grant = "refresh_token", refresh_token = "r0" }, { timeout = false, retry = false })
      local asking = task.spawn(function() return client:get(site.url) end)
      reached:wait()
      local began = task.now()
      asking:cancel()
      assert.is_false(pcall(asking.join, asking))
      assert.is_true(task.now() - began < 5)
    end)
  end)

  it("raises for what cannot be", function()
    assert.equal("http.oauth2: option 'token_url' is missing",
      message_of(function() http.oauth2 { client_id = "x" } end))
    assert.equal("http.oauth2: option 'refresh_token' is missing",
      message_of(function() scheme { grant = "refresh_token" } end))
    assert.equal('http.oauth2: auth = "basic" wants a client_secret',
      message_of(function() scheme { client_secret = false, auth = "basic" } end))
    assert.equal("http.oauth2: option 'token_url' must be an absolute http or https URL, got \"/token\"",
      message_of(function() scheme { token_url = "/token" } end))
  end)
end)
