local faults = require "spec.support.faults"
local http2 = require "spec.support.http2"
local task = require "lurcher.task"

local END_HEADERS, END_STREAM = http2.END_HEADERS, http2.END_STREAM

-- One request to an HTTP/2 server that does `misbehave(connection, stream)`.
local function ask(misbehave, opts)
  local s = http2.server(function(connection)
    local stream = connection:request()
    if not stream then return end
    misbehave(connection, stream)
  end)
  opts = opts or {}
  opts.tls = { ca = s.ca }
  local client = faults.client(opts)
  local res, err = client:get(s.url)
  faults.settled(client)
  return s, res, err
end

local function fails(wanted, misbehave, opts)
  local s, res, err = ask(misbehave, opts)
  wanted.host = faults.host(s)
  return faults.check(wanted, res, err)
end

-- Waits for the client's last word.
local function linger(connection)
  while connection:next() do end
end

local function rows(list)
  for _, row in ipairs(list) do
    it(row[1], function()
      fails({ kind = row[2], phase = "read" }, function(connection, stream)
        row[3](connection, stream)
        if not row.close then linger(connection) end
      end, row.opts)
    end)
  end
end

it("HTTP/2 from the specs' server is understood", function()
  local _, res = ask(function(connection, stream)
    connection:respond(stream, "hello")
    linger(connection)
  end)
  assert.equal("hello", res and res.body)
  assert.equal("2", res.http_version)
end)

describe("an HTTP/2 response that is cut is of kind 'truncated':", function()
  local function head(list)
    return function(connection, stream, finish)
      connection:head(stream, list)
      connection:data(stream, "hello")
      finish()
    end
  end
  local sized, unsized = head { { "content-length", "100" } }, head {}

  for name, begin in pairs { ["of known length"] = sized, ["of unknown length"] = unsized } do
    for _, code in ipairs { "INTERNAL_ERROR", "CANCEL" } do
      it("reset with " .. code .. ", " .. name, function()
        fails({ kind = "truncated", phase = "read" }, function(connection, stream)
          begin(connection, stream, function() connection:reset(stream, code) end)
          linger(connection)
        end)
      end)
    end

    it("by the connection's end, " .. name, function()
      fails({ kind = "truncated", phase = "read" }, function(connection, stream)
        begin(connection, stream, function() end)
      end)
    end)

    it("by the connection's reset, " .. name, function()
      fails({ kind = "truncated", phase = "read" }, function(connection, stream)
        begin(connection, stream, function() task.sleep(0.05) end)
        connection.conn:reset()
      end)
    end)

    it("by GOAWAY with an error, " .. name, function()
      fails({ kind = "truncated", phase = "read" }, function(connection, stream)
        begin(connection, stream, function() connection:goaway(0, "INTERNAL_ERROR") end)
      end)
    end)
  end

  it("reset with NO_ERROR, of known length", function()
    fails({ kind = "truncated", phase = "read" }, function(connection, stream)
      sized(connection, stream, function() connection:reset(stream, "NO_ERROR") end)
      linger(connection)
    end)
  end)

  it("because libcurl refuses all of the DATA that passes its Content-Length", function()
    fails({ kind = "truncated", phase = "read" }, function(connection, stream)
      connection:head(stream, { { "content-length", "2" } })
      connection:data(stream, "hello", true)
      linger(connection)
    end)
  end)

  it("short of its Content-Length", function()
    fails({ kind = "truncated", phase = "read" }, function(connection, stream)
      sized(connection, stream, function() connection:data(stream, "", true) end)
      linger(connection)
    end)
  end)
end)

describe("an HTTP/2 connection that ends before the head is of kind 'closed':", function()
  rows {
    { "closed", "closed", function() end, close = true },
    { "reset", "closed", function(connection) connection.conn:reset() end, close = true },
  }
end)

