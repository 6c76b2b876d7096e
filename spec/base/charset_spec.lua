local charset = require "lurcher.base.charset"

local function decode(body, name)
  return charset.decode(body, name and "text/plain; charset=" .. name)
end

describe("character sets", function()
  it("pass valid UTF-8 and drop its byte order mark", function()
    assert.are.equal("grüße €𝄞", decode("grüße €𝄞", "utf-8"))
    assert.are.equal("x", decode("\239\187\191x", "UTF-8"))
  end)

  it("take undeclared text for UTF-8", function()
    assert.are.equal("ä", decode("ä"))
    local text, message = decode("\228")
    assert.is_nil(text)
    assert.matches("no character set is declared", message)
  end)

  for what, bytes in pairs { ["a lone continuation"] = "a\128", ["a cut sequence"] = "a\226\130",
    ["an overlong form"] = "\192\175", ["an overlong form of three bytes"] = "\224\128\128",
    ["a surrogate"] = "\237\160\128", ["a code point above U+10FFFF"] = "\244\144\128\128",
    ["a byte that never occurs"] = "\255" } do
    it("refuse " .. what .. " as UTF-8", function()
      assert.is_nil((decode(bytes, "utf-8")))
    end)
  end

  it("convert iso-8859-1 and windows-1252", function()
    assert.are.equal("café", decode("caf\233", "iso-8859-1"))
    assert.are.equal("café", decode("caf\233", '"ISO-8859-1"'))
    assert.are.equal("€„“", decode("\128\132\147", "windows-1252"))
  end)

  it("hold US-ASCII to its word", function()
    assert.are.equal("abc", decode("abc", "us-ascii"))
    assert.is_nil((decode("ab\233", "us-ascii")))
  end)

  it("convert UTF-16 of either order", function()
    assert.are.equal("aä€𝄞", decode("\255\254a\0\228\0\172\32\52\216\30\221", "utf-16"))
    assert.are.equal("aä", decode("\254\255\0a\0\228", "utf-16"))
    assert.are.equal("aä", decode("\0a\0\228", "utf-16be"))
    assert.are.equal("aä", decode("a\0\228\0", "UTF-16LE"))
    assert.are.equal("a", decode("\255\254a\0"))
  end)

  it("refuse broken UTF-16", function()
    assert.is_nil((decode("a", "utf-16le")))
    assert.is_nil((decode("\52\216", "utf-16le")))
    assert.is_nil((decode("\30\221", "utf-16le")))
    assert.is_nil((decode("\52\216a\0", "utf-16le")))
  end)

  for name, case in pairs {
    ["iso-8859-2"] = { "\177", "ą" }, ["ISO-8859-15"] = { "\164", "€" }, ["windows-1251"] = { "\224", "а" },
    ["koi8-r"] = { "\193", "а" }, Shift_JIS = { "\130\160", "あ" }, ["euc-jp"] = { "\164\162", "あ" },
    ["iso-2022-jp"] = { "\27$B$\"\27(B", "あ" }, gb2312 = { "\196\227", "你" }, gbk = { "\196\227", "你" },
    gb18030 = { "\196\227", "你" }, big5 = { "\167A", "你" }, ["euc-kr"] = { "\176\161", "가" },
    ["windows-874"] = { "\161", "ก" },
  } do
    it("convert " .. name, function()
      assert.are.equal(case[2], decode(case[1], name))
      assert.are.equal(case[2]:rep(3000), decode(case[1]:rep(3000), name))
      assert.are.equal("", decode("", name))
    end)
  end

  it("say where text of an older one is broken", function()
    local text, message = decode("ab\130", "shift_jis")
    assert.is_nil(text)
    assert.are.equal("not valid shift_jis at byte 3", message)
  end)

  it("name what they do not know", function()
    local text, message = decode("x", "klingon")
    assert.is_nil(text)
    assert.matches("'klingon'", message)
  end)
end)
