local rolling = require "lurcher.base.rolling"

describe("a rolling count", function()
  it("has what happened within its span", function()
    local window = rolling.new(10)
    for second = 0, 9 do window:add(100 + second) end
    assert.equal(10, window:count(109))
    assert.equal(0, window:count(200))
    window:add(200)
    assert.equal(1, window:count(200.3))
  end)

  it("forgets after the span, or up to a twentieth earlier", function()
    for offset = 0, 0.95, 0.05 do
      local window = rolling.new(10)
      window:add(50 + offset)
      assert.equal(1, window:count(50 + offset + 9.49))
      assert.equal(0, window:count(50 + offset + 10.001))
    end
  end)

  it("agrees with counting one by one", function()
    local window, moments, now = rolling.new(2), {}, 1000
    for i = 1, 3000 do
      now = now + (i * 7919 % 101) / 2000
      window:add(now)
      moments[i] = now
      local slot, count = math.floor(now * 10), 0
      for j = 1, i do
        if math.floor(moments[j] * 10) > slot - 20 then count = count + 1 end
      end
      assert.equal(count, window:count(now))
    end
  end)

  it("keeps its size", function()
    local window = rolling.new(10)
    for i = 1, 100000 do window:add(i / 100) end
    local fields = 0
    for _ in pairs(window) do fields = fields + 1 end
    assert.is_true(fields < 30)
    assert.is_true(window:count(1000) <= 1000 and window:count(1000) >= 950)
  end)

  it("starts afresh", function()
    local window = rolling.new(10)
    window:add(5)
    window:clear()
    assert.equal(0, window:count(5))
  end)
end)
