-- Many requests over few HTTP/2 connections, and TLS sessions that are taken up again.

local assert = require "luassert"
local faults = require "spec.support.faults"
local http2 = require "spec.support.http2"
local metrics = require "lurcher.metrics"
local process = require "spec.support.process"
local serving = require "spec.support.serving"
local servers = require "spec.support.servers"
local task = require "lurcher.task"

local CONFIG = [[
  daemon off; pid @DIR@/nginx.pid; error_log @DIR@/error.log; events { worker_connections 2000; }
  http {
    access_log off;
    ssl_certificate @DIR@/cert.pem; ssl_certificate_key @DIR@/key.pem; ssl_session_cache shared:a:1m;
    server { listen 127.0.0.1:@HTTP@; }
    server { listen 127.0.0.1:@HTTPS@ ssl; ssl_protocols TLSv1.2; location / { return 200 '$ssl_session_reused'; } }
    server {
      listen 127.0.0.1:@HTTP2@ ssl http2;
      http2_max_concurrent_streams 8;
      location /connection { return 200 '$connection'; }
      location / { root @DIR@/www; limit_rate $arg_rate; }
      location /together { proxy_pass http://127.0.0.1:@TOGETHER@; }
    }
  }]]

-- Answers once as many requests are there as /together/N says: they are all open at the same time, however long they
-- took to come.
local function start_together()
  local groups = {}
  return serving.start(function(req)
    local wanted = tonumber(req.path:match "%d+")
    local group = groups[wanted] or { count = 0 }
    groups[wanted], group.count = group, group.count + 1
    if group.count == wanted then groups[wanted] = nil end
    serving.eventually(function() return group.count == wanted end, "the last of the requests")
    return ("x"):rep(1000)
  end)
end

local function start(config)
  local nginx = servers.nginx { config = config and config:gsub("@TOGETHER@", start_together().port) }
  task.defer(function() nginx:stop() end)
  servers.write(nginx.directory .. "/www/half", ("x"):rep(200000))
  servers.write(nginx.directory .. "/www/large", ("x"):rep(8 * 1024 * 1024))
  return nginx, faults.client { tls = { ca = nginx.ca }, limits = { per_origin = 64 } }
end

local function each(count)
  local list = {}
  for i = 1, count do list[i] = i end
  return list
end

local function figures(name)
  for _, series in ipairs(metrics.snapshot()) do
    if series.name == name then return series.http2 end
  end
end

-- A connection that takes long to be made (250 ms) is given company, then twice as much.
local SLOW = 0.2

describe("HTTP/2", function()
  it("carries many requests on one connection", function()
    local nginx, client = start()
    local seen, count, slowest = {}, 0, 0
    for _ = 1, 5 do
      task.map(each(64), function()
        local res = assert(client:get(nginx.http2 .. "/connection", { name = "many" }))
        local number = res:json().number
        if not seen[number] then seen[number], count = true, count + 1 end
        slowest = math.max(slowest, res.timings.connect + res.timings.tls)
      end, { concurrency = 64 })
    end
    if slowest < SLOW then assert.equal(1, count) else assert.is_true(count <= 8, count .. " connections") end
    local of = figures "many"
    assert.same({ count, 320 }, { of.connections, of.streams })
    assert.is_true(of.most > 1 and of.most <= 64, tostring(of.most))
  end)

  local function fetch(client, url, count, name, together)
    local slowest = 0
    task.map(each(count), function()
      local res = assert(client:get(url .. "/together/" .. (together or count), { name = name }))
      assert.same({ "2", 1000 }, { res.http_version, #res.body })
      slowest = math.max(slowest, res.timings.connect + res.timings.tls)
    end, { concurrency = count })
    return figures(name), slowest < SLOW
  end

  it("opens further connections only when the streams of one run out", function()
    local nginx, client = start(CONFIG)
    local of = fetch(client, nginx.http2, 8, "eight")
    assert.same({ 1, 8, 8 }, { of.connections, of.streams, of.most })
    local quick
    of, quick = fetch(client, nginx.http2, 24, "twenty-four")
    assert.equal(24, of.most)
    if quick then assert.equal(2, of.connections) end
    assert.is_true(of.streams <= 32, of.streams .. " streams") -- a few are refused on a new connection
    if quick then assert.equal(3, client:stats().connections) end
    of = fetch(client, nginx.http2, 24, "once more")
    assert.same({ 0, 24, 24 }, { of.connections, of.streams, of.most })
  end)

  it("opens no more of them when all requests come at once", function()
    local nginx, client = start(CONFIG)
    assert.is_true(fetch(client, nginx.http2, 64, "all at once", 8).connections <= 9)
    assert.is_true(client:stats().connections <= 9)
  end)

  it("shares connections without TLS, too", function()
    local nginx = start((CONFIG:gsub("listen 127.0.0.1:@HTTP2@ ssl http2", "listen 127.0.0.1:@HTTP2@ http2")))
    local client = faults.client { http_version = "2-prior-knowledge", limits = { per_origin = 64 } }
    local url, count = nginx.http2:gsub("^https", "http"), 24
    -- libcurl 8 shares a connection once that has brought an answer, and these are answered together.
    if faults.libcurl_version() >= 8 then count = assert(client:get(url .. "/half")) and 8 end
    for round = 1, 3 do
      local of = fetch(client, url, count, "plain, round " .. round)
      assert.is_true(of.connections <= 4, of.connections .. " connections")
      assert.equal(count, of.most)
    end
    assert.is_true(client:stats().connections <= 4)
    for _ = 1, 5 do assert.is_true(assert(client:get(url .. "/half")).reused) end
  end)

  it("gives the streams of cancelled requests to others", function()
    local nginx, client = start(CONFIG)
    fetch(client, nginx.http2, 8, "first")
    for _ = 1, 5 do
      local calls = {}
      for i = 1, 8 do
        calls[i] = task.spawn(function() client:get(nginx.http2 .. "/half?rate=1k", { name = "slow" }) end)
      end
      serving.eventually(function() return client:stats().in_flight == 8 end)
      for _, call in ipairs(calls) do call:cancel() end
      serving.eventually(function() return client:stats().in_flight == 0 end)
    end
    fetch(client, nginx.http2, 8, "last")
    assert.equal(1, client:stats().connections)
  end)

  it("does not meet a server that refuses each stream with a connection for each request", function()
    local asked, connections = 0, 0
    local s = http2.server(function(connection)
      connections = connections + 1
      while true do
        local stream = connection:request()
        if not stream then return end
        asked = asked + 1
        connection:reset(stream, "REFUSED_STREAM")
      end
    end)
    local client = faults.client { tls = { ca = s.ca }, limits = { per_origin = 64 } }
    task.map(each(24), function()
      local err = faults.check({ kind = "protocol", message = "REFUSED_STREAM" }, client:get(s.url))
      assert.is_true(err.retryable)
    end, { concurrency = 24 })
    assert.is_true(connections <= 8, connections .. " connections, " .. asked .. " requests")
  end)

  it("lets a slow reader stall nobody else on its connection", function()
    local nginx, client = start()
    servers.write(nginx.directory .. "/www/other", ("y"):rep(300000))
    local slow = assert(client:stream("GET", nginx.http2 .. "/large"))
    local first = assert(slow:read(1000))
    task.map(each(40), function()
      assert.equal(300000, #assert(client:get(nginx.http2 .. "/other")).body)
    end, { concurrency = 10 })
    assert.equal(1, client:stats().connections)
    assert.equal(8 * 1024 * 1024, #first + #assert(slow:read_all()))
  end)

  it("gives each stream a deadline of its own, and tells the server", function()
    local asked, over = 0, task.event()
    local s = http2.server(function(connection)
      local late = connection:request()
      asked = asked + 1
      local other = connection:request()
      over:wait()
      connection:head(other) -- libcurl 7.88 sends RST_STREAM with its next frames
      assert.equal(late, connection:await("RST_STREAM").stream)
      connection:data(other, "well", true)
    end)
    local client = faults.client { tls = { ca = s.ca } }
    local call = task.spawn(function()
      return select(2, client:get(s.url, { timeout = { total = 0.5 } }))
    end)
    serving.eventually(function() return asked == 1 end)
    local other = task.spawn(function() return assert(client:get(s.url)).body end)
    local err = call:join()
    assert.same({ "timeout", "total" }, { err.kind, err.phase })
    over:set()
    assert.equal("well", other:join())
  end)

  it("gives way to HTTP/1.1 where the server does not offer it", function()
    local nginx, client = start()
    for _, version in ipairs { "auto", "2" } do
      assert.equal("1.1", assert(client:get(nginx.https .. "/small", { http_version = version })).http_version)
      assert.equal("2", assert(client:get(nginx.http2 .. "/small", { http_version = version })).http_version)
    end
    assert.equal("1.1", assert(client:get(nginx.http .. "/small", { http_version = "2" })).http_version)
    assert.equal("1.1", assert(client:get(nginx.http2 .. "/small", { http_version = "1.1" })).http_version)
  end)

  it("shows its figures in --stats, and only then", function()
    local nginx = start()
    local script = process.script([[
      local http, task = require "lurcher.http", require "lurcher.task"
      local client = http.client { tls = { ca = "]] .. nginx.ca .. [[" } }
      assert(client:get(arg[1]))
      task.all { function() assert(client:get(arg[1])) end, function() assert(client:get(arg[1])) end }]])
    local shown = process.run({ "--stats", script, nginx.http2 .. "/small" }).err
    assert.truthy(shown:find "HTTP/2", shown)
    assert.truthy(shown:find("connections +streams +at once"), shown)
    assert.truthy(shown:find(" 1 +3 +2%s"), shown)
    assert.is_nil(process.run({ "--stats", script, nginx.https .. "/small" }).err:find("HTTP/2", 1, true))
  end)
end)

describe("TLS", function()
  it("has no handshake after the first round of requests", function()
    local here = 0
    local s = serving.start(function()
      here = here + 1
      serving.eventually(function() return here % 8 == 0 end) -- all of a round at once
      return { status = 200 }
    end, { tls = true })
    local client = faults.client { tls = { ca = s.ca } }
    for round = 1, 5 do
      task.map(each(8), function()
        local res = assert(client:get(s.url))
        if round > 1 then assert.same({ true, 0 }, { res.reused, res.timings.tls }) end
      end)
    end
    assert.equal(8, client:stats().connections)
  end)

  it("sessions are taken up again by new connections", function()
    local nginx, client = start(CONFIG)
    local headers = { Connection = "close" }
    assert.equal(".", assert(client:get(nginx.https .. "/", { headers = headers })).body)
    for _ = 1, 4 do assert.equal("r", assert(client:get(nginx.https .. "/", { headers = headers })).body) end
    local other = faults.client { tls = { ca = nginx.ca } }
    assert.equal(".", assert(other:get(nginx.https .. "/", { headers = headers })).body)
  end)
end)
