local clock = require "lurcher.clock"
local http = require "lurcher.http"
local origin = require "spec.support.origin"
local retry = require "lurcher.retry"
local server = require "lurcher.server"
local serving = require "spec.support.serving"

local function message_of(...)
  local ok, message = pcall(...)
  assert.is_false(ok, "did not raise")
  return message
end

describe("options", function()
  it("that are unknown raise with the caller's line and the nearest name", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local message = message_of(function() return (http.get("http://127.0.0.1/", { timout = 1 })) end)
    assert.matches("options_spec%.lua:" .. line .. ": .*unknown option 'timout'; did you mean 'timeout'%?",
      message)
    assert.matches("did you mean 'base_url'", message_of(http.client, { baseurl = "x" }))
  end)

  it("of other libraries raise with the way to write it", function()
    assert.matches("unknown option 'verify'; it is written tls = { verify = … }",
      message_of(http.client, { verify = false }), 1, true)
    assert.matches("it is written limits = { per_origin",
      message_of(http.client, { per_origin = 5 }), 1, true)
    assert.matches("it is written params", message_of(http.get, "http://127.0.0.1/", { query = {} }), 1, true)
  end)

  for name, written in pairs {
    data = "body = … or form = { … }", method = "http.request(method, url)", baseURL = "base_url = …",
    searchParams = "params = { … }", maxRedirects = "redirects = 10 or false",
    max_redirs = "redirects = 10 or false",
    connect_timeout = "timeout = { connect = … }", sock_read = "timeout = { read = … }",
    limit_per_host = "limits = { per_origin = … }", max_connections = "limits = { inflight = … }",
    validateStatus = "expect = …", cacert = "tls = { ca = … }", key = "tls = { key = … }",
    attempts = "retry = { attempts = … }",
    retries = "retry = { attempts = … }, which counts the first one too",
    bearer = "auth = http.bearer(…)", insecure = "tls = { verify = false }",
  } do
    it("of other libraries raise with the way to write it: " .. name, function()
      for _, call in ipairs { function(opts) http.client(opts) end,
        function(opts) return http.get("http://127.0.0.1/", opts) end } do
        assert.matches("unknown option '" .. name .. "'; it is written " .. written,
          message_of(call, { [name] = 1 }), 1, true)
      end
    end)
  end

  it("that are near to one of ours are not taken for a key of a table", function()
    assert.matches("unknown option 'base'; did you mean 'base_url'?", message_of(http.client, { base = 1 }), 1,
      true)
  end)

  it("inside a table option are checked as well", function()
    assert.matches("timeout: unknown option 'conect'; did you mean 'connect'%?",
      message_of(http.get, "http://127.0.0.1/", { timeout = { conect = 1 } }))
    assert.matches("tls: unknown option 'verfy'; did you mean 'verify'",
      message_of(http.client, { tls = { verfy = 1 } }))
    assert.matches("retry: unknown option 'atempts'", message_of(http.client, { retry = { atempts = 1 } }))
    assert.matches("limits: unknown option 'inflght'", message_of(http.client, { limits = { inflght = 1 } }))
    assert.matches("hooks: unknown option 'reqest'", message_of(http.client, { hooks = { reqest = {} } }))
  end)

  for name, value in pairs { base_url = "http://h", limits = {}, cookies = true, middleware = {},
    hooks = {} } do
    it("of the client only raise in a request: " .. name, function()
      assert.matches("option '" .. name .. "' belongs to the client",
        message_of(http.get, "http://127.0.0.1/", { [name] = value }))
    end)
  end

  for name, value in pairs { body = "x", json = {}, form = {}, stream = true, expect = 200, retryable = true,
    idempotency_key = true, raw_target = "*", expect_continue = true } do
    it("of requests only raise in a client: " .. name, function()
      assert.matches("option '" .. name .. "' belongs to a request",
        message_of(http.client, { [name] = value }))
    end)
  end

  for name, values in pairs {
    base_url = { 1 }, headers = { "x", 1 }, params = { "x" }, auth = { "token", 1, {} },
    timeout = { "5", -1, 0, true },
    limits = { 5 }, redirects = { -1, 1.5, "x" }, retry = { 0, 1.5, "x" }, cookies = { 1, {} },
    http_version = { "3", 2 }, decompress = { 1 }, max_body = { "1M", -1 }, max_headers = { "x" },
    tls = { true, { min = "1.4" }, { pins = "x" }, { pins = {} }, { key = "key.pem" } },
    unix_socket = { 1 }, local_address = { {} }, resolve = { "x", { 1 }, { ["h:80"] = "name" },
    { h = "127.0.0.1" }, { ["h:99999"] = "127.0.0.1" }, { ["h:80"] = "" } }, ip = { "5", 4 },
    middleware = { print, { 1 } },
    hooks = { print }, user_agent = { 1 }, secret_headers = { "X-A", { 1 } }, allow_downgrade = { 1 },
    name = { 1 },
  } do
    it("of the wrong type raise: " .. name, function()
      for _, value in ipairs(values) do
        assert.matches("options_spec%.lua:%d+: .*" .. name, message_of(http.client, { [name] = value }))
      end
    end)
  end

  for name, values in pairs {
    body = { 1, {} }, multipart = { 1, "a", { name = "a" } }, progress = { 1, {} }, form = { "a=b" },
    stream = { 1 }, expect = { "ok", "2XX", 1, {}, { "x" } },
    retryable = { 1 },
    idempotency_key = { 1 }, raw_target = { 1 }, expect_continue = { 1 },
  } do
    it("of the wrong type raise in a request: " .. name, function()
      for _, value in ipairs(values) do
        assert.matches("options_spec%.lua:%d+: .*" .. name,
          message_of(http.get, "http://127.0.0.1/", { [name] = value }))
      end
    end)
  end

  it("whose name is long are named in short", function()
    local message = message_of(http.get, "http://127.0.0.1/", { [("a"):rep(100000)] = 1 })
    assert.matches("unknown option 'aaa+…'$", message)
    assert.is_true(#message < 200, #message)
  end)

  it("must be a table", function()
    assert.matches("options must be a table", message_of(http.get, "http://127.0.0.1/", "x"))
    assert.matches("options must be a table", message_of(http.client, 5))
    assert.matches("options are given by name", message_of(http.get, "http://127.0.0.1/", { "x" }))
  end)

  it("that are false are switched off", function()
    local site = origin.start()
    local api = http.client { headers = { ["X-A"] = "1" }, secret_headers = { "X-A" },
      resolve = { ["h:80"] = "127.0.0.1" }, retry = { base = 0 } }
    for _, name in ipairs { "headers", "params", "auth", "timeout", "redirects", "retry", "max_body",
      "max_headers", "unix_socket", "local_address", "resolve", "ip", "user_agent", "secret_headers",
      "name" } do
      assert(api:get(site.url, { [name] = false }))
      assert.are.equal(name ~= "headers" and "1" or nil, site:last().headers["x-a"])
    end
    assert(api:get(site.url, { tls = { min = false }, resolve = { ["h:80"] = false } }))
    site.answer = { status = 503 }
    assert.are.equal(1, assert(api:get(site.url, { retry = { statuses = false } })).attempts)
    assert.are.equal(1, assert(api:get(site.url, { retry = { methods = false } })).attempts)
    assert.are.equal(3, assert(api:get(site.url)).attempts)
    for _, name in ipairs { "base_url", "cookies", "middleware", "hooks" } do
      assert(http.client({ [name] = false }):get(site.url))
    end
    site:stop()
  end)

  it("that limit a time take math.huge, and no NaN", function()
    local huge = math.huge
    local client = http.client {
      timeout = huge, limits = { idle_timeout = huge }, retry = { max_wait = huge, max_retry_after = huge },
      breaker = { cooldown = huge, max_cooldown = huge, slow = huge },
    }
    local site = assert(server.start(function() return "answer" end,
      { head_timeout = huge, body_timeout = huge, grace = huge }))
    for _, timeout in ipairs { huge, { connect = huge, read = huge, write = huge, total = huge, queue = huge } } do
      local res = assert(client:post(site.url, { body = "question", timeout = timeout }))
      assert.are.equal("answer", res.body)
    end
    client:close()
    site:stop(huge)
    assert.are.equal("done", (retry.call(function() return "done" end, { time = huge })))
    assert.matches("option 'timeout' must be a number above 0, table or false, got %-?nan",
      message_of(http.client, { timeout = 0 / 0 }))
  end)

  it("that are given as elsewhere are told how they are written", function()
    for hint, opts in pairs {
      ['{ ["Accept"] = "text/html" }'] = { headers = { "Accept: text/html" } },
      ["written into the URL"] = { params = "a=1" },
      ["given as body"] = { form = "a=1" },
    } do
      assert.truthy(message_of(http.get, "http://127.0.0.1/", opts):find(hint, 1, true))
    end
    assert.truthy(message_of(http.client, { cookies = { a = "b" } }):find('headers = { Cookie = "a=b" }', 1, true))
  end)

  it("that limit a number of attempts or bytes take math.huge", function()
    local failures = 5
    local site = assert(server.start(function()
      failures = failures - 1
      return { status = failures >= 0 and 503 or 200 }
    end, { max_head = math.huge, max_body = math.huge }))
    local long = { headers = { ["X-Long"] = ("x"):rep(200000) }, retry = math.huge }
    clock.virtual(function()
      assert.are.equal(6, assert(http.get(site.url, long)).attempts)
    end)
    local url = site.url
    site:stop()
    clock.virtual(function()
      local err = select(2, http.get(url, { retry = math.huge, timeout = 5 }))
      assert.are.equal("connect", err.kind)
      assert.matches("%(after %d+ attempts%)$", tostring(err))
    end)
  end)

  it("merge tables by key over the client's", function()
    local site = origin.start()
    site.answer = function(req)
      return { status = 200, body = req.headers["x-a"] .. req.headers["x-b"] }
    end
    local api = http.client { base_url = site.url, headers = { ["X-A"] = "1", ["X-B"] = "2" },
      timeout = { connect = 5 } }
    local res = assert(api:get("/", { headers = { ["X-B"] = "3" }, timeout = { read = 5 },
      retry = { attempts = 1 } }))
    assert.are.equal("13", res.body)
    assert.are.equal("12", assert(api:get("/")).body)
    site:stop()
  end)

  it("of a client are copied when it is made", function()
    local site = origin.start()
    local opts = { headers = { ["X-A"] = "1" }, params = { a = 1 } }
    local api = http.client(opts)
    opts.headers["X-A"], opts.params.a = "2", 2
    assert(api:get(site.url))
    assert.are.equal("1", site:last().headers["x-a"])
    assert.are.equal("1", site:last().query.a)
    assert(api:get(site.url, { headers = { ["X-B"] = "1" }, params = { b = 1 } }))
    assert.are.equal("1", site:last().headers["x-a"])
    assert.are.equal("1", site:last().query.a)
    site:stop()
  end)

  it("tell those who come from elsewhere how they are written", function()
    for name, written in pairs {
      max_connections = "limits = { inflight = … }", rate_limit = "limits = { rate = … }",
      user = 'auth = { "user", "password" }', username = 'auth = { "user", "password" }',
      raise_for_status = 'expect = "2xx"', content_type = 'headers = { ["Content-Type"] = "…" }',
      cookie = 'headers = { Cookie = "…" }', ssl_verify = "tls = { verify = … }",
    } do
      for _, call in ipairs { function() http.get("http://h/", { [name] = 1 }) end,
        function() http.client { [name] = 1 } end } do
        assert.matches(("unknown option '%s'; it is written %s"):format(name, written), message_of(call), 1, true)
      end
    end
    assert.matches("unknown option 'max'; it is written attempts",
      message_of(http.get, "http://h/", { retry = { max = 3 } }))
    assert.matches("unknown option 'max'; it is written inflight", message_of(http.client, { limits = { max = 3 } }))
  end)

  it("tell so for each name that a row or the list of foreign ones has", function()
    local names, count = { axios = "transformRequest" }, 0
    for name in pairs(require "lurcher.http.options.foreign") do names[name] = name end
    for _, row in ipairs(require "lurcher.http.options.rows") do
      for library, list in pairs(row.elsewhere or {}) do
        for word in list:gmatch "[^,%s]+" do
          local name = word:gsub("^%-%-", ""):gsub("%-", "_")
          if name:find "^%a[%w_]+$" then names[library .. name] = name end
        end
      end
    end
    for _, name in pairs(names) do
      local ok, message = pcall(http.client, { [name] = {} })
      if not ok and message:find("unknown option", 1, true) then
        count = count + 1
        assert.truthy(message:find("; it is written ", 1, true) or message:find("; there is none here: ", 1, true),
          message)
      end
    end
    assert.is_true(count > 100, count)
    assert.matches("unknown option 'maxRate'; there is none here: the rate", message_of(http.client, { maxRate = 1 }))
  end)

  it("that look like data get a hint", function()
    local hint = "if that is data: a body is given as json = { … } or form = { … }, query parameters as params = { … }"
    for _, data in ipairs { { email = "a@b", age = 5 }, { title = "x" }, { id = 5, title = "x" }, { "a", "b" },
      { { a = 1 } }, { quantity = 5, timeout = 3 } } do
      assert.matches(hint, message_of(http.post, "http://h/", data), 1, true)
    end
    assert.matches("unknown options 'age', 'email';", message_of(http.post, "http://h/", { email = 1, age = 5 }))
    assert.matches("a body is given as { body = … }", message_of(http.post, "http://h/", "text"), 1, true)
    assert.matches("unknown option 'timout'; did you mean 'timeout'%?$",
      message_of(http.get, "http://h/", { timout = 1 }))
  end)
end)

describe("a limit of a size or a count", function()
  it("may be math.huge", function()
    local client = http.client { max_body = math.huge, max_headers = math.huge, retry = { attempts = math.huge } }
    local s = serving.start(function(req)
      return { body = #req.body > 0 and req.body or ("x"):rep(70) .. "\n" }
    end, { max_body = math.huge })
    assert.equal(71, #assert(client:get(s.url, { max_body = math.huge })).body)
    assert.equal("ab", assert(client:post(s.url, { body = "ab" })).body)
    for line in assert(client:stream("GET", s.url)):lines { max = math.huge } do assert.equal(70, #line) end
    assert(client:stream("GET", s.url)):read_all()
    client:close()
    local process, fs = require "lurcher.process", require "lurcher.fs"
    assert.equal("a\n", assert(process.run("echo", { "a" }, { max_output = math.huge })).stdout)
    assert.is_string(assert(fs.read("/proc/self/comm", { max = math.huge })))
    for line in fs.lines("/proc/self/comm", { max = math.huge }) do assert.is_string(line) end
    local pages, page = require "lurcher.pages", 0
    for _ in pages.each(http.default(), s.url, { max_pages = math.huge, max_empty = math.huge, next = function()
      page = page + 1
      return page < 3 and { params = { page = page } } or nil
    end }) do assert.is_number(page) end
    assert.equal(2, require("lurcher.retry").call(function() return 2 end, { attempts = math.huge }))
    assert.error_matches(function() http.client { max_body = -1 } end, "math.huge or false, got %-1")
  end)
end)
