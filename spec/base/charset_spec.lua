local charset = require "lurcher.base.charset"
local task = require "lurcher.task"

-- What the WHATWG Encoding standard knows: labels, a text, and what it is in UTF-8.
local LABELS = {
  { "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8",
    "\195\164", "\195\164" },
  { "866 cp866 csibm866 ibm866",
    "\128\192\255", "\208\144\226\148\148\194\160" },
  { "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
    "\128\192\255", "\194\128\197\148\203\153" },
  { "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3",
    "\128\191\255", "\194\128\197\188\203\153" },
  { "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4",
    "\128\192\255", "\194\128\196\128\203\153" },
  { "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5"
    .. " iso_8859-5:1988",
    "\128\192\255", "\194\128\208\160\209\159" },
  { "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e"
    .. " iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987",
    "\128\196\242", "\194\128\216\164\217\146" },
  { "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597"
    .. " iso_8859-7 iso_8859-7:1987 sun_eu_greek",
    "\128\191\254", "\194\128\206\143\207\142" },
  { "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598"
    .. " iso_8859-8 iso_8859-8:1988 visual",
    "\128\175\254", "\194\128\194\175\226\128\143" },
  { "csiso88598i iso-8859-8-i logical",
    "\128\175\254", "\194\128\194\175\226\128\143" },
  { "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6",
    "\128\192\255", "\194\128\196\128\196\184" },
  { "iso-8859-13 iso8859-13 iso885913",
    "\128\192\255", "\194\128\196\132\226\128\153" },
  { "iso-8859-14 iso8859-14 iso885914",
    "\128\192\255", "\194\128\195\128\195\191" },
  { "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9",
    "\128\192\255", "\194\128\195\128\195\191" },
  { "iso-8859-16",
    "\128\192\255", "\194\128\195\128\195\191" },
  { "cskoi8r koi koi8 koi8-r koi8_r",
    "\128\192\255", "\226\148\128\209\142\208\170" },
  { "koi8-ru koi8-u",
    "\128\192\255", "\226\148\128\209\142\208\170" },
  { "csmacintosh mac macintosh x-mac-roman",
    "\128\192\255", "\195\132\194\191\203\135" },
  { "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
    "\128\188\251", "\226\130\172\224\184\156\224\185\155" },
  { "cp1250 windows-1250 x-cp1250",
    "\128\192\255", "\226\130\172\197\148\203\153" },
  { "cp1251 windows-1251 x-cp1251",
    "\128\192\255", "\208\130\208\144\209\143" },
  { "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1"
    .. " iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252",
    "\128\192\255", "\226\130\172\195\128\195\191" },
  { "cp1253 windows-1253 x-cp1253",
    "\128\191\254", "\226\130\172\206\143\207\142" },
  { "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5"
    .. " latin5 windows-1254 x-cp1254",
    "\128\192\255", "\226\130\172\195\128\195\191" },
  { "cp1255 windows-1255 x-cp1255",
    "\128\187\254", "\226\130\172\194\187\226\128\143" },
  { "cp1256 windows-1256 x-cp1256",
    "\128\192\255", "\226\130\172\219\129\219\146" },
  { "cp1257 windows-1257 x-cp1257",
    "\128\193\255", "\226\130\172\196\174\203\153" },
  { "cp1258 windows-1258 x-cp1258",
    "\128\192\255", "\226\130\172\195\128\195\191" },
  { "x-mac-cyrillic x-mac-ukrainian",
    "\128\192\255", "\208\144\209\152\226\130\172" },
  { "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk",
    "\196\227", "\228\189\160" },
  { "gb18030",
    "\1290\1290\196\227", "\194\128\228\189\160" },
  { "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "\167A", "\228\189\160" },
  { "cseucpkdfmtjapanese euc-jp x-euc-jp",
    "\164\162\173\161", "\227\129\130\226\145\160" },
  { "csiso2022jp iso-2022-jp",
    "\027$B$\034\027(B", "\227\129\130" },
  { "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
    "\130\160\129`", "\227\129\130\239\189\158" },
  { "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601"
    .. " ksc_5601 windows-949",
    "\176\161\129A", "\234\176\128\234\176\130" },
  { "unicodefffe utf-16be",
    "\000a\000\228", "a\195\164" },
  { "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
    "a\000\228\000", "a\195\164" },
  { "x-user-defined",
    "\128\255", "\239\158\128\239\159\191" },

}

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

  it("take iso-8859-1 and US-ASCII for windows-1252, as all browsers do", function()
    assert.are.equal("abc", decode("abc", "us-ascii"))
    assert.are.equal("abé€", decode("ab\233\128", "us-ascii"))
    assert.are.equal("\194\129\194\157", decode("\129\157", "iso-8859-1"))
  end)

  it("have control characters where bytes are undefined, or none at all", function()
    assert.are.equal("\194\129", decode("\129", "windows-1250"))
    assert.are.equal("\194\152", decode("\152", "windows-1251"))
    for name, byte in pairs { ["windows-1253"] = "\170", ["windows-1255"] = "\255", ["windows-1257"] = "\161",
      ["iso-8859-3"] = "\165", ["iso-8859-6"] = "\161", ["iso-8859-8"] = "\161", ["windows-874"] = "\219" } do
      local text, message = decode("ab" .. byte .. "c", name)
      assert.is_nil(text)
      assert.are.equal(("not valid %s at byte 3"):format(name), message)
    end
  end)

  it("are known by all labels of the web", function()
    for _, row in ipairs(LABELS) do
      for label in row[1]:gmatch("%S+") do
        assert.are.equal(row[3], decode(row[2], label), label)
        assert.are.equal(row[3], decode(row[2], label:upper()), label)
      end
    end
  end)

  it("are not known by labels that no browser decodes", function()
    for _, label in ipairs { "iso-2022-kr", "hz-gb-2312", "utf-7", "utf-32", "iso-8859-12", "2", "l", "utf",
      "replacement" } do
      local text, message = decode("x", label)
      assert.is_nil(text)
      assert.are.equal(("character set '%s' is not supported"):format(label), message)
    end
  end)

  it("are those of a byte order mark, whatever is declared", function()
    assert.are.equal("ä", decode("\239\187\191ä", "iso-8859-1"))
    assert.are.equal("ä", decode("\239\187\191ä", "klingon"))
    assert.are.equal("ä", decode("\254\255\0\228", "utf-8"))
    assert.are.equal("ä", decode("\254\255\0\228", "utf-16le"))
    assert.are.equal("ä", decode("\255\254\228\0", "utf-16be"))
    assert.are.equal("\239\187\191", decode("\239\187\191\239\187\191")) -- one is enough
    local text, message = decode("\239\187\191a\255", "iso-8859-1")
    assert.is_nil(text)
    assert.are.equal("not valid UTF-8 at byte 5", message)
  end)

  it("may stand in quotes", function()
    assert.are.equal("é", charset.decode("\233", "text/plain;charset='latin1'"))
    assert.are.equal("é", charset.decode("\233", 'text/plain; Charset = "Latin1"; x=y'))
  end)

  it("convert long texts whole, wherever a step ends in them", function()
    for name, case in pairs { gbk = { "a\196\227", "a你" }, ["utf-8"] = { "a你", "a你" },
      latin1 = { "ab\233", "abé" }, ["utf-16le"] = { "\52\216\30\221a\0", "𝄞a" },
      ["iso-2022-jp"] = { "\27$B$\"\27(Bx", "あx" } } do
      local count = 600000
      assert.is_true(decode(case[1]:rep(count), name) == case[2]:rep(count), name)
    end
  end)

  it("let other tasks run while a long text is converted", function()
    local turns, over = 0, false
    local other = task.spawn(function()
      while not over do
        turns = turns + 1
        task.yield()
      end
    end)
    decode(("\196\227"):rep(2000000), "gbk")
    over = true
    other:join()
    assert.is_true(turns >= 4)
  end)

  it("convert long texts where no task can wait, too", function()
    local text = ("\196\227"):rep(500000)
    local length
    string.gsub("x", "x", function() length = #decode(text, "gbk") end)
    assert.are.equal(1500000, length)
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
