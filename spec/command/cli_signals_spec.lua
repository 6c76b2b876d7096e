local process = require "spec.support.process"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

process.always_search_leaks = true

local start, script, eventually = process.start, process.script, serving.eventually

-- A server that never answers, and a function that gives how many requests it has got.
local function slow_server()
  local count, never = 0, task.event()
  local s = serving.start(function()
    count = count + 1
    never:wait()
  end)
  return s, function() return count end
end

-- 1,000 requests at once, each with clean-up code of its own that waits.
local FAN_OUT = [[
  local http, task = require "lurcher.http", require "lurcher.task"
  local url = ...
  local api = http.client { base_url = url, limits = { inflight = 1000, per_origin = 1000 } }
  local began, cleaned = 0, 0
  task.defer(function()
    task.sleep(0.01)
    print(("main cleaned up, other tasks: %d of %d"):format(cleaned, began))
  end)
  local numbers = {}
  for i = 1, 1000 do numbers[i] = i end
  task.map(numbers, function(i)
    began = began + 1
    task.defer(function()
      task.sleep(0.01)
      cleaned = cleaned + 1
    end)
    pcall(api.get, api, "items/" .. i, { retry = false })
    io.stderr:write "a cancellation was swallowed\n"
  end, { concurrency = 1000 })
]]

-- What a limit of 1,024 open files lets through, or a lower one that cannot be raised.
local hard = io.open("/proc/self/limits"):read("*a"):match "Max open files%s+%d+%s+(%d+)"
local MANY = math.min(900, math.floor((tonumber(hard) or 1024) / 2))

