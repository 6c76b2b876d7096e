local faults = require "spec.support.faults"
local full_backlog = require "spec.support.full_backlog"
local preload = require "spec.support.preload"
local servers = require "spec.support.servers"
local task = require "lurcher.task"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

-- A server that answers "/" well and stays silent otherwise, after `bytes`.
local function silent(bytes, opts)
  return faults.raw(function(conn)
    while true do
      local request = conn:read_request()
      if not request then return end
      if request.path == "/" then
        conn:write(OK)
      else
        if bytes then conn:write(bytes) end
        if not conn:read() then return end
      end
    end
  end, opts)
end

local function hanging_handshake()
  local s = faults.raw(function(conn)
    while conn:read() do end
  end)
  return (s.url:gsub("^http:", "https:"))
end

-- The points at which a request waits: each gives a client's options, a URL, and what to do.
local points = {
  ["waits for a slot"] = function()
    local s = silent()
    return { url = s.url .. "/silent", good = s.url .. "/", waiting = 1,
      opts = { limits = { inflight = 1 } }, before = function(client)
        return task.spawn(function() return client:get(s.url .. "/silent") end)
      end }
  end,
  ["connects to a host that does not accept"] = function()
    local good = silent()
    return { url = full_backlog(), good = good.url .. "/" }
  end,
  ["waits in the TLS handshake"] = function()
    local good = silent()
    return { url = hanging_handshake(), good = good.url .. "/" }
  end,
  ["waits for the head"] = function()
    local s = silent()
    return { url = s.url .. "/silent", good = s.url .. "/" }
  end,
  ["waits in the middle of the head"] = function()
    local s = silent "HTTP/1.1 200 OK\r\nX: "
    return { url = s.url .. "/silent", good = s.url .. "/" }
  end,
  ["waits in the body"] = function()
    local s = silent(HEAD .. "hello")
    return { url = s.url .. "/silent", good = s.url .. "/" }
  end,
  ["waits in the body over TLS"] = function()
    local s = silent(HEAD .. "hello", { tls = {} })
    return { url = s.url .. "/silent", good = s.url .. "/", opts = { tls = { ca = s.ca } } }
  end,
  ["sends its body"] = function()
    local s = faults.raw(function(conn)
      if conn:read_head().path == "/" then return conn:write(OK) end
      task.sleep(60)
    end)
    return { url = s.url .. "/silent", good = s.url .. "/", request = function(client)
      return client:put(s.url .. "/silent", { body = ("x"):rep(16 * 1024 * 1024) })
    end }
  end,
  ["reads a stream"] = function()
    local s = silent(HEAD .. "hello")
    return { good = s.url .. "/", request = function(client)
      local res = assert(client:get(s.url .. "/silent", { stream = true }))
      return res:read_all()
    end }
  end,
  ["holds a stream whose peer is held back"] = function()
    local s = faults.raw(function(conn)
      if conn:read_request().path == "/" then return conn:write(OK) end
      conn:write("HTTP/1.1 200 OK\r\n\r\n")
      while conn:write(("x"):rep(65536)) do conn:sleep(0) end
    end)
    return { good = s.url .. "/", request = function(client)
      local res = assert(client:get(s.url .. "/silent", { stream = true }))
      task.sleep(60)
      return res
    end }
  end,
  ["waits to try again"] = function()
    local s = faults.raw(function(conn)
      if conn:read_request().path == "/" then conn:write(OK) end
    end)
    return { url = s.url .. "/silent", good = s.url .. "/", idle = true,
      opts = { retry = { base = 60, max_wait = 60, attempts = 2 } } }
  end,
}

