-- permessage-deflate: the classes 12 and 13 of the Autobahn test suite, restated, and what a server may answer. The
-- peer compresses with zlib itself.

local ffi = require "ffi"
local peer = require "spec.support.websocket_peer"
local ws = require "lurcher.ws"

pcall(ffi.cdef, [[
  typedef struct { const uint8_t *next_in; unsigned avail_in; unsigned long total_in; uint8_t *next_out;
    unsigned avail_out; unsigned long total_out; const char *msg; void *state; void *zalloc; void *zfree; void *opaque;
    int data_type; unsigned long adler; unsigned long reserved; } spec_z_stream;
]])
for declaration in ([[
  int deflateInit2_(spec_z_stream *, int, int, int, int, int, const char *, int);
  int deflate(spec_z_stream *, int);
  int deflateEnd(spec_z_stream *);
  int inflateInit2_(spec_z_stream *, int, const char *, int);
  int inflate(spec_z_stream *, int);
  int inflateEnd(spec_z_stream *);
  const char *zlibVersion(void);
]]):gmatch("[^\n;]+;") do
  pcall(ffi.cdef, declaration)
end
local Z = ffi.load "z.so.1"
local SYNC, FULL, FINISH = 2, 3, 4

local function stream_of(start, finish)
  return ffi.gc(ffi.new("spec_z_stream"), function(z) finish(z) end), start
end

local function run(z, step, bytes, flush, room)
  local out = ffi.new("uint8_t[?]", room)
  z.next_in, z.avail_in, z.next_out, z.avail_out = ffi.cast("const uint8_t *", bytes), #bytes, out, room
  step(z, flush)
  return ffi.string(out, room - z.avail_out)
end

