-- HTTP/2 connections that end, fall silent or take nothing, beside new ones that work.

local assert = require "luassert"
local faults = require "spec.support.faults"
local http2 = require "spec.support.http2"
local process = require "lurcher.process"
local serving = require "spec.support.serving"
local servers = require "spec.support.servers"
local task = require "lurcher.task"

local function each(count)
  local list = {}
  for i = 1, count do list[i] = i end
  return list
end

describe("a server that ends each connection after a few requests", function()
  for _, case in ipairs { { 3, "" }, { 20, "" }, { 3, "http2_max_concurrent_streams 2;" } } do
    it(("answers every GET (%d, %s)"):format(case[1], case[2]), function()
      local nginx = servers.nginx { config = ([[
        daemon off; pid @DIR@/nginx.pid; error_log @DIR@/error.log; events { worker_connections 2000; }
        http {
          access_log off;
          ssl_certificate @DIR@/cert.pem; ssl_certificate_key @DIR@/key.pem;
          server { listen 127.0.0.1:@HTTP@; }
          server {
            listen 127.0.0.1:@HTTP2@ ssl http2 backlog=1024;
            keepalive_requests %d; %s
            location / { return 200 'fine'; }
          }
        }]]):format(unpack(case)) }
      task.defer(function() nginx:stop() end)
      local client = faults.client { tls = { ca = nginx.ca } }
      local bodies = assert(task.map(each(300), function()
        return assert(client:get(nginx.http2 .. "/")).body
      end, { concurrency = 64 }))
      for i = 1, 300 do assert.equal("fine", bodies[i]) end
    end)
  end

  it("answers one that it refused while others were answered, also when that is the last", function()
    local refused, answered = 0, false
    local s = http2.server(function(connection)
      while true do
        local stream = connection:request()
        if not stream then return end
        if answered and refused < 8 then
          refused = refused + 1
          connection:reset(stream, "REFUSED_STREAM")
          if refused == 1 then connection:respond(connection.kept, "first") end
        elseif not answered then
          answered, connection.kept = true, stream
        else
          connection:respond(stream, "second")
        end
      end
    end)
    local client = faults.client { tls = { ca = s.ca }, timeout = 20 }
    local first = task.spawn(function() return assert(client:get(s.url)).body end)
    serving.eventually(function() return answered end)
    assert.equal("second", assert(client:get(s.url)).body)
    assert.equal("first", first:join())
    assert.equal(8, refused)
  end)

  it("and refuses all else is asked no more than a few times", function()
    local asked = 0
    local s = http2.server(function(connection)
      while true do
        local stream = connection:request()
        if not stream then return end
        asked = asked + 1
        connection:reset(stream, "REFUSED_STREAM")
      end
    end)
    local client = faults.client { tls = { ca = s.ca }, retry = { attempts = 2, base = 0 } }
    local err = faults.check({ kind = "protocol", attempts = 2, message = "REFUSED_STREAM" }, client:get(s.url))
    assert.is_true(err.retryable)
    assert.is_true(asked <= 14, "asked " .. asked .. " times")
  end)
end)

-- Whether a connection to this URL got its peer's end (CLOSE_WAIT).
local function is_left(url)
  local list = assert(io.open "/proc/net/tcp")
  local text = list:read "*a"
  list:close()
  return text:find((":%04X 08 "):format(url:match ":(%d+)$"), 1, true) ~= nil
end

-- libcurl takes one for alive on which the TLS close_notify waits to be read.
it("an idle connection that the server has ended gets no request", function()
  for _, method in ipairs { "GET", "POST" } do
    local over = task.event()
    local s = http2.server(function(connection, number)
      connection:respond(connection:request(), "connection " .. number)
      if number == 1 then return over:wait() end
      connection:respond(connection:request(), "once more")
    end)
    local client = faults.client { tls = { ca = s.ca } }
    assert.equal("connection 1", assert(client:get(s.url)).body)
    over:set()
    serving.eventually(function() return is_left(s.url) end)
    local body = method == "POST" and "x" or nil
    assert.equal("connection 2", assert(client:request(method, s.url, { body = body })).body)
    assert.equal("once more", assert(client:get(s.url)).body)
  end
end)

