-- What a client can make a server keep or believe, and what is heard of a handler that fails.

local assert = require "luassert"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

local connect = serving.connect
local MIB = 1024 * 1024

describe("a server keeps of what came", function()
  it("no more failures than a thousand", function()
    local s = serving.start(function() error "never" end, { record = 10 })
    for i = 1, 1001 do s:keep_error("failure " .. i) end
    local failures = s:errors()
    assert.equal(1000, #failures)
    assert.equal("failure 2", failures[1].error)
    assert.equal("failure 1001", failures[1000].error)
  end)

  it("no more of failed requests than 64 MiB", function()
    local s = serving.start(function(req) return nil, #req.body end)
    for _ = 1, 9 do
      local client = connect(s)
      client:send(("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"):format(10 * MIB) .. ("x"):rep(10 * MIB))
      assert.equal(500, client:response().status)
      client:close()
    end
    assert.equal(6, #s:errors())
    assert.equal(6, #s:requests())
  end)

  it("no more of what failures say than 64 MiB", function()
    local s = serving.start(function() error "never" end)
    for i = 1, 9 do s:keep_error(i .. ("x"):rep(10 * MIB)) end
    local failures = s:errors()
    assert.equal(6, #failures)
    assert.equal("4x", failures[1].error:sub(1, 2))
  end)

  it("no more of heads than 64 MiB", function()
    local s = serving.start(function() return "" end)
    local client = connect(s)
    local request = "GET / HTTP/1.1\r\nHost: a\r\nA: " .. ("x"):rep(60000) .. "\r\n\r\n"
    for _ = 1, 1200 do assert.equal(200, client:request(request).status) end
    assert.is_true(#s:requests() < 1150, #s:requests())
    assert.is_true(#s:requests() > 1000, #s:requests())
  end)
end)

describe("a server refuses", function()
  it("what is no Host", function()
    local s = serving.start(function() return "fine" end)
    for host, status in pairs {
      ["a"] = 200, ["a.b-c_d:80"] = 200, [""] = 200, ["[::1]:80"] = 200, ["[::1]"] = 200, ["1.2.3.4:"] = 200,
      ["%41!$&'()*+,;=~"] = 200,
      ["a b"] = 400, ["a/b"] = 400, ["u@h"] = 400, ["a:8x"] = 400, ["a:80:80"] = 400, ["[::1"] = 400, ["[]"] = 400,
      ["[::1]x"] = 400, ["a?b"] = 400, ["a#b"] = 400, ["\\a"] = 400, ["a\"b"] = 400, ["<a>"] = 400, ["h\195\182"] = 400,
      ["::1"] = 400, ["[a/b]"] = 400,
    } do
      local client = connect(s)
      assert.equal(status, client:request("GET / HTTP/1.1\r\nHost: " .. host .. "\r\n\r\n").status, host)
      client:close()
    end
  end)

  it("a bare LF in the lines of chunks and trailers", function()
    local s = serving.start(function(req) return req.body end)
    for body, status in pairs {
      ["3\r\nabc\r\n0\r\n\r\n"] = 200, ["3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n"] = 200,
      ["3\nabc\r\n0\r\n\r\n"] = 400, ["3;a\nabc\r\n0\r\n\r\n"] = 400, ["3\r\nabc\n0\r\n\r\n"] = 400,
      ["3\r\nabc\r\n0\n\r\n"] = 400, ["3\r\nabc\r\n0\r\n\n"] = 400, ["3\r\nabc\r\n0\r\nA: b\n\r\n"] = 400,
      ["3;\rx\r\nabc\r\n0\r\n\r\n"] = 400, ["3\r\nabc\r\n0\r\nGET / HTTP/1.1\r\n\r\n"] = 400,
    } do
      local client = connect(s)
      local res = client:request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" .. body)
      assert.equal(status, res.status, body)
      client:close()
    end
  end)

  it("to send a reason or a header with control characters", function()
    local bad
    local s = serving.start(function() return bad end)
    for i, case in ipairs {
      { { reason = "a\r\nb: c" }, "reason must be a string" }, { { reason = "a\nb" }, "reason must be" },
      { { reason = "a\27[2J" }, "reason must be" }, { { reason = "a\0" }, "reason must be" },
      { { reason = 7 }, "reason must be" }, { { headers = { a = "\27" } }, "may not stand there" },
    } do
      bad = case[1]
      local res = connect(s):request(serving.GET)
      assert.equal(500, res.status)
      assert.matches(case[2], tostring(s:errors()[i]), 1, true)
    end
    bad = { reason = "All is well\tthere" }
    assert.equal(200, connect(s):request(serving.GET).status)
  end)
end)

describe("a handler that raises", function()
  -- What a script whose handler ends so writes to stderr, and the status its client gets.
  local function logged(handler, status)
    local ended = process.run { "-e", [[
      local http, server = require "lurcher.http", require "lurcher.server"
      local s = server.start(function(req)
        ]] .. handler .. [[

      end)
      local res = http.get(s.url .. "/here?key=1", { retry = false })
      io.write(res and res.status or "none")
      s:stop()
    ]] }
    assert.equal(status or "500", ended.out)
    assert.equal(0, ended.status)
    return ended.err
  end

  it("is logged at error with its line, and answered 500", function()
    local err = logged 'error "it went wrong"'
    assert.truthy(err:find("ERROR", 1, true), err)
    assert.truthy(err:find(":3: it went wrong", 1, true), err)
    assert.truthy(err:find("GET /here", 1, true), err)
  end)

  it("is logged with its line where what it raised has none", function()
    for _, raised in ipairs { "{ kind = 'mine' }", "'no place', 0", "7", "setmetatable({}, { __tostring = error })" } do
      local err = logged("error(" .. raised .. ")")
      assert.truthy(err:find("ERROR", 1, true), err)
      assert.truthy(err:find("(command line):3", 1, true), err)
    end
  end)

  it("that gives another Content-Length than its body has is warned", function()
    local text = logged('do return { headers = { ["Content-Length"] = 5 }, body = "abc" } end', "none")
    assert.matches("WARN +the handler's Content%-Length is 5, but its body has 3 bytes", text)
  end)

  it("is logged when it returns nil and an error", function()
    assert.truthy(logged('return nil, "no luck"'):find("no luck", 1, true))
  end)

  it("is logged when it serves a bare connection", function()
    local ended = process.run { "-e", [[
      local http, server = require "lurcher.http", require "lurcher.server"
      local s = server.raw(function(conn)
        error "oops"
      end)
      http.get(s.url, { retry = false })
      s:stop()
    ]] }
    assert.truthy(ended.err:find("ERROR.*:3: oops"), ended.err)
  end)
end)
