-- `lurcher test --watch` as a person has it: saves of all kinds, and Ctrl-C.

local files = require "spec.support.files"
local fs = require "lurcher.fs"
local process = require "spec.support.process"

describe("lurcher test --watch", function()
  before_each(files.begin)
  after_each(files.finish)

  it("runs again after saves, a rename over the file, a broken file, new ones and a removal, until Ctrl-C", function()
    local function save(name, count, rest)
      assert(fs.write(files.path(name), ("it('is fine', function() end)\n"):rep(count) .. (rest or "")))
    end
    save("a_spec.lua", 1)
    local line = 'cd "$1" && exec "$2" test --watch .'
    local child = process.start({ "-c", line, "sh", files.path "", process.lurcher }, { command = "sh" })
    child:wait_for "1 success / 0 failures"
    for i = 1, 5 do save("a_spec.lua", 2, ("-- %d\n"):format(i)) end
    child:wait_for "2 successes / 0 failures"
    save("a.new", 0, "it('is broken' function")
    assert(os.rename(files.path "a.new", files.path "a_spec.lua"))
    child:wait_for "')' expected near 'function'"
    save("a_spec.lua", 3)
    child:wait_for "3 successes / 0 failures"
    save("b_spec.lua", 1)
    child:wait_for "4 successes / 0 failures"
    assert(fs.remove(files.path "a_spec.lua"))
    save("b_spec.lua", 5)
    child:wait_for "5 successes / 0 failures"
    child:wait_for "(Ctrl-C ends it)"
    child:kill "INT"
    local ended = child:wait()
    assert.equal(130, ended.status)
    assert.equal("", ended.err)
  end)
end)
