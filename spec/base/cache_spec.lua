local cache = require "lurcher.base.cache"

describe("a cache", function()
  it("gives back what was put", function()
    local m = cache.new(2)
    assert.is_nil(m:get("a"))
    assert.are.equal(1, m:put("a", 1))
    assert.are.equal(1, m:get("a"))
  end)

  it("starts afresh when it is full", function()
    local m = cache.new(2)
    m:put("a", 1)
    m:put("b", 2)
    m:put("c", 3)
    assert.is_nil(m:get("a"))
    assert.are.equal(3, m:get("c"))
  end)
end)
