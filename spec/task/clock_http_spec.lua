-- Virtual time with real sockets.

local clock = require "lurcher.clock"
local http = require "lurcher.http"
local process = require "spec.support.process"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local function near(expected, got)
  assert.is_true(math.abs(expected - got) < 1e-6, ("expected %.9f, got %.9f"):format(expected, got))
end

-- Calls a client in a virtual run and returns the virtual seconds that took, and what came back.
local function timed(call, ...)
  local start = task.now()
  local res, err = call(...)
  return task.now() - start, res, err
end

-- A server that takes requests and never answers.
local function silent()
  return serving.raw(function(conn)
    while conn:read() do end
  end)
end

describe("in virtual time, requests", function()
  local client

  local function virtual(fn, opts)
    return clock.virtual(function()
      client = http.client {}
      return fn()
    end, opts)
  end

  it("take as long as the server's handler sleeps", function()
    virtual(function()
      local site = serving.start(function()
        task.sleep(25)
        return "late"
      end)
      local took, res = timed(client.get, client, site.url)
      near(25, took)
      assert.equal("late", res.body)
      near(25, res.elapsed)
      near(25, res.timings.first_byte)
      near(25, res.timings.total)
      near(0, res.timings.connect + res.timings.tls + res.timings.dns)
    end)
  end)

  it("may use a client that is used before and afterwards", function()
    local site = serving.start(function() return "ok" end)
    local shared = http.client { limits = { rate = 1, burst = 2 }, retry = false,
      breaker = { failures = 1, cooldown = 0.02 } }
    assert(shared:get(site.url))
    clock.virtual(function()
      local other = serving.start(function() return "ok" end)
      near(3, (timed(task.map, { 1, 2, 3, 4, 5 }, function() return assert(shared:get(other.url)) end)))
      task.sleep(86400)
      assert.equal("connect", select(3, timed(shared.get, shared, "http://127.0.0.1:1/")).kind)
      assert.equal("circuit_open", select(3, timed(shared.get, shared, "http://127.0.0.1:1/")).kind)
    end)
    assert(shared:get(site.url))
    serving.eventually(function()
      return select(2, shared:get("http://127.0.0.1:1/")).kind == "connect"
    end)
  end)

  it("are cut by each time limit", function()
    virtual(function()
      local site = silent()
      local slow = http.client { limits = { per_origin = 1 } }
      local holder = task.spawn(slow.get, slow, site.url, { timeout = false })
      task.yield()
      local no_tls = site.url:gsub("http", "https")
      for _, case in ipairs {
        { client, site.url, { read = 7 }, "read", 7 },
        { client, site.url, { total = 12 }, "total", 12 },
        { client, no_tls, { connect = 4 }, "connect", 4 },
        { slow, site.url, { queue = 3 }, "queue", 3 },
      } do
        local took, res, err = timed(case[1].get, case[1], case[2], { timeout = case[3], retry = false })
        assert.is_nil(res)
        assert.equal("timeout", err.kind)
        assert.equal(case[4], err.phase)
        near(case[5], took)
      end
      holder:cancel()
    end)
  end)

  it("are cut by the write limit when the server does not read", function()
    virtual(function()
      local site = serving.raw(function(conn)
        conn:read_head()
        conn:sleep(1000)
      end)
      local took, res, err = timed(client.post, client, site.url,
        { body = ("x"):rep(32 * 1024 * 1024), timeout = { write = 9 }, retry = false })
      assert.is_nil(res)
      assert.equal("write", err.phase)
      near(9, took)
    end)
  end)

  it("are cut by task.timeout and by a stream's silence", function()
    virtual(function()
      local site = serving.start(function()
        return { body = coroutine.wrap(function()
          coroutine.yield("first")
          task.sleep(1000)
          coroutine.yield("second")
        end) }
      end)
      local took, _, err = timed(task.timeout, 20, client.get, client, site.url)
      assert.equal("task", err.phase)
      near(20, took)
      local start = task.now()
      local res = assert(client:get(site.url, { stream = true, timeout = { read = 60 } }))
      local read = res:chunks()
      assert.equal("first", read())
      local ok, fault = pcall(read)
      assert.is_false(ok)
      assert.equal("read", fault.phase)
      near(60, task.now() - start)
    end)
  end)

  it("wait between attempts, also until a date", function()
    virtual(function()
      local site = serving.start(function()
        local date = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + 40)
        return { status = 503, headers = { ["Retry-After"] = date } }
      end)
      -- such attempts are not counted, so that timeout.total ends it
      local took, res = timed(client.get, client, site.url, { retry = 3, timeout = { total = 100 } })
      assert.equal(503, res.status)
      assert.equal(3, res.attempts)
      near(80, took)
    end)
  end)

  it("keep to a client's rate", function()
    virtual(function()
      local site = serving.start(function() return "ok" end)
      local limited = http.client { limits = { rate = 10, burst = 5 } }
      local start = task.now()
      task.map((function()
        local left = 205
        return function()
          left = left - 1
          return left >= 0 or nil
        end
      end)(), function() assert(limited:get(site.url)) end, { concurrency = 50 })
      near(20, task.now() - start)
    end)
  end)

  it("find their connection closed after the client's or the server's idle time", function()
    virtual(function()
      local site = serving.start(function() return "ok" end)
      local keeper = http.client { limits = { idle_timeout = 1000 } }
      for _, case in ipairs {
        { client, 5, true }, { client, 30, false }, { keeper, 50, true }, { keeper, 100, false },
      } do
        assert(case[1]:get(site.url))
        task.sleep(case[2])
        assert.equal(case[3], assert(case[1]:get(site.url)).reused)
      end
    end)
  end)

  it("use cookies until they expire", function()
    virtual(function()
      local site = serving.start(function(req)
        return { headers = { ["Set-Cookie"] = "a=1; Max-Age=60" }, body = req.headers.cookie or "none" }
      end)
      assert.equal("none", client:get(site.url).body)
      task.sleep(59)
      assert.equal("a=1", client:get(site.url).body)
      task.sleep(61)
      assert.equal("none", client:get(site.url).body)
    end)
  end)

  it("are repeated after the same waits with the same seed", function()
    local function waits(seed)
      return virtual(function()
        local times, start = {}, task.now()
        local site = serving.start(function()
          times[#times + 1] = ("%.6f"):format(task.now() - start)
          return { status = 503 }
        end)
        task.map({ 1, 2, 3, 4 }, function() return client:get(site.url, { retry = 4 }) end)
        return table.concat(times, " ")
      end, { seed = seed })
    end
    local first = waits(1)
    assert.equal(first, waits(1))
    assert.is_not.equal(first, waits(2))
  end)

  it("leave nothing behind when they are cancelled in mid-run", function()
    local handle = task.spawn(function()
      virtual(function()
        local site = serving.start(function() task.queue():get() end)
        task.map({ 1, 2, 3 }, function() return client:get(site.url, { timeout = false }) end)
      end)
    end)
    while client == nil or client:stats().in_flight < 3 do task.yield() end
    handle:cancel()
    pcall(handle.join, handle)
    assert.equal("canceled", handle.status)
  end)

  it("over TLS and Unix sockets skip at once, too", function()
    local path = os.tmpname()
    os.remove(path)
    virtual(function()
      local function answer()
        task.sleep(10)
        return "ok"
      end
      local safe = serving.start(answer, { tls = true })
      near(10, (timed(client.get, client, safe.url, { tls = { ca = safe.ca } })))
      local near_by = serving.start(answer, { unix_socket = path })
      near(10, (timed(client.get, client, near_by.url, { unix_socket = path })))
    end, { patience = 3600 })
  end)

  it("to another process are waited for in real time, until it is silent for long", function()
    local other = process.start { "-e", [[
      local server, task = require "lurcher.server", require "lurcher.task"
      local s = assert(server.start(function(req)
        task.sleep(req.path == "/never" and 60 or 0.02)
        return "from afar"
      end))
      io.stderr:write(s.url, "\n")
      task.sleep(60)
    ]] }
    task.defer(function()
      other:kill("KILL")
      other:wait()
    end)
    other:wait_for("\n", "err")
    local url = other.err:match("%S+")
    virtual(function()
      for _ = 1, 5 do
        local took, res = timed(client.get, client, url, { timeout = 1, retry = false })
        near(0, took)
        assert.equal("from afar", res.body)
      end
    end, { patience = 3600 }) -- a slow machine's other process is silent for a while
    virtual(function()
      local took, res, err = timed(client.get, client, url .. "/never", { timeout = 1, retry = false })
      assert.is_nil(res)
      assert.equal("total", err.phase)
      near(1, took)
    end)
  end)

  it("to a server started before are answered in virtual time, and afterwards in real time again", function()
    local seconds, times = 3600, {}
    local site = serving.start(function()
      local started, day = task.now(), os.time()
      task.sleep(seconds)
      times[#times + 1] = { task.now() - started, os.time() - day, os.time() }
      return "ok"
    end)
    virtual(function()
      local started = task.now()
      near(3600, (timed(client.get, client, site.url, { timeout = false })))
      local function get(read)
        local limits = { read = read, total = false }
        return timed(client.get, client, site.url, { timeout = limits, retry = false })
      end
      near(3600, (get(3601)))
      local _, _, err = get(3599)
      assert.equal("read", err.phase)
      near(3 * 3600 - 1, task.now() - started)
    end, { patience = 3600, time = 1e9 })
    seconds = 0.01
    local began = task.now()
    assert(http.get(site.url, { retry = false }))
    assert.is_true(task.now() - began >= 0.009 and task.now() - began < 60)
    near(3600, times[1][1])
    assert.same({ 3600, 1e9 + 3600 }, { times[1][2], times[1][3] })
    local last = times[#times]
    assert.is_true(last[1] < 60 and math.abs(last[3] - os.time()) < 60)
  end)
end)
