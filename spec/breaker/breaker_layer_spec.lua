local clock = require "lurcher.clock"
local http = require "lurcher.http"
local origin = require "spec.support.origin"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

describe("the circuit breaker of a client", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  -- A client whose circuits open after two failures in a row, for 10 s, and that does not repeat anything.
  local function client(opts, more)
    local circuit, all = { failures = 2, cooldown = 10 }, { retry = false }
    for key, value in pairs(opts or {}) do circuit[key] = value end
    for key, value in pairs(more or {}) do all[key] = value end
    all.breaker = circuit
    return http.client(all)
  end

  local function fails() site.answer = { status = 503 } end
  local function works() site.answer = nil end

  local function opened(opts, more)
    fails()
    local api = client(opts, more)
    for _ = 1, 2 do api:get(site.url) end
    assert.not_equal("closed", api:breaker(site.url).state) -- a short cooldown may be over already
    return api
  end

  local function refused(res, err)
    assert.is_nil(res)
    assert.equal("circuit_open", err.kind)
    return err
  end

  it("is off unless it is asked for", function()
    fails()
    local api = http.client { retry = false }
    for _ = 1, 30 do assert.equal(503, assert(api:get(site.url)).status) end
    assert.is_nil(api:breaker(site.url))
    assert.equal(5, http.client({ breaker = true }):breaker(site.url).failures)
  end)

  it("refuses requests to an origin that fails, without sending them", function()
    local api = opened()
    for _, opts in ipairs { false, { timeout = 5 }, { stream = true } } do
      local err = refused(api:get(site.url .. "/x", opts or nil))
      assert.equal("GET", err.method)
      assert.equal(site.url .. "/x", err.url)
      assert.equal(0, err.attempts)
      assert.is_false(err.retryable)
      assert.equal("status 503", err.cause.message)
      assert.matches("the circuit of http://127.0.0.1:%d+ has been open for %d.%d s %(2 failures in a row%); "
        .. "the next probe is due in %d+.%d s", err.message)
    end
    assert.equal(2, #site:requests())
  end)

  it("counts transport errors and 5xx, but no 4xx", function()
    local api = client()
    site.answer = { status = 404 }
    for _ = 1, 3 do assert(api:get(site.url)) end
    assert.equal("closed", api:breaker(site.url).state)
    local url = site.url
    site:stop()
    for _ = 1, 2 do assert.equal("connect", select(2, api:get(url)).kind) end
    assert.equal("connect", refused(api:get(url)).cause.kind)
  end)

  it("opens by the share of failures, whatever comes between", function()
    local api = client { failures = false, min_requests = 10, ratio = 0.5 }
    for _ = 1, 5 do
      works()
      assert(api:get(site.url))
      fails()
      assert(api:get(site.url))
    end
    refused(api:get(site.url))
    assert.equal(10, #site:requests())
  end)

  it("takes answers that are slower than `slow` for failures", function()
    local api = client { slow = 0.02 }
    site.answer = function(req)
      if req.path == "/slow" then task.sleep(0.04) end
      return { status = 200, body = "ok" }
    end
    assert(api:get(site.url .. "/slow"))
    assert(api:get(site.url .. "/slow"))
    assert.matches("slow: it took", refused(api:get(site.url)).cause.message)
  end)

  it("asks `counts`", function()
    local api = client { counts = function(res, err) return err ~= nil or res.status == 404 end }
    fails()
    for _ = 1, 3 do assert(api:get(site.url)) end
    site.answer = { status = 404 }
    for _ = 1, 2 do assert(api:get(site.url)) end
    refused(api:get(site.url))
  end)

  it("is one per origin", function()
    local api = opened()
    local other = origin.start()
    assert.equal("ok", assert(api:get(other.url)).body)
    assert.equal("closed", api:breaker(other.url .. "/any?path").state)
    assert.equal("open", api:breaker(site.url .. "/any?path").state)
    assert.are_not.equal(api:breaker(other.url), api:breaker(site.url))
    refused(api:get(site.url))
    other:stop()
  end)

  it("is asked at each hop of a redirect", function()
    local api = opened()
    local other = origin.start()
    other.answer = { status = 302, headers = { Location = site.url .. "/there" } }
    local err = refused(api:get(other.url))
    assert.equal(site.url .. "/there", err.url)
    assert.equal("closed", api:breaker(other.url).state)
    other:stop()
  end)

  it("closes again when a probe succeeds", function()
    clock.virtual(function()
      local api = opened()
      works()
      refused(api:get(site.url))
      task.sleep(10)
      assert.equal("ok", assert(api:get(site.url)).body)
      assert.equal("closed", api:breaker(site.url).state)
      assert.equal("ok", assert(api:get(site.url)).body)
    end)
  end)

  it("lets one of many probe", function()
    clock.virtual(function()
      local api = opened()
      task.sleep(10)
      local list, through = {}, 0
      for i = 1, 50 do list[i] = i end
      task.map(list, function()
        if api:get(site.url) then through = through + 1 end
      end, { concurrency = 50 })
      assert.equal(1, through)
      assert.equal(3, #site:requests())
    end)
  end)

  it("gives the place of a cancelled probe to another", function()
    local began = task.event()
    local api = opened { cooldown = 0.001 }
    serving.eventually(function() return api:breaker(site.url).state == "half_open" end)
    site.answer = function()
      began:set()
      task.sleep(30)
    end
    local probe = task.spawn(api.get, api, site.url)
    began:wait()
    refused(api:get(site.url))
    probe:cancel()
    pcall(probe.join, probe)
    works()
    assert.equal("ok", assert(api:get(site.url)).body)
    assert.equal("closed", api:breaker(site.url).state)
  end)

  it("waits if it is told to", function()
    clock.virtual(function()
      local api = opened { wait = true }
      works()
      local started = task.now()
      assert.equal("ok", assert(api:get(site.url)).body)
      assert.is_true(task.now() - started > 9.9)
    end)
  end)

  it("is opened and closed by hand", function()
    local api = client()
    api:breaker(site.url):open(60)
    assert.matches("opened by hand", refused(api:get(site.url)).message)
    api:breaker(site.url):close()
    assert.equal("ok", assert(api:get(site.url)).body)
  end)

  it("is found by a relative URL, and by base_url", function()
    local api = client({}, { base_url = site.url .. "/v1" })
    assert.equal(api:breaker(site.url), api:breaker())
    assert.equal(api:breaker(site.url), api:breaker("items/7"))
    local ok, err = pcall(api.breaker, client(), "items")
    assert.is_false(ok)
    assert.matches("breaker_layer_spec.lua:%d+: client:breaker: .*the URL has no scheme", err)
  end)

  it("is shared with clients made from it, unless they have one of their own", function()
    local api = opened()
    refused(api:extend({ user_agent = "b" }):get(site.url))
    assert.equal(503, assert(api:extend({ breaker = false }):get(site.url)).status)
    local own = api:extend { breaker = { failures = 7 } }
    assert.equal(7, own:breaker(site.url).failures)
    assert.equal(10, own:breaker(site.url).cooldown)
    assert.equal(503, assert(own:get(site.url)).status)
  end)

  it("tells its changes to on_change, with the origin", function()
    local events = {}
    opened { on_change = function(event) events[#events + 1] = event end }
    assert.equal(1, #events)
    assert.equal(site.url, events[1].name)
    assert.equal("open", events[1].to)
  end)

  it("loses no slot and no place when a callback raises", function()
    local function raise() error("my own", 0) end
    fails()
    for _, opts in ipairs { { counts = raise }, { on_change = raise, failures = 1 } } do
      for _, stream in ipairs { false, true } do
        local api = client(opts, { limits = { inflight = 1 } })
        local ok, err = pcall(api.get, api, site.url, { stream = stream })
        assert.is_false(ok)
        assert.equal("my own", err)
        assert.equal(0, api:stats().in_flight)
      end
    end
  end)

  describe("with many requests at once", function()
    -- What becomes of 50 requests, two at a time, that take a second each.
    local function fan_out(api)
      local outcomes, list = {}, {}
      for i = 1, 50 do list[i] = i end
      task.map(list, function(i)
        local res, err = api:get(site.url, i % 2 == 0 and { timeout = 100 } or nil)
        local outcome = res and res.status or err.kind
        outcomes[outcome] = (outcomes[outcome] or 0) + 1
        if err then
          assert.equal("status 500", err.cause.message)
          assert.equal(0, err.attempts)
        end
      end, { concurrency = 50 })
      return outcomes
    end

    local function slowly(status)
      site:stop()
      site = origin.start()
      site.answer = function()
        task.sleep(1)
        return { status = status() }
      end
    end

    it("refuses those that wait for a slot when it opens", function()
      clock.virtual(function()
        slowly(function() return 500 end)
        local started = task.now()
        local outcomes = fan_out(client({ failures = 3 }, { limits = { per_origin = 2 } }))
        -- Three failures, what was under way then, and what had just got a slot.
        assert.is_true(outcomes[500] >= 3 and outcomes[500] <= 6)
        assert.equal(50, outcomes[500] + outcomes.circuit_open)
        assert.equal(outcomes[500], #site:requests())
        assert.is_true(task.now() - started < 3.5)
      end)
    end)

    it("refuses them when it is opened by hand", function()
      clock.virtual(function()
        slowly(function() return 200 end)
        local api = client({}, { limits = { per_origin = 1 } })
        task.spawn(function()
          task.sleep(2.5)
          api:breaker(site.url):open()
        end)
        local list, outcomes = { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, { got = 0, circuit_open = 0 }
        task.map(list, function()
          local res, err = api:get(site.url)
          local outcome = res and "got" or err.kind
          outcomes[outcome] = outcomes[outcome] + 1
        end)
        assert.same({ got = 3, circuit_open = 6 }, outcomes)
      end)
    end)

    it("lets those go on that belong to clients of the pool with another circuit, or none", function()
      clock.virtual(function()
        slowly(function() return 200 end)
        local api = client({}, { limits = { per_origin = 1 } })
        local others = { api:extend { breaker = false }, api:extend { breaker = { failures = 9 } } }
        task.spawn(function()
          task.sleep(2.5)
          api:breaker(site.url):open()
        end)
        local list = { 1, 2, 3, 4, 5, 6, 7, 8 }
        task.map(list, function(i) assert(others[i % 2 + 1]:get(site.url)) end)
        assert.equal(8, #site:requests())
      end)
    end)

    it("lets them wait for it, and go on, when it is told to", function()
      clock.virtual(function()
        local up = task.now() + 5
        slowly(function() return task.now() < up and 500 or 200 end)
        local started = task.now()
        local outcomes = fan_out(client({ failures = 3, wait = true }, { limits = { per_origin = 2 } }))
        assert.is_nil(outcomes.circuit_open)
        assert.equal(50, outcomes[500] + outcomes[200])
        assert.is_true(outcomes[500] <= 6)
        assert.is_true(task.now() - started > 10 + 44 / 2)
      end)
    end)
  end)

  describe("and retries", function()
    it("do not hammer an open circuit: what cannot get through is not waited for", function()
      clock.virtual(function()
        fails()
        local api = client({}, { retry = { attempts = 10, base = 1, jitter = "none", max_wait = 1 } })
        local started = task.now()
        local res = assert(api:get(site.url))
        assert.equal(503, res.status)
        assert.equal(2, res.attempts)
        assert.is_true(task.now() - started < 1.5)
        local err = refused(api:get(site.url))
        assert.equal(0, err.attempts)
        assert.equal(2, #site:requests())
      end)
    end)

    it("say on an error why it was not repeated", function()
      local url = site.url
      site:stop()
      local _, err = client({}, { retry = { attempts = 9, base = 0 } }):get(url)
      assert.equal("connect", err.kind)
      assert.matches("; not repeated: the circuit of http://127.0.0.1:%d+ is open %(2 failures in a row%)$",
        err.message)
    end)

    it("go on when the circuit is half open by then", function()
      clock.virtual(function()
        local count = 0
        site.answer = function()
          count = count + 1
          return { status = count < 3 and 503 or 200 }
        end
        local api = client({}, { retry = { attempts = 3, base = 11, jitter = "none" } })
        local res = assert(api:get(site.url))
        assert.equal(200, res.status)
        assert.equal(3, res.attempts)
      end)
    end)

    it("wait with a circuit that waits", function()
      clock.virtual(function()
        fails()
        local api = client({ wait = true }, { retry = { attempts = 3, base = 0 } })
        local started = task.now()
        assert.equal(3, assert(api:get(site.url)).attempts)
        assert.is_true(task.now() - started >= 9.9)
      end)
    end)

    it("leave no place taken at whatever moment they are cancelled", function()
      for turns = 0, 30 do
        fails()
        local api = client({ failures = 1, cooldown = 0.001 }, { retry = { attempts = 5, base = 0 } })
        api:get(site.url)
        serving.eventually(function() return api:breaker(site.url).state == "half_open" end)
        local handle = task.spawn(api.get, api, site.url)
        for _ = 1, turns do task.yield() end
        handle:cancel()
        pcall(handle.join, handle)
        local circuit = api:breaker(site.url)
        assert.equal(0, circuit.state == "half_open" and circuit:stats().probing or 0)
      end
    end)
  end)

  it("forgets origins that nothing is known about, when there are many", function()
    local api = opened()
    api:breaker(site.url):open(math.huge) -- however slow the machine is
    for i = 1, 25000 do api:breaker(("http://h%d.example/"):format(i)) end
    local count = 0
    for _ in pairs(api.breakers.by_origin) do count = count + 1 end
    assert.is_true(count <= 10000)
    refused(api:get(site.url))
  end)

  for what, case in pairs {
    ["no table"] = { 5, "option 'breaker' must be table or boolean, got 5" },
    ["a wrong value"] = { { probes = 0 }, "breaker: option 'probes' must be a whole number of at least 1" },
    ["another library's key"] = { { timeout = 5 }, "breaker: unknown option 'timeout'; it is written cool" },
    ["a misspelt key"] = { { failure = 5 }, "breaker: unknown option 'failure'; did you mean 'failures'%?" },
  } do
    it("raises with the caller's line when its options make no sense: " .. what, function()
      local ok, err = pcall(http.client, { breaker = case[1] })
      assert.is_false(ok)
      assert.matches("^spec/breaker/breaker_layer_spec.lua:%d+: http.client: ", err)
      assert.matches(case[2], err)
    end)
  end

  it("belongs to clients", function()
    local ok, err = pcall(http.get, site.url, { breaker = true })
    assert.is_false(ok)
    assert.matches("option 'breaker' belongs to the client", err)
  end)
end)
