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
      local started = task.now()
      return assert(http.get(site.url, opts)), task.now() - started
    end

    it("wait so many seconds", function()
      local res, took = timed("1", { retry = AT_ONCE })
      assert.are.equal(200, res.status)
      assert.is_true(took >= 0.95)
    end)

    it("wait until a date", function()
      local res = timed(os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() - 10), { retry = { base = 100 } })
      assert.are.equal(2, res.attempts)
    end)

    it("ignore it with retry_after=false, or when it is nonsense", function()
      assert.are.equal(200, timed("30", { retry = { base = 0, retry_after = false } }).status)
      assert.are.equal(200, timed("soon", { retry = AT_ONCE }).status)
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
    assert.are.equal(0, events[2].wait)
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
