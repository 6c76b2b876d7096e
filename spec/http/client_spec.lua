local http = require "lurcher.http"
local origin = require "spec.support.origin"
local task = require "lurcher.task"
local message_of = require("spec.support.raising").message

describe("a client", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  it("must be called with a colon", function()
    local ok, message = pcall(function() return http.client().get(site.url) end)
    assert.is_false(ok)
    assert.matches("client_spec%.lua:%d+: call it with a colon", message)
  end)

  it("keeps connections for the next request", function()
    local client = http.client()
    assert.is_false(assert(client:get(site.url)).reused)
    assert.is_true(assert(client:get(site.url)).reused)
  end)

  it("sends no more at once than limits.inflight", function()
    local running, most = 0, 0
    site.answer = function()
      running = running + 1
      most = math.max(most, running)
      task.sleep(0.01)
      running = running - 1
      return { status = 200 }
    end
    local client = http.client { limits = { inflight = 3 } }
    local urls = {}
    for i = 1, 12 do urls[i] = site.url end
    task.map(urls, function(url) assert(client:get(url)) end, { concurrency = 12 })
    assert.are.equal(12, #site:requests())
    assert.is_true(most <= 3)
  end)

  it("extends with changed defaults, and shares pool and cookies", function()
    local client = http.client { base_url = site.url, headers = { ["X-A"] = "1", ["X-B"] = "2" },
      params = { p = 1 } }
    local extended = client:extend { headers = { ["x-b"] = "3" }, params = { q = 2 }, auth = { "u", "p" } }
    assert(extended:get("/x"))
    local req = site:last()
    assert.are.equal("/x?p=1&q=2", req.target)
    assert.are.equal("1", req.headers["x-a"])
    assert.are.equal("3", req.headers["x-b"])
    assert.is_string(req.headers.authorization)
    assert.are.equal(client.cookies, extended.cookies)
    local res = assert(client:get("/"))
    assert.is_true(res.reused)
    assert.is_nil(site:last().headers.authorization)
    assert.equal("client:extend: 'limits' belong to the pool, which is shared",
      message_of(function() client:extend { limits = {} } end))
    assert.equal("client:extend: option 'body' belongs to a request, not to a client",
      message_of(function() client:extend { body = "x" } end))
  end)

  it("tells what it does", function()
    local client, go = http.client { limits = { inflight = 2 } }, task.event()
    local seen = task.semaphore(2)
    site.answer = function()
      seen:release()
      go:wait()
      return { status = 200 }
    end
    for _ = 1, 2 do seen:acquire() end
    local handles = {}
    for i = 1, 5 do handles[i] = task.spawn(function() return client:get(site.url) end) end
    for _ = 1, 2 do seen:acquire() end -- both requests have arrived
    assert.are.same({ 2, 3 }, { client:stats().in_flight, client:stats().waiting })
    go:set()
    for i = 1, 5 do assert(handles[i]:join()) end
    assert.are.same({ 0, 0 }, { client:stats().in_flight, client:stats().waiting })
  end)

  it("ends its requests when it is closed", function()
    site.answer = function()
      task.sleep(60)
      return { status = 200 }
    end
    local client = http.client()
    local handle = task.spawn(function()
      local _, err = client:get(site.url)
      return err.kind
    end)
    while #site:requests() == 0 do task.sleep(0.001) end
    client:close()
    assert.are.equal("canceled", handle:join())
    local _, err = client:get(site.url)
    assert.are.equal("canceled", err.kind)
    client:close()
  end)

  describe("whose request is cancelled", function()
    local client

    before_each(function() client = http.client { retry = false, limits = { inflight = 1 } } end)
    after_each(function() client:close() end)

    -- Cancels fn() once `ready()`, and sees that nothing of it is left.
    local function cancelled(ready, fn)
      local handle = task.spawn(fn)
      while not ready() do task.sleep(0.001) end
      handle:cancel()
      assert.is_false((pcall(handle.join, handle)))
      assert.are.equal("canceled", handle.status)
      assert.are.equal(0, client:stats().waiting)
    end

    it("while it waits for a slot gives up its place", function()
      local go = task.event()
      site.answer = function()
        go:wait()
        return { status = 200 }
      end
      local first = task.spawn(function() return client:get(site.url) end)
      while #site:requests() == 0 do task.sleep(0.001) end
      cancelled(function() return client:stats().waiting == 1 end, function() client:get(site.url) end)
      go:set()
      assert.are.equal(200, first:join().status)
      assert.are.equal(1, #site:requests())
    end)

    it("while the server thinks gives back slot and connection", function()
      site.answer = function()
        task.sleep(60)
        return { status = 200 }
      end
      cancelled(function() return #site:requests() == 1 end, function() client:get(site.url) end)
      assert.are.equal(0, client:stats().in_flight)
      site.answer = nil
      assert.are.equal(200, assert(client:get(site.url)).status)
    end)

    it("in the middle of a body gives back slot and connection", function()
      local begun = false
      site.answer = { body = function()
        if begun then task.sleep(60) end
        begun = true
        return "x"
      end }
      cancelled(function() return begun end, function() client:get(site.url) end)
      assert.are.equal(0, client:stats().in_flight)
    end)

    it("in an auth function, a middleware or a hook leaves nothing", function()
      for _, opts in ipairs {
        { auth = function() task.sleep(60) end }, { middleware = { function() task.sleep(60) end } },
        { hooks = { request = { function() task.sleep(60) end } } },
        { hooks = { response = { function() task.sleep(60) end } } },
      } do
        local slow = client:extend(opts)
        local handle = task.spawn(slow.get, slow, site.url)
        for _ = 1, 20 do task.sleep(0.001) end
        handle:cancel()
        assert.is_false((pcall(handle.join, handle)))
        assert.are.equal(0, client:stats().in_flight)
      end
    end)
  end)

  it("is collected when nobody holds it", function()
    local held = setmetatable({ http.client() }, { __mode = "v" })
    assert(held[1]:get(site.url))
    collectgarbage()
    collectgarbage()
    assert.is_nil(held[1])
  end)

  it("gives each timeout its phase", function()
    site.answer = function()
      task.sleep(60)
      return { status = 200 }
    end
    local client = http.client { retry = false }
    local _, err = client:get(site.url, { timeout = { read = 0.05 } })
    assert.are.equal("timeout", err.kind)
    assert.are.equal("read", err.phase)
    assert.is_true(err.retryable)
    _, err = client:get(site.url, { timeout = 0.05 })
    assert.are.equal("total", err.phase)
    assert.is_false(err.retryable)
    client:close()
  end)

  it("limits bodies and headers", function()
    site.answer = { body = ("x"):rep(1001), headers = { ["X-Long"] = ("y"):rep(2000) } }
    local _, err = http.get(site.url, { max_body = 1000 })
    assert.are.equal("too_large", err.kind)
    assert.are.equal(1000, err.limit)
    _, err = http.get(site.url, { max_headers = 1000 })
    assert.are.equal("too_large", err.kind)
    assert.is_not_nil(http.get(site.url, { max_body = 1001 }))
  end)

  it("times the whole call with all its attempts by total", function()
    site.answer = function()
      if #site:requests() < 3 then return { status = 503 } end
      task.sleep(3600)
    end
    local res, err = http.get(site.url, { timeout = 2, retry = { attempts = 100, base = 0 } })
    assert.is_nil(res)
    assert.are.same({ "timeout", "total", 2 }, { err.kind, err.phase, err.limit })
    assert.are.equal(3, err.attempts)
    assert.are.equal(3, #site:requests())
  end)
end)
