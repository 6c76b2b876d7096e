local faults = require "spec.support.faults"
local http2 = require "spec.support.http2"
local servers = require "spec.support.servers"
local task = require "lurcher.task"

local HEAD = "HTTP/1.1 200 OK\r\n"
local MIB = 1024 * 1024

local function chunked(pieces)
  local bytes = { HEAD, "Transfer-Encoding: chunked\r\n\r\n" }
  for _, piece in ipairs(pieces) do bytes[#bytes + 1] = ("%x\r\n%s\r\n"):format(#piece, piece) end
  bytes[#bytes + 1] = "0\r\n\r\n"
  return table.concat(bytes)
end

-- A streamed response to these bytes.
local function open(bytes, finish, opts)
  local s = faults.answering(bytes, finish)
  local client = faults.client(opts)
  return assert(client:get(s.url, { stream = true })), client, s
end

-- What an iterator gives before it ends, and what it raises.
local function gather(iterator)
  local list = {}
  local ok, err = pcall(function()
    for item in iterator do list[#list + 1] = item end
  end)
  return list, not ok and err or nil
end

local function lines_of(text, opts)
  local res = open(HEAD .. "Content-Length: " .. #text .. "\r\n\r\n" .. text)
  return gather(res:lines(opts))
end

describe("a slow reader", function()
  local nginx

  setup(function()
    nginx = servers.nginx()
    servers.write(nginx.directory .. "/www/large", ("0123456789abcdef"):rep(MIB))
    servers.write(nginx.directory .. "/www/large1", ("0123456789abcdef"):rep(MIB / 16))
  end)

  teardown(function() nginx:stop() end)

  for _, protocol in ipairs { "http", "https", "http2" } do
    for _, decompress in ipairs { false, true } do
      it("gets all of a " .. (decompress and "gzip " or "") .. "body over " .. protocol, function()
        local client = faults.client { tls = { ca = nginx.ca }, decompress = decompress }
        local res = assert(client:get(nginx[protocol] .. "/large", { stream = true }))
        local size, reads = 0, 0
        for piece in res:chunks() do
          assert.equal(("0123456789abcdef"):sub(size % 16 + 1, size % 16 + 1), piece:sub(1, 1))
          size, reads = size + #piece, reads + 1
          if reads % 16 == 0 then task.sleep(0.001) end
        end
        assert.equal(16 * MIB, size)
        faults.settled(client)
      end)
    end
  end

  -- On a connection that was used before, the request can be sent, answered and held back before the loop
  -- hears that its socket is no longer idle.
  for _, protocol in ipairs { "http", "https" } do
    it("gets all of a body that it reads late on a connection used before, over " .. protocol, function()
      for _, decompress in ipairs { false, true } do
        local client = faults.client { tls = { ca = nginx.ca }, decompress = decompress }
        for _ = 1, 20 do
          assert(client:get(nginx[protocol] .. "/small"))
          local res = assert(client:get(nginx[protocol] .. "/large1", { stream = true }))
          task.sleep(0.01)
          assert.equal(MIB, #assert(res:read_all()))
          assert.is_true(res.reused)
        end
      end
    end)
  end

  it("holds back one HTTP/2 stream and not the others of its connection", function()
    local client = faults.client { tls = { ca = nginx.ca }, decompress = false }
    local slow = assert(client:get(nginx.http2 .. "/large", { stream = true }))
    assert(slow:read())
    for _ = 1, faults.sanitized() and 1 or 3 do
      assert.equal(16 * MIB, #assert(client:get(nginx.http2 .. "/large")).body)
    end
    local size = 0
    for piece in slow:chunks() do size = size + #piece end
    assert.is_true(size > 15 * MIB)
  end)

  it("costs no memory, whatever the server sends", function()
    local piece, sent = ("x"):rep(64 * 1024), 0
    local s = faults.server(function(conn)
      conn:write(HEAD .. "Content-Length: " .. 200 * MIB .. "\r\n\r\n")
      while sent < 200 * MIB and conn:write(piece) do sent = sent + #piece end
    end)
    local res = assert(faults.client():get(s.url, { stream = true }))
    local before = faults.resident()
    task.sleep(0.1)
    assert.is_true(sent < 64 * MIB, "the server is held back")
    local size, most = 0, 0
    for bytes in res:chunks() do
      local previous = size
      size = size + #bytes
      if math.floor(size / (20 * MIB)) > math.floor(previous / (20 * MIB)) then
        most = math.max(most, faults.resident())
      end
    end
    assert.equal(200 * MIB, size)
    assert.is_true(most - before < 32 * 1024, "grew by " .. (most - before) .. " KiB")
  end)

  it("is not timed out while it does not read", function()
    local piece = ("x"):rep(MIB) -- made before, and sent piece by piece: the loop goes on meanwhile
    local s = faults.server(function(conn)
      conn:write(HEAD .. "Content-Length: " .. 32 * MIB .. "\r\n\r\n")
      for _ = 1, 32 do conn:write(piece) end
    end)
    local res = assert(faults.client { timeout = { read = 1 } }:get(s.url, { stream = true }))
    task.sleep(1.5)
    assert.equal(32 * MIB, #assert(res:read_all()))
  end)

  it("gets what the socket held when the peer reset it", function()
    local s = faults.server(function(conn)
      conn:write(HEAD .. "Content-Length: " .. 64 * MIB .. "\r\n\r\n")
      local written = 0
      task.timeout(0.2, function()
        while conn:write(("x"):rep(65536)) do written = written + 65536 end
      end)
      conn:reset()
    end)
    local res = assert(faults.client():get(s.url, { stream = true }))
    task.sleep(0.3)
    local size = 0
    local ok, err = pcall(function()
      for bytes in res:chunks() do size = size + #bytes end
    end)
    assert.is_false(ok)
    assert.equal("truncated", err.kind)
    assert.is_true(size > 400 * 1024, "got " .. size)
  end)
end)

describe("pieces", function()
  it("come as they are sent, and at most as long as asked for", function()
    local res = open(chunked { "hello", " ", "world" })
    local list, err = gather(res:chunks(3))
    assert.is_nil(err)
    assert.equal("hello world", table.concat(list))
    for _, piece in ipairs(list) do assert.is_true(#piece >= 1 and #piece <= 3) end
  end)

  it("are read one by one until nil, and nil again", function()
    local res = open(chunked { "hello" })
    assert.equal("he", res:read(2))
    assert.equal("llo", res:read())
    assert.is_nil(res:read())
    assert.is_nil(res:read())
  end)

  it("and the rest go together", function()
    local res = open(chunked { "hello world" })
    assert.equal("hello", res:read(5))
    assert.equal(" world", res:read_all())
  end)

  it("of an empty body are none", function()
    local list, err = gather(open(HEAD .. "Content-Length: 0\r\n\r\n"):chunks())
    assert.same({}, list)
    assert.is_nil(err)
  end)

  it("that came before a fault are given before it", function()
    for _, finish in ipairs { function() end, function(conn)
      conn:sleep(0.02)
      conn:reset()
    end } do
      local res, client = open(HEAD .. "Content-Length: 10\r\n\r\nhello", finish)
      local list, err = gather(res:chunks())
      assert.equal("hello", table.concat(list))
      assert.equal("truncated", err.kind)
      assert.equal("read", err.phase)
      faults.settled(client)
    end
  end)

  it("do not end quietly when a read failed before", function()
    local res = open(HEAD .. "Content-Length: 10\r\n\r\nhello")
    assert.equal("hello", res:read())
    local bytes, err = res:read()
    assert.is_nil(bytes)
    assert.equal("truncated", err.kind)
    bytes, err = res:read()
    assert.is_nil(bytes)
    assert.equal("truncated", err.kind)
  end)

  it("decoded before damaged gzip data are given before the error", function()
    local pipe = assert(io.popen "head -c 2000000 /dev/urandom | od -An -tx1 | gzip -c")
    local bytes = pipe:read "*a"
    pipe:close()
    local half = math.floor(#bytes / 2)
    bytes = bytes:sub(1, half) .. ("\0"):rep(100) .. bytes:sub(half + 101)
    local res = open(HEAD .. "Content-Encoding: gzip\r\nContent-Length: " .. #bytes .. "\r\n\r\n" .. bytes)
    local list, err = gather(res:chunks())
    assert.equal("decode", err.kind)
    assert.equal("read", err.phase)
    assert.is_true(#table.concat(list) > 1000000)
  end)

  it("of a gzip bomb come bit by bit", function()
    local pipe = assert(io.popen "head -c 100000000 /dev/zero | gzip -c")
    local bytes = pipe:read "*a"
    pipe:close()
    local res = open(HEAD .. "Content-Encoding: gzip\r\nContent-Length: " .. #bytes .. "\r\n\r\n" .. bytes)
    local before, size, most = faults.resident(), 0, 0
    for piece in res:chunks() do
      local previous = size
      size = size + #piece
      if math.floor(size / 2e7) > math.floor(previous / 2e7) then most = math.max(most, faults.resident()) end
    end
    assert.equal(100000000, size)
    assert.is_true(most - before < 32 * 1024, "grew by " .. (most - before) .. " KiB")
  end)
end)

describe("lines", function()
  it("end in LF or CRLF, and in nothing else", function()
    assert.same({ "a", "b", "", "c\rd", "e\226\128\168f", "g\194\133h", "i\11j\12k" },
      lines_of "a\nb\r\n\nc\rd\ne\226\128\168f\ng\194\133h\ni\11j\12k\n")
  end)

  it("need no end in the last one", function() assert.same({ "a", "b" }, lines_of "a\nb") end)

  it("of an empty body are none", function() assert.same({}, lines_of "") end)

  it("keep a CR in the last one without LF", function() assert.same({ "a", "b\r" }, lines_of "a\nb\r") end)

  it("may be cut anywhere by the network", function()
    local s = faults.server(function(conn)
      local text = "first\r\nsecond\nthird\r\n"
      conn:write(HEAD .. "Content-Length: " .. #text .. "\r\n\r\n")
      for i = 1, #text do
        conn:write(text:sub(i, i))
        conn:sleep(0)
      end
    end)
    local res = assert(faults.client():get(s.url, { stream = true }))
    assert.same({ "first", "second", "third" }, (gather(res:lines())))
  end)

  it("without end are not given when the body is cut", function()
    local res = open(HEAD .. "Content-Length: 100\r\n\r\nfirst\nseco")
    local list, err = gather(res:lines())
    assert.same({ "first" }, list)
    assert.equal("truncated", err.kind)
  end)

  it("that are longer than allowed are of kind 'too_large'", function()
    local list, err = lines_of("short\n" .. ("x"):rep(100) .. "\n", { max = 50 })
    assert.same({ "short" }, list)
    assert.equal("too_large", err.kind)
    assert.equal(50, err.limit)
  end)

  it("may be as long as allowed, beyond what is buffered", function()
    local long = ("x"):rep(900 * 1024)
    assert.same({ #long, 5 }, (function()
      local sizes = {}
      for i, line in ipairs((lines_of(long .. "\nshort\n"))) do sizes[i] = #line end
      return sizes
    end)())
    local longest = ("y"):rep(5 * MIB)
    local list, err = lines_of(longest .. "\n", { max = 6 * MIB })
    assert.is_nil(err)
    assert.equal(longest, list[1])
  end)

  it("without end are of kind 'too_large' after a megabyte", function()
    local s = faults.server(function(conn)
      conn:write(HEAD .. "\r\n")
      while conn:write(("x"):rep(65536)) do conn:sleep(0) end
    end)
    local client = faults.client()
    local res = assert(client:get(s.url, { stream = true }))
    local _, err = gather(res:lines())
    assert.equal("too_large", err.kind)
    assert.equal(MIB, err.limit)
    res:close()
    faults.settled(client)
  end)
end)

describe("NDJSON", function()
  it("is one value to a line, U+2028 inside strings included", function()
    local text = '{"a":1}\n\n[2]\r\n"x\226\128\168y"\n null'
    local res = open(HEAD .. "Content-Length: " .. #text .. "\r\n\r\n" .. text)
    local list = gather(res:ndjson())
    assert.equal(1, list[1].a)
    assert.equal(2, list[2][1])
    assert.equal("x\226\128\168y", list[3])
    assert.equal(4, #list)
  end)

  it("that is cut gives what was whole, then the error", function()
    local res = open(HEAD .. "Content-Length: 100\r\n\r\n{\"a\":1}\n{\"a\":")
    local list, err = gather(res:ndjson())
    assert.equal(1, #list)
    assert.equal("truncated", err.kind)
  end)
end)

describe("a stream that is left", function()
  local function endless()
    return faults.server(function(conn)
      conn:write(HEAD .. "\r\n")
      while conn:write(("x\n"):rep(8192)) do conn:sleep(0) end
    end)
  end

  it("early can be closed, which frees its slot at once", function()
    local s = endless()
    local client = faults.client { limits = { inflight = 1 } }
    for _ = 1, 3 do
      local res = assert(client:get(s.url, { stream = true }))
      assert(res:lines()())
      res:close()
      assert.equal(0, client:stats().in_flight)
      res:close()
    end
  end)

  it("by its task is closed with it", function()
    local s = endless()
    local client = faults.client()
    local before = faults.count "stream"
    task.spawn(function()
      local res = assert(client:get(s.url, { stream = true }))
      assert(res:lines()())
    end):join()
    faults.settled(client)
    assert.equal(before, faults.count "stream")
  end)

  it("by a cancelled task is closed with it", function()
    local s = endless()
    local client = faults.client()
    local before = faults.count "stream"
    local reading = task.event()
    local handle = task.spawn(function()
      local res = assert(client:get(s.url, { stream = true }))
      for _ in res:lines() do reading:set() end
    end)
    reading:wait()
    handle:cancel()
    faults.settled(client)
    faults.eventually(function() return faults.count "stream" == before end)
  end)

  it("unread and forgotten is collected", function()
    local s = endless()
    local client = faults.client()
    local before = faults.count "stream"
    task.spawn(function()
      for _ = 1, 10 do assert(client:get(s.url, { stream = true })) end
    end):join()
    faults.settled(client)
    assert.equal(before, faults.count "stream")
  end)

  it("while another task reads it ends that task's read with kind 'canceled'", function()
    local s = faults.server(function(conn)
      conn:write(HEAD .. "Content-Length: 10\r\n\r\nhello")
      conn:read(1)
    end)
    local client = faults.client()
    local before = faults.count "stream"
    local res = assert(client:get(s.url, { stream = true }))
    assert.equal("hello", res:read())
    local reader = task.spawn(function()
      local bytes, err = res:read()
      assert.is_nil(bytes)
      return err.kind
    end)
    task.sleep(0.02)
    res:close()
    assert.equal("canceled", reader:join())
    faults.settled(client)
    assert.equal(before, faults.count "stream")
  end)
end)

describe("two tasks that read one stream at once", function()
  it("are one too many", function()
    local s = faults.server(function(conn)
      conn:write(HEAD .. "Content-Length: 5\r\n\r\n")
      conn:sleep(0.1)
      conn:write("hello")
    end)
    local res = assert(faults.client():get(s.url, { stream = true }))
    local first = task.spawn(function() return res:read() end)
    task.sleep(0.02)
    local ok, err = pcall(res.read, res)
    assert.is_false(ok)
    assert.matches("streaming_spec%.lua:%d+: another task reads", tostring(err))
    assert.equal("hello", first:join())
  end)
end)

describe("a read that is cancelled", function()
  it("leaves the stream as it was", function()
    local go = task.event()
    local s = faults.server(function(conn)
      conn:write(HEAD .. "Content-Length: 10\r\n\r\nhello")
      go:wait()
      conn:write("world")
    end)
    local res = assert(faults.client():get(s.url, { stream = true }))
    assert.equal("hello", res:read())
    local bytes, err = task.timeout(0.05, function() return res:read() end)
    assert.is_nil(bytes)
    assert.equal("task", err.phase)
    go:set()
    assert.equal("world", res:read_all())
  end)
end)

describe("over HTTP/2", function()
  it("what came before a reset is given before the error", function()
    local s = http2.server(function(connection)
      local stream = connection:request()
      connection:head(stream)
      connection:data(stream, "hello")
      task.sleep(0.02)
      connection:reset(stream, "INTERNAL_ERROR")
      while connection:next() do end
    end)
    local client = faults.client { tls = { ca = s.ca } }
    local list, err = gather(assert(client:get(s.url, { stream = true })):chunks())
    assert.equal("hello", table.concat(list))
    assert.equal("truncated", err.kind)
  end)
end)
