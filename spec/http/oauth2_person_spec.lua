-- OAuth2 by a person's leave: the device flow, the authorization code with PKCE; and tokens kept in a file.

local clock = require "lurcher.clock"
local crypto = require "lurcher.crypto"
local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local message_of = require("spec.support.raising").message
local origin = require "spec.support.origin"
local process = require "spec.support.process"
local task = require "lurcher.task"
local url = require "lurcher.url"

local function answer_of(fields, status)
  return { status = status or 200, headers = { ["Content-Type"] = "application/json" }, body = json.encode(fields) }
end

-- The parameters of a URL.
local function query_of(address)
  local fields = {}
  for name, value in address:match("%?(.*)$"):gmatch "([^&=]+)=([^&]*)" do fields[name] = url.decode(value) end
  return fields
end

local function refusal(code) return answer_of({ error = code }, 400) end

describe("oauth2 by a person", function()
  local login, site, client, directory

  before_each(function()
    directory = files.begin()
    login, site = origin.start(), origin.start()
    site.answer = function(req) return { status = 200, body = req.headers.authorization or "none" } end
  end)

  after_each(function()
    if client then client:close() end
    client = nil
    login:stop()
    site:stop()
    files.finish()
  end)

  local function form(req)
    local fields = {}
    for name, value in req.body:gmatch "([^&=]+)=([^&]*)" do fields[name] = url.decode((value:gsub("+", " "))) end
    return fields
  end

  -- The answers of the token server, one after the other; the last again and again.
  local function tokens(answers)
    local n, seen = 0, {}
    login.paths["/token"] = function(req)
      n = n + 1
      seen[n] = form(req)
      local one = answers[math.min(n, #answers)]
      if type(one) == "function" then return one(req) end
      return one
    end
    return seen
  end

  local function scheme(opts, more)
    local all = { token_url = login.url .. "/token", client_id = "tool" }
    for name, value in pairs(opts) do all[name] = value end
    for name, value in pairs(more or {}) do all[name] = value end
    return http.oauth2(all)
  end

  describe("on another screen (device)", function()
    local shown

    local function device(fields)
      local all = { device_code = "d-s3cr3t", user_code = "AB-CD", verification_uri = "https://login.test/device",
        expires_in = 600, interval = 5 }
      for name, value in pairs(fields or {}) do all[name] = value ~= json.null and value or nil end
      login.paths["/device"] = function() return answer_of(all) end
    end

    before_each(function()
      shown = {}
      device()
    end)

    local function connect(more)
      return http.client { retry = false, auth = scheme({ grant = "device", device_url = login.url .. "/device",
        show = function(what) shown[#shown + 1] = what end }, more) }
    end

    it("asks until it is allowed, as fast as the server lets it", function()
      clock.virtual(function()
        local seen = tokens { refusal "authorization_pending", refusal "slow_down", refusal "authorization_pending",
          answer_of { access_token = "t1", token_type = "Bearer", expires_in = 3600 } }
        local own, began = connect { scope = "a b", audience = "x" }, task.now()
        assert.equal("Bearer t1", assert(own:get(site.url)).body)
        assert.near(5 + 5 + 10 + 10, task.now() - began, 1)
        assert.equal(1, #shown)
        assert.equal("https://login.test/device", shown[1].url)
        assert.equal("AB-CD", shown[1].user_code)
        assert.same({ client_id = "tool", scope = "a b", audience = "x" }, form(login:requests()[1]))
        assert.same({ grant_type = "urn:ietf:params:oauth:grant-type:device_code", device_code = "d-s3cr3t",
          client_id = "tool" }, seen[1])
        assert.equal("Bearer t1", assert(own:get(site.url)).body)
        assert.equal(4, #seen)
        own:close()
      end)
    end)

    it("shows the complete page when there is one, and takes what Google calls it", function()
      clock.virtual(function()
        tokens { answer_of { access_token = "t1" } }
        device { verification_uri_complete = "https://login.test/device?c=AB-CD" }
        local own = connect()
        assert(own:get(site.url))
        assert.equal("https://login.test/device?c=AB-CD", shown[1].url)
        own:close()
        device { verification_uri = json.null, verification_url = "https://g.test/d", interval = "7",
          expires_in = "100" }
        own = connect()
        local began = task.now()
        assert(own:get(site.url))
        assert.equal("https://g.test/d", shown[2].url)
        assert.near(7, task.now() - began, 0.5)
        own:close()
      end)
    end)

    it("ends when it is refused or too late, with OAuth's code", function()
      clock.virtual(function()
        for _, code in ipairs { "access_denied", "expired_token", "invalid_client" } do
          tokens { refusal "authorization_pending", refusal(code) }
          local own = connect()
          local _, err = own:get(site.url)
          assert.equal("status", err.kind)
          assert.equal(code, err.code)
          own:close()
        end
        tokens { refusal "authorization_pending" }
        device { expires_in = 20 }
        local own, began = connect(), task.now()
        local _, err = own:get(site.url)
        assert.equal("status", err.kind)
        assert.equal("expired_token", err.code)
        assert.near(20, task.now() - began, 0.5)
        own:close()
        assert.equal(0, #site:requests())
      end)
    end)

    it("tells what is wrong with the device's answer", function()
      for _, body in ipairs { "<html>", "{}", '{"error":"invalid_scope"}', '{"device_code":"x","user_code":"y"}',
        '{"device_code":"x","user_code":"y","verification_uri":"javascript:alert(1)"}' } do
        login.paths["/device"] = function() return { status = 200, body = body } end
        local own = connect()
        local _, err = own:get(site.url)
        assert.equal("status", err.kind)
        if body:find "scope" then assert.equal("invalid_scope", err.code) end
        own:close()
      end
      assert.equal(0, #shown)
    end)

    it("goes on when the token server is away for a while", function()
      clock.virtual(function()
        tokens { function() task.sleep(500) end, answer_of { access_token = "t1" } }
        local own = connect()
        assert.equal("Bearer t1", assert(own:get(site.url, { timeout = { read = 3 } })).body)
        own:close()
      end)
    end)

    it("goes on when the token server is busy or out of order, and ends when it says why", function()
      clock.virtual(function()
        local busy = { status = 503, body = "<html>" }
        local seen = tokens { busy, { status = 429, headers = { ["Retry-After"] = "2" } }, { status = 502 },
          answer_of { access_token = "t1" } }
        local own = connect()
        assert.equal("Bearer t1", assert(own:get(site.url)).body)
        assert.equal(4, #seen)
        own:close()
        tokens { answer_of({ error = "server_error" }, 500) }
        own = connect()
        assert.equal("server_error", select(2, own:get(site.url)).code)
        own:close()
      end)
    end)

    it("asks one person for all requests that wait, and refreshes afterwards without one", function()
      clock.virtual(function()
        local seen = tokens { refusal "authorization_pending",
          answer_of { access_token = "t1", expires_in = 100, refresh_token = "r1" },
          answer_of { access_token = "t2", expires_in = 100, refresh_token = "r2" },
          answer_of { access_token = "t3", expires_in = 100 }, refusal "invalid_grant",
          answer_of { access_token = "t5" } }
        local own = connect()
        local numbers = {}
        for i = 1, 20 do numbers[i] = i end
        task.map(numbers, function() assert(own:get(site.url)) end, { concurrency = 20 })
        assert.equal(1, #shown)
        task.sleep(95)
        assert.equal("Bearer t2", assert(own:get(site.url)).body)
        task.sleep(95)
        assert.equal("Bearer t3", assert(own:get(site.url)).body)
        assert.equal("r1", seen[3].refresh_token)
        assert.equal("r2", seen[4].refresh_token)
        assert.equal("refresh_token", seen[4].grant_type)
        task.sleep(95) -- the refresh token is refused: the person is asked again
        assert.equal("Bearer t5", assert(own:get(site.url)).body)
        assert.equal("r2", seen[5].refresh_token)
        assert.equal(2, #shown)
        own:close()
      end)
    end)

    it("tells the person on stderr unless something else is to", function()
      device { interval = 1, user_code = "AB\27[2J" }
      tokens { answer_of { access_token = "t1" } }
      local ended = process.run { "-e", [[local login, site = ...
        local c = http.client { auth = http.oauth2 { grant = "device", token_url = login .. "/token", client_id = "x",
          device_url = login .. "/device" } }
        print(assert(c:get(site)).body)]], login.url, site.url }
      assert.equal("Bearer t1\n", ended.out)
      assert.matches("https://login.test/device and enter the code AB", ended.err, 1, true)
      assert.is_nil(ended.err:find("\27", 1, true))
    end)

    it("can be cancelled while it waits", function()
      tokens { refusal "authorization_pending" }
      client = connect()
      local asking = task.spawn(function() return client:get(site.url) end)
      faults.settled(client)
      while #shown == 0 do task.sleep(0.01) end
      asking:cancel()
      assert.is_false(pcall(asking.join, asking))
      faults.settled(client)
    end)
  end)

  describe("in a browser (code)", function()
    local function connect(show, more)
      client = http.client { retry = false, auth = scheme({ grant = "code", show = show,
        authorize_url = login.url .. "/authorize?a=1" }, more) }
      return client
    end

    -- A browser that comes back as `changes` say.
    local function visit(shown, changes)
      local asked = query_of(shown)
      local back = { code = "c-s3cr3t", state = asked.state }
      for name, value in pairs(changes or {}) do back[name] = value or nil end
      return asked, http.get(asked.redirect_uri, { params = back, retry = false })
    end

    it("gets a code by the loopback port, and a token for it, with PKCE", function()
      local seen = tokens { answer_of { access_token = "t1", expires_in = 3600 } }
      local asked, page
      connect(function(what)
        assert.is_nil(what.user_code)
        task.spawn(function() asked, page = visit(what.url) end)
      end, { scope = { "a", "b" }, client_secret = "pass" })
      assert.equal("Bearer t1", assert(client:get(site.url)).body)
      assert.equal("code", asked.response_type)
      assert.equal("tool", asked.client_id)
      assert.equal("1", asked.a)
      assert.equal("a b", asked.scope)
      assert.equal("S256", asked.code_challenge_method)
      assert.matches("^http://127%.0%.0%.1:%d+/callback$", asked.redirect_uri)
      assert.equal("authorization_code", seen[1].grant_type)
      assert.equal("c-s3cr3t", seen[1].code)
      assert.equal(asked.redirect_uri, seen[1].redirect_uri)
      assert.is_true(#seen[1].code_verifier >= 43 and #seen[1].code_verifier <= 128)
      assert.equal(asked.code_challenge, crypto.base64url(crypto.sha256(seen[1].code_verifier, "raw")))
      assert.equal(200, page.status)
      local _, err = http.get(asked.redirect_uri, { retry = false })
      assert.equal("connect", err.kind)
    end)

    it("pays no heed to others who come to the port", function()
      tokens { answer_of { access_token = "t1" } }
      local statuses = {}
      connect(function(what)
        task.spawn(function()
          local asked = query_of(what.url)
          local base = asked.redirect_uri:match "^(http://[^/]+)"
          for _, try in ipairs { { "/callback?code=evil" }, { "/callback?code=evil&state=x" }, { "/" },
            { "/callback?error=access_denied" }, { "/other?code=evil&state=" .. asked.state },
            { "/callback?state=" .. asked.state }, { "/callback?code=&state=" .. asked.state },
            { "/callback?code=e&state=" .. asked.state .. "&state=x" },
            { "/callback?code=evil&state=" .. asked.state, "POST" } } do
            statuses[#statuses + 1] = assert(http.request(try[2] or "GET", base .. try[1])).status
          end
          visit(what.url)
        end)
      end)
      assert.equal("Bearer t1", assert(client:get(site.url)).body)
      assert.same({ 400, 400, 404, 400, 404, 400, 400, 400, 404 }, statuses)
      assert.equal("c-s3cr3t", form(login:last()).code)
    end)

    it("tells a refusal by OAuth's code", function()
      connect(function(what)
        task.spawn(function()
          visit(what.url, { code = false, error = "access_denied", error_description = "no\27" })
        end)
      end)
      local _, err = client:get(site.url)
      assert.equal("status", err.kind)
      assert.equal("access_denied", err.code)
      assert.is_nil(err.message:find("\27", 1, true))
      assert.equal(0, #login:requests())
    end)

    it("gives no code of another issuer to the token server", function()
      local seen = tokens { answer_of { access_token = "t1" } }
      local issuer
      connect(function(what)
        task.spawn(function() visit(what.url, { iss = issuer }) end)
      end)
      for _, other in ipairs { "https://other.test", "nonsense", login.url:gsub("^http:", "https:") } do
        issuer = other
        local _, err = client:get(site.url)
        assert.equal("status", err.kind)
        assert.equal("invalid_issuer", err.code)
        assert.matches("the answer is of " .. other, err.message, 1, true)
      end
      assert.equal(0, #seen)
      issuer = login.url .. "/tenant"
      assert.equal("Bearer t1", assert(client:get(site.url)).body)
    end)

    it("listens where it is told, and says when it cannot", function()
      tokens { answer_of { access_token = "t1" } }
      local free = origin.start()
      local port = free.port
      free:stop()
      local asked
      connect(function(what) task.spawn(function() asked = visit(what.url) end) end,
        { redirect_url = ("http://localhost:%d/a/b"):format(port) })
      assert(client:get(site.url))
      assert.equal(("http://localhost:%d/a/b"):format(port), asked.redirect_uri)
      client:close()
      connect(function() error "not reached" end, { redirect_uri = site.url .. "/x" })
      local res, err = client:get(site.url)
      assert.is_nil(res)
      assert.matches("in use", tostring(err))
      for _, bad in ipairs { "https://127.0.0.1/x", "http://example.com/x", "http://127.0.0.1.evil.com/", "x" } do
        assert.matches("must be an http URL of this machine", message_of(function()
          scheme { grant = "code", authorize_url = login.url, redirect_url = bad }
        end), 1, true)
      end
    end)

    it("gives up when nobody comes", function()
      clock.virtual(function()
        local own = http.client { auth = scheme { grant = "code", authorize_url = login.url, show = function() end } }
        local _, err = own:get(site.url)
        assert.equal("timeout", err.kind)
        assert.matches("nobody answered the authorization within 600 s", err.message, 1, true)
        own:close()
      end)
    end)

    it("closes the port when the request is cancelled", function()
      local at
      connect(function(what) at = query_of(what.url).redirect_uri end)
      local asking = task.spawn(function() return client:get(site.url) end)
      while not at do task.sleep(0.01) end
      asking:cancel()
      assert.is_false(pcall(asking.join, asking))
      local _, err = http.get(at, { retry = false })
      assert.equal("connect", err.kind)
    end)
  end)

  describe("with a store", function()
    local path

    before_each(function() path = directory .. "/tokens" end)

    local function connect(more)
      return http.client { retry = false, auth = scheme({ client_secret = "pass", store = path }, more) }
    end

    local function get(more)
      local own = connect(more)
      local res, err = own:get(site.url)
      own:close()
      return res and res.body, err
    end

    it("fetches once for all who come later, and keeps it from others", function()
      local seen = tokens { answer_of { access_token = "t1", expires_in = 3600 } }
      for _ = 1, 3 do assert.equal("Bearer t1", get()) end
      assert.equal(1, #seen)
      assert.equal("600", (process.shell('stat -c %a "$1"', path):gsub("%s", "")))
      assert.is_false(fs.exists(path .. ".lock"))
      assert.equal("Bearer t1", get { scope = "other" })
      assert.equal(2, #seen)
      assert.equal("Bearer t1", get())
      assert.equal(2, #seen)
    end)

    it("renews what is nearly over, by the refresh token that came last", function()
      local seen = tokens { answer_of { access_token = "t1", expires_in = 1, refresh_token = "r1" },
        answer_of { access_token = "t2", expires_in = 3600 }, refusal "invalid_grant",
        answer_of { access_token = "t4", expires_in = 3600 } }
      local opts = { grant = "refresh_token", refresh_token = "r0" }
      assert.equal("Bearer t1", get(opts))
      task.sleep(1)
      assert.equal("Bearer t2", get(opts))
      assert.equal("Bearer t2", get(opts))
      assert.same({ "r0", "r1" }, { seen[1].refresh_token, seen[2].refresh_token })
      site.answer = function(req)
        local given = req.headers.authorization
        return { status = given == "Bearer t4" and 200 or 401, body = given }
      end
      assert.equal("Bearer t4", get(opts)) -- refused with 401; the stored refresh token too: the given one serves
      assert.same({ "r1", "r0" }, { seen[3].refresh_token, seen[4].refresh_token })
    end)

    it("has four processes refresh once", function()
      local seen = tokens { function()
        task.sleep(0.2)
        return answer_of { access_token = "t1", expires_in = 3600, refresh_token = "r1" }
      end }
      local children = {}
      for i = 1, 4 do
        children[i] = process.start { "-e", [[local login, site, path = ...
          local c = http.client { auth = http.oauth2 { grant = "refresh_token", refresh_token = "r0", client_id = "x",
            token_url = login .. "/token", store = path } }
          print(assert(c:get(site)).body)]], login.url, site.url, path }
      end
      for _, child in ipairs(children) do
        local ended = child:wait()
        assert.equal("Bearer t1\n", ended.out, ended.err)
      end
      assert.equal(1, #seen)
    end)

    it("takes what another process has fetched when its own was refused", function()
      local seen = tokens { answer_of { access_token = "t1", expires_in = 3600 },
        answer_of { access_token = "t2", expires_in = 3600 } }
      local one, two = connect(), connect()
      assert(one:get(site.url))
      assert(two:get(site.url))
      site.answer = function(req)
        return { status = req.headers.authorization == "Bearer t2" and 200 or 401 }
      end
      assert.equal(200, assert(one:get(site.url)).status)
      assert.equal(200, assert(two:get(site.url)).status)
      assert.equal(2, #seen)
      one:close()
      two:close()
    end)

    it("is fetched anew when it is damaged, which is said", function()
      for _, text in ipairs { "", "{", "[]", '{"lurcher_tokens":9}', '{"lurcher_tokens":1,"entries":{}}',
        '{"lurcher_tokens":1,"entries":3}', "\0\1" } do
        assert(fs.write(path, text))
        tokens { answer_of { access_token = "t1", expires_in = 3600 } }
        local ended = process.run { "-e", [[local login, site, path = ...
          local c = http.client { auth = http.oauth2 { client_id = "x", token_url = login .. "/token", store = path } }
          print(assert(c:get(site)).body)]], login.url, site.url, path }
        assert.equal("Bearer t1\n", ended.out, ended.err)
        if not text:find "entries\":{}" then assert.matches("the token store is damaged", ended.err, 1, true) end
        assert.matches("t1", (assert(fs.read(path))), 1, true)
      end
    end)

    it("is kind 'file' when it cannot be read", function()
      tokens { answer_of { access_token = "t1" } }
      local _, err = get { store = directory }
      assert.equal("file", err.kind)
      assert.matches(directory, err.message, 1, true)
      _, err = get { store = directory .. "/none/x" }
      assert.equal("file", err.kind)
      assert.equal(0, #site:requests())
    end)

    it("gives its lock back when a refresh fails or is cancelled", function()
      tokens { refusal "invalid_client" }
      local _, err = get()
      assert.equal("invalid_client", err.code)
      local reached = task.event()
      tokens { function()
        reached:set()
        task.sleep(10)
      end }
      local own = connect()
      local asking = task.spawn(function() return own:get(site.url) end)
      reached:wait()
      asking:cancel()
      assert.is_false(pcall(asking.join, asking))
      own:close()
      tokens { answer_of { access_token = "t1" } }
      assert.equal("Bearer t1", get())
    end)
  end)

  it("keeps tokens and codes out of traces", function()
    local path = directory .. "/tokens"
    tokens { answer_of { access_token = "tok-s3cr3t", refresh_token = "ref-s3cr3t", expires_in = 1 },
      answer_of { access_token = "tok-s3cr3t2", expires_in = 3600 } }
    login.paths["/device"] = function()
      return answer_of { device_code = "dev-s3cr3t", user_code = "U", verification_uri = "https://login.test/",
        interval = 1 }
    end
    local ended = process.run { "--trace=bodies", "--log=debug", "-e", [[local login, site, path = ...
      local auth = http.oauth2 { grant = "device", client_id = "x", token_url = login .. "/token", store = path,
        device_url = login .. "/device" }
      local c = http.client { auth = auth }
      assert(c:get(site))
      require "lurcher.task".sleep(1)
      assert(c:get(site))
      local _, err = c:get(site, { expect = 500 })
      io.stderr:write(tostring(err), "\n")]], login.url, site.url, path }
    assert.is_nil(ended.err:find("s3cr3t", 1, true), ended.err)
  end)
end)