describe("a peer that breaks HTTP/2 is of kind 'protocol':", function()
  local function with_headers(list)
    return function(connection, stream)
      connection:head(stream, list)
      connection:data(stream, "hello", true)
    end
  end

  rows {
    { "an upper-case header name", "protocol", with_headers { { "X-Upper", "a" } } },
    { "CR and LF in a value", "protocol", with_headers { { "x", "a\r\nb: c" } } },
    { "a Connection header", "protocol", with_headers { { "connection", "close" } } },
    { "two lengths", "protocol", with_headers { { "content-length", "5" }, { "content-length", "6" } } },
    { "no :status", "protocol", function(connection, stream)
      connection:send("HEADERS", END_HEADERS + END_STREAM, stream, http2.block { { "x", "a" } })
    end },
    { "a reset instead of a head", "protocol", function(connection, stream)
      connection:reset(stream, "INTERNAL_ERROR")
    end },
    { "DATA before the head", "protocol", function(connection, stream)
      connection:data(stream, "x", true)
    end },
    { "bad HPACK", "protocol", function(connection, stream)
      connection:send("HEADERS", END_HEADERS + END_STREAM, stream, "\255\255\255\255\255\255")
    end },
    { "a frame that is too large", "protocol", function(connection, stream)
      connection:data(stream, ("x"):rep(100000), true)
    end },
    { "a frame on stream 0", "protocol", function(connection) connection:data(0, "x", true) end },
    { "a pushed response", "protocol", function(connection, stream)
      connection:send("PUSH_PROMISE", END_HEADERS, stream, "\0\0\0\2" .. http2.block { { ":method", "GET" } })
    end },
    { "GOAWAY with an error instead of a head", "protocol", function(connection)
      connection:goaway(0, "ENHANCE_YOUR_CALM")
    end, close = true },
    { "a flood of empty CONTINUATION", "protocol", function(connection, stream)
      connection:send("HEADERS", 0, stream, http2.block { { ":status", "200" } })
      connection.conn:write(http2.frame("CONTINUATION", 0, stream, ""):rep(20000))
    end },
    { "a flood of full CONTINUATION", "protocol", function(connection, stream)
      connection:send("HEADERS", 0, stream, http2.block { { ":status", "200" } })
      connection.conn:write(http2.frame("CONTINUATION", 0, stream,
        http2.block { { "x", ("a"):rep(10000) } }):rep(200))
    end },
    { "101 Switching Protocols", "protocol", function(connection, stream)
      connection:send("HEADERS", END_HEADERS, stream, http2.block { { ":status", "101" } })
      connection:respond(stream, "hello")
    end },
    { "a flood of 103", "protocol", function(connection, stream)
      for _ = 1, 200 do
        connection:send("HEADERS", END_HEADERS, stream, http2.block { { ":status", "103" } })
      end
      connection:respond(stream, "hello")
    end },
  }

  for name, frame in pairs {
    SETTINGS = http2.frame("SETTINGS", 0, 0, ("\0\3\0\0\0\100"):rep(10)),
    PING = http2.frame("PING", 0, 0, "12345678"),
  } do
    it("and a flood of " .. name .. " is no sign of life", function()
      local s, res, err = ask(function(connection)
        local many = frame:rep(100)
        while connection.conn:write(many) do task.sleep(0.001) end
      end, { timeout = { read = 0.3 } })
      assert.is_nil(res)
      assert.truthy(({ timeout = true, protocol = true, closed = true })[err.kind], tostring(err))
      assert.truthy(err.message:find(faults.host(s), 1, true))
    end)
  end

  it("and a flood of empty DATA is no sign of life", function()
    local s, res, err = ask(function(connection, stream)
      connection:head(stream, {})
      local many = http2.frame("DATA", 0, stream, ""):rep(1000)
      while connection.conn:write(many) do task.sleep(0.001) end
    end, { timeout = { read = 0.3 } })
    faults.check({ kind = "timeout", phase = "read", host = faults.host(s) }, res, err)
  end)

  it("but nothing that follows on a new connection is hurt", function()
    local s = http2.server(function(connection, number)
      local stream = connection:request()
      if number == 1 then
        connection:data(0, "x", true)
      else
        connection:respond(stream, "hello")
      end
      linger(connection)
    end)
    local client = faults.client { tls = { ca = s.ca } }
    faults.check({ kind = "protocol" }, client:get(s.url))
    assert.equal("hello", assert(client:get(s.url)).body)
  end)

  it("and headers without measure are of kind 'too_large'", function()
    fails({ kind = "too_large", phase = "read" }, function(connection, stream)
      local list = {}
      for i = 1, 100 do list[i] = { "x" .. i, ("a"):rep(100) } end
      connection:head(stream, list)
      linger(connection)
    end, { max_headers = 4096 })
  end)
end)

