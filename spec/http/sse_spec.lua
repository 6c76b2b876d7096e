-- sse.connect: streams of events over reconnections.

local clock = require "lurcher.clock"
local faults = require "spec.support.faults"
local http = require "lurcher.http"
local message_of = require("spec.support.raising").message
local native = require "lurcher.native.task"
local server = require "lurcher.server"
local serving = require "spec.support.serving"
local sse = require "lurcher.sse"
local task = require "lurcher.task"

local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
local CHUNKED = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
local GONE = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

local FAST = { base = 0 }

-- A server that gives its n-th connection the n-th answer: bytes, or function(conn, request). Then 204.
local function scripted(answers)
  local requests = {}
  local s = faults.server(function(conn, request)
    requests[#requests + 1] = request
    local answer = answers[#requests] or GONE
    if type(answer) == "string" then conn:write(answer) else answer(conn, request) end
  end)
  return s.url, requests
end

local function client_of(opts)
  opts = opts or {}
  if opts.retry == nil then opts.retry = FAST end
  return faults.client(opts)
end

local function gather(events)
  local list = {}
  local ok, err = pcall(function()
    for event in events do list[#list + 1] = event.data end
  end)
  return list, not ok and err or nil
end

local function follow(answers, opts, client_opts)
  local url, requests = scripted(answers)
  local list, err = gather(sse.connect(client_of(client_opts), url, opts))
  return list, err, requests
end

describe("sse.connect", function()
  it("asks for events, and goes on behind the last one until 204", function()
    local list, err, requests = follow { HEAD .. "id: 1\ndata: a\n\nid: 2\ndata: b\n\ndata: lost",
      HEAD .. "data: c\n\n" }
    assert.is_nil(err)
    assert.same({ "a", "b", "c" }, list)
    assert.equal(3, #requests)
    assert.equal("text/event-stream", requests[1].headers.accept)
    assert.equal("no-cache", requests[1].headers["cache-control"])
    assert.is_nil(requests[1].headers["last-event-id"])
    assert.equal("2", requests[2].headers["last-event-id"])
    assert.equal("2", requests[3].headers["last-event-id"])
  end)

  it("keeps the id over connections, in its events too, until the server takes it away", function()
    local url, requests = scripted { HEAD .. "id: 7\n\n", HEAD .. "data: x\n\n", HEAD .. "id:\ndata: y\n\n" }
    local events, ids = sse.connect(client_of(), url), {}
    for event in events do ids[#ids + 1] = event.id end
    assert.same({ "7", "" }, ids)
    assert.equal("7", requests[2].headers["last-event-id"])
    assert.equal("7", requests[3].headers["last-event-id"])
    assert.is_nil(requests[4].headers["last-event-id"])
    assert.equal("", events.id)
  end)

  it("begins behind a given id", function()
    for _, opts in ipairs { { last_event_id = "é9" }, { headers = { ["last-event-ID"] = "é9" } } } do
      local list, _, requests = follow({ HEAD .. "id: 10\ndata: x\n\n" }, opts)
      assert.same({ "x" }, list)
      assert.equal("é9", requests[1].headers["last-event-id"])
      assert.equal("10", requests[2].headers["last-event-id"])
    end
  end)

  it("does not send an id that no header can hold", function()
    for _, id in ipairs { "a\1b", ("x"):rep(10000), "a\127" } do
      local _, err, requests = follow { HEAD .. "id: " .. id .. "\ndata: x\n\n" }
      assert.is_nil(err)
      assert.equal(2, #requests)
      assert.is_nil(requests[2].headers["last-event-id"])
    end
  end)

  it("reconnects after a stream that breaks, and one that is reset", function()
    local list, err = follow {
      CHUNKED .. "f\r\nid: 1\ndata: a\n\n\r\n5\r\nda",
      function(conn)
        conn:write(CHUNKED .. "9\r\ndata: b\n\n\r\n")
        conn:sleep(0.05)
        conn:reset()
      end,
      HEAD .. "data: c\n\n",
    }
    assert.is_nil(err)
    assert.same({ "a", "b", "c" }, list)
  end)

  it("waits as long as the server says, or the policy", function()
    clock.virtual(function()
      local n = 0
      local s = serving.start(function()
        n = n + 1
        if n == 1 then return { status = 200, headers = { ["Content-Type"] = "text/event-stream" },
          body = "retry: 7000\ndata: a\n\n" } end
        if n == 2 then return { status = 200, headers = { ["Content-Type"] = "text/event-stream" },
          body = "data: b\n\n" } end
        if n == 3 then return { status = 200, headers = { ["Content-Type"] = "text/event-stream" },
          body = "retry: 999999999999999\ndata: c\n\n" } end
        return { status = 204 }
      end)
      local client, times, began = http.client(), {}, task.now()
      for _ in sse.connect(client, s.url) do times[#times + 1] = task.now() - began end
      assert.near(7, times[2] - times[1], 0.2)
      assert.near(7, times[3] - times[2], 0.2)
      assert.near(times[3] + 60, task.now() - began, 0.2)
      client:close()
    end)
    clock.virtual(function()
      local n = 0
      local s = serving.start(function()
        n = n + 1
        return n < 3 and { status = 200, headers = { ["Content-Type"] = "text/event-stream" },
          body = "retry: 7000\ndata: a\n\n" } or { status = 204 }
      end)
      local client, began = http.client(), task.now()
      gather(sse.connect(client, s.url, { retry = { base = 2, jitter = "none", retry_after = false } }))
      assert.near(4, task.now() - began, 0.2)
      client:close()
    end)
  end)

  it("raises kind 'status' for another status than 200", function()
    for _, status in ipairs { 201, 205, 210, 299, 304, 404, 410 } do
      local list, err, requests = follow { ("HTTP/1.1 %d X\r\nContent-Type: text/event-stream\r\n%s"):format(status,
        status ~= 304 and "Content-Length: 2\r\n\r\nno" or "\r\n") }
      assert.same({}, list)
      assert.equal("status", err.kind)
      assert.equal(status, err.response.status)
      assert.equal(1, #requests)
    end
    local _, err, requests = follow { HEAD .. "data: x\n\n", "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 503 X\r\nContent-Length: 4\r\n\r\nbusy" }
    assert.equal("status", err.kind)
    assert.equal(503, err.response.status)
    assert.matches("busy", err.message, 1, true)
    assert.equal(4, #requests)
  end)

  it("raises kind 'decode' for another Content-Type", function()
    for given, fits in pairs { ["text/html"] = false, ["text/event-stream-x"] = false, ["x text/event-stream"] = false,
      [""] = false, ["text/event-stream;"] = true, ["Text/Event-Stream ; charset=windows-1252"] = true } do
      local list, err = follow { "HTTP/1.1 200 OK\r\nContent-Type: " .. given
        .. "\r\nConnection: close\r\n\r\ndata: ä\n\n" }
      assert.same(fits and { "ä" } or {}, list)
      if not fits then
        assert.equal("decode", err.kind)
        assert.matches("text/event-stream", err.message, 1, true)
        assert.is_string(err.url)
      end
    end
    local _, err = follow { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" }
    assert.matches("its Content-Type is missing", err.message, 1, true)
  end)

  it("follows redirects, and asks the first URL again", function()
    local url, requests = scripted {
      "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
      HEAD .. "id: 1\ndata: x\n\n",
    }
    assert.same({ "x" }, (gather(sse.connect(client_of(), url .. "/a"))))
    assert.equal("/b", requests[2].target)
    assert.equal("/a", requests[3].target)
    assert.equal("1", requests[3].headers["last-event-id"])
  end)

  it("gives up by the policy when nothing comes any more", function()
    local list, err, requests = follow { HEAD .. "data: x\n\n", HEAD, HEAD, HEAD, HEAD, HEAD }
    assert.same({ "x" }, list)
    assert.equal("closed", err.kind)
    assert.equal(3, err.attempts)
    assert.matches("3 attempts in turn brought nothing", err.message, 1, true)
    assert.equal(4, #requests)
    list, err, requests = follow({ HEAD, HEAD, HEAD, HEAD }, { retry = { attempts = 2, base = 0 } })
    assert.same({}, list)
    assert.equal("closed", err.kind)
    assert.equal(2, #requests)
  end)

  -- The waits before the requests of a stream in virtual time, in tenths of a second, and what it ended with.
  local function waits_of(answers, retry)
    local moments, list, err = {}, nil, nil
    clock.virtual(function()
      local s = faults.server(function(conn)
        moments[#moments + 1] = task.now()
        local answer = answers[#moments] or answers.others
        if answer == "reset" then conn:reset() else conn:write(answer) end
      end)
      retry.jitter = "none"
      local client = http.client { retry = retry }
      list, err = gather(sse.connect(client, s.url))
      client:close()
    end)
    local waits = {}
    for i = 2, #moments do waits[i - 1] = math.floor((moments[i] - moments[i - 1]) * 10 + 0.5) end
    return waits, err, list
  end

  it("makes one series of connections that cannot be made and those that bring nothing", function()
    local waits, err = waits_of({ HEAD .. "data: a\n\n", others = "reset" }, { base = 1, attempts = 4 })
    assert.same({ 10, 20, 40, 80 }, waits)
    assert.equal("closed", err.kind)
    waits, err = waits_of({ HEAD, "reset", HEAD, "reset", others = GONE }, { base = 1, attempts = 5 })
    assert.is_nil(err)
    assert.same({ 10, 20, 40, 80 }, waits)
    waits, err = waits_of({ HEAD, "reset", HEAD, others = GONE }, { base = 1, attempts = 3 })
    assert.matches("3 attempts in turn brought nothing", err.message, 1, true)
    assert.same({ 10, 20 }, waits)
    local list
    waits, err, list = waits_of({ "reset", HEAD .. "data: a\n\n", "reset", "reset", HEAD .. "data: b\n\n", "reset",
      others = GONE }, { base = 1 })
    assert.is_nil(err)
    assert.same({ "a", "b" }, list)
    assert.same({ 10, 10, 20, 40, 10, 20 }, waits)
  end)

  it("waits as long as the server said before each connection of the series", function()
    local busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n"
    local waits, err = waits_of({ HEAD .. "retry: 2000\ndata: a\n\n", "reset", busy .. "\r\n",
      busy .. "Retry-After: 7\r\n\r\n", others = GONE }, { attempts = 9 })
    assert.is_nil(err)
    assert.same({ 20, 20, 20, 70 }, waits)
    waits = waits_of({ HEAD .. "retry: 2000\ndata: a\n\n", "reset", others = GONE }, { base = 1, retry_after = false })
    assert.same({ 10, 20 }, waits)
    local told = {}
    waits = waits_of({ HEAD .. "retry: 2000\ndata: a\n\n", others = "reset" },
      { attempts = 5, on = function(attempt)
        told[#told + 1] = attempt.wait
        return #told < 3 and attempt.wait and 3 or false
      end })
    assert.same({ 30, 30 }, waits)
    assert.same({ 2, 2, 2 }, told)
  end)

  it("goes on when its server comes back after a while", function()
    clock.virtual(function()
      local function answer() return { headers = { ["Content-Type"] = "text/event-stream" },
        body = "retry: 1000\ndata: x\n\n" } end
      local s = assert(server.start(answer, { grace = 0 }))
      local client = http.client()
      local events = sse.connect(client, s.url)
      assert.equal("x", events().data)
      s:stop()
      task.spawn(function()
        task.sleep(2.5)
        s = assert(server.start(answer, { port = s.port, grace = 0 }))
      end)
      assert.equal("x", events().data)
      events:close()
      client:close()
      s:stop()
    end)
  end)

  it("can be asked again when the time for an event was over", function()
    local held = task.event()
    local url, requests = scripted { function(conn)
      conn:write(HEAD .. "data: a\n\n")
      held:wait()
      conn:write("data: b\n\n")
    end }
    local events = sse.connect(client_of(), url)
    assert.equal("a", events().data)
    local none, err = task.timeout(0.01, events)
    assert.is_nil(none)
    assert.equal("timeout", err.kind)
    held:set()
    assert.equal("b", events().data)
    assert.equal(1, #requests)
    events:close()
  end)

  it("is read by one task at a time", function()
    local held = task.event()
    local url = scripted { function(conn)
      conn:write(HEAD)
      held:wait()
      conn:write("data: a\n\n")
    end }
    local events = sse.connect(client_of(), url)
    local reader = task.spawn(events)
    task.yield()
    assert.matches("another task waits for the next event", message_of(function() events() end), 1, true)
    held:set()
    assert.equal("a", reader:join().data)
    events:close()
  end)

  it("counts bytes as life", function()
    local answers = {}
    for i = 1, 6 do answers[i] = HEAD .. ": still here\n\n" end
    local list, err, requests = follow(answers)
    assert.is_nil(err)
    assert.same({}, list)
    assert.equal(7, #requests)
  end)

  it("stays away with retry=false", function()
    local list, err, requests = follow({ HEAD .. "data: x\n\n" }, { retry = false })
    assert.same({ "x" }, list)
    assert.is_nil(err)
    assert.equal(1, #requests)
    list, err = follow({ CHUNKED .. "9\r\ndata: x\n\n\r\n" }, { retry = false })
    assert.same({ "x" }, list)
    assert.equal("truncated", err.kind)
  end)

  it("sends a POST again only when it may", function()
    local list, err, requests = follow({ HEAD .. "data: x\n\n", HEAD .. "data: y\n\n" },
      { method = "post", json = { a = 1 } })
    assert.same({ "x" }, list)
    assert.is_nil(err)
    assert.equal(1, #requests)
    assert.equal("POST", requests[1].method)
    assert.equal('{"a":1}', requests[1].body)
    list, err, requests = follow({ HEAD .. "id: 1\ndata: x\n\n", HEAD .. "data: y\n\n" },
      { method = "POST", form = { a = 1 }, idempotency_key = true })
    assert.is_nil(err)
    assert.same({ "x", "y" }, list)
    assert.equal("a=1", requests[2].body)
    assert.equal("1", requests[2].headers["last-event-id"])
    assert.equal(requests[1].headers["idempotency-key"], requests[2].headers["idempotency-key"])
  end)

  it("has no limit for the whole but that which is given, and heeds heartbeats", function()
    clock.virtual(function()
      local s = serving.start(function()
        local n = 0
        return { status = 200, headers = { ["Content-Type"] = "text/event-stream" }, body = function()
          n = n + 1
          task.sleep(20)
          if n > 30 then return nil end
          return n == 30 and "data: late\n\n" or ":\n"
        end }
      end)
      local client = http.client()
      local events = sse.connect(client, s.url)
      assert.equal("late", events().data)
      events:close()
      local list, err = gather(sse.connect(client, s.url, { timeout = { total = 100 } }))
      assert.same({}, list)
      assert.equal("timeout", err.kind)
      assert.equal("total", err.phase)
      client:close()
      client = http.client { timeout = 100 }
      err = select(2, gather(sse.connect(client, s.url)))
      assert.equal("total", err.phase)
      client:close()
    end)
  end)

  it("reconnects when nothing comes for timeout.read", function()
    local list, err, requests = follow({
      function(conn)
        conn:write(HEAD .. "id: 1\ndata: a\n\n")
        conn:read(1)
      end,
      HEAD .. "data: b\n\n",
    }, { timeout = { read = 0.2 } })
    assert.is_nil(err)
    assert.same({ "a", "b" }, list)
    assert.equal("1", requests[2].headers["last-event-id"])
  end)

  it("raises what is too large, once", function()
    local list, err, requests = follow({ HEAD .. "data: a\n\ndata: " .. ("x"):rep(200) .. "\n\n" }, { max = 100 })
    assert.same({ "a" }, list)
    assert.equal("too_large", err.kind)
    assert.equal(100, err.limit)
    assert.equal(1, #requests)
  end)

  it("ends when it is closed: before, between, while it connects, reads and waits", function()
    local url, requests = scripted { HEAD .. "data: a\n\ndata: b\n\n" }
    local client = client_of()
    local events = sse.connect(client, url)
    events:close()
    assert.is_nil(events())
    assert.equal(0, #requests)
    events = sse.connect(client, url)
    assert.equal("a", events().data)
    events:close()
    events:close()
    assert.is_nil(events())
    assert.is_nil(events())

    local reached = task.event()
    local silent = scripted {
      function(conn)
        conn:write(HEAD .. "data: a\n\n")
        reached:set()
        conn:read(1)
      end,
    }
    events = sse.connect(client, silent)
    local reader = task.spawn(function() return (gather(events)) end)
    reached:wait()
    serving.eventually(function() return events.response ~= nil end)
    task.sleep(0.02)
    events:close()
    assert.same({ "a" }, reader:join())

    reached = task.event()
    local mute = scripted { function(conn)
      reached:set()
      conn:sleep(0.1)
      conn:write(HEAD .. "data: a\n\n")
    end }
    events = sse.connect(client, mute)
    reader = task.spawn(function() return (gather(events)) end)
    reached:wait()
    events:close()
    assert.same({}, reader:join())

    events = sse.connect(client, (scripted { HEAD .. "retry: 50000\ndata: a\n\n" }))
    reader = task.spawn(function() return (gather(events)) end)
    serving.eventually(function() return events.waited ~= nil end)
    events:close()
    assert.same({ "a" }, reader:join())
    faults.settled(client)
  end)

  it("is cancelled at any instant, and leaves nothing", function()
    for _, delay in ipairs { 0, 0.01, 0.03, 0.06, 0.1 } do
      local url = scripted { function(conn)
        conn:sleep(0.03)
        conn:write(HEAD .. "retry: 20000\ndata: a\n\n")
        conn:sleep(0.03)
      end }
      local client = client_of()
      local reader = task.spawn(function() for _ in sse.connect(client, url) do end end)
      task.sleep(delay)
      reader:cancel()
      assert.is_false(pcall(reader.join, reader))
      assert.equal("canceled", reader.status)
      faults.settled(client)
    end
  end)

  it("asks retry.on, tells hooks, and raises what they raise", function()
    local seen, told = {}, {}
    local list, err = follow({ HEAD .. "data: a\n\n", CHUNKED, HEAD .. "data: b\n\n" }, { retry = {
      on = function(attempt)
        if attempt.status then return nil end
        seen[#seen + 1] = attempt.why
        return #seen < 3
      end,
    } }, { hooks = { retry = { function(event) told[#told + 1] = event.why end } } })
    assert.is_nil(err)
    assert.same({ "a", "b" }, list)
    assert.same({ "the stream ended", "truncated", "the stream ended" }, seen)
    assert.same({ "the stream ended", "truncated" }, told)
    err = select(2, follow({ HEAD .. "data: a\n\n" }, { retry = { on = function(e)
      if not e.status then error("no more", 0) end
    end } }))
    assert.equal("no more", err)
  end)

  it("raises mistakes at once", function()
    local client = client_of()
    assert.matches("bad argument #1 to 'sse.connect'", message_of(function() sse.connect("http://a/") end), 1, true)
    assert.matches("bad argument #2 to 'sse.connect'", message_of(function() sse.connect(client) end), 1, true)
    assert.matches("did you mean 'last_event_id'",
      message_of(function() sse.connect(client, "http://a/", { last_event = "1" }) end), 1, true)
    assert.matches("option 'stream' cannot be given",
      message_of(function() sse.connect(client, "http://a/", { stream = true }) end), 1, true)
    assert.matches("options must be a table", message_of(function() sse.connect(client, "http://a/", "x") end), 1, true)
    local _, err = pcall(sse.connect, client, "ftp://a/")
    assert.equal("url", err.kind)
  end)

  it("takes a raising client, lurcher.http itself, and prints no secret", function()
    local url = scripted { HEAD .. "data: a\n\n" }
    assert.same({ "a" }, (gather(sse.connect(client_of { raise = true }, url))))
    url = scripted { HEAD .. "data: a\n\n" }
    local events = sse.connect(http, url .. "/?token=s3cr3t", { retry = FAST })
    assert.equal("a", events().data)
    events:close()
    assert.is_nil(tostring(events):find("s3cr3t", 1, true))
  end)

  it("has nothing open when its loop was left and its task ended", function()
    local client = client_of()
    local s = assert(server.start(function()
      return { status = 200, headers = { ["Content-Type"] = "text/event-stream" }, body = function()
        task.sleep(0.01)
        return "data: x\n\n"
      end }
    end, { grace = 0 }))
    task.scope(function(scope)
      scope:spawn(function()
        assert.equal("x", sse.connect(client, s.url)().data)
      end)
    end)
    faults.settled(client)
    s:stop(0)
    assert.equal(0, native.counts().requests or 0)
  end)
end)
