local process = require "spec.support.process"

describe("pairs", function()
  -- LuaJIT compiles the inner loop here and gives up on the outer one: calls with `...` end traces. In a
  -- process of its own, because what it does depends on all that was compiled before.
  local NESTED = [[
    local list = { 1, 2, 3, 4, 5 }
    local lists = { a = list, b = list, c = list, d = list, e = list }
    local function back_to_the_interpreter(...) for _ = 1, 100 do end end
    local lost = 0
    for _ = 1, 100000 do
      back_to_the_interpreter()
      local count = 0
      for _, inner in LOOP(lists) do
        for _ in LOOP(inner) do end
        count = count + 1
      end
      if count ~= 5 then lost = lost + 1 end
    end
    print(lost)
  ]]

  it("gives every entry, however often loops are nested", function()
    assert.are.equal("0\n", process.run({ "-e", (NESTED:gsub("LOOP", "pairs")) }).out)
  end)

  it("gives every entry by next, too", function()
    assert.are.equal("0\n", process.run({ "-e", (NESTED:gsub("LOOP%((%w+)%)", "next, %1")) }).out)
  end)

  it("gives keys and values, and nothing of an empty table", function()
    local seen = {}
    for key, value in pairs { 10, 20, x = "y" } do seen[key] = value end
    assert.are.same({ 10, 20, x = "y" }, seen)
    for _ in pairs {} do error "there is nothing" end
    assert.is_nil(next {})
    assert.are.equal("x", (next { x = 1 }))
  end)

  it("allows entries to be removed on the way", function()
    local t = {}
    for i = 1, 100 do t["k" .. i] = i end
    for key in pairs(t) do t[key] = nil end
    assert.is_nil(next(t))
  end)

  it("refuses what is no table, with the caller's line", function()
    local _, message = pcall(function() for _ in pairs(nil) do end end)
    assert.matches("^[^:]*pairs_spec.lua:%d+: bad argument #1 to 'pairs' %(table expected, got nil%)$",
      message)
    _, message = pcall(function() return (next "x") end)
    assert.matches("bad argument #1 to 'next' %(table expected, got string%)$", message)
  end)
end)