local ways = {
  ["by its handle"] = function(fn, ready)
    local handle = task.spawn(fn)
    ready()
    handle:cancel()
    faults.eventually(function() return handle.status == "canceled" end)
  end,
  ["by task.timeout"] = function(fn, ready)
    local res, err = task.timeout(0.05, fn)
    assert.is_nil(res)
    assert.equal("timeout", err.kind)
    assert.equal("task", err.phase)
    return ready
  end,
  ["by a sibling's failure"] = function(fn, ready)
    local ok, err = pcall(task.scope, function(scope)
      scope:spawn(fn)
      scope:spawn(function()
        ready()
        error("sibling failed", 0)
      end)
    end)
    assert.is_false(ok)
    assert.equal("sibling failed", tostring(err))
  end,
}

local function ready_when(client, point)
  return function()
    faults.eventually(function()
      local stats = client:stats()
      if point.idle then return stats.requests > 0 and stats.in_flight == 0 end
      return stats.in_flight > 0 and stats.waiting >= (point.waiting or 0)
    end)
    task.sleep(0.02)
  end
end

-- The first TLS connection of a process reads the system's authorities, which takes its time.
setup(function() faults.client { timeout = { connect = 0.5 } }:get(hanging_handshake()) end)

-- How long one event may hold up the loop. The sanitizers slow down above all what libraries do at first.
local longest_lag = faults.sanitized() and 1 or 0.25

for what, make in pairs(points) do
  describe("a request that " .. what, function()
    for how, cancel in pairs(ways) do
      it("gives everything back when it is cancelled " .. how, function()
        local point = make()
        local client = faults.client(point.opts)
        assert.equal("ok", assert(client:get(point.good)).body)
        client:close()
        local streams, tasks = faults.count "stream", faults.count "task"
        client = faults.client(point.opts)
        local descriptors = faults.descriptors()
        local other = point.before and point.before(client)
        local lag = faults.loop_lag(function()
          cancel(function()
            return (point.request or function() return client:get(point.url) end)(client)
          end, ready_when(client, point))
        end)
        assert.is_true(lag < longest_lag, "the loop was held up for " .. lag .. " s")
        if other then
          other:cancel()
          pcall(other.join, other)
        end
        faults.settled(client)
        assert.equal("ok", assert(client:get(point.good)).body)
        client:close()
        assert.equal(0, client:stats().connections)
        faults.eventually(function()
          return faults.count "stream" == streams and faults.count "task" <= tasks
        end, "the return of streams and tasks")
        faults.eventually(function()
          return faults.descriptors() <= descriptors + 2
        end, "the return of sockets")
      end)
    end
  end)
end

describe("a thousand cancelled requests", function()
  local function rounds(client, url, count)
    task.map((function()
      local list = {}
      for i = 1, count do list[i] = i end
      return list
    end)(), function(i)
      task.timeout(0.002 * (i % 5), function() return client:get(url) end)
    end, { concurrency = 20 })
  end

  for what, make in pairs { ["in the body"] = points["waits in the body"],
    ["in the TLS handshake"] = points["waits in the TLS handshake"] } do
    it("leave no memory behind " .. what, function()
      local point = make()
      local client = faults.client()
      rounds(client, point.url, 300)
      local before = faults.resident()
      rounds(client, point.url, 1000)
      faults.settled(client)
      local grown = faults.resident() - before
      assert.is_true(grown < 8 * 1024 * faults.memory_slack(), "grew by " .. grown .. " KiB")
    end)
  end
end)

describe("many cancelled HTTP/2 streams", function()
  it("leave their connection to the others", function()
    local nginx = servers.nginx()
    task.defer(function() nginx:stop() end)
    servers.write(nginx.directory .. "/www/large", ("0123456789abcdef"):rep(256 * 1024))
    local client = faults.client { tls = { ca = nginx.ca } }
    assert(client:get(nginx.http2 .. "/small"))
    local handles = {}
    for i = 1, 40 do
      handles[i] = task.spawn(function()
        return #assert(client:get(nginx.http2 .. "/large")).body
      end)
    end
    task.sleep(0.01)
    for i = 1, 40, 2 do handles[i]:cancel() end
    for i = 2, 40, 2 do assert.equal(4096 * 1024, handles[i]:join()) end
    faults.settled(client)
    assert.equal(1, client:stats().connections)
  end)
end)

