local clock = require "lurcher.clock"
local date = require "lurcher.date"
local task = require "lurcher.task"

local NOON = 784123200 -- 1994-11-06T12:00:00Z

describe("date.parse", function()
  for text, seconds in pairs {
    ["Sun, 06 Nov 1994 12:00:00 GMT"] = NOON,
    ["Sunday, 06-Nov-94 12:00:00 GMT"] = NOON,
    ["Sun Nov  6 12:00:00 1994"] = NOON,
    ["Thu Nov 16 12:00:00 1994"] = NOON + 864000,
    ["Sun, 6 Nov 1994 13:00:00 +0100"] = NOON,
    ["06 Nov 1994 12:00:00 UTC"] = NOON,
    ["6 nov 1994 12:00"] = NOON,
    ["1994-11-06T12:00:00Z"] = NOON,
    ["1994-11-06t12:00:00z"] = NOON,
    ["1994-11-06 12:00:00Z"] = NOON,
    ["1994-11-06T12:00:00"] = NOON,
    ["1994-11-06T12:00"] = NOON,
    ["1994-11-06T12"] = NOON,
    ["1994-11-06T12:00:00.25Z"] = NOON + 0.25,
    ["1994-11-06T12:00:00,25Z"] = NOON + 0.25,
    ["1994-11-06T12:00:00.123456789Z"] = NOON + 0.123456789,
    ["1994-11-06T13:30:00+01:30"] = NOON,
    ["1994-11-06T07:00:00-05:00"] = NOON,
    ["1994-11-06T13:00+0100"] = NOON,
    ["1994-11-06T13:00+01"] = NOON,
    ["1994-11-06 13:00:00 +0100"] = NOON,
    ["19941106T120000Z"] = NOON,
    ["1994-W44-7T12:00Z"] = NOON,
    ["1994W447T12:00Z"] = NOON,
    ["1994-310T12:00Z"] = NOON,
    ["1994-11-06"] = NOON - 43200,
    ["1994-11"] = NOON - 43200 - 5 * 86400,
    ["1994-11-05T24:00:00Z"] = NOON - 43200,
    ["1990-12-31T23:59:60Z"] = 662688000,
    ["2024-02-29"] = 1709164800,
    ["0001-01-01T00:00:00Z"] = -62135596800,
    ["9999-12-31T23:59:59Z"] = 253402300799,
    ["1969-12-31T23:59:59Z"] = -1,
    ["0"] = 0,
    ["784123200"] = NOON,
    ["784123200.5"] = NOON + 0.5,
    ["-1"] = -1,
    ["784123200500"] = NOON + 0.5,
    ["784123200500000"] = NOON + 0.5,
    ["784123200500000000"] = NOON + 0.5,
    ["  784123200\n"] = NOON,
  } do
    it(("reads %q"):format(text), function()
      assert.are.equal(seconds, assert(date.parse(text)))
    end)
  end

  it("takes eight digits for a day where the calendar has it", function()
    assert.equal(date.parse "2020-01-31", date.parse "20200131")
    assert.equal(date.parse "2024-02-29", date.parse " 20240229 ")
    assert.equal(20230229, date.parse "20230229") -- there is no such day
    assert.equal(12345678, date.parse "12345678")
    assert.equal(20200131, date.parse(20200131))
    assert.equal(-20200131, date.parse "-20200131")
  end)

  it("takes numbers", function()
    assert.are.equal(NOON, date.parse(NOON))
    assert.are.equal(NOON + 0.5, date.parse(NOON * 1000 + 500))
  end)

  for _, text in ipairs { "", " ", "yesterday", "2023-02-29", "2024-02-30", "2024-13-01", "2024-00-10",
    "2024-01-32", "2024-01-01T25:00Z", "2024-01-01T24:00:01Z", "2024-01-01T12:60Z", "2024-01-01T12:00:61Z",
    "2024-01-01T12:00:00+25:00", "2024-01-01T12:00:00 nonsense", "2024-1-1", "2024-01-01T", "2024-W54",
    "2024-W00-1", "2024-367", "2023-366", "Sun, 31 Feb 1994 12:00:00 GMT", "Sun, 06 Foo 1994 12:00:00 GMT",
    "Sun, 06 Nov 1994 12:00:00 XYZ", "Sun, 06 Nov 199 12:00:00 GMT", "06/11/1994", "12:00", "1e5", "0x10",
    "nan", "inf", "1994-11-06T12:00:00.Z", "1994-11-06T12:00:0Z", "1\0" } do
    it(("refuses %q"):format(text), function()
      local seconds, err = date.parse(text)
      assert.is_nil(seconds)
      assert.are.equal("decode", err.kind)
      assert.matches("is no date", err.message)
    end)
  end

  it("looks at 64 bytes and shows them in one line", function()
    local _, err = date.parse(("1 "):rep(1000000))
    assert.is_true(#err.message < 100)
    _, err = date.parse("a\27[2J\n")
    assert.are.equal("'a\\x1b[2J' is no date", err.message)
  end)

  it("raises for what is no text", function()
    assert.error_matches(function() date.parse() end, "bad argument #1 to 'date.parse'")
    assert.error_matches(function() date.parse {} end, "string or number expected")
  end)
end)

describe("date.format", function()
  it("writes RFC 3339", function()
    assert.are.equal("1994-11-06T12:00:00Z", date.format(NOON))
    assert.are.equal("1994-11-06T12:00:00Z", date.format(NOON, "iso"))
    assert.are.equal("1994-11-06T12:00:00.250Z", date.format(NOON + 0.25))
    assert.are.equal("1994-11-06T12:00:01Z", date.format(NOON + 0.9999))
    assert.are.equal("1969-12-31T23:59:59.500Z", date.format(-0.5))
    assert.are.equal("0001-01-01T00:00:00Z", date.format(-62135596800))
  end)

  it("writes HTTP's form", function()
    assert.are.equal("Sun, 06 Nov 1994 12:00:00 GMT", date.format(NOON, "http"))
    assert.are.equal("Thu, 01 Jan 1970 00:00:00 GMT", date.format(0.9, "http"))
  end)

  it("writes by a pattern, in UTC", function()
    assert.are.equal("06.11.1994 12:00", date.format(NOON, "%d.%m.%Y %H:%M"))
    assert.are.equal("", date.format(NOON, ""))
    assert.error_matches(function() date.format(NOON, "*t") end, "'%*t' gives no text")
  end)

  it("is read back", function()
    for _, seconds in ipairs { 0, 1, NOON, -1, 951782400, 4102444800, 253402300799 } do
      assert.are.equal(seconds, date.parse(date.format(seconds)))
      assert.are.equal(seconds, date.parse(date.format(seconds, "http")))
    end
  end)

  it("refuses what is no date", function()
    for _, seconds in ipairs { 1e18, -1e18, math.huge, 0 / 0 } do
      assert.error_matches(function() date.format(seconds) end, "in the years 0 to 9999")
    end
    assert.error_matches(function() date.format("x") end, "bad argument #1 to 'date.format'")
  end)
end)

describe("date.now", function()
  it("is the time of day", function()
    assert.is_true(math.abs(date.now() - os.time()) < 60)
  end)

  it("is virtual where the clock is", function()
    clock.virtual(function()
      local before = date.now()
      task.sleep(3600)
      local passed = date.now() - before
      assert.is_true(passed >= 3600 and passed < 3601)
    end)
  end)
end)