describe("a request that HTTP/2 says was not processed", function()
  -- A server that turns the first request of each of its first `count` connections away.
  local function turning_away(count, how)
    local requests = 0
    local s = http2.server(function(connection, number)
      while true do
        local stream = connection:request()
        if not stream then return end
        requests = requests + 1
        if number <= count then
          how(connection, stream)
        else
          connection:respond(stream, "hello")
        end
      end
    end)
    return s, function() return requests end
  end

  local function refuse(connection, stream) connection:reset(stream, "REFUSED_STREAM") end
  local function go_away(connection) connection:goaway(0, "NO_ERROR") end

  for _, method in ipairs { "GET", "POST" } do
    it("is sent again after REFUSED_STREAM: " .. method, function()
      local s = turning_away(1, refuse)
      local client = faults.client { tls = { ca = s.ca }, retry = { base = 0 } }
      local res = assert(client:request(method, s.url, { body = method == "POST" and "data" or nil }))
      assert.equal("hello", res.body)
    end)

    it("is sent again after GOAWAY: " .. method, function()
      local s = turning_away(1, go_away)
      local client = faults.client { tls = { ca = s.ca }, retry = { base = 0 } }
      local res = assert(client:request(method, s.url, { body = method == "POST" and "data" or nil }))
      assert.equal("hello", res.body)
    end)
  end

  it("is a retryable error when the server always refuses", function()
    local s = turning_away(1000, refuse)
    local client = faults.client { tls = { ca = s.ca } }
    local err = faults.check({ kind = "protocol", phase = "read", host = faults.host(s) },
      client:post(s.url, { body = "x" }))
    assert.is_true(err.retryable)
  end)

  it("a POST that ended in INTERNAL_ERROR is not one", function()
    local s, count = turning_away(1000, function(connection, stream)
      connection:reset(stream, "INTERNAL_ERROR")
    end)
    local client = faults.client { tls = { ca = s.ca }, retry = { base = 0 } }
    local err = faults.check({ kind = "protocol" }, client:post(s.url, { body = "x" }))
    assert.is_false(err.retryable)
    assert.equal(1, count())
  end)

  it("a drained connection answers what it has, and the next request goes elsewhere", function()
    local s = http2.server(function(connection)
      local stream = connection:request()
      if not stream then return end
      connection:goaway(stream, "NO_ERROR")
      connection:respond(stream, "hello")
      linger(connection)
    end)
    local client = faults.client { tls = { ca = s.ca } }
    for _ = 1, 3 do assert.equal("hello", assert(client:get(s.url)).body) end
    assert.equal(3, s:connections())
  end)

  it("what a drained connection turns away is sent again, beside connections that were given up", function()
    local s = http2.server(function(connection)
      local last
      for _ = 1, 5 do
        last = connection:request()
        if not last then return end
        connection:respond(last, "hello")
      end
      connection:goaway(last, "NO_ERROR")
      linger(connection)
    end, nil, 10)
    local client = faults.client { tls = { ca = s.ca }, retry = { attempts = 100, base = 0, budget = false } }
    local list = {}
    for i = 1, 100 do list[i] = i end
    local bodies = assert(task.map(list, function()
      return assert(client:get(s.url)).body
    end, { concurrency = 100 }))
    for i = 1, 100 do assert.equal("hello", bodies[i]) end
  end)
end)

