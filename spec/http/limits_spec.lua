local clock = require "lurcher.clock"
local faults = require "spec.support.faults"
local full_backlog = require "spec.support.full_backlog"
local process = require "spec.support.process"
local task = require "lurcher.task"

-- In virtual time: what takes so long takes exactly so long on any machine.
local function virtually(name, fn)
  it(name, function() clock.virtual(fn) end)
end

local function close_to(expected, got)
  assert.is_true(math.abs(got - expected) < 0.002, ("%s s instead of %s s"):format(got, expected))
end

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

-- A server that keeps its connections, answers "/" at once and other paths when `go` is set, and keeps a log.
local function server(opts)
  local state = { now = 0, most = 0, log = {}, at = {}, go = task.event() }
  local s = faults.raw(function(conn)
    while true do
      local request = conn:read_request()
      if not request then return end
      state.log[#state.log + 1], state.at[#state.at + 1] = request.path, task.now()
      state.now = state.now + 1
      state.most = math.max(state.most, state.now)
      if state.delay then conn:sleep(state.delay) elseif request.path ~= "/" then state.go:wait() end
      state.now = state.now - 1
      conn:write(OK)
    end
  end, opts)
  return s, state
end

local function numbers(count)
  local list = {}
  for i = 1, count do list[i] = i end
  return list
end

local function together(count, fn) return task.map(numbers(count), fn, { concurrency = count }) end

describe("requests in flight", function()
  virtually("are at most `inflight` in all", function()
    local client = faults.client { limits = { inflight = 5 } }
    local servers, states = {}, {}
    for i = 1, 3 do
      servers[i], states[i] = server()
      states[i].delay = 0.005
    end
    local most = 0
    together(60, function(i)
      assert(client:get(servers[i % 3 + 1].url))
      most = math.max(most, states[1].now + states[2].now + states[3].now)
      assert.is_true(client:stats().in_flight <= 5)
    end)
    assert.is_true(most <= 5)
    faults.settled(client)
  end)

  virtually("are at most `per_origin` for each origin, which does not hold up others", function()
    local client = faults.client { limits = { per_origin = 3 } }
    local slow, slow_state = server()
    local fast = server()
    local handles = {}
    for i = 1, 10 do handles[i] = task.spawn(function() return client:get(slow.url .. "/slow") end) end
    faults.eventually(function() return slow_state.now == 3 end)
    for _ = 1, 5 do assert(client:get(fast.url)) end
    assert.equal(3, slow_state.now)
    assert.equal(7, client:stats().waiting)
    slow_state.go:set()
    for i = 1, 10 do assert(handles[i]:join()) end
    assert.equal(3, slow_state.most)
  end)

  virtually("of one origin start in the order they came", function()
    local client = faults.client { limits = { per_origin = 1 } }
    local s, state = server()
    local handles, wanted = {}, {}
    for i = 1, 20 do
      handles[i] = task.spawn(function() return assert(client:get(s.url .. "/" .. i)) end)
      wanted[i] = "/" .. i
    end
    state.go:set()
    for i = 1, 20 do handles[i]:join() end
    assert.same(wanted, state.log)
  end)

  virtually("of several origins take turns", function()
    local client = faults.client { limits = { inflight = 1 } }
    local greedy, greedy_state = server()
    local modest, modest_state = server()
    local handles = {}
    for i = 1, 20 do
      handles[i] = task.spawn(function() return assert(client:get(greedy.url .. "/" .. i)) end)
    end
    handles[21] = task.spawn(function() return assert(client:get(modest.url .. "/modest")) end)
    modest_state.go:set()
    faults.eventually(function() return client:stats().waiting == 20 end)
    greedy_state.go:set()
    handles[21]:join()
    assert.is_true(#greedy_state.log <= 3, "the other origin had " .. #greedy_state.log .. " turns before")
    for i = 1, 20 do handles[i]:join() end
  end)

  virtually("are not held up by one that was cancelled while it waited", function()
    local client = faults.client { limits = { per_origin = 1 } }
    local s, state = server()
    local first = task.spawn(function() return client:get(s.url .. "/1") end)
    local second = task.spawn(function() return client:get(s.url .. "/2") end)
    local third = task.spawn(function() return client:get(s.url .. "/3") end)
    faults.eventually(function() return client:stats().waiting == 2 end)
    second:cancel()
    faults.eventually(function() return client:stats().waiting == 1 end)
    state.go:set()
    assert(first:join())
    assert(third:join())
    assert.same({ "/1", "/3" }, state.log)
  end)
end)

describe("a rate", function()
  virtually("holds for each origin, with its burst", function()
    local client = faults.client { limits = { rate = 50, burst = 5 } }
    local s, state = server()
    together(25, function() assert(client:get(s.url)) end)
    local span = state.at[25] - state.at[1]
    close_to(0.4, span)
    close_to(0, state.at[5] - state.at[1])
  end)

  virtually("of one origin is not another's", function()
    local client = faults.client { limits = { rate = 1, burst = 1 } }
    local a, b = server(), server()
    local begun = task.now()
    assert(client:get(a.url))
    assert(client:get(b.url))
    close_to(0, task.now() - begun)
  end)

  virtually("lets a waiting request be cancelled, and loses no token by it", function()
    local client = faults.client { limits = { rate = 5, burst = 1 } }
    local s = server()
    assert(client:get(s.url))
    local res, err = task.timeout(0.02, function() return client:get(s.url) end)
    assert.is_nil(res)
    assert.equal("task", err.phase)
    local begun = task.now()
    assert(client:get(s.url))
    close_to(0.18, task.now() - begun)
    faults.settled(client)
  end)
end)

describe("the time in the queue", function()
  virtually("is limited by timeout.queue", function()
    local client = faults.client { limits = { inflight = 1 }, timeout = { queue = 0.1 } }
    local s, state = server()
    local first = task.spawn(function() return assert(client:get(s.url .. "/first")) end)
    faults.eventually(function() return state.now == 1 end)
    faults.check({ kind = "timeout", phase = "queue", message = "timeout%.queue", host = faults.host(s),
      retryable = false }, client:get(s.url))
    assert.equal(0, client:stats().waiting)
    state.go:set()
    first:join()
    assert.equal(1, #state.log)
  end)

  virtually("is no part of timeout.total", function()
    local client = faults.client { limits = { inflight = 1 }, timeout = { total = 0.5, read = 10 } }
    local s, state = server()
    state.delay = 0.15
    local begun = task.now()
    together(6, function() assert(client:get(s.url)) end)
    close_to(0.9, task.now() - begun)
  end)

  virtually("is reported", function()
    local client = faults.client { limits = { inflight = 1 } }
    local s, state = server()
    local first = task.spawn(function() return client:get(s.url .. "/first") end)
    faults.eventually(function() return state.now == 1 end)
    local second = task.spawn(function() return client:get(s.url) end)
    task.sleep(0.1)
    state.go:set()
    first:join()
    close_to(0.1, second:join().timings.queue)
  end)
end)

describe("a timeout", function()
  virtually("while connecting has phase 'connect'", function()
    local url = full_backlog()
    local client = faults.client { timeout = { connect = 0.1 } }
    local wanted = { kind = "timeout", phase = "connect", host = url:match "//(.*)" }
    local err = faults.check(wanted, client:get(url))
    assert.is_true(err.retryable)
    assert.equal(0.1, err.limit)
    faults.settled(client)
    assert.equal(0, client:stats().connections)
  end)

  virtually("while connecting is safe to repeat for a POST too", function()
    local url = full_backlog()
    local client = faults.client { timeout = { connect = 0.05 }, retry = { attempts = 2, base = 0 } }
    faults.check({ kind = "timeout", phase = "connect", attempts = 2 }, client:post(url, { body = "x" }))
  end)

  virtually("of reading starts anew with each byte", function()
    local s = faults.server(function(conn)
      conn:write "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
      for _ = 1, 10 do
        conn:sleep(0.1)
        conn:write "x"
      end
    end)
    local res = assert(faults.client { timeout = { read = 0.8 } }:get(s.url))
    assert.equal("xxxxxxxxxx", res.body)
    close_to(1, res.elapsed)
  end)

  virtually("of reading a stream raises in its iterator", function()
    local s = faults.server(function(conn)
      conn:write "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"
      conn:read(1)
    end)
    local client = faults.client { timeout = { read = 0.1 } }
    local res = assert(client:get(s.url, { stream = true }))
    local got = {}
    local ok, err = pcall(function()
      for piece in res:chunks() do got[#got + 1] = piece end
    end)
    assert.is_false(ok)
    assert.equal("timeout", err.kind)
    assert.equal("read", err.phase)
    assert.equal("hello", table.concat(got))
    faults.settled(client)
  end)

  virtually("of the whole spans redirects", function()
    local s = faults.server(function(conn)
      conn:sleep(0.1)
      conn:write("HTTP/1.1 302 Found\r\nLocation: /" .. conn.number .. "\r\nContent-Length: 0\r\n\r\n")
    end)
    local client = faults.client { timeout = 0.35, redirects = 100 }
    local begun = task.now()
    faults.check({ kind = "timeout", phase = "total", host = faults.host(s) }, client:get(s.url))
    close_to(0.35, task.now() - begun)
    assert.equal(4, s:connections())
  end)

  virtually("of the whole spans attempts and the waits between them", function()
    local s = faults.server(function(conn)
      conn:sleep(0.05)
      conn:write "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    end)
    local client = faults.client { timeout = 0.3, retry = { attempts = 1000, base = 0.01, factor = 1 } }
    local begun = task.now()
    local res, err = client:get(s.url)
    assert.is_true(res and res.status == 503 or err.phase == "total", tostring(err))
    close_to(0.3, task.now() - begun)
    assert.is_true((res or err).attempts >= 5)
  end)
end)

describe("connections", function()
  virtually("are used again, one after the other", function()
    local client = faults.client()
    local s = server()
    for i = 1, 10 do assert.equal(i > 1, assert(client:get(s.url)).reused) end
    assert.equal(1, s:connections())
    assert.equal(1, client:stats().connections)
  end)

  virtually("are no more than requests at once", function()
    local client = faults.client { limits = { per_origin = 8 } }
    local s, state = server()
    state.delay = 0.002
    together(100, function() assert(client:get(s.url)) end)
    assert.is_true(s:connections() <= 8, s:connections() .. " connections")
  end)

  virtually("that said 'close' are not kept", function()
    local s = faults.raw(function(conn)
      while conn:read_request() do
        conn:write "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
      end
    end)
    local client = faults.client()
    for _ = 1, 3 do assert(client:get(s.url)) end
    assert.equal(3, s:connections())
    assert.equal(0, client:stats().connections)
  end)

  virtually("that are idle are closed after idle_timeout", function()
    local client = faults.client { limits = { idle_timeout = 0.2 } }
    local s, state = server()
    state.delay = 0.01
    together(20, function() assert(client:get(s.url)) end)
    faults.eventually(function() return client:stats().connections == 0 end, "the end of idle connections")
    assert(client:get(s.url))
  end)

  for what, limits in pairs { idle = { idle = 0 }, idle_timeout = { idle_timeout = 0 } } do
    virtually(("are not kept with %s=0"):format(what), function()
      local client = faults.client { limits = limits }
      local s = server()
      for _ = 1, 3 do assert.is_false(assert(client:get(s.url)).reused) end
      assert.equal(3, s:connections())
      assert.equal(0, client:stats().connections)
    end)
  end

  virtually("that are idle are closed when they are more than `idle`, and those alone", function()
    local client = faults.client { limits = { idle = 4 } }
    local s, state = server()
    state.delay = 0.02
    together(40, function() assert(client:get(s.url)) end)
    faults.eventually(function()
      return client:stats().connections <= 4
    end, "the closing of surplus connections")
    assert.equal(4, client:stats().connections)
    local reused = 0
    together(5, function()
      if assert(client:get(s.url)).reused then reused = reused + 1 end
    end)
    assert.equal(4, reused)
  end)

  virtually("are shared neither by clients nor by different TLS settings", function()
    local s = faults.raw(function(conn)
      while conn:read_request() do conn:write(OK) end
    end, { tls = {} })
    local client = faults.client { tls = { ca = s.ca } }
    assert(client:get(s.url))
    assert(client:get(s.url, { tls = { min = "1.3" } }))
    assert.equal(2, s:connections())
    local res, err = client:get(s.url, { tls = { ca = "/etc/ssl/certs/ca-certificates.crt" } })
    assert.is_nil(res)
    assert.equal("tls", err.kind)
  end)
end)

describe("an unknown origin", function()
  virtually("is asked once, then by all, and by all after a quarter of a second", function()
    local s, state = server()
    local url = s.url:gsub("127.0.0.1", "localhost")
    local client = faults.client()
    local handles = {}
    for i = 1, 10 do handles[i] = task.spawn(function() return assert(client:get(url .. "/" .. i)) end) end
    faults.eventually(function() return state.now == 10 end)
    state.go:set()
    for i = 1, 10 do handles[i]:join() end
  end)

  virtually("whose first request hangs does not keep the others waiting", function()
    local first = true
    local s = faults.raw(function(conn)
      if first then
        first = false
        while conn:read() do end
        return
      end
      conn:read()
      conn:reset()
    end)
    -- The first handshake never ends; the others fail at once.
    local url = s.url:gsub("^http:", "https:"):gsub("127.0.0.1", "localhost")
    local client = faults.client { timeout = { connect = 2 } }
    local hanging = task.spawn(function() return client:get(url) end)
    faults.eventually(function() return not first end)
    local begun = task.now()
    local res, err = client:get(url)
    assert.is_nil(res)
    assert.equal("tls", err.kind)
    close_to(0.25, task.now() - begun)
    hanging:cancel()
    pcall(hanging.join, hanging)
  end)

  virtually("whose first request is cancelled goes on with the next", function()
    local s = server()
    local url = s.url:gsub("127.0.0.1", "localhost")
    local client = faults.client()
    local first = task.spawn(function() return client:get(url .. "/slow") end)
    local second = task.spawn(function() return assert(client:get(url)) end)
    first:cancel()
    assert.equal("ok", second:join().body)
  end)
end)

describe("with 64 descriptors", function()
  it("500 requests at once all succeed, by waiting", function()
    local s, state = server()
    state.delay = 0.001
    local script = process.script(([[
      local http = require "lurcher.http"
      local task = require "lurcher.task"
      local client = http.client { retry = false, limits = { inflight = 500, per_origin = 500 } }
      local list = {}
      for i = 1, 500 do list[i] = i end
      local good = 0
      task.map(list, function()
        assert(client:get %q)
        good = good + 1
      end, { concurrency = 500 })
      io.write(good)
    ]]):format(s.url))
    local ended = process.run({ "-c", 'ulimit -n 64; exec "$0" "$1"', process.lurcher, script }, { command = "sh" })
    assert.equal("500", ended.out, ended.err)
  end)
end)
