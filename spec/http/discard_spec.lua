-- Responses that are not for the script (a redirect that is followed, a status that is repeated): their bodies decide
-- over nothing. What is wrong with them is not looked at, and little is read of them.

local assert = require "luassert"
local faults = require "spec.support.faults"
local http2 = require "spec.support.http2"
local task = require "lurcher.task"

-- Bodies that would fail a call whose response they were, with the headers that announce them.
local BODIES = {
  ["damaged gzip"] = "Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
  ["an unknown coding"] = "Content-Encoding: foo\r\nContent-Length: 8\r\n\r\nnot gzip",
  ["more than max_body"] = "Content-Length: 5000\r\n\r\n" .. ("x"):rep(5000),
  ["more than max_body in chunks"] = "Transfer-Encoding: chunked\r\n\r\n1388\r\n" .. ("x"):rep(5000) .. "\r\n0\r\n\r\n",
  ["a body cut short"] = "Content-Length: 100\r\n\r\nabc",
  ["a bad chunk"] = "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
  ["silence"] = "Content-Length: 100\r\n\r\nabc",
  ["a drip"] = "Content-Length: 100\r\n\r\n",
  ["a megabyte"] = "Content-Length: 1048576\r\n\r\n" .. ("x"):rep(1048576),
  ["chunks without end"] = "Transfer-Encoding: chunked\r\n\r\n",
}

local HEADS = {
  redirect = "HTTP/1.1 302 Found\r\nLocation: /end\r\n",
  ["307"] = "HTTP/1.1 307 Again\r\nLocation: /end\r\n",
  ["repeated"] = "HTTP/1.1 503 Busy\r\n",
  ["held"] = "HTTP/1.1 429 Busy\r\nRetry-After: 0\r\n",
}

-- Answers the first request to "/" with such a head and body.
local function serve(head, what)
  local first = true
  return faults.raw(function(conn)
    while true do
      local request = conn:read_request()
      if not request then return end
      if request.path == "/end" or not first then
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend")
      else
        first = false
        conn:write(HEADS[head] .. BODIES[what])
        if what:find "cut" or what:find "bad" then return end
        while what == "a drip" or what == "chunks without end" do
          if not conn:write(what == "a drip" and "x" or "5\r\nxxxxx\r\n") then return end
          conn:sleep(0.01)
        end
        if what == "silence" then
          conn:sleep(30)
          return
        end
      end
    end
  end)
end

local CLIENT = { retry = { base = 0 }, max_body = 1000, timeout = { read = 5, total = 10 } }

