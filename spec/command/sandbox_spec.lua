local process = require "spec.support.process"

local run = process.run

describe("lurcher --sandbox", function()
  it("gives a script what does no harm, and the modules of -e", function()
    local ended = run { "--sandbox", "-e", [[
      print(io, debug, os.remove, string.dump, pcall(require, "ffi") == false, tostring({}))
      print(json.encode { 1 }, require "lurcher.json" == json, ..., arg[0])
      os.exit(4)]], "given" }
    assert.equal("nil\tnil\tnil\tnil\ttrue\ttable: 1\n[1]\ttrue\tgiven\t-e\n", ended.out)
    assert.same({ "", 4 }, { ended.err, ended.status })
  end)

  it("stops no script that is not sandboxed", function()
    local ended = run { "-e", "print(io.write, debug.getinfo, type(getmetatable('')))" }
    assert.matches("^function: builtin#%d+\tfunction: builtin#%d+\ttable\n$", ended.out)
    assert.same({ "", 0 }, { ended.err, ended.status })
  end)
end)
