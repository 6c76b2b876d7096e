local clock = require "lurcher.clock"
local http = require "lurcher.http"
local origin = require "spec.support.origin"
local server = require "lurcher.server"
local task = require "lurcher.task"

-- No waiting between attempts.
local AT_ONCE = { base = 0 }

describe("retries", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  -- Answers with each status in turn, then with 200.
  local function answers(...)
    local list = { ... }
    site.answer = function()
      local status = table.remove(list, 1) or 200
      return { status = status, body = tostring(status) }
    end
  end

  for _, status in ipairs { 408, 425, 429, 500, 502, 503, 504 } do
    it(("repeat a GET answered with %d"):format(status), function()
      answers(status)
      local res = assert(http.get(site.url, { retry = AT_ONCE }))
      assert.are.equal(200, res.status)
      assert.are.equal(2, res.attempts)
    end)
  end

  for _, status in ipairs { 400, 401, 403, 404, 501, 505 } do
    it(("do not repeat what was answered with %d"):format(status), function()
      answers(status)
      local res = assert(http.get(site.url, { retry = AT_ONCE }))
      assert.are.equal(status, res.status)
      assert.are.equal(1, res.attempts)
    end)
  end

  it("return the last response after the last attempt", function()
    answers(503, 502, 500)
    local res = assert(http.get(site.url, { retry = AT_ONCE }))
    assert.are.equal(500, res.status)
    assert.are.equal(3, res.attempts)
    assert.are.equal(3, #site:requests())
  end)

  it("return the last error after the last attempt", function()
    local closed = server.raw(function() end)
    local url = closed.url
    closed:stop()
    local res, err = http.get(url, { retry = AT_ONCE })
    assert.is_nil(res)
    assert.are.equal("connect", err.kind)
    assert.are.equal(3, err.attempts)
    assert.is_true(err.retryable)
    assert.is_true(err.elapsed >= 0)
    assert.matches("attempt 3 of 3", tostring(err))
    assert.matches("^GET " .. url:gsub("%p", "%%%0"), tostring(err))
  end)

  it("are as many as asked for", function()
    answers(503, 503, 503, 503)
    assert.are.equal(5, assert(http.get(site.url, { retry = { attempts = 5, base = 0 } })).attempts)
    answers(503)
    assert.are.equal(1, assert(http.get(site.url, { retry = 1 })).attempts)
    answers(503)
    assert.are.equal(1, assert(http.get(site.url, { retry = false })).attempts)
    answers(503)
    local client = http.client { retry = false }
    assert.are.equal(503, assert(client:get(site.url)).status)
    answers(503)
    assert.are.equal(200, assert(client:get(site.url, { retry = AT_ONCE })).status)
  end)

  it("take a client's policy by key", function()
    answers(418, 418, 418, 418)
    local client = http.client { retry = { base = 0, statuses = { 418 }, attempts = 2 } }
    assert.are.equal(2, assert(client:get(site.url)).attempts)
    answers(418, 418, 418, 418)
    assert.are.equal(4, assert(client:get(site.url, { retry = 4 })).attempts)
  end)

  describe("of methods", function()
    for method, attempts in pairs { GET = 2, HEAD = 2, PUT = 2, DELETE = 2, OPTIONS = 2, TRACE = 2, POST = 1,
      PATCH = 1, PURGE = 1 } do
      it(("make %d attempts with %s"):format(attempts, method), function()
        answers(503)
        assert.are.equal(attempts, assert(http.request(method, site.url, { retry = AT_ONCE })).attempts)
      end)
    end

    it("repeat a POST that is retryable, with the same body", function()
      answers(503)
      local res = assert(http.post(site.url, { json = { 1 }, retryable = true, retry = AT_ONCE }))
      assert.are.equal(2, res.attempts)
      for _, req in ipairs(site:requests()) do assert.are.equal("[1]", req.body) end
    end)

    it("repeat a POST with an idempotency key, the same one each time", function()
      answers(503, 503)
      assert(http.post(site.url, { body = "x", idempotency_key = true, retry = AT_ONCE }))
      local all = site:requests()
      assert.are.equal(3, #all)
      local key = all[1].headers["idempotency-key"]
      assert.matches("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$", key)
      assert.are.equal(key, all[2].headers["idempotency-key"])
      assert.are.equal(key, all[3].headers["idempotency-key"])
      assert(http.post(site.url, { idempotency_key = true }))
      assert.are_not.equal(key, site:last().headers["idempotency-key"])
      assert(http.post(site.url, { idempotency_key = "mine" }))
      assert.are.equal("mine", site:last().headers["idempotency-key"])
    end)

    it("keep the idempotency key over the hops of a redirect", function()
      site.paths["/a"] = { status = 307, headers = { Location = "/b" } }
      answers(503)
      assert(http.post(site.url .. "/a", { body = "x", idempotency_key = true, retry = AT_ONCE }))
      local all = site:requests()
      assert.are.equal(3, #all)
      local key = all[1].headers["idempotency-key"]
      assert.is_string(key)
      for _, req in ipairs(all) do assert.are.equal(key, req.headers["idempotency-key"]) end
    end)

    it("take a list of methods", function()
      answers(503)
      local policy = { base = 0, methods = { "post" } }
      assert.are.equal(2, assert(http.post(site.url, { retry = policy })).attempts)
      answers(503)
      assert.are.equal(1, assert(http.get(site.url, { retry = policy })).attempts)
    end)

    it("repeat a POST that certainly did not arrive", function()
      local closed = server.raw(function() end)
      local url = closed.url
      closed:stop()
      local _, err = http.post(url, { body = "x", retry = AT_ONCE })
      assert.are.equal("connect", err.kind)
      assert.are.equal(3, err.attempts)
    end)

    it("do not repeat a POST that may have arrived", function()
      local count = 0
      local bad = server.raw(function(conn)
        conn:read_request()
        count = count + 1
        conn:close()
      end)
      local _, err = http.post(bad.url, { body = "x", retry = AT_ONCE })
      assert.are.equal("closed", err.kind)
      assert.are.equal(1, err.attempts)
      assert.is_false(err.retryable)
      assert.are.equal(1, count)
      bad:stop()
    end)
  end)

  it("repeat a GET whose connection was closed or whose body was cut", function()
    local count = 0
    local bad = server.raw(function(conn)
      conn:read_request()
      count = count + 1
      if count == 1 then return conn:close() end
      if count == 2 then return conn:write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") end
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole")
    end)
    local res = assert(http.get(bad.url, { retry = AT_ONCE }))
    assert.are.equal("whole", res.body)
    assert.are.equal(3, res.attempts)
    bad:stop()
  end)

  it("do not repeat what cannot get better", function()
    local count = 0
    local bad = server.raw(function(conn)
      conn:read_request()
      count = count + 1
      conn:write("nonsense\r\n\r\n")
    end)
    local _, err = http.get(bad.url, { retry = AT_ONCE })
    assert.are.equal("protocol", err.kind)
    assert.is_false(err.retryable)
    assert.are.equal(1, count)
    bad:stop()
  end)

  describe("and Retry-After", function()
    -- A first answer with the header, and how long the call took.
    local function timed(value, opts)
      local first = true
      site.answer = function()
        if not first then return { status = 200 } end
        first = false
        return { status = 503, headers = { ["Retry-After"] = value } }
      end
      return clock.virtual(function()
        local started = task.now()
        return assert(http.get(site.url, opts)), task.now() - started
      end, { time = 1800000000 })
    end

    local function date(offset)
      return os.date("!%a, %d %b %Y %H:%M:%S GMT", 1800000000 + offset)
    end

    it("wait so many seconds", function()
      local res, took = timed("45", { retry = AT_ONCE })
      assert.are.equal(200, res.status)
      assert.is_true(took >= 45 and took < 46)
    end)

    it("wait until a date", function()
      local res, took = timed(date(30), { retry = { base = 1000, max_wait = false } })
      assert.are.equal(2, res.attempts)
      assert.is_true(took > 28 and took < 31)
    end)

    it("of a date that has passed, or 0, are no hint: the computed wait counts", function()
      for _, value in ipairs { date(-86400), "0", "0.0" } do
        local res, took = timed(value, { retry = { base = 5, jitter = "none" } })
        assert.are.equal(2, res.attempts)
        assert.is_true(took >= 5 and took < 6, took)
      end
    end)

    it("give up when the date is far", function()
      assert.are.equal(1, timed(date(86400), { retry = AT_ONCE }).attempts)
    end)

    it("ignore it with retry_after=false, or when it is nonsense", function()
      assert.are.equal(200, timed("30", { retry = { base = 0, retry_after = false } }).status)
      for _, nonsense in ipairs { "soon", "-5", "", "1e3", "99999999999999999999s", "Mon, 99 Foo" } do
        local res, took = timed(nonsense, { retry = AT_ONCE })
        assert.are.equal(200, res.status)
        assert.is_true(took < 1)
      end
    end)

    it("give up when it is longer than max_retry_after", function()
      local res, took = timed("61", { retry = AT_ONCE })
      assert.are.equal(503, res.status)
      assert.are.equal(1, res.attempts)
      assert.is_true(took < 30)
      assert.are.equal(503, timed("5", { retry = { base = 0, max_retry_after = 4 } }).status)
    end)

    it("give up when it is longer than the time left", function()
      local res = timed("30", { retry = AT_ONCE, timeout = 10 })
      assert.are.equal(503, res.status)
    end)
  end)

  for header, value in pairs {
    ["RateLimit-Reset"] = "7", ["X-RateLimit-Reset"] = "7", ["RateLimit"] = '"default";r=0;t=7',
    ["x-ratelimit-reset"] = "1800000007",
  } do
    it(("wait as %s: %s says"):format(header, value), function()
      local first = true
      site.answer = function()
        local answer = first and { status = 429, headers = { [header] = value } } or { status = 200 }
        first = false
        return answer
      end
      clock.virtual(function()
        local started = task.now()
        assert.are.equal(2, assert(http.client():get(site.url, { retry = AT_ONCE })).attempts)
        local took = task.now() - started
        assert.is_true(took > 5.9 and took < 7.5, "it took " .. took)
      end, { time = 1800000000 })
    end)
  end

  it("take tokens of the rate", function()
    clock.virtual(function()
      answers(503, 503)
      local client = http.client { limits = { rate = 0.5, burst = 1 }, retry = AT_ONCE }
      local started = task.now()
      assert.are.equal(3, assert(client:get(site.url)).attempts)
      local took = task.now() - started
      assert.is_true(took >= 3.9 and took < 4.5, "it took " .. took)
    end)
  end)

  it("wait as base, factor and jitter say", function()
    answers(503, 503, 503)
    local waits = {}
    local hooks = { retry = { function(event) waits[#waits + 1] = event.wait end } }
    local policy = { attempts = 4, base = 2, factor = 3, jitter = "none" }
    local client = http.client { hooks = hooks, retry = policy }
    local took = clock.virtual(function()
      local started = task.now()
      assert(client:get(site.url))
      return task.now() - started
    end)
    assert.are.same({ 2, 6, 18 }, waits)
    assert.is_true(took >= 26 and took < 27)
  end)

  it("draw the same waits in two virtual runs with one seed", function()
    local function drawn(seed)
      answers(503, 503)
      local waits = {}
      local function note(event) waits[#waits + 1] = event.wait end
      local client = http.client { hooks = { retry = { note } } }
      clock.virtual(function() assert(client:get(site.url)) end, { seed = seed })
      return waits
    end
    local first = drawn(7)
    assert.are.equal(2, #first)
    assert.are.same(first, drawn(7))
    assert.are_not.same(first, drawn(8))
  end)

  it("wait no longer than base * factor ^ n and max_wait allow", function()
    answers(503, 503)
    local started = task.now()
    local res = assert(http.get(site.url, { retry = { base = 1000, factor = 10, max_wait = 0.01 } }))
    assert.are.equal(200, res.status)
    assert.is_true(task.now() - started < 30)
  end)

  it("happen at the hop that failed, not from the start", function()
    site.paths["/a"] = { status = 303, headers = { Location = "/b" } }
    answers(503)
    local res = assert(http.post(site.url .. "/a", { body = "x", retry = AT_ONCE }))
    assert.are.equal(200, res.status)
    assert.are.equal(2, res.attempts)
    local methods = {}
    for i, req in ipairs(site:requests()) do methods[i] = req.method .. req.path end
    assert.are.same({ "POST/a", "GET/b", "GET/b" }, methods)
  end)

  it("are told to the hook", function()
    local events = {}
    local function note(event) events[#events + 1] = event end
    local client = http.client { retry = AT_ONCE, hooks = { retry = { note } } }
    answers(503, 500)
    assert(client:get(site.url))
    assert.are.equal(2, #events)
    assert.are.equal(503, events[1].status)
    assert.are.equal(1, events[1].attempt)
    assert.are.equal(500, events[2].status)
    assert.are.equal("GET", events[2].method)
    assert.are.equal("status 500", events[2].why)
    assert.are.equal(0, events[2].wait)
  end)

  describe("by kind", function()
    local function refused()
      local closed = server.raw(function() end)
      closed:stop()
      return closed.url
    end

    it("are made for the kinds of the policy only", function()
      local url = refused()
      local _, err = http.get(url, { retry = { base = 0, kinds = { "timeout" } } })
      assert.are.equal(1, err.attempts)
      assert.is_false(err.retryable)
      _, err = http.get(url, { retry = { base = 0, kinds = { "connect" } } })
      assert.are.equal(3, err.attempts)
      _, err = http.get(url, { retry = { base = 0, kinds = false } })
      assert.are.equal(1, err.attempts)
    end)

    it("are made for more kinds when asked for", function()
      local count = 0
      local bad = server.raw(function(conn)
        conn:read_request()
        count = count + 1
        conn:write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")
      end)
      http.get(bad.url, { retry = AT_ONCE })
      assert.are.equal(1, count)
      http.get(bad.url, { retry = { base = 0, kinds = { "decode" } } })
      assert.are.equal(4, count)
      bad:stop()
    end)
  end)

  describe("and the function `on`", function()
    local function deciding(answer, more)
      local seen = {}
      local policy = { base = 0, on = function(attempt)
        seen[#seen + 1] = attempt
        if type(answer) == "function" then return answer(attempt) end
        return answer
      end }
      for key, value in pairs(more or {}) do policy[key] = value end
      return policy, seen
    end

    it("are made when it returns true, whatever the answer, up to the number of attempts", function()
      answers(404, 200, 201)
      local policy, seen = deciding(true)
      local res = assert(http.post(site.url, { body = "x", retry = policy }))
      assert.are.equal(201, res.status)
      assert.are.equal(3, res.attempts)
      assert.are.equal(2, #seen)
      assert.are.equal(404, seen[1].response.status)
      assert.are.equal(404, seen[1].status)
      assert.are.equal(1, seen[1].attempt)
      assert.are.equal(2, seen[2].attempt)
      assert.is_nil(seen[1].wait)
      assert.is_true(seen[2].elapsed >= seen[1].elapsed)
    end)

    it("are not made when it returns false", function()
      answers(503)
      local policy, seen = deciding(false)
      assert.are.equal(1, assert(http.get(site.url, { retry = policy })).attempts)
      assert.are.equal(0, seen[1].wait)
      assert.are.equal("status 503", seen[1].why)
    end)

    it("are the policy's affair when it returns nil", function()
      answers(503, 404)
      local policy, seen = deciding(nil)
      local res = assert(http.get(site.url, { retry = policy }))
      assert.are.equal(404, res.status)
      assert.are.equal(2, res.attempts)
      assert.are.equal(2, #seen)
    end)

    it("wait as long as it says", function()
      answers(503, 503)
      local policy = deciding(function(attempt) return attempt.attempt * 1000 end)
      local took = clock.virtual(function()
        local started = task.now()
        assert.are.equal(3, assert(http.get(site.url, { retry = policy, timeout = 4000 })).attempts)
        return task.now() - started
      end)
      assert.is_true(took > 2999.9 and took < 3001, "it took " .. took)
    end)

    it("are told errors too", function()
      local closed = server.raw(function() end)
      closed:stop()
      local policy, seen = deciding(nil)
      http.get(closed.url, { retry = policy })
      assert.are.equal("connect", seen[1].err.kind)
      assert.is_nil(seen[1].response)
    end)

    it("raise what it raises to the caller, and lose no slot", function()
      local client = http.client { limits = { inflight = 1 } }
      local policy = deciding(function() error("my own", 0) end)
      for _, stream in ipairs { false, true } do
        answers(503)
        local ok, err = pcall(client.get, client, site.url, { retry = policy, stream = stream })
        assert.is_false(ok)
        assert.are.equal("my own", err)
        assert.are.equal(0, client:stats().in_flight)
      end
      assert.are.equal(200, assert(client:get(site.url)).status)
    end)

    it("raise when it returns nonsense", function()
      for _, nonsense in ipairs { -1, 0 / 0, math.huge, "yes" } do
        answers(503)
        local ok, err = pcall(http.get, site.url, { retry = deciding(nonsense) })
        assert.is_false(ok)
        assert.matches("spec.lua:%d+: retry.on must return true, false, a number of seconds or nil, ", err)
      end
    end)
  end)

  it("and their waits end before timeout.total is over", function()
    clock.virtual(function()
      site:stop()
      site = origin.start()
      site.answer = { status = 503 }
      local started = task.now()
      local policy = { attempts = 100, base = 3, factor = 1, jitter = "none" }
      local res = assert(http.get(site.url, { retry = policy, timeout = 10 }))
      assert.are.equal(503, res.status)
      assert.are.equal(4, res.attempts)
      assert.is_true(math.abs(task.now() - started - 9) < 0.5)
    end)
  end)

  it("are made after each time limit, within that of the whole", function()
    clock.virtual(function()
      site:stop()
      site = origin.start()
      site.answer = function() task.sleep(100) end
      local started = task.now()
      local policy = { attempts = 100, base = 1, factor = 1, jitter = "none" }
      local _, err = http.get(site.url, { retry = policy, timeout = { read = 4, total = 12 } })
      assert.are.equal("timeout", err.kind)
      assert.are.equal("total", err.phase)
      assert.are.equal(3, err.attempts)
      assert.is_true(math.abs(task.now() - started - 12) < 0.5)
    end)
  end)

  describe("that are not made", function()
    local function unanswered()
      local bad = server.raw(function(conn) conn:read_request() end)
      task.defer(function() bad:stop() end)
      return bad.url
    end

    it("say why, when a POST may have been processed", function()
      local _, err = http.post(unanswered(), { body = "x", retry = AT_ONCE })
      assert.are.equal("closed", err.kind)
      assert.matches("; POST is not repeated: it may have been processed; "
        .. "retryable=true or idempotency_key allows it$", err.message)
      _, err = http.post(unanswered(), { body = "x", retry = false })
      assert.not_matches("repeated", err.message)
    end)

    it("say why, when the method is not among those of the policy", function()
      local _, err = http.get(unanswered(), { retry = { base = 0, methods = { "PUT" } } })
      assert.matches("; GET is not repeated: it is not among retry.methods$", err.message)
    end)

    it("say why, when the wait is longer than the time left", function()
      local policy = { base = 50, jitter = "none", max_wait = false }
      local _, err = http.get(unanswered(), { retry = policy, timeout = 20 })
      assert.are.equal("closed", err.kind)
      assert.is_true(err.retryable)
      assert.matches("; not repeated: the wait of 50 s would pass timeout.total$", err.message)
      assert.matches("%(attempt 1 of 3%)$", tostring(err))
    end)
  end)

  it("end when the task is cancelled while waiting", function()
    answers(503, 503, 503)
    local handle = task.spawn(http.get, site.url, { retry = { base = 1000, max_wait = 1000 } })
    while #site:requests() == 0 do task.yield() end
    handle:cancel()
    assert.is_false((pcall(handle.join, handle)))
    assert.are.equal(1, #site:requests())
  end)
end)

describe("a policy for retries that makes no sense", function()
  local function message(policy)
    local ok, err = pcall(http.get, "http://localhost/", { retry = policy })
    assert.is_false(ok)
    return err
  end

  for what, case in pairs {
    ["no attempts"] = { { attempts = 0 }, "'attempts' must be a whole number of at least 1 or math.huge, got 0" },
    ["half an attempt"] = { { attempts = 1.5 }, "'attempts' must be a whole number" },
    ["a negative base"] = { { base = -1 }, "'base' must be a number of seconds %(at least 0%), got %-1" },
    ["a factor of 0"] = { { factor = 0 }, "'factor' must be a number above 0" },
    ["a wait that is no number"] = { { max_wait = 0 / 0 }, "'max_wait' must be" },
    ["another jitter"] = { { jitter = "ful" }, '"full", "equal", "decorrelated" or "none", got "ful"' },
    ["an unknown kind"] = { { kinds = { "timeot" } }, "'timeot' is none of them; did you mean 'timeout'%?" },
    ["a kind that never gets better"] = { { kinds = { "url" } }, "'url' is none of them" },
    ["a map of methods"] = { { methods = { GET = true } }, "'methods' must be a list of methods" },
    ["a status out of range"] = { { statuses = { 42 } }, "must be a list of statuses %(100 to 599%)" },
    ["a negative budget"] = { { budget = { ratio = -1 } }, "a table whose ratio is a number of at least 0" },
    ["an unknown key of the budget"] = { { budget = { rato = 1 } }, "'rato'; did you mean 'ratio'%?" },
    ["no function"] = { { on = 5 }, "'on' must be a function or false, got 5" },
    ["another library's key"] = { { timeout = 3 }, "'timeout'; it is written timeout = { total" },
    ["an unknown key"] = { { atempts = 3 }, "unknown option 'atempts'; did you mean 'attempts'%?" },
  } do
    it("raises with the caller's line: " .. what, function()
      local text = message(case[1])
      assert.matches("^spec/retry/retry_layer_spec.lua:%d+: http.get: retry: ", text)
      assert.matches(case[2], text)
    end)
  end
end)
