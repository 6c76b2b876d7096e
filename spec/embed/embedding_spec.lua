-- The programs of examples/embed, which use nothing but lurcher.h, or the command. What that promises in detail is
-- checked by spec/runtime/embed_test.c and embed_close_test.c.

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

describe("examples/embed/database.c", function()
  it("answers what scripts ask, and tells them what SQLite says", function()
    local ended = run "database"
    assert.equal("", ended.err)
    assert.equal("Ada, Grace, Edsger\nnil\thost\tSQL logic error\n", ended.out)
    assert.equal(0, ended.status)
  end)

  it("runs statements beside each other, takes and gives every value, and lets go of one nobody waits for", function()
    local ended = run("database", "file:other?mode=memory&cache=shared", script [[
      local db, task, json = require("host").db, require "lurcher.task", require "lurcher.json"
      local row = assert(db.query("select ? as a, ? as b, ? as c, ? as d", 1.5, "x\0\"y", nil, true))[1]
      assert(row.a == 1.5 and row.c == json.null and row.d == 1)
      print(select(2, pcall(db.query, 7)))
      local slow = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"
      local _, err = task.timeout(0.001, function() assert(db.query(slow)) end)
      print(err.kind)
      local all = assert(task.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function(i)
        return assert(db.query("select ? * 2 as twice", i))[1].twice
      end, { concurrency = 8 }))
      print(table.concat(all, " "))
    ]])
    assert.equal("", ended.err)
    assert.matches("^[^\n]*:4: db.query: the statement must be a string\ntimeout\n2 4 6 8 10 12 14 16\n$", ended.out)
    assert.equal(0, ended.status)
  end)
end)

describe("examples/embed/game.c", function()
  it("gives scripts their turn in each frame", function()
    local ended = run "game"
    assert.equal("", ended.err)
    assert.equal("frame 6: at 35\nframe 11: at 25\nframe 16: at 30\n", (ended.out:gsub(" *@\n", "")))
    assert.equal(0, ended.status)
  end)

  it("goes on when a script computes for ever, and ends that", function()
    local ended = run("game", script "require('host').game.frame() while true do end")
    assert.matches("the limit 'burst' was reached", ended.err)
    assert.equal(1, ended.status)
  end)

  it("completes what a failed script has left", function()
    local ended = run("game", script [[
      local game, task = require("host").game, require "lurcher.task"
      task.spawn(function() while true do game.frame() end end)
      game.frame()
      game.steer "fast"
    ]])
    assert.matches("game.steer: the speed must be a number", ended.err)
    assert.equal(1, ended.status)
  end)
end)

describe("examples/embed/pool.c", function()
  it("runs each job in a process of its own, and replaces the ones that are late or spent", function()
    -- What searches a worker for leaks does not end with it where it is killed then.
    local options = ("ASAN_OPTIONS=%s:detect_leaks=0"):format(os.getenv "ASAN_OPTIONS" or "")
    local ended = process.run({ options, directory .. "pool", process.lurcher }, { command = "env" })
    assert.equal([[
1: {"status":"ok","values":[42]}
2: {"status":"ok","values":["one and two"]}
3: {"status":"ok","values":[null,{"kind":"denied","message":"reading /etc/passwd is not permitted: ]] ..
      [[--allow-read=/etc/passwd"}]}
4: {"status":"limit"}
5: {"status":"late"}
6: {"status":"ok","values":[1]}
]], ended.out)
    assert.equal(0, ended.status)
  end)

  it("tells when there are no workers", function()
    local ended = run("pool", "/nonexistent/lurcher")
    assert.equal("pool: cannot start /nonexistent/lurcher\n", ended.err)
    assert.equal(1, ended.status)
  end)
end)