describe("client:close", function()
  it("ends what waits and what runs with kind 'canceled'", function()
    local s = silent()
    local client = faults.client { limits = { inflight = 2 } }
    local handles = {}
    for i = 1, 5 do
      handles[i] = task.spawn(function()
        local res, err = client:get(s.url .. "/silent")
        assert.is_nil(res)
        return err.kind
      end)
    end
    faults.eventually(function() return client:stats().waiting == 3 and client:stats().in_flight == 2 end)
    client:close()
    for i = 1, 5 do assert.equal("canceled", handles[i]:join()) end
    assert.equal(0, client:stats().connections)
    local res, err = client:get(s.url .. "/")
    assert.is_nil(res)
    assert.equal("canceled", err.kind)
  end)

  it("ends a stream that is read", function()
    local s = silent(HEAD .. "hello")
    local client = faults.client()
    local reader = task.spawn(function()
      local res = assert(client:get(s.url .. "/silent", { stream = true }))
      local body, err = res:read_all()
      assert.is_nil(body)
      return err.kind
    end)
    faults.eventually(function() return client:stats().in_flight == 1 end)
    task.sleep(0.02)
    client:close()
    assert.equal("canceled", reader:join())
  end)

  it("may be forgotten: a client nobody holds lives until its requests have ended", function()
    local go = task.event()
    local s = faults.server(function(conn)
      go:wait()
      conn:write(OK)
    end)
    local http = require "lurcher.http"
    local handle = task.spawn(function() return assert(http.client { retry = false }:get(s.url)).body end)
    task.sleep(0.02)
    for _ = 1, 3 do collectgarbage() end
    go:set()
    assert.equal("ok", handle:join())
    for _ = 1, 3 do collectgarbage() end
  end)
end)

describe("a slow name lookup", function()
  it("holds up neither the loop nor the end, when it is cancelled or times out", function()
    local ended = preload.run("scripts/benchmarks/slow_dns.c", [[
      local http = require "lurcher.http"
      local task = require "lurcher.task"
      local worst, on = 0, true
      local watch = task.spawn(function()
        while on do
          local before = task.now()
          task.sleep(0.005)
          worst = math.max(worst, task.now() - before)
        end
      end)
      local begun = task.now()
      local client = http.client { retry = false, timeout = { connect = 0.1 } }
      local handle = task.spawn(function() return client:get "http://slowest.test/" end)
      task.sleep(0.05)
      handle:cancel()
      pcall(handle.join, handle)
      print(handle.status)
      local res, err = client:get "http://slowest.test/"
      print(res, err.kind, err.phase)
      res, err = task.timeout(0.1, function()
        return client:get("http://slowest.test/", { timeout = { connect = 50 } })
      end)
      print(res, err.kind, err.phase)
      print(client:stats().in_flight, client:stats().waiting)
      on = false
      watch:join()
      -- a third of what one lookup takes
      print(worst < 20 or worst, task.now() - begun < 20)
    ]])
    assert.is_true(ended.seconds < 40)
    assert.equal("canceled\nnil\ttimeout\tconnect\nnil\ttimeout\ttask\n0\t0\ntrue\ttrue\n", ended.out)
  end)

  it("takes no virtual time", function()
    local ended = preload.run("scripts/benchmarks/slow_dns.c", [[
      local clock, http, task = require "lurcher.clock", require "lurcher.http", require "lurcher.task"
      clock.virtual(function()
        local client, begun = http.client { retry = false, timeout = { connect = 1 } }, task.now()
        local res, err = client:get "http://slow.test/"
        print(res, err.kind, task.now() - begun)
        task.sleep(3600)
        print(task.now() - begun)
      end)
    ]])
    assert.equal("nil\tdns\t0\n3600\n", ended.out)
  end)
end)
