local clock = require "lurcher.clock"
local hints = require "lurcher.http.rate_limit_headers"

local function head(...) return table.concat({ ... }, "\r\n") .. "\r\n" end

local START = 1700000000 -- Tue, 14 Nov 2023 22:13:20 GMT

-- What is read at that moment.
local function read(...)
  local block = head(...)
  return clock.virtual(function() return hints.read(block) end, { time = START })
end

local function wait(...)
  local block = head(...)
  return clock.virtual(function() return hints.wait(block) end, { time = START })
end

describe("Retry-After", function()
  it("is a number of seconds", function()
    assert.same({ retry_after = 12 }, read "Retry-After: 12")
    assert.same({}, read "retry-after:   0  ")
    assert.equal(1.5, wait "Retry-After: 1.5")
  end)

  it("is a date", function()
    assert.equal(40, wait "Retry-After: Tue, 14 Nov 2023 22:14:00 GMT")
    assert.equal(40, wait "Retry-After: Tuesday, 14-Nov-23 22:14:00 GMT")
  end)

  it("is no hint when its date has passed", function()
    assert.is_nil(wait "Retry-After: Tue, 14 Nov 2017 22:14:00 GMT")
    assert.is_nil(wait "Retry-After: 0.0")
  end)

  it("that is a date counts from the server's own Date", function()
    assert.equal(20, wait("Retry-After: Tue, 14 Nov 2023 23:13:40 GMT", "Date: Tue, 14 Nov 2023 23:13:20 GMT"))
    assert.equal(20, wait("Date: Tue, 14 Nov 2023 21:13:20 GMT", "Retry-After: Tue, 14 Nov 2023 21:13:40 GMT"))
    assert.is_nil(wait("Retry-After: Tue, 14 Nov 2023 23:13:20 GMT", "Date: Tue, 14 Nov 2023 23:13:20 GMT"))
    assert.equal(40, wait("Date: soon", "Retry-After: Tue, 14 Nov 2023 22:14:00 GMT"))
  end)

  it("may be milliseconds, which are more exact", function()
    assert.equal(1.5, wait("Retry-After: 2", "Retry-After-Ms: 1500"))
    assert.equal(1.5, wait "retry-after-ms: 1500")
    assert.equal(2, wait("Retry-After-Ms: 0", "Retry-After: 2"))
  end)

  it("is capped when it is huge or far", function()
    for _, value in ipairs { ("9"):rep(26), ("9"):rep(400), "Fri, 31 Dec 9999 23:59:59 GMT" } do
      assert.equal(315360000, wait("Retry-After: " .. value))
    end
  end)

  it("that makes no sense is not there", function()
    local nonsense = { "", "-5", "soon", "5 s", "1e3", "0x10", "nan", "inf", "5, 10", "Tue, 99 Nov 2023",
      "\1\2", ("x"):rep(10000) }
    for _, value in ipairs(nonsense) do
      assert.same({}, read("Retry-After: " .. value), value)
    end
  end)

  it("that came several times counts with its first sensible value", function()
    assert.equal(7, wait("Retry-After: soon", "Retry-After: 7", "Retry-After: 9"))
  end)
end)

