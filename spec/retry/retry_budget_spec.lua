local clock = require "lurcher.clock"
local http = require "lurcher.http"
local origin = require "spec.support.origin"
local retry_budget = require "lurcher.http.retry_budget"
local task = require "lurcher.task"

describe("a retry budget", function()
  -- How many retries it allows after so many calls.
  local function allowed(calls, rule)
    local budget = retry_budget.new()
    for _ = 1, calls do budget:note_call() end
    local count = 0
    while budget:take(rule) do count = count + 1 end
    return count
  end

  it("is a share of the calls, and so many in any case", function()
    assert.equal(20, allowed(100, { ratio = 0.2, min_per_second = 0 }))
    assert.equal(29, allowed(100, { ratio = 0.29, min_per_second = 0 }))
    assert.equal(0, allowed(4, { ratio = 0.2, min_per_second = 0 }))
    assert.equal(1, allowed(5, { ratio = 0.2, min_per_second = 0 }))
    assert.equal(120, allowed(100, { ratio = 0.2, min_per_second = 10 }))
    assert.equal(0, allowed(100, { ratio = 0, min_per_second = 0 }))
  end)

  it("comes back as time goes on, and calls are forgotten", function()
    clock.virtual(function()
      local budget, rule = retry_budget.new(), { ratio = 0.5, min_per_second = 0 }
      for _ = 1, 4 do budget:note_call() end
      assert.is_true(budget:take(rule) and budget:take(rule))
      assert.is_false(budget:take(rule))
      task.sleep(10)
      assert.is_false(budget:take(rule))
      for _ = 1, 2 do budget:note_call() end
      assert.is_true(budget:take(rule))
      assert.is_false(budget:take(rule))
    end)
  end)
end)

describe("the retry budget of a client", function()
  local site

  before_each(function()
    site = origin.start()
    site.answer = { status = 503 }
  end)
  after_each(function() site:stop() end)

  local function retry(budget)
    return { base = 0, attempts = 3, budget = budget }
  end

  it("ends retries beyond the share of calls, and says so on what is returned", function()
    local client = http.client { retry = retry { ratio = 0.2, min_per_second = 0 } }
    local exhausted = 0
    for _ = 1, 20 do
      local res = assert(client:get(site.url))
      assert.equal(503, res.status)
      if res.budget_exhausted then exhausted = exhausted + 1 end
    end
    assert.equal(24, #site:requests())
    assert.is_true(exhausted >= 16)
  end)

  it("leaves kind and message of an error alone", function()
    local url = site.url
    site:stop()
    local message = select(2, http.get(url, { retry = false })).message
    local client = http.client { retry = retry { ratio = 0, min_per_second = 0 } }
    local _, err = client:get(url)
    assert.equal("connect", err.kind)
    assert.equal(message, err.message)
    assert.is_true(err.budget_exhausted)
    assert.equal(1, err.attempts)
  end)

  it("is off with budget=false, and merged by key", function()
    local client = http.client { retry = retry { ratio = 0, min_per_second = 0 } }
    assert.equal(1, assert(client:get(site.url)).attempts)
    assert.equal(3, assert(client:get(site.url, { retry = { budget = false } })).attempts)
    assert.equal(3, assert(client:get(site.url, { retry = { budget = { min_per_second = 10 } } })).attempts)
    assert.equal(1, assert(client:get(site.url, { retry = { budget = { ratio = 0.1 } } })).attempts)
  end)

  it("counts with the clients made from it, and not with others", function()
    local client = http.client { retry = retry { ratio = 0.5, min_per_second = 0 } }
    assert.equal(1, assert(client:get(site.url)).attempts)
    assert.equal(2, assert(client:extend({ user_agent = "b" }):get(site.url)).attempts)
    local other = http.client { retry = retry { ratio = 0.5, min_per_second = 0 } }
    assert.equal(1, assert(other:get(site.url)).attempts)
  end)

  it("comes back within 10 s", function()
    clock.virtual(function()
      local budget = { ratio = 0, min_per_second = 0.1 }
      local client = http.client { retry = { base = 0, attempts = 2, budget = budget } }
      assert.equal(2, assert(client:get(site.url)).attempts)
      assert.equal(1, assert(client:get(site.url)).attempts)
      task.sleep(10)
      assert.equal(2, assert(client:get(site.url)).attempts)
    end)
  end)
end)
