-- The programs of examples/embed, which use nothing but lurcher.h. What that promises in detail is checked by
-- spec/runtime/embed_test.c and embed_close_test.c.

local process = require "spec.support.process"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local script = process.script
local directory = process.lurcher:match("^(.*)/") .. "/examples/embed/"

local function run(program, ...)
  return process.run({ ... }, { command = directory .. program })
end

local function count(text, wanted)
  return select(2, text:gsub(wanted, ""))
end

describe("examples/embed/host.c", function()
  it("runs a script on its own loop while its timer ticks", function()
    local ended = run "host"
    assert.equal("", ended.err)
    assert.equal(0, ended.status)
    local order = {}
    for word in ended.out:gmatch("script: (%l+)\n") do order[#order + 1] = word end
    assert.same({ "one", "two", "three" }, order)
    assert.is_true(count(ended.out, "host: tick\n") >= 2)
    local said = ended.out:gsub("host: tick\n", "")
    assert.matches("host: script ended: ok\nhost: closed\nhost: it ticked meanwhile\n$", said)
  end)

  it("runs several scripts at the same time, which make requests", function()
    local arrived, both = 0, task.event()
    local s = serving.start(function(req)
      arrived = arrived + 1
      if arrived == 2 then both:set() end
      both:wait() -- so neither is answered before both have asked
      return { body = req.path }
    end)
    local text = "print(assert(require('lurcher.http').get('%s/%s')).body)"
    local ended = run("host", script(text:format(s.url, "a")), script(text:format(s.url, "b")))
    assert.equal(1, count(ended.out, "/a\n"))
    assert.equal(1, count(ended.out, "/b\n"))
    assert.equal(2, count(ended.out, "host: script ended: ok\n"))
    assert.equal(0, ended.status)
  end)

  it("goes on with the other scripts when one fails, and reports its lines", function()
    local bad = script "\nerror 'broken'"
    local ended = run("host", bad, script "require('lurcher.task').sleep(0.01) print 'still here'")
    assert.matches("still here\n", ended.out)
    assert.matches("host: script ended: failed\n", ended.out)
    assert.truthy(ended.err:find(bad .. ":2: broken\nstack traceback:\n", 1, true), ended.err)
    assert.equal(1, ended.status)
  end)

  it("is told where a script does not compile, and closes cleanly", function()
    local bad = script "local x = = 1"
    local ended = run("host", bad)
    assert.equal(bad .. ":1: unexpected symbol near '='\n", ended.err)
    assert.matches("host: closed\n", ended.out)
    assert.equal(1, ended.status)
  end)
end)

describe("examples/embed/threads.c", function()
  it("runs two runtimes in two threads", function()
    local ended = run "threads"
    assert.equal("", ended.err)
    assert.equal(0, ended.status)
    for _, name in ipairs { "left", "right" } do
      for step = 1, 3 do assert.equal(1, count(ended.out, ("%s: step %d\n"):format(name, step))) end
      assert.equal(1, count(ended.out, name .. ": ok\n"))
    end
  end)

  it("runs servers and clients in both", function()
    local ended = run("threads", script [[
      local server, http = require "lurcher.server", require "lurcher.http"
      local name = ...
      local s = server.start(function(req) return { body = name .. req.path } end)
      for i = 1, 50 do assert(assert(http.get(s.url .. "/" .. i)).body == name .. "/" .. i) end
      s:stop()
      print(name .. " is done")
    ]])
    assert.equal("", ended.err)
    assert.equal(1, count(ended.out, "left is done\n"))
    assert.equal(1, count(ended.out, "right is done\n"))
    assert.equal(0, ended.status)
  end)

  it("interrupts from its main thread what runs for too long", function()
    local ended = run("threads", script [[
      local task = require "lurcher.task"
      task.defer(function() print "cleaned up" end)
      task.sleep(1000)
    ]])
    assert.equal(2, count(ended.out, "cleaned up\n"))
    assert.equal(1, count(ended.out, "left: canceled\n"))
    assert.equal(1, count(ended.out, "right: canceled\n"))
    assert.equal(1, ended.status)
  end)
end)
