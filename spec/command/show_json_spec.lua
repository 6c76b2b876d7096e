local json = require "lurcher.command.show.json"
local lurcher_json = require "lurcher.json"
local palette = require "lurcher.command.show.palette"

local PLAIN = { colours = palette.plain, columns = 80 }
local COLOURED = { colours = palette.coloured, columns = 80 }

-- The same text in pieces of `size` bytes; nil: it is no JSON.
local function in_pieces(text, size, style)
  local painter, shown = json.painter(style), {}
  for at = 1, #text, size do
    if not painter:feed(text:sub(at, at + size - 1)) then return nil end
    shown[#shown + 1] = painter:take()
  end
  if not painter:finish() then return nil end
  return table.concat(shown) .. painter:take()
end

local SAMPLE = [=[
 {"id" : 12345678901234567890123, "price":1.50, "e":-0.0E+10 ,"list":[1,[ ],{ },[true,null]],
  "id":"twice","text":"a\"\\\/\b\u00e9\ud83d\ude00 ü 日本語 😀", "":{"a":{"b":false}}} ]=]

local SHOWN = [=[
{
  "id": 12345678901234567890123,
  "price": 1.50,
  "e": -0.0E+10,
  "list": [
    1,
    [],
    {},
    [
      true,
      null
    ]
  ],
  "id": "twice",
  "text": "a\"\\\/\b\u00e9\ud83d\ude00 ü 日本語 😀",
  "": {
    "a": {
      "b": false
    }
  }
}]=]

describe("JSON that is shown", function()
  it("is indented, and each token stays as it came", function()
    assert.equal(SHOWN, json.paint(SAMPLE, PLAIN))
  end)

  it("comes in pieces cut anywhere", function()
    for size = 1, 9 do
      assert.equal(SHOWN, in_pieces(SAMPLE, size, PLAIN), size)
      assert.equal(json.paint(SAMPLE, COLOURED), in_pieces(SAMPLE, size, COLOURED), size)
    end
  end)

  it("is the same without its colours", function()
    assert.equal(SHOWN, (json.paint(SAMPLE, COLOURED):gsub("\27%[[%d;]*m", "")))
  end)

  it("has colours that can be read on dark and on light grounds", function()
    for name, code in pairs(palette.coloured) do
      for number in code:gmatch "%d+" do
        assert(not number:find "^3[03467]$" and not number:find "^9" and not number:find "^4", name)
      end
    end
  end)

  it("may be any value, behind a byte order mark too", function()
    for _, text in ipairs { "1", '""', "null", " [ ] ", "\239\187\191{}", "-0.0e-10", "true" } do
      assert.equal((text:gsub("[ \239\187\191]", "")), json.paint(text, PLAIN))
      assert.equal((text:gsub("[ \239\187\191]", "")), in_pieces(text, 1, PLAIN))
    end
  end)

  it("is told from what is none", function()
    for text in ([=[{|[1,]|[1 2]|{"a"}|{"a":}|01|1.|-|tru|"\x"|"\u12"|"\u12g4"|[1]x|{1:2}|]|{"a":1,}|nan|"abc|[|+1|1e|
      'a'|{"a":1]|[1}|{,}|[,]|1 2|truefalse|{"a":1 "b":2}|"a" "b"|.5|0x10|"\]=]):gmatch "[^|]+" do
      assert.is_nil(json.paint(text, PLAIN), text)
      assert.is_nil(in_pieces(text, 1, PLAIN), text)
    end
    for _, text in ipairs { "", " ", "\239\187", '"a\nb"', '"a\0b"', "[\0]" } do
      assert.is_nil(json.paint(text, PLAIN), text)
      assert.is_nil(in_pieces(text, 1, PLAIN), text)
    end
  end)

  it("is what the decoder takes, over random edits", function()
    math.randomseed(4711)
    local source = '{"a":[1,-2.5e3,"x\\n\\u0041",true,null,{}],"b":{"c":""}}'
    local parts = { "", '"', "\\", "{", "}", "[", "]", ",", ":", "1", "-", ".", "e", "u", " ", "a", "\n" }
    for _ = 1, 20000 do
      local text = source
      for _ = 1, math.random(3) do
        local at = math.random(#text)
        text = text:sub(1, at - 1) .. parts[math.random(#parts)] .. text:sub(at + math.random(0, 1))
      end
      local value, err = lurcher_json.decode(text, { bigint = "number" })
      local is_json = not err or err.message:find "range" ~= nil
      assert(is_json == (json.paint(text, PLAIN) ~= nil), text)
      if is_json and not err then
        assert.same(value, lurcher_json.decode(json.paint(text, PLAIN), { bigint = "number" }))
      end
    end
  end)

  it("does not steer the terminal", function()
    local text = '"\194\155 \127 \226\128\174 \226\129\166 \255 \237\160\128 \206"'
    local shown = '"\\xc2\\x9b \\x7f \\xe2\\x80\\xae \\xe2\\x81\\xa6 \\xff \\xed\\xa0\\x80 \\xce"'
    assert.equal(shown, json.paint(text, PLAIN))
    assert.equal(shown, in_pieces(text, 1, PLAIN))
  end)

  it("keeps what nests deep within the line, in linear size", function()
    local depth = 100000
    local text = json.paint(("["):rep(depth) .. ("]"):rep(depth), PLAIN)
    assert(#text < 100 * depth)
    for line in text:gmatch "[^\n]+" do assert(#line <= 42, #line) end
    local narrow = json.paint(("["):rep(99) .. ("]"):rep(99), { colours = palette.plain, columns = 20 })
    for line in narrow:gmatch "[^\n]+" do assert(#line <= 12, #line) end
  end)

  it("holds little of what has come", function()
    local painter, most = json.painter(PLAIN), 0
    local function feed(piece)
      assert(painter:feed(piece))
      painter:take()
      most = math.max(most, #painter.rest)
    end
    feed '{"long":"'
    for _ = 1, 1000 do feed(("x\\u00e4ü"):rep(100)) end
    feed '","list":['
    for _ = 1, 1000 do feed(('{"a":[1,2,3]},'):rep(10)) end
    assert(most < 16, most)
    assert.is_false(json.painter(PLAIN):feed(("1"):rep(20000)))
  end)
end)