describe("streams of one HTTP/2 connection", function()
  it("do not share each other's fate", function()
    local s = http2.server(function(connection)
      assert(connection:respond(connection:request(), "first"))
      local streams = {}
      for i = 1, 4 do streams[i] = connection:request() end
      for i, stream in ipairs(streams) do
        if i % 2 == 0 then
          connection:reset(stream, "CANCEL")
        else
          connection:respond(stream, "good")
        end
      end
      linger(connection)
    end)
    local client = faults.client { tls = { ca = s.ca } }
    assert(client:get(s.url))
    local good = 0
    task.map({ 1, 2, 3, 4 }, function()
      local res = client:get(s.url)
      if res then good = good + 1 end
    end)
    assert.equal(2, good)
    assert.equal(1, s:connections())
  end)

  it("have words of their own when several fail at once", function()
    local codes = { "INTERNAL_ERROR", "CANCEL", "ENHANCE_YOUR_CALM" }
    local s = http2.server(function(connection)
      assert(connection:respond(connection:request(), "first"))
      local streams, frames = {}, {}
      for i = 1, #codes do streams[i] = connection:request() end
      for i, code in ipairs(codes) do frames[i] = http2.reset(streams[i], code) end
      connection.conn:write(table.concat(frames))
      linger(connection)
    end)
    local client = faults.client { tls = { ca = s.ca } }
    assert(client:get(s.url))
    local errs = {}
    task.map(codes, function(_, i)
      errs[i] = select(2, client:get(s.url))
    end)
    for i, code in ipairs(codes) do assert.matches(code .. " %(err", errs[i].message) end
  end)

  it("are reset when their request is cancelled, and only they", function()
    local reset
    local cancelled = task.event()
    local s = http2.server(function(connection)
      connection:respond(connection:request(), "first")
      local a, b = connection:request(), connection:request()
      connection:head(a)
      connection:head(b)
      connection:data(a, "begin")
      connection:data(b, "begin")
      cancelled:wait()
      connection:data(b, " more") -- libcurl 7.88 sends its RST_STREAM with the next frames, not at once
      reset = connection:await("RST_STREAM")
      assert(reset.stream == a)
      connection:data(b, " end", true)
      connection:respond(connection:request(), "later")
      linger(connection)
    end)
    local client = faults.client { tls = { ca = s.ca } }
    assert(client:get(s.url))
    task.scope(function(scope)
      local first = scope:spawn(function() return client:get(s.url) end)
      local second = scope:spawn(function() return client:get(s.url) end)
      task.sleep(0.05)
      first:cancel()
      cancelled:set()
      assert.equal("begin more end", assert(second:join()).body)
    end)
    assert.equal("later", assert(client:get(s.url)).body)
    assert.equal(1, s:connections())
    assert.equal("RST_STREAM", reset.kind)
  end)

  it("hold back a peer that sends faster than the script reads", function()
    local sent, total = 0, 4 * 1024 * 1024
    local s = http2.server(function(connection)
      local stream = connection:request()
      connection:head(stream)
      local bytes, window, connection_window = ("x"):rep(16384), 65535, 65535
      local function update()
        for i = 1, #connection.seen do
          local frame = connection.seen[i]
          if frame.kind == "WINDOW_UPDATE" then
            local amount = 0
            for j = 1, 4 do amount = amount * 256 + frame.payload:byte(j) end
            if frame.stream == 0 then connection_window = connection_window + amount end
            if frame.stream == stream then window = window + amount end
          elseif frame.kind == "SETTINGS" then
            for id, a, b, c, d in frame.payload:gmatch("(..)(.)(.)(.)(.)") do
              if id == "\0\4" then
                window = window + ((a:byte() * 256 + b:byte()) * 256 + c:byte()) * 256 + d:byte() - 65535
              end
            end
          end
        end
        connection.seen = {}
      end
      local reader = task.spawn(function() linger(connection) end)
      while sent < total do
        update()
        if window >= #bytes and connection_window >= #bytes then
          connection:data(stream, bytes)
          sent, window, connection_window = sent + #bytes, window - #bytes, connection_window - #bytes
        else
          task.sleep(0.001)
        end
      end
      connection:data(stream, "", true)
      reader:join()
    end)
    local client = faults.client { tls = { ca = s.ca } }
    local res = assert(client:get(s.url, { stream = true }))
    local size = 0
    for piece in res:chunks(65536) do
      size = size + #piece
      if size < 1024 * 1024 then task.sleep(0.002) end
    end
    assert.equal(total, size)
  end)
end)
