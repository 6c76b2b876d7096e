-- The classes of cases of the Autobahn test suite, 1 to 7 and 9, restated: what a server may send, and may not.

local peer = require "spec.support.websocket_peer"
local task = require "lurcher.task"
local ws = require "lurcher.ws"

local frame, closing = peer.frame, peer.closing

-- Has a server send `bytes`, in one piece or in pieces of so many bytes. Returns the messages that the client got,
-- the error at the end, and the frames that the client sent.
local function exchange(bytes, size, opts)
  local sent = task.queue()
  local url = peer.start(function(p)
    p:accept()
    local reader = task.spawn(function()
      local frames = {}
      for got in function() return p:frame() end do
        frames[#frames + 1] = got
        if got.opcode == 8 then break end
      end
      sent:put(frames)
    end)
    for i = 1, #bytes, size or #bytes do
      if not p.conn:write(bytes:sub(i, i + (size or #bytes) - 1)) then break end
    end
    reader:join()
  end)
  local got = {}
  local c = assert(ws.connect(url, opts))
  local err
  repeat
    local message, kind = c:receive(20)
    if message then got[#got + 1] = kind .. ":" .. message else err = kind end
  until err
  return got, err, sent:get()
end

local function code_of(closed)
  return closed and closed.opcode == 8 and #closed.payload >= 2
    and closed.payload:byte(1) * 256 + closed.payload:byte(2) or nil
end

local BYE = frame("close", closing(1000))

-- These bytes are messages, followed by a clean close.
local function passes(name, bytes, expected, size)
  it(name, function()
    local got, err, sent = exchange(bytes .. BYE, size)
    assert.are.same(expected, got)
    assert.are.same({ "closed", 1000 }, { err.kind, err.code })
    assert.are.equal(1000, code_of(sent[#sent]))
  end)
end

-- The client closes with that code, having got these messages.
local function fails(name, bytes, code, before, size)
  it(name, function()
    local got, err, sent = exchange(bytes, size)
    assert.are.same(before or {}, got)
    assert.are.equal("websocket", err.kind)
    assert.are.equal(code, err.code)
    assert.are.equal(code, code_of(sent[#sent]))
  end)
end

describe("1: messages", function()
  for _, size in ipairs { 0, 125, 126, 127, 128, 65535, 65536 } do
    local text = ("*"):rep(size)
    passes("takes a text of " .. size, frame("text", text), { "text:" .. text })
    passes("takes bytes of " .. size, frame("binary", ("\254"):rep(size)), { "binary:" .. ("\254"):rep(size) })
    passes("takes a text of " .. size .. " in pieces of 997", frame("text", text), { "text:" .. text }, 997)
  end
  fails("refuses a length in 16 bits that fits in 7", frame("text", "abc", { form = 16 }), 1002)
  fails("refuses a length in 64 bits that fits in 16", frame("text", "abc", { form = 64 }), 1002)
  fails("refuses a length with the highest bit set",
    frame("text", "abc", { form = 64, raw_length = "\128\0\0\0\0\0\0\3" }), 1002)
  fails("refuses a masked frame", frame("text", "abc", { mask = "\1\2\3\4" }), 1002)
  fails("refuses a masked frame without payload", frame("text", "", { mask = "\1\2\3\4" }), 1002)
end)

describe("2: pings and pongs", function()
  for name, payload in pairs { nothing = "", text = "Hello, world!", bytes = "\0\255\254\253\252\251\0\255",
    ["125 bytes"] = ("\254"):rep(125) } do
    for _, size in ipairs { 1000, 1 } do
      it("answers a ping with " .. name .. " in pieces of " .. size, function()
        local _, _, sent = exchange(frame("ping", payload) .. BYE, size)
        assert.are.same({ 10, payload, true }, { sent[1].opcode, sent[1].payload, sent[1].masked })
      end)
    end
  end
  fails("refuses a ping with 126 bytes", frame("ping", ("x"):rep(126)), 1002)
  fails("refuses a pong with 126 bytes", frame("pong", ("x"):rep(126)), 1002)
  passes("ignores pongs that nobody asked for", frame("pong") .. frame("pong", "x") .. frame("text", "a"), { "text:a" })
  it("answers ten pings in their order", function()
    local bytes = {}
    for i = 1, 10 do bytes[i] = frame("ping", "payload-" .. i) end
    for _, size in ipairs { 1, 100000 } do
      local _, _, sent = exchange(table.concat(bytes) .. BYE, size)
      for i = 1, 10 do assert.are.same({ 10, "payload-" .. i }, { sent[i].opcode, sent[i].payload }) end
      assert.are.equal(8, sent[11].opcode)
    end
  end)
end)

describe("3: reserved bits", function()
  for rsv = 1, 7 do
    for _, opcode in ipairs { "text", "binary", "ping", "close" } do
      fails(("refuses bits %d of a %s"):format(rsv, opcode),
        frame("text", "first") .. frame(opcode, "", { rsv = rsv }) .. frame("ping"), 1002, { "text:first" })
    end
  end
  fails("refuses bits of a continuation",
    frame("text", "a", { fin = false }) .. frame("continuation", "b", { rsv = 4 }), 1002)
end)

describe("4: reserved opcodes", function()
  for _, opcode in ipairs { 3, 4, 5, 6, 7, 11, 12, 13, 14, 15 } do
    fails("refuses opcode " .. opcode, frame("text", "first") .. frame(opcode), 1002, { "text:first" })
    fails("refuses opcode " .. opcode .. " with a payload", frame(opcode, "abc"), 1002, nil, 1)
  end
end)

describe("5: fragments", function()
  local first, middle, last = frame("text", "frag1", { fin = false }), frame("continuation", "frag2", { fin = false }),
    frame("continuation", "frag3")
  fails("refuses a fragmented ping", frame("ping", "a", { fin = false }) .. frame("continuation", "b"), 1002)
  fails("refuses a fragmented pong", frame("pong", "a", { fin = false }) .. frame("continuation", "b"), 1002)
  fails("refuses a fragmented close", frame("close", closing(1000), { fin = false }), 1002)
  for _, size in ipairs { 1000, 1 } do
    passes("puts fragments together, in pieces of " .. size, first .. middle .. last, { "text:frag1frag2frag3" }, size)
    passes("takes a ping between them, in pieces of " .. size, first .. frame("ping", "p") .. last,
      { "text:frag1frag3" }, size)
    passes("takes a pong between them, in pieces of " .. size, first .. frame("pong", "p") .. last,
      { "text:frag1frag3" }, size)
    fails("refuses a continuation of nothing, in pieces of " .. size, last, 1002, nil, size)
    fails("refuses an unfinished continuation of nothing, in pieces of " .. size, middle, 1002, nil, size)
    fails("refuses a continuation behind a whole message, in pieces of " .. size,
      first .. last .. middle .. frame("text", "x"), 1002, { "text:frag1frag3" }, size)
    fails("refuses a text between fragments, in pieces of " .. size, first .. frame("text", "x"), 1002, nil, size)
    fails("refuses bytes between fragments, in pieces of " .. size, first .. frame("binary", "x"), 1002, nil, size)
  end
  passes("takes fragments of nothing", frame("text", "", { fin = false }) .. frame("continuation", "", { fin = false })
    .. frame("continuation", ""), { "text:" })
  passes("takes one of many, one of them not empty", frame("binary", "", { fin = false })
    .. frame("continuation", "x", { fin = false }) .. frame("continuation", ""), { "binary:x" })
  it("answers pings between fragments before the message is whole", function()
    local got, _, sent = exchange(first .. frame("ping", "1") .. middle .. frame("ping", "2") .. last .. BYE)
    assert.are.same({ "text:frag1frag2frag3" }, got)
    assert.are.same({ "1", "2" }, { sent[1].payload, sent[2].payload })
  end)
  it("ends when a close frame comes between fragments", function()
    local got, err = exchange(first .. BYE)
    assert.are.same({ {}, "closed", 1000 }, { got, err.kind, err.code })
  end)
end)

describe("6: UTF-8", function()
  local greek = "Hello-\194\181@\195\159\195\182\195\164\195\188\195\160\195\161-UTF-8!!"
  passes("takes texts of nothing", frame("text", ""), { "text:" })
  passes("takes a text in one frame", frame("text", greek), { "text:" .. greek })
  it("takes a text whose fragments end within characters", function()
    for at = 0, #greek do
      local got = exchange(frame("text", greek:sub(1, at), { fin = false }) .. frame("continuation", greek:sub(at + 1))
        .. BYE, at % 3 + 1)
      assert.are.same({ "text:" .. greek }, got)
    end
  end)
  local good = { "\206\186\225\189\185\207\131\206\188\206\181", "\0", "\194\128", "\224\160\128", "\240\144\128\128",
    "\127", "\223\191", "\239\191\191", "\244\143\191\191", "\237\159\191", "\238\128\128", "\239\191\189",
    "\239\183\144", "\240\159\191\190", "\239\191\190" }
  for i, text in ipairs(good) do
    passes(("takes text %d, byte by byte"):format(i), frame("text", text), { "text:" .. text }, 1)
  end
  local bad = { "\206\186\225\189\185\207\131\206\188\206\181\237\160\128edited", "\128", "\191", "\128\191\128",
    "\192\175", "\224\128\175", "\240\128\128\175", "\248\128\128\128\175", "\252\128\128\128\128\175", "\193\191",
    "\224\159\191", "\240\143\191\191", "\237\160\128", "\237\175\191", "\237\176\128", "\237\191\191",
    "\237\160\128\237\176\128", "\244\144\128\128", "\254", "\255", "\194", "\224\160", "\240\144\128", "\206",
    "\206\186\225", "a\226\130", "\192 ", "\224\160 ", "\248\136\128\128\128" }
  for i, text in ipairs(bad) do
    fails(("refuses text %d"):format(i), frame("text", text), 1007)
    fails(("refuses text %d, byte by byte"):format(i), frame("text", text), 1007, nil, 1)
    passes(("takes text %d as bytes"):format(i), frame("binary", text), { "binary:" .. text })
  end
  it("refuses a text as soon as it cannot become one", function()
    for _, start in ipairs { frame("text", "ab\244\144", { length = 1000 }),
      frame("text", "ab", { fin = false }) .. frame("continuation", "\255", { fin = false }) } do
      local _, err = exchange(start)
      assert.are.same({ "websocket", 1007 }, { err.kind, err.code })
    end
  end)
end)

describe("7: close frames", function()
  local function ends(name, payload, code, reason)
    it(name, function()
      for _, size in ipairs { 1000, 1 } do
        local got, err, sent = exchange(frame("text", "a") .. frame("close", payload) .. frame("text", "late")
          .. frame("ping", "late"), size)
        assert.are.same({ "text:a" }, got)
        assert.are.same({ "closed", code, reason or "" }, { err.kind, err.code, err.reason })
        assert.are.equal(code ~= 1005 and code or nil, code_of(sent[#sent]))
        assert.are.equal(1, #sent)
      end
    end)
  end
  ends("takes one without a code", "", 1005)
  ends("takes one without a reason", closing(1000), 1000)
  ends("takes one with a reason", closing(1000, "Hello World!"), 1000, "Hello World!")
  ends("takes one with a reason of 123 bytes", closing(1000, ("*"):rep(123)), 1000, ("*"):rep(123))
  fails("refuses one with half a code", frame("close", "\3"), 1002)
  fails("refuses one with a reason of 124 bytes", frame("close", closing(1000, ("*"):rep(124))), 1002)
  fails("refuses a reason that is not UTF-8", frame("close", closing(1000, "\206\186\237\160\128")), 1007)
  fails("refuses a reason that ends within a character", frame("close", closing(1000, "\226\130")), 1007)
  for _, code in ipairs { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
    4999 } do
    ends("takes code " .. code, closing(code, "r"), code, "r")
  end
  for _, code in ipairs { 0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535 } do
    fails("refuses code " .. code, frame("close", closing(code)), 1002)
  end
end)

describe("9: large messages", function()
  it("takes four MiB in one frame and in fragments, in pieces of any size", function()
    local text = ("0123456789abcdef"):rep(2 ^ 18)
    for _, size in ipairs { 64 * 1024, 2 ^ 23, 4099 } do
      local got, err = exchange(frame("text", text) .. BYE, size)
      assert.are.equal("text:" .. text, got[1])
      assert.are.equal(1000, err.code)
    end
    for _, part in ipairs { 64 * 1024, 2 ^ 20, 1000 } do
      local pieces = {}
      for at = 1, #text, part do
        pieces[#pieces + 1] = frame(at == 1 and "binary" or "continuation", text:sub(at, at + part - 1),
          { fin = at + part > #text })
      end
      local got = exchange(table.concat(pieces) .. BYE)
      assert.are.equal("binary:" .. text, got[1])
    end
  end)

  it("takes many small messages", function()
    local pieces, expected = {}, {}
    for i = 1, 5000 do pieces[i], expected[i] = frame("text", "m" .. i), "text:m" .. i end
    assert.are.same(expected, (exchange(table.concat(pieces) .. BYE)))
  end)

  it("refuses a message above max_message with 1009, in one frame or in fragments", function()
    local large = { frame("binary", ("x"):rep(1001)), frame("binary", "x", { form = 64, length = 2 ^ 40 }),
      frame("binary", "x", { form = 64, raw_length = ("\127") .. ("\255"):rep(7) }),
      frame("text", ("x"):rep(1000), { fin = false }) .. frame("continuation", "x") }
    for _, bytes in ipairs(large) do
      local got, err, sent = exchange(frame("binary", ("y"):rep(1000)) .. bytes, nil, { max_message = 1000 })
      assert.are.equal(1, #got)
      assert.are.same({ "too_large", 1009, 1000 }, { err.kind, err.code, err.limit })
      assert.is_true(err.observed > 1000)
      assert.are.equal(1009, code_of(sent[#sent]))
    end
  end)

  it("refuses it by its header, though no byte of it follows", function()
    for _, bytes in ipairs { frame("binary", "", { form = 64, length = 2 ^ 40 }), frame("text", "", { length = 1001 }),
      frame("text", ("x"):rep(999), { fin = false }) .. frame("continuation", "", { length = 2 }) } do
      for _, size in ipairs { 2000, 1 } do
        local got, err, sent = exchange(bytes, size, { max_message = 1000, ping = false })
        assert.are.same({}, got)
        assert.are.same({ "too_large", 1009 }, { err.kind, err.code })
        assert.are.equal(1009, code_of(sent[#sent]))
      end
    end
  end)

  it("has a cap of 16 MiB unless another is given", function()
    local bytes = frame("binary", ("x"):rep(64), { form = 64, length = 16 * 2 ^ 20 + 1 })
    local _, err = exchange(bytes)
    assert.are.same({ "too_large", 16 * 2 ^ 20 }, { err.kind, err.limit })
    local got = exchange(frame("binary", ("x"):rep(17 * 2 ^ 20)) .. BYE, nil, { max_message = false })
    assert.are.equal(17 * 2 ^ 20, #got[1] - #"binary:")
  end)
end)

describe("the end of the bytes", function()
  it("anywhere but behind a close frame is kind 'closed' with 1006", function()
    local whole = frame("text", "first") .. frame("text", ("x"):rep(200), { fin = false }) .. frame("ping", "p")
    for at = #frame("text", "first"), #whole do
      local url = peer.start(function(p)
        p:accept(nil, whole:sub(1, at))
      end)
      local c = assert(ws.connect(url))
      assert.are.equal("first", (c:receive()))
      local _, err = c:receive()
      assert.are.same({ "closed", 1006, "" }, { err.kind, err.code, err.reason })
    end
  end)

  it("may be a reset", function()
    local url = peer.start(function(p)
      p:accept()
      p:send("text", "first")
      p:frame()
      p.conn:reset()
    end)
    local c = assert(ws.connect(url))
    assert.are.equal("first", (c:receive()))
    c:send "go"
    local _, err = c:receive()
    assert.are.same({ "closed", 1006 }, { err.kind, err.code })
  end)

  -- TLS hands over the end of the bytes together with the answer to the handshake.
  it("may come with the answer to the handshake", function()
    local first = frame("text", "first")
    for _, tls in ipairs { true, false } do
      for _, how in ipairs { "close", "reset" } do
        for _, bytes in ipairs { "", first, first .. frame("text", "x", { length = 9 }) } do
          local s = peer.serve(function(p)
            p:accept(nil, bytes)
            if how == "reset" and bytes == "" then p.conn:reset() end
          end, { tls = tls or nil })
          local c = assert(ws.connect(s.ws, { tls = { ca = s.ca }, ping = false }))
          if bytes ~= "" then assert.are.equal("first", (c:receive(20))) end
          local _, err = c:receive(20)
          assert.are.same({ "closed", 1006 }, { err.kind, err.code })
        end
      end
    end
  end)

  it("does not matter behind a close frame", function()
    for _, tls in ipairs { true, false } do
      local s = peer.serve(function(p)
        p:accept(nil, frame("close", closing(4000, "enough")))
        p.conn:reset()
      end, { tls = tls or nil })
      local c, err = ws.connect(s.ws, { tls = { ca = s.ca } })
      if c then err = select(2, c:receive(20)) end
      if err.code ~= 1006 then -- a reset may overtake what was sent before
        assert.are.same({ "closed", 4000, "enough" }, { err.kind, err.code, err.reason })
        assert.matches("the WebSocket is closed %(4000%): enough", err.message)
      end
    end
  end)
end)
