-- The prompt, at a terminal.

local files = require "spec.support.files"
local process = require "spec.support.process"
local prompting = require "spec.support.prompting"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local READY = prompting.READY

describe("the prompt", function()
  before_each(function() files.begin() end)
  after_each(files.finish)

  it("shows what expressions give, and keeps the last value", function()
    local prompt = prompting.start()
    assert.matches("^lurcher %d.*Ctrl%-D ends\n", prompt.greeting)
    for _, case in ipairs {
      { "1 + 1", "2\n" }, { "_ * 2", "4\n" }, { "nil", "nil\n" }, { "_", "4\n" }, { "five = 5", "" }, { "_", "4\n" },
      { "'a\\n' .. 'b'", '"a\\nb"\n' }, { "1, 'two'", '1\n"two"\n' }, { "print 'hi'", "hi\n" }, { "_", "1\n" },
      { "return 7", "7\n" }, { "-- nothing", "" }, { "#'日本'", "6\n" }, { "do io.write 'no end' end", "no end\n" },
      { "io.write 'no end' error 'x'", "no end\nerror: x\n" },
      { "{ b = 1, a = { true } }", "{ a = { true }, b = 1 }\n" }, { "json.decode '[null]'", "{ json.null }\n" },
      { "error 'boom'", "error: boom\n" },
      { "-0.0", "-0\n" }, { "{ -0.0, 0 }", "{ -0, 0 }\n" },
      { "error({ kind = 1 })", "error: the script raised a table: {\"kind\":1}\n" },
      { "five, x = 5, {}", "" },
      { "x.y.z", "error: attempt to index field 'y' (a nil value)\n" }, { "a b", "error: '=' expected near 'b'\n" },
      { "task.sleep(0.001)", "" }, { "http.get('http://127.0.0.1:1/', { retry = false })",
        "error: GET http://127.0.0.1:1/: connect: cannot connect to 127.0.0.1:1: Connection refused\n" },
    } do
      assert.are.equal(case[2], prompt:enter(case[1]))
    end
    assert.are.equal(0, (prompt:finish()))
  end)

  it("keeps the locals of the top level, shared with the functions that use them", function()
    local prompt = prompting.start()
    for _, case in ipairs {
      { "local n, m = 1", "" }, { "local function next_one() n = n + 1 return n end", "" }, { "next_one()", "2\n" },
      { "n", "2\n" }, { "local n = 10", "" }, { "next_one()", "11\n" }, { "m", "nil\n" },
      { "do local n = 0 end", "" }, { "n", "11\n" }, { "local print = print", "" }, { "print(n)", "11\n" },
    } do
      assert.are.equal(case[2], prompt:enter(case[1]))
    end
    prompt:finish()
  end)

  it("shows a response as its status line and the start of its body", function()
    local site = serving.start(function(req)
      if req.path == "/no" then return { status = 404, body = "nothing" } end
      return { headers = { ["Content-Type"] = "application/json" }, body = '{"id":12345678901234567890,"a":[1]}' }
    end)
    local prompt = prompting.start()
    assert.matches('^HTTP/1.1 200 OK  .*  application/json  35 B\n{\n  "id": 12345678901234567890,\n'
      .. '  "a": %[\n    1\n  %]\n}\n$', prompt:enter(("http.get '%s'"):format(site.url)))
    assert.are.equal("200\n", prompt:enter "_.status")
    assert.matches("^error: GET .*: status 404 Not Found, expected 2xx: nothing\n$",
      prompt:enter(("http.client { base_url = '%s' }:get 'no'"):format(site.url)))
    prompt:finish()
  end)

  it("goes on reading an entry that is not whole", function()
    local prompt = prompting.start()
    prompt:type "for i = 1, 2 do\r"
    prompt:wait(prompting.MORE)
    prompt:type "print(i)\r"
    prompt:wait(prompting.MORE)
    assert.are.equal("1\n2\n", prompt:enter "end")
    prompt:type "f(\r"
    prompt:wait(prompting.MORE)
    prompt:type "\3"
    prompt:wait(READY)
    assert.are.equal("1\n", prompt:enter "1")
    prompt:type "\27[A\27[A" -- the whole entry again
    prompt:wait "end"
    assert.are.equal("1\n2\n", prompt:enter "")
    prompt:finish()
  end)

  it("takes a paste of a hundred lines as one entry", function()
    local prompt, lines = prompting.start(), {}
    for i = 1, 100 do lines[i] = ("local v%d = '%d é'"):format(i, i) end
    prompt:type("\27[200~" .. table.concat(lines, "\r") .. "\r\27[201~")
    prompt:wait "v100"
    prompt:wait "é'"
    assert.are.equal("", prompt:enter "")
    assert.are.equal('"1 é"\n"100 é"\n', prompt:enter "v1, v100")
    prompt:finish()
  end)

  it("lets other tasks go on, and print above the line", function()
    local prompt = prompting.start()
    prompt:enter "go = task.event()"
    prompt:enter "task.spawn(function() go:wait() print 'from afar' error 'and gone' end)"
    assert.matches("task %d+ waits for .* at prompt:1 %(spawned at prompt:1%)\n", prompt:enter ":tasks")
    prompt:enter "task.spawn(function() task.sleep(0.05) go:set() end)"
    prompt:type "half a l日"
    prompt:wait "from afar\r\n"
    prompt:wait "and gone"
    prompt:wait "spawned at prompt:1"
    prompt:wait "> half a l日"
    prompt:type "\21"
    assert.are.equal("2\n", prompt:enter "2")
    assert.are.equal("no tasks\n", prompt:enter ":tasks")
    prompt:finish()
  end)

  -- 100 times each; how fast is measured elsewhere.
  it("comes back at Ctrl-C, whatever runs", function()
    local prompt = prompting.start()
    prompt:enter "wait = task.event()"
    for _, busy in ipairs {
      "task.sleep(1000)", "wait:wait()", "while true do end", "pcall(task.sleep, 1000) error 'not reached'",
      "while true do pcall(function() while true do end end) end",
      "while true do xpcall(function() while true do end end, function() while true do end end) end",
      "while true do coroutine.wrap(function() while true do end end)() end",
      "while true do local s = ('x'):rep(1e5) end", "load 'while true do end' ()",
      "task.map({ 1, 2 }, function() task.sleep(1000) end)",
      "task.shield(function() while true do pcall(function() while true do end end) end end)",
      "('x'):rep(30000):find(('x*'):rep(9) .. 'y')", "('x'):rep(30000):gsub(('x*'):rep(9) .. 'y', '')",
      "string.match(('x'):rep(30000), ('x*'):rep(9) .. 'y')",
    } do
      for _ = 1, 100 do
        prompt:type("print 'begun'; " .. busy .. "\r")
        prompt:wait "begun\r\n"
        prompt:type "\3"
        prompt:wait(READY)
      end
      assert.are.equal("'ok'\n", (prompt:enter "'ok'":gsub('"', "'")))
    end
    for _ = 1, 100 do
      prompt:type "half"
      prompt:wait "half"
      prompt:type "\3"
      prompt:wait(READY)
    end
    assert.are.equal(0, (prompt:finish()))
  end)

  it("says what was interrupted in a line of its own", function()
    local prompt = prompting.start()
    for _, code in ipairs { "task.sleep(1000)", "while true do end", "io.write 'no end' task.sleep(1000)" } do
      prompt:type("print 'begun' " .. code .. "\r")
      prompt:wait "begun\r\n"
      if code:find "no end" then prompt:wait "no end" end
      prompt:type "\3"
      assert.are.equal("^C\ninterrupted\n> ", prompting.plain(prompt:wait(READY)))
    end
    prompt:finish()
  end)

  it("runs entries whatever the globals are set to", function()
    local prompt = prompting.start()
    prompt:enter "function require() error 'mine' end setfenv, enter, _G, debug = nil"
    prompt:enter "load, rawset, pcall, xpcall, setmetatable, tostring, type = nil"
    assert.are.equal("2\n", prompt:enter "1 + 1")
    assert.are.equal("error: attempt to call global 'require' (a string value)\n",
      prompt:enter "require = '' require 'x'")
    prompt:enter "local own = 5"
    assert.are.equal("5\n", prompt:enter "own")
    assert.are.equal(0, (prompt:finish()))
  end)

  it("can be ended by Ctrl-C while one call into C goes on", function()
    local prompt = prompting.start()
    local id = prompt:enter("io.open '/proc/self/stat':read '*n'"):match "%d+"
    local function ticks() -- that it has computed; nil: it has ended
      local file = io.open("/proc/" .. id .. "/stat")
      local state, count = (file and file:read "*a" or ""):match("%) (%a)" .. (" %S+"):rep(10) .. " (%d+)")
      if file then file:close() end
      return state ~= "Z" and tonumber(count) or nil
    end
    prompt:enter "local ffi = require 'ffi' local lock = ffi.new 'int[1]'"
    prompt:enter "ffi.cdef 'int pthread_spin_init(int *, int); int pthread_spin_lock(int *);'"
    prompt:enter "ffi.C.pthread_spin_init(lock, 0)"
    prompt:enter "ffi.C.pthread_spin_lock(lock)"
    prompt:type "print 'begun' ; ffi.C.pthread_spin_lock(lock)\r"
    prompt:wait "begun\r\n"
    local begun = ticks()
    while ticks() < begun + 10 do task.sleep(0.01) end
    while ticks() do
      prompt:type "\3"
      task.sleep(0.05)
    end
    assert.matches("one call into C holds the prompt and cannot be stopped; Ctrl%-C again ends lurcher\n",
      prompting.plain(prompt:wait "ends lurcher\r\n"))
    while prompt.child:read() do end
    assert.are.equal(130, assert(prompt.child:wait()).status)
  end)

  it("writes all of a long text, and drops the rest of it at Ctrl-C", function()
    local prompt = prompting.start()
    assert.are.equal(("x"):rep(1e6) .. "\n", prompt:enter "print(('x'):rep(1e6))")
    prompt:enter "local ffi = require 'ffi' ffi.cdef 'int fcntl(int, int, ...);'"
    assert.are.equal("0\n", prompt:enter "bit.band(ffi.C.fcntl(1, 3), 0x800)") -- of F_GETFL, O_NONBLOCK
    for _ = 1, 10 do
      prompt:type "print 'begun' while true do print(('x'):rep(1e5)) end\r"
      prompt:wait "begun\r\n"
      prompt:wait "x" -- else there is no line to end before the word
      prompt:type "\3"
      prompt:wait "\ninterrupted\r\n"
      prompt:wait(READY)
    end
    assert.are.equal("1\n", prompt:enter "1")
    assert.are.equal(0, (prompt:finish()))
  end)

  it("lets clean-up go on after Ctrl-C, and stops a task in the background that holds the loop", function()
    local prompt = prompting.start()
    prompt:type "task.defer(function() task.sleep(0.01) print 'cleaned' end) print 'begun' task.sleep(1000)\r"
    prompt:wait "begun\r\n"
    prompt:type "\3"
    prompt:wait "cleaned"
    prompt:wait "> "
    prompt:type "task.spawn(function() task.sleep(0.01) print 'busy' while true do end end)\r"
    prompt:wait "busy\r\n"
    prompt:type "\3"
    prompt:wait "^C"
    prompt:wait(READY)
    assert.are.equal("1\n", prompt:enter "1")
    prompt:finish()
  end)

  it("takes what is typed before it is back", function()
    local prompt = prompting.start()
    prompt:type "print 'begun' task.sleep(0.1) print 'over'\r"
    prompt:wait "begun\r\n"
    prompt:type "21 * 2\r"
    prompt:wait(READY)
    assert.matches("42\n", prompting.plain(prompt:wait(READY)))
    prompt:type "print 'begun' task.sleep(0.1)\r"
    prompt:wait "begun\r\n"
    assert.are.equal(0, (prompt:finish()))
  end)

  it("cancels what is left at Ctrl-D", function()
    local prompt = prompting.start()
    prompt:enter "task.spawn(function() task.defer(function() print 'cleaned' end) task.sleep(1000) end)"
    local status, out = prompt:finish()
    assert.are.equal(0, status)
    assert.matches("cleaned", out, 1, true)
  end)

  it("ends with the status of os.exit, and by signals", function()
    local prompt = prompting.start()
    prompt:type "os.exit(7)\r"
    prompt:wait "os.exit"
    assert.are.equal(7, (prompt:finish()))
    prompt = prompting.start()
    prompt:enter "local ffi = require 'ffi' ffi.cdef 'int kill(int, int); int getpid(void);'"
    prompt:type "task.spawn(function() task.sleep(0.01) ffi.C.kill(ffi.C.getpid(), 15) end)\r"
    prompt:wait "task.spawn"
    assert.are.equal(143, assert(prompt.child:wait()).status)
    prompt = prompting.start()
    prompt:enter "local ffi = require 'ffi' ffi.cdef 'int kill(int, int); int getpid(void);'"
    prompt:enter "task.spawn(function() task.defer(function() print 'cleaned' end) task.sleep(1000) end)"
    prompt:type "ffi.C.kill(ffi.C.getpid(), 1) while true do end\r"
    prompt:wait "cleaned"
    assert.are.equal(129, assert(prompt.child:wait()).status)
  end)

  it("completes globals, fields, options and names of files", function()
    local prompt = prompting.start()
    prompt:enter(("files = { alpha = 1, beta = 2 } where = '%s'"):format(files.path ""))
    local file = assert(io.open(files.path "data_of_mine.txt", "w"))
    file:close()
    for _, case in ipairs {
      { "htt", "p" }, { "http.g", "et" }, { "files.al", "pha" }, { "http.get('x', { timeo", "ut = " },
      { "http.client { base_", "url = " }, { "http.get('x', { retry = { attem", "pts = " },
      { ("io.open('%s"):format(files.path "data_"), "of_mine.txt" }, { ":he", "lp " }, { ":help retr", "ies" },
    } do
      prompt:type(case[1] .. "\t")
      prompt:wait(case[2])
      prompt:type "\3"
      prompt:wait(READY)
    end
    prompt:type "files.\t"
    prompt:wait "alpha  beta\r\n"
    prompt:type "\3"
    prompt:wait(READY)
    prompt:finish()
  end)

  it("has commands", function()
    local prompt, saved = prompting.start(), files.path "saved.lua"
    assert.matches(":save FILE", prompt:enter ":help", 1, true)
    assert.matches("RETRIES", prompt:enter ":help retry", 1, true)
    assert.matches("^error: help has no topic 'nonsense'", prompt:enter ":help nonsense")
    assert.matches("^error: there is no :typ; did you mean :type%?", prompt:enter ":typ 1")
    assert.matches("^error: nothing has worked yet", prompt:enter(":save " .. saved))
    assert.matches("^5\n[%d.]+ %S+\n$", prompt:enter ":time 5")
    assert.are.equal("list of 2\n", prompt:enter ":type { 1, 2 }")
    assert.are.equal("", prompt:enter "local n = 20")
    prompt:enter "n + 1"
    prompt:enter "print(_ * 2)"
    prompt:enter "no.such.thing"
    assert.are.equal(saved .. ": 3 entries\n", prompt:enter(":save " .. saved))
    assert.are.equal("42\n", process.run({ saved }).out)
    prompt:enter "n = nil"
    assert.are.equal("42\n", prompt:enter(":load " .. saved))
    assert.are.equal("20\n", prompt:enter "n")
    assert.matches("600", process.shell('stat -c %a "$1"', saved))
    local site = serving.start(function() return "ok" end)
    prompt:enter ":trace on"
    assert.matches("lurcher: GET " .. site.url, prompt:enter(("http.get '%s'"):format(site.url)))
    prompt:enter ":trace off"
    assert.is_nil(prompt:enter(("http.get '%s'"):format(site.url)):find("lurcher:", 1, true))
    prompt:finish()
  end)

  it("sends what a curl command sends, and saves it", function()
    local site = serving.start(function(req) return { status = 418, body = req.method .. " " .. req.body } end)
    local prompt, saved = prompting.start { columns = 200 }, files.path "saved.lua"
    assert.matches("^HTTP/1.1 418 .*\nPOST a=1\n$", prompt:enter((":curl -d a=1 %s/x"):format(site.url)))
    assert.are.equal("418\n", prompt:enter "_.status")
    assert.matches("^error: .*%-%-nonsense", prompt:enter((":curl --nonsense %s"):format(site.url)))
    assert.are.equal("error: the variable NOBODY_SET_IT is not set\n", prompt:enter ":curl http://h/$NOBODY_SET_IT")
    prompt:enter(":save " .. saved)
    assert.matches("http.post(\"" .. site.url .. "/x\"", files.read "saved.lua", 1, true)
    assert.is_truthy(loadfile(saved))
    prompt:finish()
  end)

  it("keeps the history in a file of its owner, without secrets", function()
    local environment = { XDG_STATE_HOME = files.path "state" }
    local prompt = prompting.start { environment = environment }
    for _, line in ipairs { "'first'", "http.bearer('abc')", "s = http.secret 'geheim'", "'\\\\n'", "'has geheim'" } do
      prompt:enter(line)
    end
    prompt:type "if true then\r"
    prompt:wait(prompting.MORE)
    prompt:enter "print 'two' end"
    prompt:finish()
    assert.are.equal("'first'\n'\\\\\\\\n'\nif true then\\nprint 'two' end\n", files.read "state/lurcher/history")
    assert.matches("^600", process.shell('stat -c %a "$1"', files.path "state/lurcher/history"))
    prompt = prompting.start { environment = environment }
    prompt:type "\27[A"
    prompt:wait "two' end"
    assert.are.equal("two\n", prompt:enter "")
    prompt:type "\27[A\27[A"
    prompt:wait "'\\\\n'"
    assert.are.equal('"\\\\n"\n', prompt:enter "")
    prompt:finish()
  end)

  it("goes on with a history that is damaged or large", function()
    assert(os.execute(("mkdir -p '%s'"):format(files.path "state/lurcher")))
    local history = assert(io.open(files.path "state/lurcher/history", "wb"))
    history:write(("'many'\n"):rep(700000), "'lost'\n", "\0\0\0'later'\n", "'cut o")
    history:close()
    local prompt = prompting.start { environment = { XDG_STATE_HOME = files.path "state" } }
    prompt:type "\27[A"
    prompt:wait "'later'"
    assert.are.equal('"later"\n', prompt:enter "")
    prompt:enter "'new'"
    prompt:finish()
    assert.matches("\n'cut o\n'later'\n'new'\n$", files.read "state/lurcher/history")
  end)

  it("works without a history, and says so once", function()
    local prompt = prompting.start()
    assert.matches("\nlurcher: no history is kept: /dev/null/lurcher/history: Not a directory\n", prompt.greeting)
    assert.are.equal("1\n", prompt:enter "1")
    prompt:finish()
  end)

  it("runs a script first, whose globals stay", function()
    local script = process.script "#!/usr/bin/lurcher\nlocal hidden = 1 shown = { arg[0], ... } print 'ran'"
    local prompt = prompting.start { arguments = { "repl", script, "a", "b" } }
    assert.matches("ran\n", prompt.greeting, 1, true)
    assert.are.equal(script .. "\ta\tb\n", prompt:enter "print(unpack(shown))")
    assert.are.equal("nil\n", prompt:enter "hidden")
    prompt:finish()
    assert.are.equal(2, process.run({ "repl" }, { command = process.lurcher }).status)
  end)

  it("is there for lurcher alone, and on terminals that know little", function()
    local prompt = prompting.start { arguments = {}, environment = { TERM = "dumb" }, ready = "> " }
    prompt:type "1 + 1\r"
    prompt:wait "\n2\r\n"
    prompt:finish()
    prompt = prompting.start { columns = 20 }
    prompt:type "'a text that is longer than the line'\r"
    prompt:wait '"a text that is longer than the line"'
    prompt:wait(READY)
    assert.matches("^{\n  \"x+\",\n  \"x+\"\n}\n$", prompt:enter "{ ('x'):rep(12), ('x'):rep(12) }")
    prompt:resize(100)
    prompt:type "'日本語'"
    assert.are.equal('"日本語"\n', prompt:enter "")
    assert.matches("^{ \"x+\", \"x+\" }\n$", prompt:enter "{ ('x'):rep(12), ('x'):rep(12) }")
    prompt:finish()
  end)
end)