describe("a connection that fell silent", function()
  local function silent_after_first()
    return http2.server(function(connection, number)
      while true do
        local stream = connection:request()
        if not stream then return end
        if number > 1 or not connection.answered then connection:respond(stream, "connection " .. number) end
        connection.answered = true
      end
    end)
  end

  for how, timeout in pairs { ["read"] = { read = 0.3 }, ["total"] = { total = 0.3 } } do
    it("is not used any more after timeout." .. how, function()
      local s = silent_after_first()
      local client = faults.client { tls = { ca = s.ca } }
      assert.equal("connection 1", assert(client:get(s.url)).body)
      faults.check({ kind = "timeout", phase = how }, client:get(s.url, { timeout = timeout }))
      for _ = 1, 3 do assert.equal("connection 2", assert(client:get(s.url)).body) end
    end)
  end

  it("does not get the second attempt", function()
    local s = silent_after_first()
    local client = faults.client { tls = { ca = s.ca }, timeout = { read = 0.3 }, retry = { base = 0 } }
    assert.equal("connection 1", assert(client:get(s.url)).body)
    local res = assert(client:get(s.url))
    assert.equal("connection 2", res.body)
    assert.equal(2, res.attempts)
  end)

  it("is told from one on which only one answer is late", function()
    local s = http2.server(function(connection, number)
      connection:respond(connection:request(), "connection " .. number)
      connection:request() -- never answered
      while true do
        local stream = connection:request()
        if not stream then return end
        connection:respond(stream, "connection " .. number)
      end
    end)
    local client = faults.client { tls = { ca = s.ca } }
    assert(client:get(s.url))
    local late = task.spawn(function() client:get(s.url, { timeout = { read = 0.5 } }) end)
    task.yield()
    while late.status == "running" do
      assert.equal("connection 1", assert(client:get(s.url)).body)
      task.sleep(0.02)
    end
    assert.equal("connection 1", assert(client:get(s.url)).body)
    assert.equal(1, s:connections())
  end)
end)

it("an upload to a peer that takes nothing does not keep the loop turning", function()
  local s = http2.server(function(connection)
    while connection:next() do end -- its window stays closed
  end)
  local client = faults.client { tls = { ca = s.ca } }
  local upload = task.spawn(function() return client:put(s.url, { body = ("x"):rep(1000000) }) end)
  task.sleep(0.2)
  local before = os.clock()
  task.sleep(0.6)
  local used = os.clock() - before
  assert.is_true(used < 0.2, "0.6 s of waiting took " .. used .. " s of CPU")
  upload:cancel()
end)

it("an upload to a slow reader leaves the loop to others", function()
  local size, step = 1500000, 65535
  local update = string.char(0, 0, 255, 255)
  local s = http2.server(function(connection)
    local stream, got, granted = nil, 0, step
    while got < size do
      local frame = connection:next()
      if not frame then return end
      stream = stream or frame.stream
      if frame.kind == "DATA" then got = got + #frame.payload end
      if got == granted then
        task.sleep(0.02)
        granted = granted + step
        connection:send("WINDOW_UPDATE", 0, 0, update)
        connection:send("WINDOW_UPDATE", 0, stream, update)
      end
    end
    connection:respond(stream, tostring(got))
  end)
  local client = faults.client { tls = { ca = s.ca } }
  local ticks, interval = 0, 0.005
  local ticker = task.spawn(function()
    while true do
      task.sleep(interval)
      ticks = ticks + 1
    end
  end)
  local began, turns = task.now(), os.clock()
  assert.equal(tostring(size), assert(client:put(s.url, { body = ("x"):rep(size) })).body)
  local elapsed, used = task.now() - began, os.clock() - turns
  ticker:cancel()
  assert.is_true(elapsed > 0.4)
  assert.is_true(ticks > elapsed / interval / 20, ticks .. " ticks in " .. elapsed .. " s")
  assert.is_true(used < elapsed / 2, used .. " s of CPU in " .. elapsed .. " s")
end)

