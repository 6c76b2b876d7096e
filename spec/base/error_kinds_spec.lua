local breaker = require "lurcher.breaker"
local errors = require "lurcher.base.errors"
local kinds = require "lurcher.base.kinds"
local retry = require "lurcher.retry"

local function failure(kind)
  return function() return nil, errors.new { kind = kind, message = "x" } end
end

describe("the kinds of errors", function()
  it("are described: when they happen, and what helps", function()
    local seen = {}
    for _, kind in ipairs(kinds.list()) do
      assert(not seen[kind.name] and #kind.when > 0 and #kind.cure > 0, kind.name)
      seen[kind.name] = true
      for flag in kind.flags:gmatch("%S+") do
        assert(flag == "repeatable" or flag == "peer" or flag == "final", kind.name .. " " .. flag)
      end
    end
    assert.is_nil(kinds.get("none"))
    assert.is_nil(kinds.get(nil))
  end)

  it("that no repetition can change are not repeated by retry.call", function()
    for _, kind in ipairs(kinds.names()) do
      local made = 0
      retry.call(function()
        made = made + 1
        return failure(kind)()
      end, { attempts = 2, wait = 0 })
      local final = kind == "canceled" or kind == "limit" or kind == "denied" or kind == "url"
      assert.equal(final and 1 or 2, made, kind)
    end
  end)

  it("that say nothing about the other side are not counted by breakers", function()
    local others = { canceled = true, circuit_open = true, limit = true, denied = true, url = true, file = true,
      mock = true, too_large = true, redirect = true, decode = true, checksum = true }
    for _, kind in ipairs(kinds.names()) do
      local b = breaker.new { failures = 1 }
      b:call(failure(kind))
      assert.equal(others[kind] and "closed" or "open", b.state, kind)
    end
  end)
end)
