local process = require "spec.support.process"

-- What a script printed that is run by a process of its own.
local function output(script)
  local ended = process.run { "-e", script }
  assert.equal("", ended.err)
  assert.equal(0, ended.status)
  return ended.out
end

describe("a module", function()
  for _, name in ipairs { "retry", "breaker", "task", "progress", "log", "json", "fs", "url" } do
    it(("lurcher.%s loads without HTTP and libcurl"):format(name), function()
      local loaded = output(([[
        require "lurcher.%s"
        for name in pairs(package.loaded) do
          if name:find("^lurcher%%.http") or name:find("^lurcher%%.native%%.http") then print(name) end
        end
      ]]):format(name))
      assert.equal("", loaded)
    end)
  end
end)
