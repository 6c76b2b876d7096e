-- Bodies read from files while they are sent: any size, in little memory, and never cut without a word.

local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local process = require "lurcher.process"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

-- A server that tells what it got: the framing in headers, the body as it came.
local function mirror(opts)
  return serving.start(function(req)
    return { headers = { ["X-Length"] = req.headers["content-length"] or "none",
      ["X-Coding"] = req.headers["transfer-encoding"] or "none", ["X-Type"] = req.headers["content-type"] or "none",
      ["X-Expect"] = req.headers["expect"] or "none" }, body = req.body }
  end, opts)
end

local function write(name, bytes)
  assert(fs.write(files.path(name), bytes))
  return files.path(name)
end

-- Bytes that do not repeat with the size of any buffer.
local function patterned(size)
  local lines = {}
  for i = 1, 6007 do lines[i] = ("%015d\n"):format(i) end
  return table.concat(lines):rep(math.ceil(size / 96112)):sub(1, size)
end

describe("a file as a body", function()
  before_each(files.begin)
  after_each(files.finish)

  for _, size in ipairs { 0, 1, 16, 65536, 262143, 262144, 262145, 524288, 3000000 } do
    it(("of %d bytes arrives whole, with its length, without Content-Type and Expect"):format(size), function()
      local bytes = patterned(size)
      local res = assert(faults.client():post(mirror().url, { body = http.file(write("a.png", bytes)) }))
      assert.is_true(res.body == bytes)
      assert.equal(tostring(size), res.headers["X-Length"])
      assert.equal("none", res.headers["X-Coding"])
      assert.equal("none", res.headers["X-Type"])
      assert.equal("none", res.headers["X-Expect"])
      assert.is_true(res.bytes_sent >= size)
    end)
  end

  it("is sent from an offset, so many bytes, with a type", function()
    local path = write("a", "0123456789")
    local client, url = faults.client(), mirror().url
    local function sent(opts) return assert(client:put(url, { body = http.file(path, opts) })) end
    assert.equal("3456789", sent({ offset = 3 }).body)
    assert.equal("0123", sent({ length = 4 }).body)
    assert.equal("56", sent({ offset = 5, length = 2 }).body)
    assert.equal("", sent({ offset = 10 }).body)
    assert.equal("text/x", sent({ type = "text/x" }).headers["X-Type"])
    local res = assert(client:put(url, { body = http.file(path, { type = "text/x" }),
      headers = { ["content-type"] = "text/y" } }))
    assert.equal("text/y", res.headers["X-Type"])
  end)

  it("goes over TLS, and again over the same connection", function()
    local s = mirror { tls = {} }
    local client, bytes = faults.client { tls = { ca = s.ca } }, patterned(1000000)
    local path = write("a", bytes)
    for i = 1, 3 do
      local res = assert(client:post(s.url, { body = http.file(path) }))
      assert.is_true(res.body == bytes)
      assert.equal(i > 1, res.reused)
    end
  end)

  it("is a response's opposite: what is streamed up and down at once comes back", function()
    local bytes = patterned(2000000)
    local opts = { body = http.file(write("a", bytes)), stream = true }
    local res = assert(faults.client():request("POST", mirror().url, opts))
    assert.is_true(assert(res:read_all()) == bytes)
  end)

  it("larger than 4 GiB has that length", function()
    local path = files.path "sparse"
    local size = 5 * 1024 ^ 3
    assert(process.run("truncate", { "-s", ("%.0f"):format(size), path }))
    local length
    local s = faults.raw(function(conn)
      local request = conn:read_head()
      length = request and request.headers["content-length"]
      conn:write("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    end)
    local res = faults.client():put(s.url, { body = http.file(path) })
    assert.equal(("%.0f"):format(size), length)
    if res then assert.equal(413, res.status) end
  end)

  it("takes little memory", function()
    local path = files.path "sparse"
    assert(process.run("truncate", { "-s", "64M", path }))
    local s = faults.raw(function(conn)
      local left = tonumber(conn:read_head().headers["content-length"])
      while left > 0 do left = left - #assert(conn:read()) end
      conn:write(OK)
    end)
    local before, most = faults.resident(), 0
    local watch = task.spawn(function()
      while true do
        task.sleep(0.02)
        most = math.max(most, faults.resident())
      end
    end)
    assert.equal(200, assert(faults.client():put(s.url, { body = http.file(path) })).status)
    watch:cancel()
    assert.is_true(most - before < 16 * 1024 * faults.memory_slack(), ("%d KiB more"):format(most - before))
  end)

  for what, opts in pairs { ["missing"] = { "none", code = "ENOENT" }, ["a folder"] = { "", code = "EISDIR" },
    ["with a file as folder"] = { "a/b", code = "ENOTDIR" } } do
    it(("that is %s is kind 'file' before anything is sent"):format(what), function()
      write("a", "x")
      local s = faults.answering(OK)
      local err = faults.check({ kind = "file", attempts = 0, message = "%(" .. opts.code .. "%)" },
        faults.client { retry = {} }:post(s.url, { body = http.file(files.path(opts[1])) }))
      assert.equal(opts.code, err.code)
      assert.equal(0, s:connections())
    end)
  end

  it("of which a range is asked for that is not there is kind 'file'", function()
    local path = write("a", "0123456789")
    for _, range in ipairs { { offset = 11 }, { offset = 5, length = 6 }, { length = 11 } } do
      faults.check({ kind = "file", attempts = 0, message = "10 bytes" },
        faults.client():post("http://127.0.0.1:1/", { body = http.file(path, range) }))
    end
  end)

  -- Has a server read so much of a body, do something, and go on to read.
  local function disturbed(act)
    local path, whole = write("a", patterned(8000000)), nil
    local s = faults.raw(function(conn)
      local length = tonumber(conn:read_head().headers["content-length"])
      assert(conn:read(100000))
      act(path)
      local rest = conn:read(length - 100000)
      whole = rest and #rest == length - 100000
      if whole then conn:write(OK) end
    end)
    local res, err = faults.client { retry = { base = 0 } }:put(s.url, { body = http.file(path) })
    faults.eventually(function() return whole ~= nil or not s:connections() end, "the server's end")
    return res, err, whole
  end

  for what, how in pairs {
    ["shrinks"] = function(path) assert(process.run("truncate", { "-s", "1000000", path })) end,
    ["grows"] = function(path) assert(fs.append(path, "more")) end,
    ["is written to"] = function(path)
      local file = assert(io.open(path, "r+b"))
      file:seek("set", 7900000)
      file:write "X"
      file:close()
    end,
  } do
    it(("that %s while it is sent is kind 'file', and never arrives whole"):format(what), function()
      local res, err, whole = disturbed(how)
      assert.is_nil(res)
      assert.equal("file", err.kind, tostring(err))
      assert.equal("write", err.phase)
      assert.is_false(whole and true or false)
      assert.truthy(tostring(err):find "a'", tostring(err))
    end)
  end

  it("that is removed while it is sent arrives whole", function()
    local res = disturbed(function(path) assert(fs.remove(path)) end)
    assert.equal(200, res.status)
  end)

  it("is sent again to where 307 and 308 lead, and after a 503", function()
    local bytes = patterned(700000)
    local path = write("a", bytes)
    local seen = {}
    local s = serving.start(function(req)
      seen[#seen + 1] = #req.body
      if req.path == "/307" then return { status = 307, headers = { Location = "/308" } } end
      if req.path == "/308" then return { status = 308, headers = { Location = "/end" } } end
      if #seen == 3 then return { status = 503 } end
      return { body = req.body }
    end)
    local res = assert(faults.client { retry = { base = 0 } }:put(s.url .. "/307", { body = http.file(path) }))
    assert.is_true(res.body == bytes)
    assert.same({ 700000, 700000, 700000, 700000 }, seen)
  end)

  it("that another took the place of before it is sent again is kind 'file'", function()
    local path = write("a", "0123456789")
    local s = serving.start(function(req)
      if req.path == "/end" then return { body = req.body } end
      assert(fs.write(path, "9876543210")) -- another file, renamed to there
      return { status = 307, headers = { Location = "/end" } }
    end)
    faults.check({ kind = "file", phase = "write" }, faults.client():put(s.url, { body = http.file(path) }))
  end)

  it("is sent again when a reused connection turns out to be closed", function()
    local bytes = patterned(500000)
    local path, count = write("a", bytes), 0
    local s = faults.raw(function(conn)
      while true do
        local request = conn:read_request()
        if not request then return end
        count = count + 1
        if count == 2 then return conn:close() end
        conn:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#request.body, request.body))
      end
    end)
    local client = faults.client()
    assert(client:put(s.url, { body = "x" }))
    local res = assert(client:put(s.url, { body = http.file(path) }))
    assert.is_true(res.body == bytes)
    assert.equal(3, count)
  end)

  it("stops to be read where the server answers early, and the answer counts", function()
    local path = files.path "sparse"
    assert(process.run("truncate", { "-s", "200M", path }))
    local s = faults.raw(function(conn)
      conn:read_head()
      conn:read(1000)
      conn:write("HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlong")
      conn:shutdown()
      while conn:read() do end
    end)
    local res = assert(faults.client():put(s.url, { body = http.file(path) }))
    assert.equal(413, res.status)
    assert.equal("long", res.body)
    assert.is_true(res.bytes_sent < 100e6)
  end)

  it("leaves no descriptor open, however the request ends", function()
    local path = files.path "sparse"
    assert(process.run("truncate", { "-s", "50M", path }))
    local slow = faults.raw(function(conn)
      conn:read_head()
      conn:sleep(30)
    end)
    local client = faults.client()
    local before = faults.descriptors()
    for _ = 1, 5 do
      local sending = task.spawn(function() client:put(slow.url, { body = http.file(path) }) end)
      faults.eventually(function() return client:stats().in_flight == 1 end, "a request")
      task.sleep(0.02)
      sending:cancel()
      pcall(sending.join, sending)
    end
    client:close()
    slow:stop()
    faults.eventually(function() return faults.descriptors() <= before end, "the closing of files")
  end)

  it("waits with its server, without limit of time.write while the disk is read, and with it when the peer is slow",
    function()
      local path = files.path "sparse"
      assert(process.run("truncate", { "-s", "50M", path }))
      local s = faults.raw(function(conn)
        conn:read_head()
        conn:sleep(30)
      end)
      faults.check({ kind = "timeout", phase = "write" },
        faults.client { timeout = { write = 0.1 } }:put(s.url, { body = http.file(path) }))
    end)
end)

describe("a pipe as a body", function()
  before_each(files.begin)
  after_each(files.finish)

  local function fifo(command)
    local path = files.path "pipe"
    assert(process.run("mkfifo", { path }))
    task.spawn(function() assert(process.run("sh", { "-c", command .. " > " .. path })) end)
    return path
  end

  it("is sent chunked, as it comes", function()
    local path = fifo "(printf abc; sleep 0.2; printf def)"
    local res = assert(faults.client { timeout = { write = 0.1, read = 0.1 } }:post(mirror().url,
      { body = http.file(path) }))
    assert.equal("abcdef", res.body)
    assert.equal("chunked", res.headers["X-Coding"])
    assert.equal("none", res.headers["X-Length"])
  end)

  it("with a length is sent with that, and is kind 'file' when it ends before", function()
    local res = assert(faults.client():post(mirror().url, { body = http.file(fifo "printf abcdef", { length = 4 }) }))
    assert.equal("abcd", res.body)
    assert.equal("4", res.headers["X-Length"])
    assert(fs.remove(files.path "pipe"))
    faults.check({ kind = "file", phase = "write", message = "3 of 4 bytes" },
      faults.client():post(mirror().url, { body = http.file(fifo "printf abc", { length = 4 }) }))
  end)

  it("cannot be sent again: 307 is kind 'redirect', a 503 the response", function()
    local s = serving.start(function(req)
      if req.path == "/503" then return { status = 503 } end
      return { status = 307, headers = { Location = "/" } }
    end)
    faults.check({ kind = "redirect", message = "cannot be sent again" },
      faults.client():put(s.url, { body = http.file(fifo "printf abc") }))
    assert(fs.remove(files.path "pipe"))
    local res = assert(faults.client { retry = { base = 0 } }:put(s.url .. "/503",
      { body = http.file(fifo "printf abc") }))
    assert.equal(503, res.status)
    assert.equal(1, res.attempts)
  end)

  it("of /proc is sent, though it says it is empty", function()
    local res = assert(faults.client():post(mirror().url, { body = http.file "/proc/version" }))
    assert.matches("^Linux", res.body)
  end)
end)

describe("http.file", function()
  it("refuses what is no path or option", function()
    assert.has_error(function() http.file(1) end, "bad argument #1 to 'http.file' (string expected, got 1)")
    assert.has_error(function() http.file "a\0b" end, "http.file: a path cannot contain a NUL byte")
    assert.error_matches(function() http.file("a", { ofset = 1 }) end, "did you mean 'offset'")
    for _, wrong in ipairs { -1, 0.5, "1", 1 / 0 } do
      assert.error_matches(function() http.file("a", { offset = wrong }) end, "a whole number of at least 0")
    end
  end)

  it("is shown by name", function()
    assert.equal('http.file("a b.txt")', tostring(http.file "a b.txt"))
  end)
end)

describe("a file as a body that waits in the queue", function()
  before_each(files.begin)
  after_each(files.finish)

  -- What happens to the file while the request waits behind another; then what came of the request.
  local function queued(change, body)
    local path = write("a", "old bytes")
    local waiting, gate = 0, task.event()
    local s = serving.start(function(req)
      waiting = waiting + 1
      if waiting == 1 then gate:wait() end
      return { body = req.body }
    end)
    local client = faults.client { limits = { per_origin = 1 } }
    local first = task.spawn(function() assert(client:get(s.url)) end)
    serving.eventually(function() return waiting == 1 end, "the first request")
    local res, err
    local second = task.spawn(function()
      res, err = client:post(s.url, { body = body and body(path) or http.file(path) })
    end)
    serving.eventually(function() return client:stats().waiting == 1 end, "the second in the queue")
    change(path)
    gate:set()
    first:join()
    second:join()
    return res, err
  end

  it("is sent as it is when its turn comes", function()
    for _, bytes in ipairs { "new", "much longer than the old bytes were", "" } do
      local res, err = queued(function(path) assert(fs.write(path, bytes)) end)
      assert.equal(bytes, assert(res, err).body)
    end
  end)

  it("of which a range is asked for is sent from there", function()
    local function range(path) return http.file(path, { offset = 2, length = 5 }) end
    assert.equal("w byt", assert(queued(function(path) assert(fs.write(path, "new bytes")) end, range)).body)
    faults.check({ kind = "file", message = "not within it" },
      queued(function(path) assert(fs.write(path, "new")) end, range))
  end)

  it("is kind 'file' when it is gone, or no plain file, when its turn comes", function()
    faults.check({ kind = "file", phase = "write", message = "ENOENT" },
      queued(function(path) assert(fs.remove(path)) end))
    faults.check({ kind = "file", phase = "write", message = "EISDIR" }, queued(function(path)
      assert(fs.remove(path))
      assert(fs.mkdir(path))
    end))
  end)
end)

describe("many files as bodies", function()
  it("wait for descriptors where there are few", function()
    files.begin()
    task.defer(files.finish)
    write("a", ("x"):rep(300000))
    local script = assert(write("many.lua", [[
      local http, server, task = require "lurcher.http", require "lurcher.server", require "lurcher.task"
      local s = assert(server.start(function(req) return { body = tostring(#req.body) } end))
      local list, path = {}, ...
      for i = 1, 200 do list[i] = i end
      local client, done = http.client { limits = { per_origin = 30 } }, 0
      task.map(list, function()
        assert(assert(client:put(s.url, { body = http.file(path) })).body == "300000")
        done = done + 1
      end, { concurrency = 200 })
      print(done)
      s:stop(0)
    ]]))
    local lurcher = require("spec.support.process").lurcher
    local run = assert(process.run("sh", { "-c", 'ulimit -n 100; exec "$@"', "sh", lurcher, script, files.path "a" }))
    assert.equal("200\n", run.stdout, run.stderr)
  end)
end)
