local units = require "lurcher.base.units"

describe("figures", function()
  it("are durations with a fitting unit", function()
    local wanted = { [0] = "0", [0.0000123] = "12 µs", [0.0123] = "12.3 ms", [0.123] = "123 ms",
      [1.234] = "1.23 s", [99.96] = "1 min 39 s", [7325] = "2 h 2 min", [0.00099999] = "1.0 ms" }
    for seconds, text in pairs(wanted) do assert.equal(text, units.duration(seconds)) end
  end)

  it("are sizes with a fitting unit", function()
    local wanted = { [0] = "0 B", [999] = "999 B", [1000] = "1.0 KiB", [1048576] = "1.0 MiB",
      [123456789] = "118 MiB" }
    for bytes, text in pairs(wanted) do assert.equal(text, units.size(bytes)) end
  end)

  it("are counts in groups of three digits", function()
    assert.equal("1,234,567", units.count(1234567))
    assert.equal("12", units.count(12))
  end)

  it("are shares that are 0 or 100 % only when they really are", function()
    assert.same({ "-", "100 %", "99 %", "1 %", "0 %" }, { units.share(0, 0), units.share(5, 5),
      units.share(9999, 10000), units.share(1, 10000), units.share(0, 5) })
  end)

  it("are shortened in the middle, by characters", function()
    assert.equal("https://exam…items", units.shorten("https://example.org/many/items", 18))
    assert.equal("ää…ä", units.shorten("äääääääää", 4))
    assert.equal("short", units.shorten("short", 5))
  end)

  it("are counted with a noun that fits", function()
    assert.equal("1 call", units.plural(1, "call"))
    assert.equal("1,000 calls", units.plural(1000, "call"))
    assert.equal("0 calls", units.plural(0, "call"))
  end)
end)

describe("text", function()
  it("is as wide as it has characters", function()
    assert.equal(4, units.width("äb…c"))
    assert.equal(4, units.width("日本"))
    assert.equal(3, units.width("🚀x"))
    assert.equal(1, units.width("e\204\129"))
    assert.equal("日本…", units.shorten("日本語語", 6))
    assert.is_true(units.width(units.shorten(("🚀"):rep(20), 9)) <= 9)
    assert.equal("ä   ", units.pad("ä", 4))
    assert.equal("   ä", units.pad("ä", 4, true))
    assert.equal("long", units.pad("long", 2))
  end)

  it("is wrapped after commas", function()
    assert.same({ "one, two,", "three" }, units.wrap("one, two, three", 10))
    assert.same({ "one, two, three" }, units.wrap("one, two, three", 15))
    assert.same({ "aloo…,", "1,234" }, units.wrap("alooooong, 1,234", 6))
    assert.same({ "one, a", "longer", "sentence," , "two" }, units.wrap("one, a longer sentence, two", 9))
    assert.same({}, units.wrap("", 10))
  end)
end)