describe("RateLimit headers", function()
  it("are three", function()
    assert.same({ limit = 100, remaining = 7, reset = 30 },
      read("RateLimit-Limit: 100", "RateLimit-Remaining: 7", "RateLimit-Reset: 30"))
    assert.same({ limit = 100, window = 60 },
      read "RateLimit-Limit: 100, 100;w=60;comment=\"fixed window\"")
    assert.same({ limit = 10, window = 1 }, read "RateLimit-Limit: 10, 50;w=60, 10;w=1")
    assert.same({ limit = 20, window = 10, remaining = 3, reset = 4 }, read("RateLimit-Limit: 20",
      'RateLimit-Policy: "a";q=20;w=10', "RateLimit-Remaining: 3", "RateLimit-Reset: 4"))
  end)

  it("are one field with parameters", function()
    assert.same({ limit = 100, remaining = 50, reset = 30, window = 60 },
      read('RateLimit: "default";r=50;t=30', 'RateLimit-Policy: "default";q=100;w=60'))
  end)

  it("with several policies count with the one nearest to its end", function()
    assert.same({ remaining = 2, reset = 5, limit = 10 },
      read('RateLimit: "day";r=900;t=36000, "odd, name";r=2;t=5',
        'RateLimit-Policy: "day";q=1000, "s";q=10'))
    assert.same({ remaining = 0, reset = 60 }, read 'RateLimit: "s";r=0;t=1, "m";r=0;t=60')
  end)

  it("are one field of three, as it was once", function()
    assert.same({ limit = 100, remaining = 50, reset = 5 },
      read "RateLimit: limit=100, remaining=50, reset=5")
  end)

  it("have names that begin with X", function()
    assert.same({ limit = 60, remaining = 0, reset = 20 },
      read("X-RateLimit-Limit: 60", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 20"))
    assert.same({ limit = 60, remaining = 1, reset = 20 },
      read("X-Rate-Limit-Limit: 60", "X-Rate-Limit-Remaining: 1", "X-Rate-Limit-Reset: 20"))
  end)

  it("reset in seconds, in a span of time, or at a moment", function()
    for _, name in ipairs { "RateLimit-Reset", "X-RateLimit-Reset", "X-RateLimit-Reset-After",
      "x-ratelimit-reset-requests", "X-Rate-Limit-Reset" } do
      local function reset(value, ...) return read(name .. ": " .. value, ...).reset end
      for _, unit in ipairs { 1, 1000, 1e6, 1e9 } do
        assert.equal(25, reset(("%.0f"):format((START + 25) * unit)))
        assert.is_nil(reset(("%.0f"):format((START - 25) * unit)))
      end
      assert.equal(1000, reset "1000")
      assert.equal(1.5, reset "1.5")
      assert.is_nil(reset "0")
      assert.equal(360, reset "6m0s")
      assert.equal(3723.5, reset "1h2m3.5s")
      assert.equal(0.25, reset "250ms")
      assert.equal(86400, reset "1d")
      assert.equal(40, reset "2023-11-14T22:14:00Z")
      assert.equal(40, reset "2023-11-14T23:14:00+01:00")
      assert.equal(40, reset("2023-11-14T23:14:00Z", "Date: Tue, 14 Nov 2023 23:13:20 GMT"))
      for _, nonsense in ipairs { "m", "6m0", "6x", "1s1", "s6", "1h 2m", "2023-13-14T22:14:00Z" } do
        assert.is_nil(reset(nonsense), nonsense)
      end
    end
    assert.same({ limit = 60, remaining = 0, reset = 0.5 }, read("x-ratelimit-limit-requests: 60",
      "x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 500ms"))
  end)

  it("are read in a time that grows with their length, no faster", function()
    local texts = { ("1"):rep(99000), ("a"):rep(99000), ("a=1;"):rep(25000), (" "):rep(99000) .. "x",
      ('"'):rep(99000), (";"):rep(99000), ("1,"):rep(49000), ("1s"):rep(49000), ("-"):rep(99000) }
    local names = { "Retry-After", "Retry-After-Ms", "RateLimit", "RateLimit-Policy", "RateLimit-Limit",
      "RateLimit-Reset", "X-RateLimit-Remaining", "Date" }
    for _, name in ipairs(names) do
      for _, text in ipairs(texts) do
        local cpu = os.clock()
        read(name .. ": " .. text, "RateLimit-Reset: 5")
        assert.is_true(os.clock() - cpu < 0.5, name .. ": " .. text:sub(1, 10)) -- a quadratic one takes 10 s
      end
    end
  end)

  it("of the standard win over those with X", function()
    assert.same({ remaining = 5, reset = 2 },
      read("X-RateLimit-Remaining: 9", "X-RateLimit-Reset: 99", 'RateLimit: "a";r=5;t=2'))
  end)

  it("that make no sense are not there", function()
    assert.same({}, read("RateLimit-Remaining: -1", "RateLimit-Reset: soon", "RateLimit: ;;;=,=;\"",
      "RateLimit:", "X-RateLimit-Reset: -5", "RateLimit-Policy: q", "RateLimit: r=x;t=-1"))
  end)

  it("say how long to wait when nothing remains", function()
    assert.equal(30, wait("RateLimit-Remaining: 0", "RateLimit-Reset: 30"))
    assert.equal(30, wait "RateLimit-Reset: 30")
    assert.is_nil(wait("RateLimit-Remaining: 3", "RateLimit-Reset: 30"))
    assert.equal(5, wait("Retry-After: 5", "RateLimit-Remaining: 0", "RateLimit-Reset: 30"))
    assert.is_nil(wait "Content-Type: text/plain")
  end)
end)
