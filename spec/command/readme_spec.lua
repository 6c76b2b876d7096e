-- What the README shows must exist.

local file = assert(io.open("README.md"))
local readme = file:read("*a")
file:close()

describe("the README", function()
  it("has Lua code that compiles", function()
    local count = 0
    for code in readme:gmatch("\n```lua\n(.-)\n```") do
      assert(loadstring((code:gsub("^#[^\n]*", "")), "@README.md"))
      count = count + 1
    end
    assert.is_true(count >= 2)
  end)

  for _, name in ipairs { "http", "task", "json", "url", "fs", "log", "server", "clock" } do
    it("names functions of lurcher." .. name .. " that exist", function()
      local module, count = require("lurcher." .. name), 0
      for code in readme:gmatch("`([^`\n]+)`") do
        for field in (" " .. code):gmatch("[^%w_.]" .. name .. "%.([%a_]+)") do
          assert(module[field] ~= nil, ("there is no %s.%s"):format(name, field))
          count = count + 1
        end
      end
      assert.is_true(count > 0)
    end)
  end
end)
