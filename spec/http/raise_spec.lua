-- Clients that raise, functions that read streams, and names that do not exist.

local http = require "lurcher.http"
local origin = require "spec.support.origin"
local raising = require "spec.support.raising"
local task = require "lurcher.task"

local failure, message_of = raising.failure, raising.message
local NOBODY = "http://127.0.0.1:1/"

describe("http.raising", function()
  local calls = http.raising()

  it("gives the functions of http, whose calls raise", function()
    local site = origin.start()
    assert.are.equal(calls, http.raising())
    site.answer = { body = '{"a":1}' }
    assert.are.equal(1, calls.get(site.url):json().a)
    assert.are.equal("PURGE", calls.request("PURGE", site.url).method)
    site.answer = { status = 404 }
    local once = { retry = false }
    for _, call in ipairs {
      function() calls.get(NOBODY, once) end, function() calls.request("GET", NOBODY, once) end,
      function() calls.download(NOBODY, "/nowhere/", once) end, function() calls.client():get(NOBODY, once) end,
      function() calls.client(once):get(NOBODY) end, function() calls.default():get(NOBODY, once) end,
    } do
      assert.is_truthy(failure(call).kind)
    end
    assert.are.equal("status", failure(function() calls.get(site.url) end).kind)
    assert.are.equal(404, http.get(site.url).status)
    site:stop()
  end)

  it("gives clients that do not raise when they are told so", function()
    local res, err = calls.client({ raise = false, retry = false }):get(NOBODY)
    assert.is_nil(res)
    assert.are.equal("connect", err.kind)
    assert.are.equal("file", failure(function() calls.client { cookies = "/" } end).kind)
  end)

  it("shares what raises nothing, and refuses what does not exist", function()
    assert.are.equal(http.secret, calls.secret)
    local message = message_of(function() return calls.gett end)
    assert.matches("lurcher.http has no function 'gett'; did you mean 'get'", message)
    assert.matches("call it with a dot: http.get", message_of(function() calls:get(NOBODY) end))
    assert.matches("call it with a dot: http.client", message_of(function() calls:client() end))
  end)
end)

describe("a client with raise", function()
  local site, api

  before_each(function()
    site = origin.start()
    api = http.client { base_url = site.url, raise = true, retry = false }
  end)
  after_each(function() site:stop() end)

  it("raises what calls of others return", function()
    for _, call in ipairs {
      function() api:get(NOBODY) end, function() api:get(NOBODY, {}) end, function() api:request("GET", NOBODY) end,
      function() api:post(NOBODY, { body = "x" }) end, function() api:stream("GET", NOBODY) end,
      function() api:stream("GET", NOBODY, {}, print) end, function() api:get(NOBODY, { expect = false }) end,
    } do
      local err = failure(call)
      assert.are.equal("connect", err.kind)
      assert.are.equal(NOBODY, err.url)
    end
    assert.are.equal("url", failure(function() api:get "http://h:99999/" end).kind)
  end)

  it("expects 2xx unless told otherwise", function()
    site.answer = { status = 404, body = "no" }
    for _, call in ipairs { function() api:get "/" end, function() api:get("/", { expect = "2xx" }) end,
      function() api:stream("GET", "/") end, function() api:get("/", { stream = true }) end } do
      local err = failure(call)
      assert.are.equal("status", err.kind)
      assert.are.equal("no", err.response.body)
    end
    assert.are.equal(404, api:get("/", { expect = false }).status)
    assert.are.equal(404, api:get("/", { expect = 404 }).status)
    assert.are.equal(404, api:stream("GET", "/", { expect = false }).status)
  end)

  it("gives responses whose methods raise", function()
    site.answer = { body = "{ no json" }
    assert.are.equal("decode", failure(function() api:get("/"):json() end).kind)
    assert.are.equal("status", failure(function() api:get("/"):expect(201) end).kind)
    assert.are.equal("file", failure(function() api:get("/"):save "/nowhere/at/all" end).kind)
    site.answer = { body = "\255", headers = { ["Content-Type"] = "text/plain; charset=utf-8" } }
    assert.are.equal("decode", failure(function() api:get("/"):text() end).kind)
    site.answer = { body = '{"a":1}' }
    assert.are.equal(1, api:get("items/7"):json().a)
    assert.are.equal("GET", api:get("/"):expect(200).method)
    local res = api:stream("GET", "/")
    assert.are.equal('{"a":1}', res:read())
    assert.is_nil(res:read())
  end)

  it("raises the failure that a function given to stream returns", function()
    assert.are.equal("decode", failure(function()
      site.answer = { body = "{" }
      api:stream("GET", "/", {}, function(res) return require("lurcher.json").decode(res:read_all()) end)
    end).kind)
  end)

  it("is undone by extend", function()
    local plain = api:extend { raise = false }
    local res, err = plain:get(NOBODY)
    assert.is_nil(res)
    assert.are.equal("connect", err.kind)
    site.answer = { status = 500, body = "{" }
    res = assert(plain:get "/")
    assert.are.equal(500, res.status)
    assert.are.same({ nil, "decode" }, { (res:json()), select(2, res:json()).kind })
    assert.are.equal("status", failure(function() plain:extend({ raise = true }):get "/" end).kind)
  end)

  it("is an option of clients only", function()
    assert.are.equal("http.get: option 'raise' belongs to the client: give it to http.client or client:extend",
      message_of(http.get, site.url, { raise = true }))
  end)

  it("raises mistakes of the program as others do", function()
    assert.matches("unknown option 'timout'; did you mean 'timeout'", message_of(api.get, api, "/", { timout = 1 }))
    assert.matches("options must be a table", message_of(api.get, api, "/", 5))
  end)
end)