-- Starts the fan-out and waits until it is at the server.
local function start_fan_out(...)
  local s, count = slow_server()
  local arguments = { ... }
  arguments[#arguments + 1] = script(FAN_OUT)
  arguments[#arguments + 1] = s.url
  local child = start(arguments)
  eventually(function() return count() >= MANY end)
  return child, task.now()
end

-- All that had begun cleaned up, and so did the main task.
local function assert_cleaned_up(ended)
  local cleaned, began = ended.out:match("^main cleaned up, other tasks: (%d+) of (%d+)\n$")
  assert.equal(began, cleaned, ended.out)
  assert.is_true(tonumber(began) >= MANY)
end

-- Sends SIGTERM, and waits until it has arrived: the kernel shows when none is pending any more.
local function terminate(child)
  child:kill("TERM")
  eventually(function()
    local status = io.open("/proc/" .. child.pid .. "/status"):read("*a")
    return status:match("SigPnd:%s*0+\n") and status:match("ShdPnd:%s*0+\n")
  end)
end

describe("lurcher at a signal", function()
  for _, case in ipairs { { "INT", 130 }, { "TERM", 143 } } do
    it(("SIG%s cancels 1,000 requests, cleans up and ends with %d"):format(unpack(case)), function()
      local child = start_fan_out()
      child:kill(case[1])
      local ended = child:wait()
      assert_cleaned_up(ended)
      assert.equal("", ended.err) -- nothing about clean-up that took longer than 5 seconds
      assert.equal(case[2], ended.status)
      end)
  end

  it("ends within 5 seconds although clean-up wants longer, and says so", function()
    local child = start { "-e", [[
      local task = require "lurcher.task"
      task.defer(function() print "outer" task.sleep(100) print "too late" end)
      task.spawn(function()
        task.defer(function() print "inner" task.sleep(100) print "too late" end)
        task.sleep(100)
      end)
      task.yield()
      io.stderr:write "ready"
      task.sleep(100)
    ]] }
    child:wait_for("ready", "err")
    local at = task.now()
    child:kill("TERM")
    local ended = child:wait()
    assert.is_true(task.now() - at < 50) -- not 100
    assert.matches("outer\n", ended.out)
    assert.matches("inner\n", ended.out)
    assert.falsy(ended.out:find("too late", 1, true))
    assert.matches("clean%-up took longer than 4.5 seconds", ended.err)
    assert.equal(143, ended.status)
  end)

  it("ends a script that never waits after 5 seconds", function()
    local child = start { "-e", "io.stderr:write 'ready\\n' while true do end" }
    child:wait_for("ready\n", "err")
    child:kill("INT")
    local ended = child:wait()
    assert.equal("ready\nlurcher: the script did not end within 5 seconds of being cancelled\n"
      .. "lurcher: the main task ((command line)) holds the loop: it neither waits nor calls task.yield()\n", ended.err)
    assert.equal(130, ended.status)
  end)

  it("names the task that holds the loop at a second one", function()
    local path = script [[
      require("lurcher.task").spawn(function()
        io.stderr:write "ready\n"
        while true do end
      end)
    ]]
    local child = start { path }
    child:wait_for("ready\n", "err")
    task.sleep(0.05) -- the clock that tells what came first, task or signal, is some milliseconds coarse
    terminate(child)
    child:kill "TERM"
    local ended = child:wait()
    assert.equal(("ready\nlurcher: task 2 (spawned at %s:1) holds the loop: it neither waits nor calls task.yield()\n")
      :format(path:sub(-38)), ended.err)
    assert.equal(143, ended.status)
  end)

  for _, way in ipairs { "at a second one", "after the 5 seconds" } do
    it("takes programs along that are deaf to SIGTERM, " .. way, function()
      local child = start { "-e", [[
        local process, task = require "lurcher.process", require "lurcher.task"
        local deaf = process.start("sh", { "-c", "trap '' TERM; echo $$; while :; do sleep 0.05; done" })
        print((deaf:read(100):gsub("\n", "")))
        io.stdout:flush()
        while true do end
      ]] }
      child:wait_for "\n"
      terminate(child)
      if way == "at a second one" then child:kill "TERM" end
      local ended = child:wait()
      assert.equal(143, ended.status)
      local deaf = "/proc/" .. ended.out:match "%d+" .. "/cmdline"
      eventually(function()
        local file = io.open(deaf)
        local line = file and file:read "*a" or ""
        if file then file:close() end
        return not line:find("trap", 1, true)
      end)
    end)
  end

  for _, case in ipairs { { "INT", "INT", 130 }, { "TERM", "INT", 130 }, { "INT", "TERM", 143 } } do
    it(("ends at once at SIG%s after SIG%s, with %d"):format(case[2], case[1], case[3]), function()
      local child = start { "-e", [[
        local task = require "lurcher.task"
        task.defer(function()
          io.stderr:write "cleaning up"
          task.sleep(100)
        end)
        io.stderr:write "ready"
        task.sleep(100)
      ]] }
      child:wait_for("ready", "err")
      child:kill(case[1])
      child:wait_for("cleaning up", "err")
      child:kill(case[2])
      local ended = child:wait()
      assert.falsy(ended.err:find("took longer", 1, true))
      assert.equal(case[3], ended.status)
    end)
  end

  it("cancels specs as well", function()
    local path = script [[
      it("waits", function()
        io.stderr:write "ready"
        require("lurcher.task").sleep(100)
      end)
    ]]
    local child = start { "test", path }
    child:wait_for("ready", "err")
    child:kill("TERM")
    assert.equal(143, child:wait().status)
  end)
end)

describe("lurcher --grace", function()
  it("lets running requests end, and starts no more", function()
    local go = task.event()
    local asked = {}
    local s = serving.start(function(req)
      asked[#asked + 1] = req.path
      go:wait()
      return { body = "answer" }
    end)
    local child = start { "--grace=60", "-e", [[
      local http = require "lurcher.http"
      local url = ...
      local res = assert(http.get(url .. "/first"))
      print(res.body)
      local none, err = http.get(url .. "/second")
      print(none, err.kind, err)
      print(select(2, pcall(require("lurcher.task").sleep, 0.001)))
    ]], s.url }
    eventually(function() return #asked == 1 end)
    terminate(child)
    go:set()
    local ended = child:wait()
    assert.matches("^answer\nnil\tcanceled\t", ended.out)
    assert.matches("no more requests are started", ended.out)
    assert.same({ "/first" }, asked)
    assert.equal("", ended.err)
    assert.equal(143, ended.status)
  end)

  it("ends requests that wait for a slot", function()
    local s, count = slow_server()
    local child = start { "--grace=60", "-e", [[
      local http, task = require "lurcher.http", require "lurcher.task"
      local url = ...
      local api = http.client { base_url = url, limits = { per_origin = 1 } }
      local first = task.spawn(function() return api:get "1" end)
      task.spawn(function()
        local _, err = api:get "2"
        print(err.kind)
        first:cancel()
      end)
    ]], s.url }
    eventually(function() return count() == 1 end)
    child:kill("TERM")
    local ended = child:wait()
    assert.equal("canceled\n", ended.out)
    assert.equal(143, ended.status)
  end)

  it("makes no further attempt and follows no redirect", function()
    local go = task.event()
    local asked = {}
    local s = serving.start(function(req)
      asked[#asked + 1] = req.path
      go:wait()
      if req.path == "/busy" then return { status = 503, headers = { ["Retry-After"] = "0" } } end
      return { status = 302, headers = { Location = "/elsewhere" } }
    end)
    local child = start { "--grace=60", "-e", [[
      local http, task = require "lurcher.http", require "lurcher.task"
      local url = ...
      for _, path in ipairs { "/busy", "/moved" } do
        task.spawn(function() print(path, select(2, http.get(url .. path)).kind) end)
      end
    ]], s.url }
    eventually(function() return #asked == 2 end)
    terminate(child)
    go:set()
    local ended = child:wait()
    assert.matches("/busy\tcanceled\n", ended.out)
    assert.matches("/moved\tcanceled\n", ended.out)
    assert.equal(2, #asked)
    assert.equal(143, ended.status)
  end)

  it("lets a running stream be read to its end", function()
    local go = task.event()
    local s = serving.start(function()
      local pieces, i = { "first\n", "last\n" }, 0
      return { body = function()
        i = i + 1
        if i == 2 then go:wait() end
        return pieces[i]
      end }
    end)
    local child = start { "--grace=60", "-e", [[
      local res = assert(require("lurcher.http").get(..., { stream = true }))
      for line in res:lines() do print(line) io.stdout:flush() end
    ]], s.url }
    child:wait_for "first"
    terminate(child)
    go:set()
    local ended = child:wait()
    assert.same({ "first\nlast\n", 143 }, { ended.out, ended.status })
  end)

  for _, case in ipairs { { "TERM", 143 }, { "INT", 130 } } do
    it(("is cut short by SIG%s, which ends it at once"):format(case[1]), function()
      local s, count = slow_server()
      local child = start { "--grace=60", "-e", [[
        require("lurcher.task").defer(function() print "not run any more" end)
        require("lurcher.http").get(...)
      ]], s.url }
      eventually(function() return count() == 1 end)
      terminate(child)
      local at = task.now()
      child:kill(case[1])
      local ended = child:wait()
      assert.is_true(task.now() - at < 30) -- not 60
      assert.same({ "", "", case[2] }, { ended.out, ended.err, ended.status })
    end)
  end

  it("is followed by at most 5 seconds of clean-up", function()
    local s, count = slow_server()
    local child = start { "--grace=0.2", "-e", [[
      local task = require "lurcher.task"
      task.defer(function() print "cleaning up" task.sleep(100) print "too late" end)
      require("lurcher.http").get(...)
    ]], s.url }
    eventually(function() return count() == 1 end)
    local at = task.now()
    child:kill "TERM"
    local ended = child:wait()
    assert.is_true(task.now() - at < 50) -- not 100
    assert.same({ "cleaning up\n", 143 }, { ended.out, ended.status })
  end)

  it("cancels what still runs when it is over", function()
    local child = start_fan_out "--grace=0.2"
    child:kill("TERM")
    local ended = child:wait()
    assert_cleaned_up(ended)
    assert.equal(143, ended.status)
  end)

  it("does not concern SIGINT", function()
    local child, at = start_fan_out "--grace=60"
    child:kill("INT")
    local ended = child:wait()
    assert.is_true(task.now() - at < 30) -- not 60
    assert.equal(130, ended.status)
  end)
end)
