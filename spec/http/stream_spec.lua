local fs = require "lurcher.fs"
local http = require "lurcher.http"
local origin = require "spec.support.origin"
local server = require "lurcher.server"
local task = require "lurcher.task"
local counts = require("lurcher.native.task").counts
local message_of = require("spec.support.raising").message

describe("a streamed response", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  local function stream(body, opts)
    site.answer = { body = body }
    opts = opts or {}
    opts.stream = true
    return assert(http.get(site.url, opts))
  end

  local function collect(...)
    local list = {}
    for item in ... do list[#list + 1] = item end
    return list
  end

  it("is there with its headers before its body", function()
    local go = task.event()
    site.answer = { headers = { ["X-A"] = "1" }, body = coroutine.wrap(function()
      coroutine.yield("first")
      go:wait()
      coroutine.yield("second")
    end) }
    local res = assert(http.get(site.url, { stream = true }))
    assert.are.equal(200, res.status)
    assert.are.equal("1", res.headers["x-a"])
    assert.matches("^a streamed response has no body: res:read_all%(%)", message_of(function() return res.body end))
    assert.are.equal("first", res:read())
    go:set()
    assert.are.equal("second", res:read())
    assert.is_nil(res:read())
  end)

  it("is read in pieces of a size at most", function()
    local list = collect(stream("0123456789"):chunks(4))
    assert.are.equal("0123456789", table.concat(list))
    for _, piece in ipairs(list) do assert.is_true(#piece <= 4) end
    assert.are.equal("0123456789", table.concat(collect(stream("0123456789"):chunks())))
    assert.are.same({}, collect(stream(""):chunks()))
  end)

  it("is read in bytes", function()
    local res = stream("abcdef")
    assert.are.equal("ab", res:read(2))
    assert.are.equal("cdef", res:read_all())
  end)

  it("is read once", function()
    local ways = {
      chunks = function(res) for _ in res:chunks() do end end,
      lines = function(res) for _ in res:lines() do end end,
      ndjson = function(res) for _ in res:ndjson() do end end,
      read = function(res) res:read() end,
      read_all = function(res) res:read_all() end,
      text = function(res) res:text() end,
      json = function(res) res:json() end,
    }
    for first, read_first in pairs(ways) do
      for second, read_second in pairs(ways) do
        local res = stream "{}"
        read_first(res)
        if first ~= "read" then
          local ok, message = pcall(function() read_second(res) end)
          assert(not ok, first .. " and then " .. second)
          assert.matches("read once$", message)
        end
      end
    end
  end)

  it("is read by one iterator", function()
    local res = stream "a\nb\nc\n"
    assert.are.equal("a", res:lines()())
    assert.are.equal("another iterator reads the stream already: it is read once",
      message_of(function() res:lines() end))
    assert.are.equal("b\nc\n", res:read_all())
    res = stream "abcdef"
    assert.are.equal("ab", res:read(2))
    assert.are.same({ "cdef" }, collect(res:chunks()))
  end)

  it("ends with nil as often as it is read in pieces", function()
    local res = stream "ab"
    assert.are.equal("ab", res:read())
    assert.is_nil(res:read())
    assert.is_nil(res:read())
    assert.are.equal("", res:read_all())
  end)

  it("is read in lines", function()
    assert.are.same({ "a", "", "b\rc", "d" }, collect(stream("a\n\r\nb\rc\r\nd"):lines()))
    assert.are.same({ "a\226\128\168b\194\133c" }, collect(stream("a\226\128\168b\194\133c\n"):lines()))
    assert.are.same({}, collect(stream(""):lines()))
  end)

  it("limits a line", function()
    local next_line = stream("short\n" .. ("x"):rep(100)):lines { max = 10 }
    assert.are.equal("short", next_line())
    local ok, err = pcall(next_line)
    assert.is_false(ok)
    assert.are.equal("too_large", err.kind)
    assert.equal("res:lines: unknown option 'maxx'; did you mean 'max'?",
      message_of(function() stream("x"):lines { maxx = 1 } end))
  end)

  it("is read as NDJSON", function()
    local list = collect(stream('{"a":1}\n\n  \r\n{"a":2}\r\n{"a":3}'):ndjson())
    assert.are.same({ { a = 1 }, { a = 2 }, { a = 3 } }, list)
  end)

  it("names the line that is no JSON", function()
    local next_value = stream('{"a":1}\n{"a":\n'):ndjson()
    next_value()
    local ok, err = pcall(next_value)
    assert.is_false(ok)
    assert.are.equal("decode", err.kind)
    assert.matches("line 2", err.message)
  end)

  it("is decoded as JSON or text like any other", function()
    assert.are.same({ a = 1 }, stream('{"a":1}'):json())
    assert.are.equal("x", stream("x"):text())
  end)

  it("gives what arrived before a fault, then raises", function()
    local bad = assert(server.raw(function(conn)
      conn:read_request()
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\none\ntwo\nthr")
    end))
    local res = assert(http.get(bad.url, { stream = true }))
    local got = {}
    local ok, err = pcall(function()
      for line in res:lines() do got[#got + 1] = line end
    end)
    assert.is_false(ok)
    assert.are.equal("truncated", err.kind)
    assert.are.equal(bad.url .. "/", err.url)
    assert.are.same({ "one", "two" }, got)
    res = assert(http.get(bad.url, { stream = true }))
    local body
    body, err = res:read_all()
    assert.is_nil(body)
    assert.are.equal("truncated", err.kind)
    bad:stop()
  end)

  it("is gathered up to max_body only", function()
    local big = server.start(function() return ("x"):rep(300000) end)
    local client = http.client { base_url = big.url, max_body = 100000 }
    local res = assert(client:get("/", { stream = true }))
    local body, err = res:read_all()
    assert.is_nil(body)
    assert.are.equal("too_large", err.kind)
    assert.are.equal(100000, err.limit)
    assert.are.equal(0, client:stats().in_flight)
    assert.are.equal(300000, #assert(client:get("/", { stream = true, max_body = false })):read_all())
    client:close()
    big:stop()
  end)

  it("is an error of kind status when the status is one", function()
    site.answer = { status = 404, body = '{"error":"gone"}' }
    local res, err = http.get(site.url, { stream = true })
    assert.is_nil(res)
    assert.are.equal("status", err.kind)
    assert.are.equal(404, err.response.status)
    assert.are.same({ error = "gone" }, err.response:json())
    res = assert(http.get(site.url, { stream = true, expect = false }))
    assert.are.equal('{"error":"gone"}', res:read_all())
    res = assert(http.get(site.url, { stream = true, expect = { 200, 404 } }))
    res:close()
  end)

  it("is an error from status 400 on", function()
    for status, kind in pairs { [399] = false, [400] = "status", [401] = "status" } do
      site.answer = { status = status, body = "x" }
      local res, err = http.get(site.url, { stream = true })
      assert.equal(kind, err and err.kind or false, "status " .. status)
      if res then res:close() end
    end
  end)

  it("follows redirects and retries before its body", function()
    local count = 0
    site.paths["/a"] = { status = 302, headers = { Location = "/b" }, body = "moved" }
    site.paths["/b"] = function()
      count = count + 1
      return { status = count == 1 and 503 or 200, body = "there" }
    end
    local res = assert(http.get(site.url .. "/a", { stream = true, retry = { base = 0 } }))
    assert.are.equal("there", res:read_all())
    assert.are.equal(2, res.attempts)
    assert.are.equal(1, #res.history)
  end)

  describe("saved to a file", function()
    local directory

    before_each(function()
      directory = os.tmpname()
      os.remove(directory)
      assert(fs.mkdir(directory))
    end)
    after_each(function() assert(fs.remove(directory, { recursive = true })) end)

    it("arrives whole, streamed or not", function()
      local body = ("0123456789"):rep(30000)
      local path = directory .. "/body"
      assert.are.equal(#body, stream(body):save(path))
      assert.are.equal(body, assert(fs.read(path)))
      assert.are.equal(#body, assert(http.get(site.url)):save(path))
    end)

    it("leaves nothing behind when it is cut", function()
      local bad = assert(server.raw(function(conn)
        conn:read_request()
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
      end))
      local res = assert(http.get(bad.url, { stream = true }))
      local saved, err = res:save(directory .. "/body")
      assert.is_nil(saved)
      assert.are.equal("truncated", err.kind)
      assert.are.same({}, fs.list(directory))
      bad:stop()
    end)

    it("is an error of kind file when it cannot be written", function()
      local saved, err = stream("x"):save(directory .. "/missing/body")
      assert.is_nil(saved)
      assert.are.equal("file", err.kind)
    end)
  end)

  it("is closed once, twice, and read no more", function()
    local res = stream(("x"):rep(1000000))
    res:close()
    res:close()
    assert.is_false((pcall(function() return assert(res:read()) end)))
  end)

  it("is closed when its task ends", function()
    local before = counts().stream or 0
    task.spawn(function() stream(("x"):rep(10000000)) end):join()
    assert.are.equal(before, counts().stream or 0)
    local handle = task.spawn(function()
      stream(("x"):rep(10000000))
      task.sleep(60)
    end)
    while (counts().stream or 0) == before do task.sleep(0.001) end
    handle:cancel()
    pcall(handle.join, handle)
    assert.are.equal(before, counts().stream or 0)
  end)

  it("needs stream=true", function()
    local res = assert(http.get(site.url))
    for _, name in ipairs { "chunks", "lines", "ndjson", "read", "read_all" } do
      assert.equal("only streamed responses are read: give stream=true or use client:stream",
        message_of(function() res[name](res) end))
    end
    res:close()
  end)

  describe("given to a function", function()
    local client

    before_each(function() client = http.client() end)
    after_each(function() client:close() end)

    it("is closed afterwards, and the results returned", function()
      site.answer = { body = ("x"):rep(1000000) }
      local before = counts().stream or 0
      local held
      local a, b, c = client:stream("GET", site.url, nil, function(res)
        held = res
        return res.status, nil, #res:read(10)
      end)
      assert.are.equal(200, a)
      assert.is_nil(b)
      assert.are.equal(10, c)
      assert.are.equal(before, counts().stream or 0)
      assert.is_false((pcall(function() return assert(held:read()) end)))
    end)

    it("is closed when the function fails", function()
      site.answer = { body = ("x"):rep(1000000) }
      local before = counts().stream or 0
      local ok, raised = pcall(client.stream, client, "GET", site.url, {}, function() error("broken", 0) end)
      assert.is_false(ok)
      assert.are.equal("broken", raised)
      assert.are.equal(before, counts().stream or 0)
    end)

    it("is not given when there is none", function()
      local called = false
      local res, err = client:stream("GET", "nonsense", {}, function() called = true end)
      assert.is_nil(res)
      assert.are.equal("url", err.kind)
      assert.is_false(called)
    end)

    it("is returned without a function", function()
      site.answer = { body = "abc" }
      assert.are.equal("abc", assert(client:stream("POST", site.url, { body = "x" })):read_all())
      assert.are.equal("POST", site:last().method)
    end)
  end)

  it("does not fill memory while nobody reads", function()
    local piece, sent = ("x"):rep(65536), 0
    site.answer = { body = function()
      sent = sent + 1
      if sent > 2000 then return nil end
      return piece
    end }
    local res = assert(http.get(site.url, { stream = true }))
    task.sleep(0.05)
    assert.is_true(sent < 1000)
    local total = 0
    for bytes in res:chunks() do total = total + #bytes end
    assert.are.equal(2000 * 65536, total)
  end)
end)