describe("a server that allows no streams for a while", function()
  it("is waited for, or asked over another connection", function()
    local s = http2.server(function(connection)
      local stream = connection:request()
      connection:settings(0)
      connection:respond(stream, "first")
      task.sleep(0.2)
      connection:settings(100)
      for _ = 1, 4 do
        stream = connection:request()
        if not stream then return end
        connection:respond(stream, "later")
      end
    end)
    local client = faults.client { tls = { ca = s.ca } }
    assert.equal("first", assert(client:get(s.url)).body)
    local bodies = assert(task.map(each(4), function(i)
      return assert(client:request(i % 2 == 0 and "POST" or "GET", s.url, { body = i % 2 == 0 and "x" or nil })).body
    end))
    assert.equal("later", bodies[1])
    for i = 2, 4 do assert.is_true(bodies[i] == "later" or bodies[i] == "first") end
    assert.is_true(s:connections() <= 4)
  end)

  it("ends them by their limit of time when it goes on, in few turns of the loop", function()
    local asked = 0
    local s = http2.server(function(connection)
      local stream = connection:request()
      connection:settings(0)
      connection:respond(stream, "first")
      while connection:request() do asked = asked + 1 end
    end)
    local client = faults.client { tls = { ca = s.ca }, timeout = { read = 0.5 } }
    assert(client:get(s.url))
    local used = os.clock()
    faults.check({ kind = "timeout", phase = "read", message = "waiting for data" }, client:get(s.url))
    assert.is_true(os.clock() - used < 0.25)
    assert.equal(0, asked)
  end)
end)

