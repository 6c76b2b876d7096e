local hash32 = require "lurcher.base.hash32"

describe("a 32-bit hash", function()
  it("is the same for the same text, and eight digits long", function()
    for _, text in ipairs { "", "a", "abcd", ("x"):rep(10007) } do
      assert.matches("^%x%x%x%x%x%x%x%x$", hash32(text))
      assert.are.equal(hash32(text), hash32(text))
    end
  end)

  it("is another one for texts that differ in a byte, a length or their order", function()
    local seen, count = {}, 0
    local function note(text)
      local print = hash32(text)
      assert.is_nil(seen[print])
      seen[print], count = true, count + 1
    end
    for length = 0, 40 do note(("\0"):rep(length)) end
    for place = 1, 40 do
      for bit = 0, 7 do note(("a"):rep(place - 1) .. string.char(2 ^ bit) .. ("a"):rep(40 - place)) end
    end
    for i = 1, 5000 do note(('{"id":%d}'):format(i)) end
    note "abcdefgh"
    note "efghabcd"
    assert.are.equal(41 + 320 + 5002, count)
  end)

  it("depends on the one before", function()
    assert.are_not.equal(hash32("a", hash32 "b"), hash32("a", hash32 "c"))
    assert.are_not.equal(hash32 "a", hash32("a", hash32 "b"))
  end)
end)
