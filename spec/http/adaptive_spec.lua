-- limits.per_origin = "auto" against a server that serves so many requests side by side, lets so many more
-- wait, and refuses the others.

local clock = require "lurcher.clock"
local http = require "lurcher.http"
local server = require "lurcher.server"
local task = require "lurcher.task"

local WARM, MEASURED = 1000, 2000

-- Requests that went well per second, the mean time to the first byte, and the limit at the end.
local function measure(opts)
  return clock.virtual(function()
    local places, inside = task.semaphore(opts.serves), 0
    local s = assert(server.start(function()
      if inside >= opts.serves + opts.queue then return { status = 503 } end
      if opts.fails and opts.fails() < 0.05 then return { status = 503 } end
      inside = inside + 1
      places:with(function() task.sleep(opts.jitter and 0.05 + 0.1 * opts.jitter() or 0.1) end)
      inside = inside - 1
      return { status = 200, body = "ok" }
    end))
    local client = http.client { retry = false, limits = { per_origin = opts.limit, learn = false } }
    task.defer(function()
      client:close()
      s:stop(0)
    end)
    local list, good, latency, began, done = {}, 0, 0, nil, 0
    for i = 1, WARM + MEASURED do list[i] = i end
    task.map(list, function()
      local res = assert(client:get(s.url))
      done = done + 1
      if done <= WARM then return end
      began = began or task.now()
      if res.status == 200 then good, latency = good + 1, latency + res.timings.first_byte end
    end, { concurrency = 200 })
    local flow = client.pool:flow(s.url .. "/")
    return good / (task.now() - began), latency / good, flow.per_origin
  end, { seed = 5 })
end

describe('limits.per_origin = "auto"', function()
  for _, serves in ipairs { 4, 16, 48 } do
    it(("settles near what a server takes that serves %d at once"):format(serves), function()
      local best = measure { limit = serves, serves = serves, queue = serves }
      local rate, latency, limit = measure { limit = "auto", serves = serves, queue = serves }
      assert.is_true(rate > 0.95 * best, ("%.1f/s instead of %.1f"):format(rate, best))
      assert.is_true(latency < 0.18, "latency " .. latency)
      assert.is_true(limit >= serves * 0.7 and limit <= serves + 2 * math.sqrt(serves) + 1, "limit " .. limit)
    end)
  end

  it("does so when times vary", function()
    local unit = require("lurcher.base.random").unit
    local best = measure { limit = 16, serves = 16, queue = 16, jitter = unit }
    local rate, _, limit = measure { limit = "auto", serves = 16, queue = 16, jitter = unit }
    assert.is_true(rate > 0.93 * best, ("%.1f/s instead of %.1f"):format(rate, best))
    assert.is_true(limit >= 12 and limit <= 32, "limit " .. limit)
  end)

  it("keeps away from refusals where a fixed limit runs into them", function()
    local _, _, limit = measure { limit = "auto", serves = 8, queue = 1 }
    assert.is_true(limit >= 4 and limit <= 12, "limit " .. limit)
  end)

  it("does not take failures for refusals", function()
    local unit = require("lurcher.base.random").unit
    local best = measure { limit = 24, serves = 24, queue = 24, fails = unit }
    local rate, _, limit = measure { limit = "auto", serves = 24, queue = 24, fails = unit }
    assert.is_true(rate > 0.93 * best, ("%.1f/s instead of %.1f"):format(rate, best))
    assert.is_true(limit >= 18 and limit <= 40, "limit " .. limit)
  end)

  it("stays at few for a script that asks for one after the other, and below limits.inflight", function()
    clock.virtual(function()
      local s = assert(server.start(function() return { status = 200 } end))
      local client = http.client { limits = { per_origin = "auto", inflight = 3 } }
      task.defer(function()
        client:close()
        s:stop(0)
      end)
      for _ = 1, 100 do assert(client:get(s.url)) end
      assert.is_true(client.pool:flow(s.url .. "/").per_origin <= 3)
    end)
  end)

  it("is the only word", function()
    local ok, err = pcall(http.client, { limits = { per_origin = "automatic" } })
    assert.is_false(ok)
    local wanted = 'option \'per_origin\' must be a whole number of at least 1, "auto" or false'
    assert.truthy(tostring(err):find(wanted, 1, true), tostring(err))
  end)
end)
