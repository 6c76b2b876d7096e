-- What is sent how often: a POST never twice behind the script's back, a GET again without a word.

local faults = require "spec.support.faults"
local http2 = require "spec.support.http2"
local servers = require "spec.support.servers"
local task = require "lurcher.task"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

-- A server whose first request on a connection is answered; at the second it reads so much of it and then
-- does `worst(conn)`. Counts the requests whose head it has seen, by method.
local function server(worst, opts)
  local seen = {}
  local s = faults.raw(function(conn)
    local first = true
    while true do
      local request = conn:read_head()
      if not request then return end
      seen[request.method] = (seen[request.method] or 0) + 1
      if not first then return worst(conn, request) end
      local length = tonumber(request.headers["content-length"] or 0)
      if length > 0 then conn:read(length) end
      conn:write(OK)
      first = false
    end
  end, opts)
  return s, seen
end

local worst = {
  ["closes"] = function(conn) conn:close() end,
  ["resets"] = function(conn) conn:reset() end,
  ["reads the body and closes"] = function(conn, request)
    local length = tonumber(request.headers["content-length"] or 0)
    if length > 0 then conn:read(length) end
    conn:close()
  end,
  ["begins to answer and closes"] = function(conn)
    conn:write("HTTP/1.1 200 OK\r\nX: ")
    conn:sleep(0.02)
    conn:close()
  end,
}

for how, act in pairs(worst) do
  describe("when the server of a reused connection " .. how, function()
    for _, scheme in ipairs { "http", "https" } do
      for what, body in pairs { ["without a body"] = false, ["with an empty body"] = "",
        ["with a body"] = "data", ["with a large body"] = ("x"):rep(1024 * 1024) } do
        it(("a POST %s is sent once over %s"):format(what, scheme), function()
          local s, seen = server(act, { tls = scheme == "https" and {} or nil })
          -- Retries are on: they must not send it again either.
          local client = faults.client { tls = { ca = s.ca }, retry = { base = 0 } }
          for _ = 1, 3 do assert(client:get(s.url .. "/")) end
          local before = seen.POST or 0
          local res, err = client:post(s.url .. "/", { body = body or nil })
          assert.is_true((seen.POST or 0) - before <= 1, "it was sent " .. tostring(seen.POST) .. " times")
          if not res then
            assert.equal("closed", err.kind, tostring(err))
            assert.equal(1, err.attempts)
            assert.is_false(err.retryable)
          end
        end)
      end
    end
  end)
end

describe("a server that closes every kept connection", function()
  -- It closes as soon as it has answered, without saying so.
  local function closing(opts)
    local count = 0
    local s = faults.raw(function(conn)
      if not conn:read_request() then return end
      count = count + 1
      conn:write(OK)
    end, opts)
    return s, function() return count end
  end

  for _, scheme in ipairs { "http", "https" } do
    for _, method in ipairs { "GET", "HEAD", "PUT", "DELETE", "POST" } do
      it(("is not noticed by %s over %s, with retry=false"):format(method, scheme), function()
        local s, count = closing { tls = scheme == "https" and {} or nil }
        local client = faults.client { tls = { ca = s.ca } }
        for i = 1, 6 do
          local body = (method == "PUT" or method == "POST") and "data" or nil
          local res = assert(client:request(method, s.url, { body = body }))
          assert.equal(1, res.attempts)
          assert.equal(i, count())
          task.sleep(0.005)
        end
      end)
    end
  end

  it("is not noticed by many at once", function()
    local s = closing()
    local client = faults.client()
    local list = {}
    for i = 1, 100 do list[i] = i end
    task.map(list, function() assert(client:get(s.url)) end, { concurrency = 10 })
  end)
end)

describe("a GET", function()
  it("on a reused connection that closes unanswered is sent again, silently", function()
    local s, seen = server(worst["closes"])
    local client = faults.client()
    assert(client:get(s.url))
    local res = assert(client:get(s.url))
    assert.equal(1, res.attempts)
    assert.equal(3, seen.GET)
  end)

  it("on a new connection that closes unanswered is an error with retry=false", function()
    local s = faults.answering("")
    faults.check({ kind = "closed", phase = "read" }, faults.client():get(s.url))
    assert.equal(1, s:connections())
  end)

  it("that was answered in part is no silent matter", function()
    local s, seen = server(worst["begins to answer and closes"])
    local client = faults.client()
    assert(client:get(s.url))
    faults.check({ kind = "closed", phase = "read" }, client:get(s.url))
    assert.equal(2, seen.GET)
  end)
end)

