-- The figures that scripts/bench outage prints, as bounds. It has a thousand clients; with fewer they are the same
-- within a tenth or two, and the simulation takes a third or a tenth of the time.

local faults = require "spec.support.faults"
local outage = require "spec.support.outage"

local CLIENTS = faults.sanitized() and 100 or 300

local function run(opts)
  opts.clients = CLIENTS
  return outage.run(opts)
end

describe("after an outage of 10 s that many clients noticed at once", function()
  for name, opts in pairs {
    ["with the default policies"] = {},
    ["with patient ones"] = { retry = { attempts = 20 } },
  } do
    it("they come back evenly, and have sent little more than what was asked for, " .. name, function()
      local figures = run(opts)
      assert.is_true(figures.calls > 40 * CLIENTS)
      assert.is_true(figures.failed > 5 * CLIENTS and figures.failed < 15 * CLIENTS)
      assert.is_true(figures.retries > CLIENTS)
      -- Requests per 100 ms once the server is back: at most four times the mean.
      assert.is_true(figures.peak_ratio < 4, "peak: " .. figures.peak_ratio)
      -- All that was sent, over the whole time and while the server was down, to what it would have been.
      assert.is_true(figures.total < 1.3, "total: " .. figures.total)
      assert.is_true(figures.total_down < 1.5, "while it was down: " .. figures.total_down)
    end)
  end

  it("they come back all at once without jitter, and send twice as much without a budget", function()
    assert.is_true(run({ retry = { attempts = 20, jitter = "none", budget = false } }).peak_ratio > 10)
    assert.is_true(run({ retry = { budget = false } }).total_down > 2)
  end)

  it("a circuit breaker sends next to nothing meanwhile", function()
    local figures = run { breaker = { cooldown = 1, max_cooldown = 5 } }
    assert.is_true(figures.total_down < 0.2, "while it was down: " .. figures.total_down)
    assert.is_true(figures.peak_ratio < 4, "peak: " .. figures.peak_ratio)
  end)
end)
