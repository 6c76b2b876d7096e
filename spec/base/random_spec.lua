local random = require "lurcher.base.random"

describe("randomness", function()
  it("comes as numbers from 0 to below 1", function()
    for _ = 1, 1000 do
      local x = random.unit()
      assert.is_true(x >= 0 and x < 1)
    end
  end)

  it("comes as UUIDs of version 4, each another one", function()
    local seen = {}
    for _ = 1, 100 do
      local uuid = random.uuid()
      assert.matches("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$", uuid)
      assert.is_nil(seen[uuid])
      seen[uuid] = true
    end
  end)
end)
