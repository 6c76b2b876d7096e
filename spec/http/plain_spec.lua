local mock = require "lurcher.mock"
local native = require "lurcher.native.http"
local plain_module = "lurcher.http.plain"
local retry_budget = require "lurcher.http.retry_budget"
local process = require "spec.support.process"
local response_class = require "lurcher.http.response_class"
local secret = require "lurcher.base.secret"
local serving = require "spec.support.serving"
local task = require "lurcher.task"
local raised_by = require("spec.support.raising").failure

-- What is loaded anew: the rest of the runtime has no state that a call could meet.
local NAMES = { "lurcher.http", plain_module, "lurcher.http.client" }

-- lurcher.http as a script finds it at its start; what it was is back at the spec's end.
local function fresh()
  local before, curl, any = {}, response_class.curl, secret.any
  for _, name in ipairs(NAMES) do before[name], package.loaded[name] = package.loaded[name], nil end
  secret.any = false
  task.defer(function()
    for _, name in ipairs(NAMES) do package.loaded[name] = before[name] end
    response_class.curl, secret.any = curl, any
  end)
  return require "lurcher.http"
end

local function has_client()
  return package.loaded["lurcher.http.client"] ~= nil
end

local function serve(answer)
  return serving.start { handler = answer }
end

local function greet(req)
  if req.path == "/moved" then return { status = 302, headers = { Location = "/" } } end
  if req.path == "/cookie" then return { status = 200, headers = { ["Set-Cookie"] = "a=1" } } end
  if req.path == "/absent" then return { status = 404, body = "nothing" } end
  return { status = 200, headers = { ["Content-Type"] = "application/json", ["X-Cookie"] = req.headers.cookie },
    body = '{"method": "' .. req.method .. '"}\n' }
end

