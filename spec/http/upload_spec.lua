-- Uploads and what surrounds them: Expect, credentials, progress.

local clock_now = require("lurcher.task").now
local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

local bodies = {
  ["a string"] = function() return ("x"):rep(100000) end,
  ["a file"] = function()
    assert(fs.write(files.path "a", ("x"):rep(100000)))
    return http.file(files.path "a")
  end,
  ["an iterator"] = function()
    local n = 0
    return function()
      n = n + 1
      return n <= 10 and ("x"):rep(10000) or nil
    end
  end,
}

local function read_body(conn, request)
  local length = tonumber(request.headers["content-length"])
  if length then return #(conn:read(length) or "") end
  local got = ""
  repeat
    local bytes = conn:read()
    got = got .. (bytes or "")
  until not bytes or got:find("\r\n0\r\n\r\n", 1, true)
  local size = 0
  for digits in got:gmatch "%f[%x](%x+)\r\n" do size = size + tonumber(digits, 16) end
  return size
end

-- A server that answers each request by `answer(conn, request, seen)`, and notes what Expect it saw.
local function noting(answer)
  local seen = {}
  local s = faults.raw(function(conn)
    while true do
      local request = conn:read_head()
      if not request then return end
      seen[#seen + 1] = request.headers.expect or "none"
      if answer(conn, request, seen) == false then return end
    end
  end)
  return s, seen
end

describe("an upload", function()
  before_each(files.begin)
  after_each(files.finish)

  for what, body in pairs(bodies) do
    it(("of %s sends no Expect unless it is asked for"):format(what), function()
      local size
      local s, seen = noting(function(conn, request)
        if request.headers.expect then conn:write "HTTP/1.1 100 Continue\r\n\r\n" end
        size = read_body(conn, request)
        conn:write(OK)
      end)
      local client = faults.client()
      assert(client:put(s.url, { body = body() }))
      assert.equal(100000, size)
      assert(client:put(s.url, { body = body(), expect_continue = true }))
      assert.equal(100000, size)
      assert.same({ "none", "100-continue" }, seen)
    end)

    for _, closes in ipairs { true, false } do
      it(("of %s is sent once more, without Expect, after a 417 that %s the connection"):format(what,
        closes and "closes" or "keeps"), function()
        local size
        local s, seen = noting(function(conn, request)
          if request.headers.expect then
            conn:write(("HTTP/1.1 417 No\r\nContent-Length: 0\r\n%s\r\n"):format(closes and "Connection: close\r\n"
              or ""))
            return not closes
          end
          size = read_body(conn, request)
          conn:write(OK)
        end)
        local res = assert(faults.client():post(s.url, { body = body(), expect_continue = true }))
        assert.equal(200, res.status)
        assert.equal(1, res.attempts)
        assert.equal(100000, size)
        assert.same({ "100-continue", "none" }, seen)
      end)
    end

    it(("of %s with Expect may meet a 307 or 401 before it begins"):format(what), function()
      local s = noting(function(conn, request)
        if request.target == "/" then
          conn:write "HTTP/1.1 307 There\r\nLocation: /there\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
          return false
        elseif not request.headers.authorization then
          conn:write("HTTP/1.1 401 Who\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth\"\r\n"
            .. "Content-Length: 0\r\nConnection: close\r\n\r\n")
          return false
        end
        conn:write "HTTP/1.1 100 Continue\r\n\r\n"
        assert.equal(100000, read_body(conn, request))
        conn:write(OK)
      end)
      local res, err = faults.client { auth = http.digest("u", "p") }:post(s.url .. "/",
        { body = body(), expect_continue = true })
      assert.equal(200, res and res.status, tostring(err))
    end)

    it(("of %s tells its progress to a function, at the end too"):format(what), function()
      local s = noting(function(conn, request)
        read_body(conn, request)
        conn:write(OK)
      end)
      for _, stream in ipairs { false, true } do
        local told = {}
        local res = assert(faults.client():request("POST", s.url, { body = body(), stream = stream,
          progress = function(state) told[#told + 1] = state end }))
        if stream then assert.equal("ok", res:read_all()) end
        local last = told[#told]
        assert.equal(100000, last.sent)
        assert.equal(2, last.received)
        assert.equal(what ~= "an iterator" and 100000 or nil, last.total)
      end
    end)
  end

  it("tells its progress at most ten times a second, and more each time", function()
    assert(fs.write(files.path "big", ("x"):rep(12e6)))
    local s = noting(function(conn, request)
      local left = tonumber(request.headers["content-length"])
      while left > 0 do
        left = left - #assert(conn:read(math.min(left, 200000)))
        conn:sleep(0.01)
      end
      conn:write(OK)
    end)
    local told, began = {}, clock_now()
    assert(faults.client():put(s.url, { body = http.file(files.path "big"),
      progress = function(state) told[#told + 1] = state.sent end }))
    local seconds = clock_now() - began
    assert.is_true(#told >= 3 and #told <= seconds * 10 + 2, ("%d in %g s"):format(#told, seconds))
    for i = 2, #told do assert.is_true(told[i] >= told[i - 1]) end
    assert.equal(12e6, told[#told])
  end)

  it("ends when the function for its progress raises, and so do its iterator and clean-up", function()
    local cleaned = false
    local s = noting(function(conn, request) read_body(conn, request) end)
    local client = faults.client()
    local ok, err = pcall(client.post, client, s.url, {
      body = function()
        task.defer(function() cleaned = true end)
        task.sleep(0.02)
        return "abc"
      end,
      progress = function() error("not so", 0) end,
    })
    assert.is_false(ok)
    assert.equal("not so", err)
    assert.is_true(cleaned)
  end)

  it("tells of the response when nothing is sent", function()
    local s = serving.start(function() return { body = ("x"):rep(5000) } end)
    local last
    assert(faults.client { decompress = false }:get(s.url, { progress = function(state) last = state end }))
    assert.same({ sent = 0, received = 5000, total = 5000 }, last)
  end)

  it("signs files for digest auth-int; iterators are refused with the 401", function()
    local s = noting(function(conn, request)
      read_body(conn, request)
      local given = request.headers.authorization
      if given and given:find("qop=auth-int", 1, true) then return conn:write(OK) end
      conn:write("HTTP/1.1 401 Who\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth-int\"\r\n"
        .. "Content-Length: 0\r\n\r\n")
    end)
    for what, status in pairs { ["a string"] = 200, ["a file"] = 200, ["an iterator"] = 401 } do
      local client = faults.client { auth = http.digest("u", "p") }
      assert.equal(status, assert(client:put(s.url, { body = bodies[what]() })).status)
    end
  end)

  it("is signed for AWS as an unsigned payload", function()
    local digest
    local s = noting(function(conn, request)
      digest = request.headers["x-amz-content-sha256"]
      read_body(conn, request)
      conn:write(OK)
    end)
    local auth = http.aws_sigv4 { access_key = "a", secret_key = "b", region = "c", service = "s3" }
    for _, what in ipairs { "a file", "an iterator" } do
      assert(faults.client():put(s.url, { body = bodies[what](), auth = auth }))
      assert.equal("UNSIGNED-PAYLOAD", digest)
    end
  end)

  it("whose peer reads nothing burns no processor", function()
    local s = faults.raw(function(conn)
      conn:read_head()
      conn:sleep(60) -- it is closed at the spec's end
    end)
    local before = os.clock()
    local n = 0
    faults.check({ kind = "timeout", phase = "write" }, faults.client { timeout = { write = 0.7 } }:post(s.url,
      { body = function()
        n = n + 1
        return ("x"):rep(65536)
      end }))
    assert.is_true(os.clock() - before < 0.4 * (faults.sanitized() and 4 or 1), os.clock() - before)
  end)
end)