describe("a POST", function()
  it("is tried again when the connection was refused", function()
    local s = faults.answering(OK)
    local url = s.url
    s:stop()
    local _, err = faults.client { retry = { base = 0, attempts = 3 } }:post(url, { body = "x" })
    assert.equal("connect", err.kind)
    assert.equal(3, err.attempts)
  end)

  it("is not tried again when its response never came", function()
    local s = faults.answering("")
    local client = faults.client { retry = { base = 0, attempts = 3 } }
    local err = faults.check({ kind = "closed" }, client:post(s.url, { body = "x" }))
    assert.is_false(err.retryable)
    assert.equal(1, s:connections())
  end)

  it("is not tried again when its new connection was reset", function()
    local s = faults.server(function(conn) conn:reset() end)
    local client = faults.client { retry = { base = 0, attempts = 3 } }
    local err = faults.check({ kind = "closed" }, client:post(s.url, { body = "x" }))
    assert.is_false(err.retryable)
    assert.equal(1, s:connections())
  end)

  it("is when the script says it may be", function()
    local s = faults.answering("")
    local client = faults.client { retry = { base = 0, attempts = 3 } }
    faults.check({ kind = "closed", attempts = 3 }, client:post(s.url, { body = "x", retryable = true }))
    assert.equal(3, s:connections())
  end)
end)

describe("over HTTP/2", function()
  it("a connection that the server closed is not noticed by GET and POST", function()
    local nginx = servers.nginx()
    task.defer(function() nginx:stop() end)
    local client = faults.client { tls = { ca = nginx.ca } }
    assert(client:get(nginx.http2 .. "/small"))
    os.execute("kill -HUP " .. nginx:pid())
    task.sleep(0.3)
    assert.equal(200, assert(client:get(nginx.http2 .. "/small")).status)
    assert.equal(200, assert(client:post(nginx.http2 .. "/small", { body = "x" })).status)
  end)
end)

-- What becomes of a POST on a connection of its own, or on one that has served before.
for _, reused in ipairs { false, true } do
  local on = reused and "on a reused connection" or "on a new connection"

  describe("over HTTP/2 " .. on, function()
    -- A server that answers `good` requests of each connection and does `act` at the next. Counts what it has
    -- not turned away.
    local function serving(act, body)
      local processed = 0
      local s = http2.server(function(connection, number)
        local good = reused and 1 or 0
        while true do
          local stream = connection:request()
          if not stream then return end
          if number > 1 or good > 0 then
            good = good - 1
            processed = processed + 1
            connection:respond(stream, "ok")
          else
            processed = processed + (act(connection, stream) or 0)
            if connection.over then return end
          end
        end
      end)
      local client = faults.client { tls = { ca = s.ca }, retry = { base = 0 } }
      if reused then assert(client:get(s.url)) end
      local before = processed
      local res, err = client:post(s.url, { body = body or "data" })
      return processed - before, res, err
    end

    for how, act in pairs {
      ["reset with INTERNAL_ERROR"] = function(connection, stream)
        connection:reset(stream, "INTERNAL_ERROR")
        return 1
      end,
      ["cut off by a close"] = function(connection)
        connection.over = true
        return 1
      end,
      ["cut off by a reset"] = function(connection)
        connection.conn:reset()
        connection.over = true
        return 1
      end,
      ["taken in by a GOAWAY and cut off"] = function(connection, stream)
        connection:goaway(stream, "NO_ERROR")
        connection.over = true
        return 1
      end,
    } do
      it("a POST is sent once when it is " .. how, function()
        local count, res, err = serving(act)
        assert.is_nil(res)
        assert.equal(1, count, tostring(err))
        assert.equal(1, err.attempts)
        assert.is_false(err.retryable)
        if err.kind == "closed" then
          assert.matches("POST is not repeated: it may have been processed", err.message)
        end
      end)
    end

    for how, act in pairs {
      ["REFUSED_STREAM"] = function(connection, stream) connection:reset(stream, "REFUSED_STREAM") end,
      ["GOAWAY"] = function(connection) connection:goaway(0, "NO_ERROR") end,
      ["GOAWAY and a close"] = function(connection)
        connection:goaway(0, "NO_ERROR")
        connection.over = true
      end,
    } do
      for size, body in pairs { ["no body"] = "", ["a body"] = "data", ["a long body"] = ("x"):rep(60000) } do
        it(("a POST with %s is processed once when it is turned away by %s"):format(size, how), function()
          local count, res, err = serving(act, body)
          assert.equal("ok", res and res.body, tostring(err))
          assert.equal(1, count)
        end)
      end
    end
  end)
end

describe("a body that is cut", function()
  local function half()
    return faults.answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
  end

  it("is asked for again when it was gathered in memory", function()
    local s = half()
    faults.check({ kind = "truncated", attempts = 3 }, faults.client { retry = { base = 0 } }:get(s.url))
    assert.equal(3, s:connections())
  end)

  it("is not once the stream was handed out", function()
    local s = half()
    local res = assert(faults.client { retry = { base = 0 } }:get(s.url, { stream = true }))
    assert.equal("half", res:read())
    local bytes, err = res:read()
    assert.is_nil(bytes)
    assert.equal("truncated", err.kind)
    assert.equal(1, s:connections())
  end)
end)
