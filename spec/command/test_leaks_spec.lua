-- What `lurcher test` says of specs that leave something behind, that spoil Lua's libraries, or that never end.

local files = require "spec.support.files"
local fs = require "lurcher.fs"
local process = require "spec.support.process"

-- Everything is in one file of specs: each process costs.
local LEAVING = [[
local process, server = require "lurcher.process", require "lurcher.server"
local kept, kept_lines, kept_pipe
it("opens a file", function() kept = assert(io.open "leaving_spec.lua") end)
it("reads lines", function() kept_lines = io.lines "./leaving_spec.lua" end)
it("forgets a file", function() assert(io.open "leaving_spec.lua"):read(1) end)
it("forgets lines", function()
  for _ = 1, 100 do
    for _ in io.lines "leaving_spec.lua" do break end
  end
end)
it("opens a pipe", function() kept_pipe = io.popen("exec sleep 1000") end)
it("starts a process without a parent", function()
  assert.equal(0, process.run("sh", { "-c", "setsid sleep 2000 >/dev/null 2>&1 </dev/null &" }).status)
end)
it("starts a process of its own", function() process.start("sleep", { "3000" }) end)
it("names a wrong argument", function() io.open() end)
it("is fine", function() assert.truthy(kept and kept_lines and kept_pipe) end)
]]

local SPOILING = [[
it("replaces functions", function()
  os.time, os.clock = function() return 0 end
  table.insert, table.concat, string.format, debug.traceback = nil
end)
it("replaces globals", function() tostring, pairs, type, pcall, xpcall, error, print = nil end)
it("replaces a library and raises", function() table, string, debug = {}, nil, nil local _ = nil + 1 end)
it("spoils strings", function() getmetatable("").__index = nil end)
it("takes the metatable of strings", function() debug.setmetatable("", nil) end)
it("adds", function() string.own = 1 end)
it("finds all of them", function()
  assert.is_true(os.time() > 0 and type(pcall(error)) == "boolean")
  assert.equal("1,2", table.concat({ 1, 2 }, ","))
  assert.equal("A", ("a"):upper())
  assert.equal(1, string.own)
end)
]]

local HANGING = [[
it("ends", function() end)
describe("of two", function()
  it("one never waits #limit=0.2", function() while true do end end)
end)
it("does not run", function() print "too far" end)
]]

describe("lurcher test", function()
  before_each(files.begin)
  after_each(files.finish)

  local function run(name, text)
    assert(fs.write(files.path(name), text))
    local line = 'cd "$1" && "$2" test -o plainTerminal "$3" 2>&1'
    return process.shell(line, files.path "", process.lurcher, name)
  end

  it("names descriptors and processes that a spec left, and ends the processes", function()
    local out = run("leaving_spec.lua", LEAVING)
    assert.matches("4 successes / 4 failures / 1 error /", out, 1, true)
    assert.matches("left open: descriptor %d+, /%S*leaving_spec.lua\n\topened at leaving_spec.lua:3\n", out)
    assert.matches("left open: descriptor %d+, /%S*leaving_spec.lua\n\topened at leaving_spec.lua:4\n", out)
    assert.matches("left open: descriptor %d+, pipe:%S+\n\topened at leaving_spec.lua:11\nprocess %d+, sleep 1000\n",
      out)
    assert.matches("left open: process %d+, sleep 2000\n", out)
    assert.matches("leaving_spec.lua:16: bad argument #1 to 'open'", out, 1, true)
    for pid in out:gmatch "process (%d+), sleep" do
      local file = io.open(("/proc/%s/stat"):format(pid))
      assert.is_true(not file or file:read "*a":find "%) [ZX]" ~= nil)
      if file then file:close() end
    end
  end)

  it("puts back what a spec replaced in Lua's libraries", function()
    local out = run("spoiling_spec.lua", SPOILING)
    assert.matches("6 successes / 0 failures / 1 error /", out, 1, true)
    assert.matches("spoiling_spec.lua:6: attempt to perform arithmetic on a nil value", out, 1, true)
  end)

  it("ends a run whose spec never waits, and says which one it is", function()
    local out, status = run("hanging_spec.lua", HANGING)
    assert.equal(1, status)
    assert.matches('lurcher test: "one never waits #limit=0.2" (hanging_spec.lua:3) took longer than 0.2 s, and the '
      .. "run ends here: task ", out, 1, true)
    assert.matches("holds the loop: it neither waits nor calls task.yield()\n", out, 1, true)
    assert.is_nil(out:find("too far", 1, true))
  end)
end)
