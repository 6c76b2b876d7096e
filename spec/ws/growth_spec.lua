-- What a server sends takes time in proportion to its bytes, and so does what is sent to it: ten times as many take
-- some ten times as long. A loop that begins anew for each piece takes a hundred times as long, and seconds.

local compression = require "lurcher.ws.compression"
local peer = require "spec.support.websocket_peer"
local ws = require "lurcher.ws"

local frame = peer.frame
local FLOOR, GROWTH = 0.1, 50 -- seconds, and times

local BYE = frame("close", peer.closing(1000))

-- CPU seconds that a server's bytes take, both sides together.
local function seconds(extra, bytes, opts)
  local url = peer.start(function(p)
    p:accept(extra, bytes)
    p:frame()
  end)
  local start = os.clock()
  local c = ws.connect(url, opts)
  while c and c:receive(60) do end
  return os.clock() - start
end

local function is_linear(make, extra, opts)
  seconds(extra, make(100), opts)
  local small, large = math.huge, math.huge
  for _ = 1, 2 do
    small = math.min(small, seconds(extra, make(10000), opts))
    large = math.min(large, seconds(extra, make(100000), opts))
  end
  assert.is_true(large < math.max(FLOOR, small) * GROWTH, ("%.3f s for 10 KB, %.3f s for 100 KB"):format(small, large))
end

local DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n"

local FRAMES = {
  ["one text"] = function(n) return frame("text", ("\195\164"):rep(n / 2)) end,
  ["empty messages"] = function(n) return frame("text"):rep(n / 2) end,
  ["fragments of a byte"] = function(n)
    return frame("text", "a", { fin = false }) .. frame("continuation", "b", { fin = false }):rep(n / 3)
      .. frame("continuation")
  end,
  ["fragments of nothing"] = function(n)
    return frame("text", "", { fin = false }) .. frame("continuation", "", { fin = false }):rep(n / 2)
      .. frame("continuation")
  end,
  ["pings"] = function(n) return frame("ping", "p"):rep(n / 3) end,
  ["pings between fragments"] = function(n)
    return frame("binary", "a", { fin = false })
      .. (frame("ping", "p") .. frame("continuation", "b", { fin = false })):rep(n / 6) .. frame("continuation")
  end,
}

local BLOCKS = {
  ["stored blocks of nothing"] = function(n) return ("\0\0\0\255\255"):rep(n / 5) end,
  ["stored blocks of a byte"] = function(n) return ("\0\1\0\254\255x"):rep(n / 6) end,
  ["fixed blocks of nothing"] = function(n) return ("\2\8\32\128"):rep(n / 4) .. "\0" end,
  ["final blocks"] = function(n) return ("\3\0"):rep(n / 2) .. "\0" end,
}

describe("the time for", function()
  for name, make in pairs(FRAMES) do
    it(name .. " grows with their bytes", function()
      is_linear(function(n) return make(n) .. BYE end)
    end)
  end

  for name, make in pairs(BLOCKS) do
    it(name .. " grows with their bytes", function()
      is_linear(function(n) return frame("binary", make(n), { rsv = 4 }) .. BYE end, DEFLATE, { compress = true })
    end)
    it(name .. " in fragments grows with their bytes", function()
      is_linear(function(n)
        local all, pieces = make(n), {}
        for at = 1, #all, 7 do
          pieces[#pieces + 1] = frame(at == 1 and "binary" or "continuation", all:sub(at, at + 6),
            { fin = at + 7 > #all, rsv = at == 1 and 4 or 0 })
        end
        return table.concat(pieces) .. BYE
      end, DEFLATE, { compress = true })
    end)
  end

  for name, unit in pairs { ["many headers"] = "A: b\r\n", ["lines without a colon"] = "abc\r\n",
    ["folded lines"] = "A: b\r\n c\r\n" } do
    it("a handshake of " .. name .. " grows with its bytes", function()
      is_linear(function() return BYE end)
      local function head(n)
        return seconds(unit:rep(n / #unit), BYE, { max_headers = 2 ^ 20 })
      end
      local small, large = head(10000), head(100000)
      assert.is_true(large < math.max(FLOOR, small) * GROWTH, ("%.3f s, %.3f s"):format(small, large))
    end)
  end

  it("a long header grows with its bytes, also where it names extensions", function()
    for _, name in ipairs { "X-Long: ", "Sec-WebSocket-Extensions: ", "Upgrade: ", "Sec-WebSocket-Protocol: " } do
      for _, unit in ipairs { " ", ",", ";", "a", ", ", "; a", "=", "; a=\"" } do
        local function head(n)
          return seconds(name .. unit:rep(n / #unit) .. "x\r\n", BYE,
            { max_headers = 2 ^ 20, compress = true, protocols = { "p" } })
        end
        local small, large = head(10000), head(100000)
        assert.is_true(large < math.max(FLOOR, small) * GROWTH,
          ("%s with %q: %.3f s, %.3f s"):format(name, unit, small, large))
      end
    end
  end)

  it("an offer of extensions that is answered grows with its bytes", function()
    for _, unit in ipairs { " ", ";", "; a", "=", "x=", "\"", "server_max_window_bits=9;" } do
      local function took(n)
        local start = os.clock()
        compression.agreed("permessage-deflate;" .. unit:rep(n / #unit), {})
        return os.clock() - start
      end
      local small, large = took(10000), took(100000)
      assert.is_true(large < math.max(FLOOR, small) * GROWTH, ("%q: %.3f s, %.3f s"):format(unit, small, large))
    end
  end)
end)