describe("a call without options", function()
  it("has the defaults of a client", function()
    local http, given = fresh(), {}
    local s = serve(greet)
    local profile, pool, headers = native.profile, native.pool, native.headers
    task.defer(function() native.profile, native.pool, native.headers = profile, pool, headers end)
    native.profile = function(options) given.profile = options return profile(options) end
    native.pool = function(options) given.pool = options return pool(options) end
    native.headers = function(list) given.headers = list return headers(list) end
    assert(http.get(s.url))
    assert.is_false(has_client())
    local own = given
    given = {}
    local client = http.client()
    own.pool.learn = given.pool.learn -- the layers heed it
    assert.same(given, own)
    assert.equal(require "lurcher.http.status_set"(require(plain_module).DEFAULT.undecided), client.settings.undecided)
    assert.equal(require(plain_module).DEFAULT.priority, client.settings.priority)
    for status = 200, 299 do assert.is_nil(client.settings.heeded[status]) end
  end)

  it("makes no client while responses are fit as they come", function()
    local http, s = fresh(), serve(greet)
    for _, verb in ipairs { "get", "post", "put", "patch", "delete", "options" } do
      local res = assert(http[verb](s.url .. "/items?a=b"))
      assert.same({ 200, true, s.url .. "/items?a=b", verb:upper(), 1 },
        { res.status, res.ok, res.url, res.method, res.attempts })
      assert.same({ method = verb:upper() }, (res:json()))
      assert.equal("application/json", res.headers["content-type"])
      assert.same({}, res.history)
      assert.is_true(res.elapsed >= 0)
    end
    assert.equal("", http.head(s.url).body)
    assert.equal("GET " .. s.url .. "/: 200 OK", tostring(http.get(s.url)))
    assert.is_false(has_client())
  end)

  it("gives responses that can do all that others can", function()
    local http, s = fresh(), serve(greet)
    local res = assert(http.get(s.url))
    assert.matches("^curl '" .. s.url .. "/' %-H ", res:curl())
    assert.equal(res, res:expect(200))
    assert.equal("status", select(2, res:expect(404)).kind)
    res:close()
    assert.matches("plain_spec%.lua:%d+: a response has no field 'sttus'; did you mean 'status'%?",
      raised_by(function() return res.sttus end))
  end)

  for path, expected in pairs { ["/moved"] = { 200, 1 }, ["/absent"] = { 404, 0 }, ["/cookie"] = { 200, 0 } } do
    it("goes on in a client from what came of " .. path, function()
      local http, s = fresh(), serve(greet)
      assert(http.get(s.url))
      local res = assert(http.get(s.url .. path))
      assert.same(expected, { res.status, #res.history })
      assert.is_true(has_client())
      assert.is_true(res.reused)
      local sent = http.get(s.url).headers["x-cookie"]
      assert.equal(path == "/cookie" and "a=1" or nil, sent)
      assert.equal(path == "/moved" and 4 or 3, http.default():stats().requests)
    end)
  end

  it("is repeated as others are", function()
    local http, count = fresh(), 0
    local s = serve(function()
      count = count + 1
      return { status = count == 1 and 503 or 200, headers = { ["Retry-After"] = "0" } }
    end)
    local res = assert(http.get(s.url))
    assert.same({ 200, 2, 2 }, { res.status, res.attempts, count })
  end)

  it("counts for the client's retry budget", function()
    local http, s, counted = fresh(), serve(greet), 0
    local budget = retry_budget.new()
    local class = getmetatable(budget)
    local note_call = class.note_call
    task.defer(function() class.note_call = note_call end)
    class.note_call = function(self, count)
      counted = counted + (count or 1)
      return note_call(self, count)
    end
    for _ = 1, 7 do assert(http.get(s.url)) end
    assert(http.get(s.url .. "/absent"))
    assert.equal(8, counted)
  end)

  it("fails as others do", function()
    local http, s = fresh(), serving.raw(function() end)
    s:stop()
    local res, err = http.get(s.url)
    assert.is_nil(res)
    assert.same({ "connect", 3, "GET" }, { err.kind, err.attempts, err.method })
  end)

  it("goes to the mock that stands in for the network", function()
    local http, s = fresh(), serve(greet)
    assert(http.get(s.url))
    local m = mock.new()
    m:on("GET", "/"):reply(418)
    local client = require "lurcher.http.client"
    local before = client.install(m)
    assert.equal(418, http.get(s.url).status)
    client.install(before)
    assert.equal(200, http.get(s.url).status)
  end)

  it("hides a marked secret in its URL", function()
    local http, s = fresh(), serve(greet)
    assert(http.get(s.url .. "/s3cr3t-token"))
    local marked = http.secret "s3cr3t-token"
    local res = assert(http.get(s.url .. "/s3cr3t-token"))
    assert.equal(s.url .. "/***", tostring(res.url))
    assert.is_not_nil(marked)
  end)

  it("takes userinfo and fragment out of its URL", function()
    local http = fresh()
    local s = serve(function(req) return { status = 200, body = req.path .. (req.headers.authorization or "") } end)
    local res = assert(http.get((s.url:gsub("//", "//me:pw@")) .. "/a#b"))
    assert.same({ "/aBasic bWU6cHc=", s.url .. "/a#b" }, { res.body, res.url })
  end)

  it("complains where it was called", function()
    local http = fresh()
    for _, case in ipairs {
      { function() http.get(nil) end, "the URL must be a string, got nil" },
      { function() http.get(http) end, "call it with a dot: http.get(…)" },
      { function() http:get("http://a/") end, "call it with a dot: http.get(…)" },
      { function() return http.gett end, "lurcher.http has no function 'gett'; did you mean 'get'?" },
    } do
      local message = raised_by(case[1])
      assert.matches("^spec/http/plain_spec%.lua:%d+: ", message)
      assert.equal(case[2], (message:gsub("^%S+ ", "")))
    end
    assert.equal("url", select(2, http.get("no address")).kind)
  end)

  it("gives responses that survive an emptied package.loaded", function()
    local ended = process.run { process.script [[
      local http, task = require "lurcher.http", require "lurcher.task"
      local s = require("lurcher.server").start(function(req) return { body = "[1]", headers = { A = req.path } } end)
      local res, other = http.get(s.url), http.get(s.url)
      for name in pairs(package.loaded) do package.loaded[name] = nil end
      print(res:json()[1], other, http.get(s.url .. "/b").headers.a, http.get(s.url, {}):header("a"), task.now() > 0)
      s:stop()
    ]] }
    assert.equal("", ended.err)
    assert.matches("^1\tGET http://127%.0%.0%.1:%d+/: 200 OK\t/b\t/\ttrue\n$", ended.out)
  end)

  it("can be one of many at once, the first of which needs a client", function()
    local http = fresh()
    local s = serve(function(req)
      return { status = req.path == "/7" and 404 or 200, body = req.path }
    end)
    local paths = {}
    for i = 1, 40 do paths[i] = "/" .. i end
    local bodies = task.map(paths, function(path) return http.get(s.url .. path).body end, { concurrency = 20 })
    assert.same(paths, bodies)
    assert.equal(40, http.default():stats().requests)
  end)
end)