local function compressor(bits)
  local z = stream_of(nil, Z.deflateEnd)
  assert(Z.deflateInit2_(z, 6, 8, -(bits or 15), 8, 0, Z.zlibVersion(), ffi.sizeof(z)) == 0)
  return function(text, flush)
    local bytes = run(z, Z.deflate, text, flush or SYNC, #text + 1000)
    return flush == FINISH and bytes or bytes:sub(1, -5)
  end
end

local function decompressor(bits)
  local z = stream_of(nil, Z.inflateEnd)
  assert(Z.inflateInit2_(z, -(bits or 15), Z.zlibVersion(), ffi.sizeof(z)) == 0)
  return function(bytes) return run(z, Z.inflate, bytes .. "\0\0\255\255", SYNC, 2 ^ 21) end
end

local RSV1 = { rsv = 4 }

-- Answers the handshake with these parameters and calls fn(p, pack).
local function serve(parameters, fn)
  return peer.start(function(p)
    p:accept("Sec-WebSocket-Extensions: permessage-deflate" .. parameters .. "\r\n")
    fn(p, compressor())
    while true do
      local frame = p:frame()
      if not frame then return end
      if frame.opcode == 8 then return p:send("close", frame.payload) end
    end
  end)
end

local function connect(url, compress)
  return assert(ws.connect(url, { compress = compress == nil or compress }))
end

describe("the offer of compression", function()
  local function offered(compress)
    local header
    local url = peer.start(function(p)
      header = p:accept().headers["sec-websocket-extensions"]
      p:send("close", p:frame().payload)
    end)
    assert(ws.connect(url, { compress = compress })):close()
    return header
  end

  it("is what was asked for", function()
    assert.is_nil(offered(false))
    assert.are.equal("permessage-deflate; client_no_context_takeover; client_max_window_bits", offered(true))
    assert.are.equal("permessage-deflate; server_no_context_takeover; client_max_window_bits=10; "
      .. "server_max_window_bits=9", offered { client_no_context_takeover = false, server_no_context_takeover = true,
      client_max_window_bits = 10, server_max_window_bits = 9 })
  end)

  it("may be declined, then a compressed frame is refused", function()
    local url = peer.start(function(p)
      p:accept()
      p:send("text", compressor()("x"), RSV1)
      p:frame()
    end)
    local c = connect(url)
    assert.are.same({ "websocket", 1002 }, { select(2, c:receive()).kind, select(2, c:receive()).code })
  end)

  local wrong = { ["; no_such_parameter"] = true, ["; client_no_context_takeover=1"] = true,
    ["; server_max_window_bits"] = true, ["; server_max_window_bits=7"] = true, ["; server_max_window_bits=16"] = true,
    ["; server_max_window_bits=08"] = true, ["; client_max_window_bits=x"] = true, [", permessage-deflate"] = true,
    ["; server_no_context_takeover; server_no_context_takeover"] = true, ["; server_max_window_bits=9=9"] = true,
    ["-frame"] = true, ["; "] = true }
  for parameters in pairs(wrong) do
    it("answered with '" .. parameters .. "' is kind 'websocket'", function()
      local c, err = ws.connect(serve(parameters, function() end), { compress = true })
      assert.is_nil(c)
      assert.are.equal("websocket", err.kind)
    end)
  end

  it("that asks the server for something has to be met", function()
    for _, wanted in ipairs { { server_max_window_bits = 10 }, { server_no_context_takeover = true } } do
      local _, err = ws.connect(serve("", function() end), { compress = wanted })
      assert.are.equal("websocket", err.kind)
    end
    local c = connect(serve('; server_max_window_bits="10"', function() end), { server_max_window_bits = 10 })
    c:close()
  end)
end)

describe("compressed messages", function()
  local text = ("All work and no play makes Jack a dull boy. "):rep(500)

  it("come with and without a context that is kept", function()
    for _, parameters in ipairs { "", "; client_no_context_takeover" } do
      local c = connect(serve(parameters, function(p, pack)
        for i = 1, 5 do p:send("text", pack(text .. i), RSV1) end
      end))
      for i = 1, 5 do assert.are.same({ text .. i, "text" }, { c:receive() }) end
      c:close()
    end
    local c = connect(serve("; server_no_context_takeover", function(p)
      for i = 1, 5 do p:send("text", compressor()(text .. i), RSV1) end
    end))
    for i = 1, 5 do assert.are.equal(text .. i, (c:receive())) end
    c:close()
  end)

  it("come in fragments of any size, with pings between them, and beside others that are not compressed", function()
    local c = connect(serve("", function(p, pack)
      for _, size in ipairs { 1, 7, 100 } do
        local bytes = pack(text .. size)
        for at = 1, #bytes, size do
          p:send(at == 1 and "text" or "continuation", bytes:sub(at, at + size - 1),
            { rsv = at == 1 and 4 or 0, fin = at + size > #bytes })
          if at % 5 == 0 then p:send("ping", "x") end
        end
        p:send("text", "plain " .. size)
        p:send("binary", "\0", RSV1)
      end
    end))
    for _, size in ipairs { 1, 7, 100 } do
      assert.are.equal(text .. size, (c:receive()))
      assert.are.equal("plain " .. size, (c:receive()))
      assert.are.same({ "", "binary" }, { c:receive() })
    end
    c:close()
  end)

  it("come in blocks of every kind", function()
    local c = connect(serve("", function(p, pack)
      p:send("text", "\0", RSV1)                                               -- nothing, in an empty block
      p:send("text", "\0\5\0\250\255Hello\0", RSV1)                            -- stored
      p:send("text", "\242\72\205\201\201\7\0", RSV1)                          -- RFC 7692, 7.2.3.1
      p:send("text", "\242\72\5\0\0\0\255\255\202\201\201\7\0", RSV1)          -- 7.2.3.5: two blocks
      p:send("text", "\243\72\205\201\201\7\0\0", RSV1)                        -- 7.2.3.4: a final block
      p:send("text", pack(text, FULL), RSV1)
    end))
    for _, expected in ipairs { "", "Hello", "Hello", "Hello", "Hello", text } do
      assert.are.equal(expected, (c:receive()))
    end
    c:close()
  end)

  it("keep to the window that was agreed on", function()
    for bits = 9, 15 do
      local c = connect(serve("; server_max_window_bits=" .. bits, function(p)
        p:send("text", compressor(bits)(text), RSV1)
      end))
      assert.are.equal(text, (c:receive()))
      c:close()
    end
  end)

  local function refuses(name, bytes, code, how)
    it("are refused: " .. name, function()
      local c = connect(serve("", function(p) p:send(how and how.opcode or "text", bytes, how or RSV1) end))
      local _, err = c:receive()
      assert.are.same({ "websocket", code }, { err.kind, err.code })
    end)
  end
  refuses("what is not deflated", "\255\255\255\255", 1007)
  refuses("a length that contradicts itself", "\0\5\0\5\0Hello", 1007)
  refuses("a distance before the beginning", "\3\2\0", 1007, { rsv = 4, opcode = "binary" })
  refuses("a text that is not UTF-8", compressor()("a\255"), 1007)
  refuses("a text that ends within a character", compressor()("a\226\130"), 1007)
  refuses("RSV2 beside RSV1", compressor()("a"), 1002, { rsv = 6 })
  refuses("a compressed ping", compressor()("a"), 1002, { rsv = 4, opcode = "ping" })

  it("end in 1009 when they grow above max_message", function()
    local c = assert(ws.connect(serve("; client_no_context_takeover", function(p, pack)
      p:send("binary", pack(("x"):rep(100000)), RSV1)
      p:send("binary", pack(("x"):rep(100001)), RSV1)
    end), { compress = true, max_message = 100000 }))
    assert.are.equal(100000, #c:receive())
    local _, err = c:receive()
    assert.are.same({ "too_large", 1009, 100000, 100001 }, { err.kind, err.code, err.limit, err.observed })
  end)

  it("that are bombs take no more memory than max_message", function()
    local pack = compressor()
    local bomb = pack(("\0"):rep(2 ^ 25))
    assert.is_true(#bomb < 300000)
    local before = tonumber(io.open("/proc/self/status"):read("*a"):match("VmHWM:%s+(%d+)"))
    local c = assert(ws.connect(serve("", function(p) p:send("binary", bomb, RSV1) end),
      { compress = true, max_message = 2 ^ 20 }))
    assert.are.equal("too_large", select(2, c:receive()).kind)
    local after = tonumber(io.open("/proc/self/status"):read("*a"):match("VmHWM:%s+(%d+)"))
    assert.is_true(after - before < 20000)
  end)

  it("go out compressed, with and without a context that is kept", function()
    for _, kept in ipairs { false, true } do
      local got, sizes = {}, {}
      local unpack_kept = decompressor()
      local url = peer.start(function(p)
        p:accept("Sec-WebSocket-Extensions: permessage-deflate" .. (kept and "" or "; client_no_context_takeover")
          .. "\r\n")
        for i = 1, 3 do
          local frame = p:frame()
          assert(frame.rsv == 4 and frame.masked)
          got[i], sizes[i] = (kept and unpack_kept or decompressor())(frame.payload), #frame.payload
        end
        p:send("close", p:frame().payload)
      end)
      local c = connect(url, { client_no_context_takeover = not kept })
      for _ = 1, 3 do c:send(text) end
      c:close()
      assert.are.same({ text, text, text }, got)
      assert.are.equal(kept, sizes[2] < sizes[1])
    end
  end)

  it("go out within the window that the server asks for, or not compressed at all", function()
    local random = {}
    for i = 1, 20000 do random[i] = string.char(math.random(97, 122)) end
    local varied = table.concat(random):rep(3)
    for bits = 8, 15 do
      local got
      local url = peer.start(function(p)
        p:accept("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=" .. bits .. "\r\n")
        local frame = p:frame()
        got = frame.rsv == 0 and bits == 8 and frame.payload or decompressor(bits)(frame.payload)
        p:send("close", p:frame().payload)
      end)
      local c = connect(url)
      c:send(varied)
      c:close()
      assert.are.equal(varied, got)
    end
  end)

  it("of nothing go out as they are", function()
    local frame
    local c = connect(peer.start(function(p)
      p:accept("Sec-WebSocket-Extensions: permessage-deflate\r\n")
      frame = p:frame()
      p:send("close", p:frame().payload)
    end))
    c:send ""
    c:close()
    assert.are.same({ 0, "" }, { frame.rsv, frame.payload })
  end)
end)
