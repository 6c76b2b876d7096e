local process = require "spec.support.process"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local run, start = process.run, process.start

-- Runs code, with `http`, `task` and `url` at hand, against a server.
local PROLOGUE = 'local http, task = require "lurcher.http", require "lurcher.task" local url = ... '

local function arguments(options, code, url)
  local list = {}
  for option in options:gmatch "%S+" do list[#list + 1] = option end
  for _, word in ipairs { "-e", PROLOGUE .. code, url } do list[#list + 1] = word end
  return list
end

-- A server, and the list of paths it was asked for.
local function counting(answer)
  local asked = {}
  local s = serving.start(function(req)
    asked[#asked + 1] = req.path
    return answer and answer(req) or { body = "ok" }
  end)
  return s, asked
end

-- A body without end.
local function endless()
  return { body = function() return ("x"):rep(16384) end }
end

describe("lurcher --max-requests", function()
  it("starts so many, ends those that wait and those to come with kind 'limit', and exits with 3", function()
    local s, asked = counting()
    local ended = run(arguments("--max-requests=5", [[
      local api = http.client { base_url = url, limits = { per_origin = 2 } }
      local results, errors = task.map({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, function(i)
        return assert(api:get("items/" .. i)).status
      end, { errors = "collect" })
      local got, kinds = 0, {}
      for i = 1, 9 do
        if results[i] then got = got + 1 else kinds[#kinds + 1] = errors[i].kind end
      end
      print(got, table.concat(kinds, " "))
      print(api:get("late"))
    ]], s.url))
    local used_up = "the run's budget of 5 requests is used up\n"
    assert.matches("^5\tlimit limit limit limit\nnil\tGET http:%S+/late: limit: " .. used_up, ended.out)
    local left = "\trequests made: 5, refused: 5; bytes received: %d+; seconds: 0%.%d+\n"
    assert.matches("^lurcher: " .. used_up .. left, ended.err)
    assert.equal(3, ended.status)
    assert.equal(5, #asked)
  end)

  it("tells which requests and tasks waited when it was used up", function()
    local go = task.event()
    local s, asked = counting(function() go:wait() end)
    local child = start(arguments("--max-requests=2", [[
      local api = http.client { base_url = url, limits = { per_origin = 1 } }
      for i = 1, 3 do task.spawn(function() print(api:get(tostring(i))) end) end
      task.spawn(function() task.sleep(0.2) end)
    ]], s.url))
    serving.eventually(function() return #asked == 1 end)
    go:set()
    local ended = child:wait()
    assert.matches("requests that waited to start then: 1\n", ended.err)
    assert.matches("\ttask %d+ waits for request at %(command line%):2 %(spawned at ", ended.err)
    assert.matches("\ttask %d+ waits for a sleep ", ended.err)
    assert.equal(3, ended.status)
  end)

  it("lets those that run end", function()
    local go = task.event()
    local s = serving.start(function(req)
      if req.path == "/slow" then go:wait() end
      return { body = "whole" }
    end)
    local child = start(arguments("--max-requests=1", [[
      local slow = task.spawn(http.get, url .. "/slow")
      task.sleep(0.01)
      print(select(2, http.get(url)).kind)
      io.stdout:flush()
      print(slow:join().body)
    ]], s.url))
    child:wait_for "limit"
    go:set()
    local ended = child:wait()
    assert.equal("limit\nwhole\n", ended.out)
    assert.equal(3, ended.status)
  end)

  it("is no end for a run that needs no more", function()
    local s, asked = counting()
    local ended = run(arguments("--max-requests=3", "for i = 1, 3 do assert(http.get(url)) end", s.url))
    assert.same({ 0, "" }, { ended.status, ended.err })
    assert.equal(3, #asked)
  end)

  it("counts retries and the hops of redirects", function()
    local s, asked = counting(function(req)
      if req.path == "/away" then return { status = 302, headers = { Location = "/there" } } end
      return { status = 503, headers = { ["Retry-After"] = "0" } }
    end)
    local ended = run(arguments("--max-requests=1", 'print(select(2, http.get(url .. "/away")).kind)', s.url))
    assert.same({ "limit\n", 3 }, { ended.out, ended.status })
    assert.same({ "/away" }, asked)
    ended = run(arguments("--max-requests=2", 'print(select(2, http.get(url .. "/busy")).kind)', s.url))
    assert.same({ "limit\n", 3 }, { ended.out, ended.status })
    assert.same({ "/away", "/busy", "/busy" }, asked)
  end)

  it("cancels what has not ended 5 seconds after the last request, and runs its clean-up", function()
    local s = counting()
    local ended = run(arguments("--max-requests=1", [[
      task.defer(function() task.sleep(0.01) print "cleaned up" end)
      http.get(url)
      http.get(url)
      task.sleep(100)
    ]], s.url))
    assert.equal("cleaned up\n", ended.out)
    assert.equal(3, ended.status)
    assert.is_true(ended.seconds > 4.5 and ended.seconds < 60)
  end)

  it("reports a failed script's error as well", function()
    local s = counting()
    local ended = run(arguments("--max-requests=1", "http.get(url)\nassert(http.get(url))", s.url))
    assert.matches("^lurcher: the run's budget of 1 request is used up\n", ended.err)
    assert.matches("\nGET http:%S+: limit: .-\nstack traceback:\n.*:2: in main chunk\n$", ended.err)
    assert.equal(3, ended.status)
  end)

  it("ends with 3 although the script calls os.exit", function()
    local s = counting()
    local ended = run(arguments("--max-requests=1", "http.get(url) http.get(url) os.exit(0)", s.url))
    assert.matches("^lurcher: the run's budget of 1 request is used up\n", ended.err)
    assert.equal(3, ended.status)
  end)

  it("gives way to a signal", function()
    local s = counting()
    local child = start(arguments("--max-requests=1",
      "http.get(url) http.get(url) io.stderr:write 'ready' task.sleep(100)", s.url))
    child:wait_for("ready", "err")
    child:kill("INT")
    assert.equal(130, child:wait().status)
  end)
end)

describe("lurcher --max-bytes", function()
  it("ends all that run with kind 'limit' once more has come, after what came before", function()
    local s = serving.start(endless)
    local ended = run(arguments("--max-bytes=256K", [[
      local function open() return http.get(url, { stream = true }) end
      local function reader(res)
        return function()
          local bytes = 0
          local _, err = pcall(function()
            for piece in res:chunks() do bytes = bytes + #piece end
          end)
          return { bytes, err.kind, err.message }
        end
      end
      local first, second = open(), open()
      local one, other = task.all { reader(first), reader(second) }
      print(one[1] + other[1], one[2], other[2], one[3])
    ]], s.url))
    assert.matches("^%d+\tlimit\tlimit\tthe run's budget of 262144 bytes is used up\n$", ended.out)
    assert.equal(3, ended.status)
    local received = tonumber(ended.err:match "refused: 2; bytes received: (%d+)")
    assert.is_true(received > 2^18 and received < 2^19)
    assert.is_true(received - tonumber(ended.out:match "^%d+") < 1024) -- the heads
  end)

  it("ends a request that gathers its body in memory", function()
    local s = serving.start(endless)
    local ended = run(arguments("--max-bytes=100000", "print(select(2, http.get(url)).kind)", s.url))
    assert.same({ "limit\n", 3 }, { ended.out, ended.status })
  end)

  it("starts no request once they are used up", function()
    local s, asked = counting(function() return { body = ("x"):rep(1000) } end)
    -- A little more than one response; heads count too.
    local ended = run(arguments("--max-bytes=1K",
      "print(http.get(url)) print(select(2, http.get(url)).kind)", s.url))
    assert.matches("limit\n$", ended.out)
    assert.equal(3, ended.status)
    assert.equal(1, #asked)
  end)

  it("counts bytes as they come over the network", function()
    local pipe = assert(io.popen "head -c 100000 /dev/zero | gzip -c")
    local zeros = pipe:read "*a"
    pipe:close()
    local s = serving.start(function()
      return { headers = { ["Content-Encoding"] = "gzip" }, body = zeros }
    end)
    local ended = run(arguments("--max-bytes=10K", "print(#http.get(url).body)", s.url))
    assert.same({ "100000\n", "", 0 }, { ended.out, ended.err, ended.status })
  end)
end)

describe("lurcher --max-time", function()
  it("cancels everything then, and runs the clean-up, which makes no requests", function()
    local s, asked = counting(function() task.event():wait() end)
    local ended = run(arguments("--max-time=0.2", [[
      local api = http.client { base_url = url, limits = { per_origin = 1 } }
      task.defer(function()
        task.sleep(0.01)
        print(select(2, api:get "logout").kind)
      end)
      task.spawn(function() api:get "waits" end)
      api:get "runs"
    ]], s.url))
    assert.equal("limit\n", ended.out)
    assert.matches("^lurcher: the run's budget of 0%.2 s is used up\n\trequests made: 1, ", ended.err)
    assert.matches("requests that waited to start then: 1\n\ttask 1 waits for ", ended.err)
    assert.equal(3, ended.status)
    assert.equal(1, #asked)
  end)

  it("needs no requests", function()
    local ended = run(arguments("--max-time=0.1", "task.sleep(100)"))
    assert.matches("\ttask 1 waits for a sleep ", ended.err)
    assert.equal(3, ended.status)
  end)

  it("ends what another budget gave 5 seconds", function()
    local s = counting()
    local ended = run(arguments("--max-time=0.5 --max-requests=1",
      "http.get(url) http.get(url) task.sleep(4.5) print 'went on'", s.url))
    assert.matches("^lurcher: the run's budget of 1 request is used up\n", ended.err)
    assert.same({ "", 3 }, { ended.out, ended.status })
  end)

  it("does not keep a script that has ended", function()
    local ended = run(arguments("--max-time=1000", "task.sleep(0.001)"))
    assert.same({ "", 0 }, { ended.err, ended.status })
  end)

  it("ends a script that never waits 5 seconds later", function()
    local ended = run(arguments("--max-time=0.1", "while true do end"))
    assert.matches("^lurcher: the script did not end within 5 seconds of being cancelled\n", ended.err)
    assert.matches("\nlurcher: the main task %(%(command line%)%) holds the loop", ended.err)
    assert.equal(3, ended.status)
  end)
end)

describe("a limit of the command", function()
  local cases = {
    ["--memory=8M"] = { "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
      "the limit 'memory' of 8388608 bytes was reached, at (command line):1\n" },
    ["--memory=1K"] = { "", "the limit 'memory' of 1024 bytes was reached: that is too little to start\n" },
    ["--cpu=0.1"] = { "while true do pcall(task.yield) end",
      "the limit 'cpu' was reached: 0.1 s of processor time are used up, at (command line):1\n" },
    ["--burst=0.05"] = { "while true do end",
      "the limit 'burst' was reached: it computed for 0.05 s without a wait, at (command line):1\n" },
  }
  for option, case in pairs(cases) do
    it(("ends the script with status 3 and its line: %s"):format(option), function()
      local ended = run { option, "-e", "print(1) " .. case[1] }
      assert.equal("lurcher: " .. case[2], ended.err)
      assert.equal(3, ended.status)
    end)
  end
end)

describe("a budget that is none", function()
  local cases = {
    ["--max-requests=0"] = "give a whole number of requests, as in %-%-max%-requests=1000",
    ["--max-requests=1.5"] = "give a whole number of requests",
    ["--max-requests=many"] = "give a whole number of requests",
    ["--max-bytes=10X"] = "give a number of bytes, or of KiB, .- with K, M, G or T, as in %-%-max%-bytes=10M",
    ["--max-bytes=-1"] = "give a number of bytes",
    ["--max-bytes=1MB"] = "give a number of bytes",
    ["--max-time=0"] = "give a number of seconds above 0, as in %-%-max%-time=60",
    ["--max-time=inf"] = "give a number of seconds",
    ["--max-time=1h"] = "give a number of seconds",
    ["--memory=0"] = "give a number of bytes, or of KiB, .- with K, M, G or T, as in %-%-memory=64M",
    ["--cpu=0"] = "give a number of seconds above 0, as in %-%-cpu=10",
    ["--burst=much"] = "give a number of seconds above 0, as in %-%-burst=0%.5",
    ["--max-requests"] = "option '%-%-max%-requests' needs a value: %-%-max%-requests=N",
    ["--max-request=1"] = "did you mean '%-%-max%-requests=N'%?",
  }
  for option, message in pairs(cases) do
    it(("is refused: %s"):format(option), function()
      local ended = run { option, "-e", "" }
      assert.matches(message, ended.err)
      assert.same({ "", 2 }, { ended.out, ended.status })
    end)
  end
end)