describe("the body of a response that is not for the script", function()
  for head in pairs(HEADS) do
    for what in pairs(BODIES) do
      for _, how in ipairs { "buffered", "streamed", "with hooks", "with auth" } do
        it(("decides over nothing: %s, %s, %s"):format(head, what, how), function()
          local s = serve(head, what)
          local client = faults.client(CLIENT)
          local opts = { stream = how == "streamed" }
          if how == "with hooks" then
            local nothing = { function() end }
            client = faults.client { retry = CLIENT.retry, max_body = 1000, timeout = CLIENT.timeout,
              hooks = { request = nothing, response = nothing, retry = nothing, redirect = nothing } }
          elseif how == "with auth" then
            opts.auth = function(request, next) return next(request) end
          end
          local res = assert(client:get(s.url .. "/", opts))
          assert.equal("end", opts.stream and res:read_all() or res.body)
          assert.equal(200, res.status)
        end)
      end
    end
  end

  it("is waited for a tenth of a second only", function()
    local s = serve("redirect", "silence")
    local begin = task.now()
    assert(faults.client { retry = false, timeout = { read = 20, total = 30 } }:get(s.url .. "/"))
    local waited = task.now() - begin
    assert.is_true(waited >= 0.09 and waited < 10, waited) -- else it waits for timeout.read
  end)

  it("leaves the connection in use when it is short", function()
    local connections = 0
    local s = faults.raw(function(conn)
      connections = connections + 1
      while true do
        local request = conn:read_request()
        if not request then return end
        local last = request.path == "/9"
        conn:write(last and "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
          or ("HTTP/1.1 302 F\r\nLocation: /%d\r\nContent-Length: 60000\r\n\r\n%s"):format(
            (tonumber(request.path:sub(2)) or 0) + 1, ("x"):rep(60000)))
      end
    end)
    for _, stream in ipairs { false, true } do
      connections = 0
      local res = assert(faults.client { retry = false }:get(s.url .. "/", { stream = stream }))
      assert.equal(1, connections)
      assert.equal(9, #res.history)
      res:close()
    end
  end)

  it("ends the connection when it is more than 64 KiB", function()
    local sent = 0
    local s = faults.raw(function(conn)
      local request = conn:read_request()
      if request.path == "/end" then
        conn:write "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend"
        return
      end
      conn:write "HTTP/1.1 302 F\r\nLocation: /end\r\nTransfer-Encoding: chunked\r\n\r\n"
      local chunk = ("10000\r\n%s\r\n"):format(("x"):rep(65536))
      while sent < 400 * 65536 and conn:write(chunk) do sent = sent + 65536 end
    end)
    assert.equal("end", assert(faults.client { retry = false }:get(s.url .. "/")).body)
    assert.is_true(sent < 400 * 65536, sent)
  end)

  for form, body in pairs {
    ["Content-Length: 66000"] = ("x"):rep(66000),
    ["Transfer-Encoding: chunked"] = ("5000\r\n%s\r\n"):format(("x"):rep(0x5000)):rep(4) .. "0\r\n\r\n",
  } do
    it("ends the connection when it is a little more than 64 KiB, " .. form, function()
      local s = faults.raw(function(conn)
        while true do
          local request = conn:read_request()
          if not request then return end
          if request.path == "/end" then
            conn:write "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend"
          else
            conn:write(("HTTP/1.1 302 F\r\nLocation: /end\r\n%s\r\n\r\n"):format(form))
            task.sleep(0.01) -- what comes with the head is no matter
            conn:write(body)
          end
        end
      end)
      assert.equal("end", assert(faults.client { retry = false }:get(s.url .. "/")).body)
      assert.equal(2, s:connections())
    end)
  end

  it("stays in the history when it is short and plain", function()
    local s = faults.raw(function(conn)
      while true do
        local request = conn:read_request()
        if not request then return end
        conn:write(request.path == "/" and "HTTP/1.1 302 F\r\nLocation: /end\r\nContent-Length: 5\r\n\r\nmoved"
          or "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend")
      end
    end)
    local res = assert(faults.client { retry = false }:get(s.url .. "/"))
    assert.equal("moved", res.history[1].body)
  end)

  it("is there for hooks and retry.on, which may look at it", function()
    local seen = {}
    local client = faults.client {
      retry = { base = 0, attempts = 2, on = function(attempt) seen[#seen + 1] = attempt.response.body end },
      hooks = { response = { function(res) seen[#seen + 1] = res:text() end } },
    }
    local s = faults.answering "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy"
    local res = assert(client:get(s.url))
    assert.equal("busy", res.body)
    assert.same({ "busy", "busy", "busy" }, seen)
  end)
end)

describe("a response that turns out to be for the script", function()
  local function last_answer(text, opts)
    local s = faults.answering(text)
    return faults.client { retry = { attempts = 2, base = 0 }, max_body = 1000, timeout = { read = 0.2 },
      redirects = opts and opts.redirects }:get(s.url, opts)
  end

  it("has its body, decoded", function()
    local gzip = "\31\139\8\0\0\0\0\0\0\3\203\72\205\201\201\7\0\134\166\16\54\5\0\0\0"
    local res = assert(last_answer(
      ("HTTP/1.1 503 Busy\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"):format(#gzip, gzip)))
    assert.equal("hello", res.body)
    assert.equal(2, res.attempts)
    assert.is_nil(rawget(res, "stream"))
    assert.is_true(res.bytes_received > #gzip)
    assert.has_error(function() res:read() end,
      "only streamed responses are read: give stream=true or use client:stream")
  end)

  it("fails as any other with what is wrong with its body", function()
    for what, kind in pairs {
      ["damaged gzip"] = "decode", ["an unknown coding"] = "decode", ["more than max_body"] = "too_large",
      ["more than max_body in chunks"] = "too_large", ["a body cut short"] = "truncated", ["a bad chunk"] = "protocol",
    } do
      local res, err = last_answer("HTTP/1.1 503 Busy\r\n" .. BODIES[what])
      faults.check({ kind = kind, phase = "read", attempts = 2 }, res, err)
      res, err = last_answer("HTTP/1.1 302 F\r\n" .. BODIES[what], { retry = false })
      faults.check({ kind = kind, phase = "read" }, res, err)
    end
    local res, err = last_answer "HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 7\r\n\r\nabc"
    assert.is_nil(res)
    assert.equal("redirect", err.kind)
  end)

  it("is a redirect that is not followed", function()
    local res = assert(last_answer("HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 3\r\n\r\nabc",
      { redirects = false }))
    assert.equal("abc", res.body)
    res = assert(last_answer "HTTP/1.1 302 F\r\nContent-Length: 3\r\n\r\nabc") -- nowhere to go
    assert.equal("abc", res.body)
  end)

  it("is waited for as long as timeout.read allows", function()
    local s = faults.answering("HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\na", function(conn)
      conn:sleep(0.3)
      conn:write "bc"
    end)
    assert.equal("abc", assert(faults.client { retry = { attempts = 1 } }:get(s.url)).body)
    local res, err = faults.client { retry = { attempts = 1 }, timeout = { read = 0.1 } }:get(s.url)
    faults.check({ kind = "timeout", phase = "read" }, res, err)
  end)

  it("is cancelled with its task while it comes", function()
    local s = faults.answering("HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\na", function(conn) conn:sleep(30) end)
    local client = faults.client { retry = { attempts = 1 } }
    local waiting = task.spawn(function() return client:get(s.url) end)
    faults.eventually(function() return client:stats().in_flight == 1 end)
    task.sleep(0.02)
    waiting:cancel()
    assert.is_false((pcall(function() return waiting:join() end)))
    faults.settled(client)
  end)

  it("comes while the request is still sent", function()
    local s = faults.raw(function(conn)
      conn:read(1000)
      conn:write "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy"
      conn:sleep(0.1)
    end)
    local res, err = faults.client { retry = { attempts = 2, base = 0 } }:put(s.url, { body = ("x"):rep(4000000) })
    assert.equal("busy", res and res.body, tostring(err))
  end)
end)

describe("a response over HTTP/2 that is not for the script", function()
  -- What follows the head of a redirect.
  local FOLLOWS = {
    ["damaged gzip"] = function(conn, stream) conn:data(stream, "not gzip", true) end,
    ["silence"] = function(conn, stream) conn:data(stream, "abc") end,
    ["a reset"] = function(conn, stream) conn:reset(stream, "INTERNAL_ERROR") end,
    ["too much"] = function(conn, stream)
      for _ = 1, 6 do conn:data(stream, ("x"):rep(16000)) end
    end,
  }

  for what, follow in pairs(FOLLOWS) do
    it("decides over nothing: " .. what, function()
      local s = http2.server(function(conn)
        local first = conn:request()
        conn:send("HEADERS", http2.END_HEADERS, first, http2.block {
          { ":status", "302" }, { "location", "/end" }, { "content-encoding", "gzip" } })
        follow(conn, first)
        local second = conn:request()
        conn:respond(second, "end")
        conn:next()
      end)
      for _, stream in ipairs { false, true } do
        local client = faults.client { retry = false, tls = { ca = s.ca }, timeout = { read = 5 }, max_body = 1000 }
        local res = assert(client:get(s.url .. "/", { stream = stream }))
        assert.equal("end", stream and res:read_all() or res.body)
        assert.equal("2", res.http_version)
        faults.settled(client)
      end
    end)
  end
end)