describe("client:stream with a function", function()
  local site, client

  before_each(function()
    site = origin.start()
    client = http.client { retry = false }
    site.answer = { body = "a\nb\n" }
  end)
  after_each(function() site:stop() end)

  it("returns what the function returned, or true", function()
    assert.are.same({ "a", 2 }, { client:stream("GET", site.url, {}, function(res) return res:read(1), 2 end) })
    assert.are.same({ true }, { client:stream("GET", site.url, {}, function(res) res:read_all() end) })
    assert.are.same({ true }, { client:stream("GET", site.url, function(res) res:read_all() end) })
    assert.are.equal(false, client:stream("GET", site.url, {}, function() return false end))
    local value, err = client:stream("GET", site.url, {}, function() return nil, "why" end)
    assert.is_nil(value)
    assert.are.equal("why", err)
    local res, refused = client:stream("GET", site.url, { expect = 201 }, print)
    assert.is_nil(res)
    assert.are.equal("status", refused.kind)
  end)

  it("closes the response however the function ends", function()
    local kept
    for _, fn in ipairs {
      function(res) kept = res end,
      function(res) kept = res error "oops" end,
      function(res) kept = res task.current():cancel() task.sleep(1) end,
    } do
      task.spawn(pcall, function()
        task.scope(function(scope) scope:spawn(client.stream, client, "GET", site.url, {}, fn) end)
      end):join()
      assert.matches("closed before it was read", message_of(kept.read, kept))
    end
    assert.are.equal(0, client:stats().in_flight)
  end)

  it("raises on what the function raised", function()
    local thrown = {}
    assert.are.equal(thrown, failure(client.stream, client, "GET", site.url, {}, function() error(thrown) end))
  end)
end)

describe("names that do not exist", function()
  it("raise in clients, whether read or written", function()
    local client = http.client()
    for name, message in pairs {
      gett = "a client has no field 'gett'; did you mean 'get'?",
      requests = "a client has no field 'requests'; did you mean 'request'?",
      nonsense = "a client has no field 'nonsense'",
    } do
      assert.are.equal(message, message_of(function() return client[name] end))
    end
    for name, message in pairs {
      timeout = "a client does not change: give 'timeout' to http.client { … }, or to client:extend { … }",
      headers = "a client does not change: give 'headers' to http.client { … }, or to client:extend { … }",
      timout = "a client does not change, and has no option 'timout'; did you mean 'timeout'?",
      nonsense = "a client does not change, and has no option 'nonsense'",
    } do
      local line = debug.getinfo(1, "l").currentline + 1
      local ok, raised = pcall(function() client[name] = 5 end)
      assert.is_false(ok)
      assert.are.equal(("spec/http/raise_spec.lua:%d: %s"):format(line, message), raised)
    end
    assert.is_nil(client[1])
  end)

  it("raise in errors", function()
    local _, err = http.get(NOBODY, { retry = false })
    for name, message in pairs {
      knd = "an error has no field 'knd'; did you mean 'kind'?",
      mesage = "an error has no field 'mesage'; did you mean 'message'?",
      status = "an error has no field 'status'; it is written err.response.status, of kind \"status\"",
    } do
      assert.are.equal(message, message_of(function() return err[name] end))
    end
    for _, name in ipairs { "kind", "message", "phase", "method", "url", "attempts", "elapsed", "retryable", "code",
      "cause", "response", "limit", "observed", "result", "budget_exhausted" } do
      local _ = err[name]
    end
  end)

  it("raise in modules", function()
    for name, wrong in pairs { http = "gett", task = "slep", json = "decod", fs = "raed", log = "wran", url = "prase",
      pages = "itmes", retry = "cal", breaker = "nwe", server = "strat", progress = "bra", metrics = "snapshto",
      clock = "virtul", crypto = "sha265", date = "prase", csv = "rwos", process = "rnu" } do
      local module = require("lurcher." .. name)
      local message = message_of(function() return module[wrong] end)
      assert.matches(("^lurcher%%.%s has no function '%s'; did you mean '"):format(name, wrong), message)
    end
    assert.are.equal("lurcher.json has no function 'stringify'; it is written json.encode(value)",
      message_of(function() return require("lurcher.json").stringify end))
    assert.is_nil(http[1])
  end)
end)

describe("res.elapsed", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  it("is the time of the whole call: retries, their waits and redirects", function()
    local count = 0
    site.answer = function()
      count = count + 1
      task.sleep(0.02)
      if count == 1 then return { status = 503 } end
      if count == 2 then return { status = 302, headers = { { "Location", "/next" } } } end
      return { status = 200, body = "x" }
    end
    for _, streamed in ipairs { false, true } do
      count = 0
      local began = task.now()
      local res = assert(http.get(site.url, { stream = streamed,
        retry = { attempts = 2, base = 0.05, jitter = "none" } }))
      if streamed then res:read_all() end
      assert.is_true(res.elapsed >= 0.1, tostring(res.elapsed))
      assert.is_true(res.elapsed <= task.now() - began)
      assert.is_true(res.timings.total < res.elapsed - 0.05)
    end
  end)

  it("holds the wait for a slot", function()
    site.answer = function()
      task.sleep(0.05)
      return { status = 200 }
    end
    local client = http.client { limits = { inflight = 1 } }
    local times = task.map({ 1, 2, 3 }, function() return assert(client:get(site.url)).elapsed end)
    table.sort(times)
    assert.is_true(times[3] >= 0.15, tostring(times[3]))
  end)
end)