-- libcurl takes all that is there from the socket, and may forget what it did not hand on yet.
it("bodies come to their end when the socket is empty before", function()
  local bytes = 5000000
  local frames = {}
  for at = 1, bytes, 16384 do
    local length = math.min(16384, bytes - at + 1)
    frames[#frames + 1] = http2.frame("DATA", at + length > bytes and http2.END_STREAM or 0, 1, ("a"):rep(length))
  end
  local body = table.concat(frames)
  local s = http2.server(function(connection)
    local stream = connection:request()
    if not stream then return end
    connection:head(stream, { { "content-length", tostring(bytes) } })
    connection.conn:write(body)
    connection:request()
  end, { tls = false })
  for _ = 1, 15 do
    local client = faults.client { http_version = "2-prior-knowledge", timeout = { read = 5 } }
    assert.equal(bytes, #assert(client:get(s.url)).body)
    client:close()
  end
end)

-- libcurl never hears of the end of one whose buffer is full at its last byte.
it("bodies without a length that come at once over one connection come to their ends", function()
  local node = assert(process.start("node", { "spec/support/http2_bodies.js" }))
  task.defer(function() node:kill "KILL" end)
  local url = ("http://127.0.0.1:%s/"):format(assert(node:lines()(), "it does not start"))
  local client = faults.client { http_version = "2-prior-knowledge", timeout = { read = 5 }, retry = false }
  for _ = 1, faults.sanitized() and 2 or 8 do
    assert(task.map(each(12), function()
      assert.equal(5 * 1024 * 1024, #assert(client:get(url)).body)
    end, { concurrency = 12 }))
  end
end)

-- OpenSSL may hold more records than libcurl has asked for, while the socket is empty.
it("answers that come together in many TLS records are all received", function()
  local s = http2.server(function(connection)
    while true do
      local streams = {}
      for i = 1, 40 do
        streams[i] = connection:request()
        if not streams[i] then return end
      end
      for i = 1, 40 do connection:respond(streams[i], "answer") end
    end
  end)
  local client = faults.client { tls = { ca = s.ca }, timeout = { read = 10 }, retry = false,
    limits = { per_origin = 40, inflight = 40 } }
  for _ = 1, 25 do
    assert(task.map(each(40), function()
      assert.equal("answer", assert(client:get(s.url)).body)
    end, { concurrency = 40 }))
  end
  assert.equal(1, s:connections())
end)

describe("a body without a length", function()
  -- Head and body in one TLS record, which is a little longer than libcurl's buffer once the head is written
  -- as HTTP/1 writes it.
  local function fill(connection, stream)
    local list = { { ":status", "200" } }
    for i = 1, 60 do list[i + 1] = { "x" .. i % 10, "v" } end
    local head = http2.frame("HEADERS", http2.END_HEADERS, stream, http2.block(list))
    local body = ("a"):rep(16384 - 9 - #head - 5)
    connection.conn:write(head .. http2.frame("DATA", http2.END_STREAM, stream, body))
    return #body
  end

  local function get(s, path)
    local client = faults.client { tls = { ca = s.ca }, timeout = { read = 10 }, retry = false }
    return #assert(client:get(s.url .. (path or "/"))).body
  end

  it("ends when it stops libcurl at its last byte: the server is pinged, not asked for anything", function()
    local size, asked = nil, false
    local s = http2.server(function(connection)
      size = fill(connection, connection:request())
      asked = connection:request() ~= nil
    end)
    assert.equal(get(s), size)
    s:stop()
    assert.is_false(asked)
  end)

  it("ends, too, when its connection has no stream left", function()
    local size
    local s = http2.server(function(connection)
      size = fill(connection, connection:request())
      connection:request()
    end, nil, 1)
    assert.equal(get(s), size)
  end)

  it("ends, too, when another connection has streams left", function()
    local size
    local second = task.event()
    local s = http2.server(function(connection, number)
      if number == 1 then
        connection:respond(connection:request(), "first")
        local kept = { connection:request(), connection:request() }
        second:wait()
        for _, stream in ipairs(kept) do connection:respond(stream, "kept") end
        connection:request()
      else
        local stream = connection:request()
        second:set()
        task.sleep(0.05)
        size = fill(connection, stream)
        connection:request()
      end
    end, nil, 2)
    local client = faults.client { tls = { ca = s.ca }, timeout = { read = 10 }, retry = false }
    local function body(path) return function() return assert(client:get(s.url .. path)).body end end
    assert.equal("first", body "/0" ())
    local one, two, three = task.all { body "/1", body "/2", body "/3" }
    assert.equal("kept", one)
    assert.equal("kept", two)
    assert.equal(size, #three)
  end)

  it("keeps its limits when there is no answer, and its client closes", function()
    if faults.libcurl_version() >= 8.001 then return end -- loses no end
    local s = http2.server(function(connection)
      connection.deaf = true
      fill(connection, connection:request())
      while connection:request() do end
    end)
    local client = faults.client { tls = { ca = s.ca }, timeout = { read = 0.6 }, retry = false }
    faults.check({ kind = "timeout", phase = "read" }, client:get(s.url))
    local result
    local waits = task.spawn(function() result = { client:get(s.url, { timeout = 20 }) } end)
    task.sleep(0.3)
    client:close()
    waits:join()
    faults.check({ kind = "canceled" }, unpack(result, 1, 2))
  end)

  it("that comes slowly makes no further request", function()
    local asked = 0
    local s = http2.server(function(connection)
      local stream = connection:request()
      asked = asked + 1
      connection:head(stream)
      for i = 1, 3 do
        connection:data(stream, ("a"):rep(1000), i == 3)
        task.sleep(0.25)
      end
      while connection:request() do asked = asked + 1 end
    end)
    local client = faults.client { tls = { ca = s.ca }, timeout = { read = 10 } }
    assert.equal(3000, #assert(client:get(s.url)).body)
    client:close()
    assert.equal(1, asked)
  end)
end)
