local date = require "lurcher.base.date"

describe("HTTP dates", function()
  for _, text in ipairs { "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994", "06 Nov 1994 08:49:37", "Sun, 6-Nov-1994 8:49:37 GMT" } do
    it("read " .. text, function()
      assert.are.equal(784111777, date.parse(text))
    end)
  end

  -- What RFC 6265 takes for delimiters, and what may follow a number.
  for _, text in ipairs { "06!Nov\"1994#08:49:37$GMT", "Sun@06[Nov]1994^08:49:37`", "06{Nov|1994}08:49:37~",
    "06=Nov?1994>08:49:37", "(06)Nov_1994'08:49:37\\", "06th November 1994AD 08:49:37.5", "Nov 6 94 8:49:37Z",
    "1994 06 Nov 08:49:37", "06\9Nov\0091994+8:49:37", "08:49:37 6 Nov 1994 1:2:3 7 Dec 1995" } do
    it("read " .. ("%q"):format(text), function()
      assert.are.equal(784111777, date.parse(text))
    end)
  end

  it("have clocks of one or two digits each, and years of two to four", function()
    for _, text in ipairs { "06 Nov 1994 08:49:371", "06 Nov 1994 108:49:37", "06 Nov 1994 08:49",
      "006 Nov 1994 08:49:37", "06 Nov 19941 08:49:37", "06 Nov 4 08:49:37", "06\10Nov\0101994\01008:49:37" } do
      assert.is_nil(date.parse(text), text)
    end
  end)

  it("know the epoch, leap days and years to come", function()
    assert.are.equal(0, date.parse("Thu, 01 Jan 1970 00:00:00 GMT"))
    assert.are.equal(951782400, date.parse("Tue, 29 Feb 2000 00:00:00 GMT"))
    assert.are.equal(4102444800, date.parse("Fri, 01 Jan 2100 00:00:00 GMT"))
  end)

  it("know leap seconds", function()
    assert.are.equal(915148800, date.parse("Thu, 31 Dec 1998 23:59:60 GMT"))
    assert.is_nil(date.parse("Thu, 31 Dec 1998 23:59:61 GMT"))
  end)

  for _, text in ipairs { "", "soon", "0", "-1", "Sun, 06 Nov 1994", "Sun, 06 Foo 1994 08:49:37 GMT",
    "Sun, 36 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nov 1500 08:49:37 GMT" } do
    it(("refuse %q"):format(text), function()
      assert.is_nil(date.parse(text))
    end)
  end
end)
