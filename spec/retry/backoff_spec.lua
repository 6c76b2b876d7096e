local backoff = require "lurcher.retry.backoff"

local function policy(fields)
  local all = { base = 1, factor = 2, max_wait = 100, jitter = "none" }
  for key, value in pairs(fields) do all[key] = value end
  return all
end

-- The least and the greatest of 2,000 waits.
local function range(fields, n, previous)
  local least, most = math.huge, 0
  for _ = 1, 2000 do
    local wait = backoff.exponential(policy(fields), n, previous)
    least, most = math.min(least, wait), math.max(most, wait)
  end
  return least, most
end

local function within(low, high, least, most)
  assert.is_true(least >= low and least < low + (high - low) * 0.05, "least: " .. least)
  assert.is_true(most <= high and most > high - (high - low) * 0.05, "most: " .. most)
end

describe("waits between attempts", function()
  it("grow by the factor", function()
    for n, wait in ipairs { 1, 2, 4, 8, 16 } do
      assert.equal(wait, backoff.exponential(policy {}, n))
    end
    assert.equal(0.5 * 27, backoff.exponential(policy { base = 0.5, factor = 3 }, 4))
  end)

  it("are never longer than max_wait, unless it is false", function()
    assert.equal(100, backoff.exponential(policy {}, 8))
    assert.equal(128, backoff.exponential(policy { max_wait = false }, 8))
    assert.equal(100, backoff.exponential(policy {}, 5000))
    assert.equal(0, backoff.exponential(policy { base = 0 }, 5000))
  end)

  it("lie between none and all of it with jitter 'full'", function()
    within(0, 8, range({ jitter = "full" }, 4))
  end)

  it("lie between half and all of it with jitter 'equal'", function()
    within(4, 8, range({ jitter = "equal" }, 4))
  end)

  it("lie between base and three times the wait before with jitter 'decorrelated'", function()
    within(1, 3, range({ jitter = "decorrelated" }, 1))
    within(1, 30, range({ jitter = "decorrelated" }, 2, 10))
    local least, most = range({ jitter = "decorrelated" }, 2, 90)
    assert.is_true(least >= 1 and most == 100)
  end)

  it("are drawn from a given one", function()
    assert.equal(3, backoff.drawn(3, "none"))
    for _ = 1, 100 do
      local half = backoff.drawn(3, "equal")
      assert.is_true(half >= 1.5 and half <= 3)
      assert.is_true(backoff.drawn(3, "full") <= 3)
    end
  end)
end)
