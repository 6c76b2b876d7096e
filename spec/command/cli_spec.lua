local files = require "spec.support.files"
local fs = require "lurcher.fs"
local process = require "spec.support.process"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local run, start, script = process.run, process.start, process.script

local function echo_server()
  return serving.start(function() return { body = "answer" } end)
end

describe("lurcher", function()
  describe("with a script", function()
    it("runs a file with its arguments in ... and arg", function()
      local path = script "print(arg[0], #arg, arg[1], arg[2], select('#', ...), ...)"
      local ended = run { path, "one", "--two" }
      assert.same(path .. "\t2\tone\t--two\t2\tone\t--two\n", ended.out)
      assert.equal("", ended.err)
      assert.equal(0, ended.status)
    end)

    it("runs a string", function()
      local ended = run { "-e", "print(arg[0], ...)", "a", "-e" }
      assert.equal("-e\ta\t-e\n", ended.out)
      assert.equal(0, ended.status)
    end)

    it("has the public modules as globals in a string, and nowhere else", function()
      local ended = run { "-e", "print(type(http.get), type(task.map), json.encode {1}, type(date), nonsense)" }
      assert.equal("function\tfunction\t[1]\ttable\tnil\n", ended.out)
      assert.equal("nil\n", run({ "-" }, { stdin = "print(http)" }).out)
      assert.equal("nil\n", run({ script "print(http)" }).out)
      assert.equal("5\n", run({ "-e", "http = 5 print(http)" }).out)
    end)

    it("finds the modules beside it from any folder", function()
      local path = script "print(require('beside_lurcher_spec'))"
      local beside = path:match("^.*/") .. "beside_lurcher_spec.lua"
      local file = assert(io.open(beside, "w"))
      file:write("return 'found'")
      file:close()
      task.defer(function() os.remove(beside) end)
      assert.equal("found\n", run({ "-c", 'cd / && exec "$0" "$@"', process.lurcher, path }, { command = "sh" }).out)
      local name = path:match("[^/]*$")
      assert.equal("found\n", run({ "-c", 'cd "$1" && exec "$0" "$2"', process.lurcher, path:match("^.*/"), name },
        { command = "sh" }).out)
    end)

    it("finds the modules beside it when it is called by a symbolic link", function()
      local folder = files.begin()
      task.defer(files.finish)
      local function write(name, text) assert(fs.write(folder .. "/" .. name, text)) end
      assert(fs.mkdir(folder .. "/home"))
      assert(fs.mkdir(folder .. "/bin"))
      write("home/tool.lua", "print(require('beside'), require('other'))")
      write("home/beside.lua", "return 'found'")
      write("home/other.lua", "return 'wrong'")
      write("bin/other.lua", "return 'nearer'")
      assert.equal(0, os.execute(("ln -s ../home/tool.lua '%s/bin/tool'"):format(folder)))
      assert.equal("found\tnearer\n", run({ folder .. "/bin/tool" }).out)
    end)

    it("draws other random numbers in each process, and the same in each virtual run", function()
      local code = [[
        local clock = require "lurcher.clock"
        local function draw() return math.random(1e9) end
        print(draw(), clock.virtual(draw) == clock.virtual(draw), clock.virtual(draw, { seed = 7 }))
        print(clock.virtual(draw), draw())]]
      local first, second = run { "-e", code }, run { "-e", code }
      local a, same, seven, one, after = first.out:match("^(%d+)\t(%a+)\t(%d+)\n(%d+)\t(%d+)\n$")
      local b, _, seven_again, one_again, after_again = second.out:match("^(%d+)\t(%a+)\t(%d+)\n(%d+)\t(%d+)\n$")
      assert.equal("true", same)
      assert.not_equal(a, b)
      assert.equal(seven, seven_again)
      assert.equal(one, one_again)
      assert.not_equal(seven, one)
      assert.not_equal(after, after_again)
    end)

    it("runs standard input", function()
      local ended = run({ "-", "a" }, { stdin = "print(arg[0], ...) error 'oops'" })
      assert.equal("-\ta\n", ended.out)
      assert.matches("^lurcher: standard input:1: oops\n", ended.err)
      assert.equal(1, ended.status)
    end)

    it("lets the script have as many open files as the system allows", function()
      local shell = 'ulimit -Sn 256; exec "$0" -e "os.execute [[ulimit -Sn; ulimit -Hn]]"'
      local ended = run({ "-c", shell, process.lurcher }, { command = "sh" })
      local soft, hard = ended.out:match("^(%w+)\n(%w+)\n$")
      assert.equal(math.min(tonumber(hard) or math.huge, 65536), tonumber(soft))
    end)

    it("makes requests wait that find no file descriptor", function()
      local count, many = 0, task.event()
      local s = serving.start(function()
        count = count + 1
        if count == 100 then many:set() end -- of the 200 that the descriptors allow about
        many:wait()
        return { body = "answer" }
      end)
      local ended = run({ "-c", 'ulimit -n 220; exec "$0" -e "$@"', process.lurcher, [[
        local http, task = require "lurcher.http", require "lurcher.task"
        local url = ...
        local api = http.client { limits = { inflight = 300, per_origin = 300 }, retry = false }
        local last = 0
        task.map(function() last = last + 1 return last <= 300 and last or nil end, function()
          return assert(api:get(url)).body
        end, { concurrency = 300 })
        print "all answered"
      ]], s.url }, { command = "sh" })
      assert.equal("", ended.err)
      assert.equal("all answered\n", ended.out)
      assert.equal(300, count)
    end)

    it("counts a wait for a file descriptor to timeout.queue, too", function()
      local s = serving.start(function() return { body = "answer" } end)
      local ended = run({ "-c", 'ulimit -n 64; exec "$0" -e "$@"', process.lurcher, [[
        local http, task = require "lurcher.http", require "lurcher.task"
        local url, taken = ..., {}
        for file in function() return io.open "/dev/null" end do taken[#taken + 1] = file end
        local _, err = http.get(url, { timeout = { queue = 0.2 }, retry = false })
        print(err.kind, err.phase)
        local patient = task.spawn(function() return http.get(url, { timeout = 20, retry = false }) end)
        task.sleep(0.2)
        for _, file in ipairs(taken) do file:close() end
        print(patient:join().body)
      ]], s.url }, { command = "sh" })
      assert.equal("", ended.err)
      assert.equal("timeout\tqueue\nanswer\n", ended.out)
    end)

    it("leaves standard input to a script from a file", function()
      local ended = run({ "-e", "print(io.read('*l'))" }, { stdin = "a line\n" })
      assert.equal("a line\n", ended.out)
    end)

    it("runs a file that the kernel starts by its first line", function()
      local path = script("#!" .. process.lurcher .. "\nprint('started', ...)\nerror 'third line'")
      assert(os.execute("chmod +x " .. path) == 0)
      local ended = run({ "a" }, { command = path })
      assert.equal("started\ta\n", ended.out)
      assert.matches(path .. ":3: third line", ended.err, 1, true)
      assert.equal(1, ended.status)
    end)

    it("takes what follows -- for the script, even with a dash", function()
      local ended = run { "--", "-no-such-script" }
      assert.equal("lurcher: cannot read -no-such-script: ENOENT: No such file or directory\n", ended.err)
      assert.equal(2, ended.status)
    end)

    it("ends when every task has ended", function()
      local ended = run { "-e", [[
        local task = require "lurcher.task"
        task.spawn(function() task.sleep(0.01) print "task" end)
        print "body"
      ]] }
      assert.equal("body\ntask\n", ended.out)
      assert.equal(0, ended.status)
    end)
  end)

  describe("with wrong usage ends with 2 and", function()
    for _, case in ipairs {
      { {}, "no script: give a file, '-' for standard input, or -e 'code'" },
      { { "--trce", "x.lua" }, "unknown option '--trce'; did you mean '--trace'?" },
      { { "--lgo=info", "x.lua" }, "unknown option '--lgo'; did you mean '--log=LEVEL'?" },
      { { "--no-such-thing=3", "x.lua" }, "unknown option '--no-such-thing'; lurcher --help shows all" },
      { { "-x" }, "unknown option '-x'; lurcher --help shows all" },
      { { "--\27[31m\194\155m\n" }, "unknown option '--\\x1b[31m\194\\x9bm\\x0a'; lurcher --help shows all" },
      { { "--log=\27" }, "--log=\\x1b: the levels are error, warn, info and debug" },
      { { "/none/\27\7" }, "cannot read /none/\\x1b\\x07: ENOENT: No such file or directory" },
      { { "get", "http://127.0.0.1:1/", "--body=@/none/\27\7" }, "cannot read '/none/\\x1b\\x07': No such file" },
      { { "--log", "info", "x.lua" }, "option '--log' needs a value: --log=LEVEL" },
      { { "--log=loud", "x.lua" }, "--log=loud: the levels are error, warn, info and debug" },
      { { "--trace=yes", "x.lua" }, "--trace=yes: it is --trace, --trace=headers or --trace=bodies" },
      { { "--grace=soon", "x.lua" },
        "--grace=soon: give a number of seconds from 0 to 86400, as in --grace=10" },
      { { "--grace=-1", "x.lua" },
        "--grace=-1: give a number of seconds from 0 to 86400, as in --grace=10" },
      { { "-e" }, "option '-e' needs code: lurcher -e 'print(\"hello\")'" },
      { { "/no/such/script.lua" }, "cannot read /no/such/script.lua: ENOENT: No such file or directory" },
      { { "gte", "http://localhost/" }, "cannot read gte: ENOENT: No such file or directory; did you "
        .. "mean 'lurcher get'?" },
      { { "GET", "/" }, "cannot read GET: ENOENT: No such file or directory; did you mean 'lurcher get'?" },
      { { "improt" }, "cannot read improt: ENOENT: No such file or directory; did you mean 'lurcher import'?" },
      { { "localhost:3000/a" }, "cannot read localhost:3000/a: ENOENT: No such file or directory; did you mean "
        .. "'lurcher get localhost:3000/a'?" },
      { { "get.lua" }, "cannot read get.lua: ENOENT: No such file or directory\n" },
      { { "/" }, "cannot read /: EISDIR: Is a directory" },
    } do
      it("says: " .. case[2], function()
        local ended = run(case[1])
        assert.equal("lurcher: " .. case[2], ended.err:sub(1, #case[2] + 9))
        assert.equal("", ended.out)
        assert.equal(2, ended.status)
      end)
    end

    it("says that a file may not be read", function()
      local path = script "print 'read'"
      assert(os.execute("chmod 0 " .. path) == 0)
      local ended
      if io.popen("id -u"):read("*n") == 0 then -- it may read everything; others not even its directories
        local command = os.tmpname()
        assert(os.execute(("cp %s %s && chmod 755 %s"):format(process.lurcher, command, command)) == 0)
        ended = run({ "-u", "nobody", "--", command, path }, { command = "runuser" })
        os.remove(command)
      else
        ended = run { path }
      end
      assert.equal(("lurcher: cannot read %s: EACCES: Permission denied\n"):format(path), ended.err)
      assert.equal(2, ended.status)
    end)
  end)

  it("tells its version", function()
    for _, option in ipairs { "--version", "-V" } do
      local ended = run { option }
      assert.equal(0, ended.status)
      assert.equal("", ended.err)
      local first, libraries = ended.out:match("^([^\n]*)\n([^\n]*)\n$")
      assert.equal("lurcher " .. require "lurcher.native.version", first)
      for _, name in ipairs { "LuaJIT", "libuv", "libcurl", "OpenSSL", "zlib", "brotli", "zstd", "nghttp2" } do
        assert.matches(name .. " %d[%w.]*", libraries)
      end
    end
  end)

  it("explains itself on standard output", function()
    local ended = run { "--help" }
    assert.matches("\noptions of serve:\n  %-%-port=N", ended.out)
    for _, wanted in ipairs {
      "usage: lurcher", "-e 'code'", "test", "--log=LEVEL", "--trace", "--grace=SECONDS", "examples:", "130",
    } do
      assert.truthy(ended.out:find(wanted, 1, true), wanted)
    end
    assert.equal("", ended.err)
    assert.equal(0, ended.status)
  end)

  it("shows an example in its help that runs", function()
    local s = echo_server()
    local example = run({ "--help" }).out:match("\n(  #!/usr/bin/env lurcher\n.-)\nexit status")
    example = example:gsub("\n  ", "\n")
    local ended = run { script(example:sub(3)), s.url }
    assert.equal(s.url .. "\t200\n", ended.out)
  end)

  describe("when the script fails", function()
    it("ends with 1 and the line of a syntax error", function()
      local path = script "local x = 1\nlocal y = = 2\n"
      local ended = run { path }
      assert.equal(("lurcher: %s:2: unexpected symbol near '='\n"):format(path), ended.err)
      assert.equal(1, ended.status)
    end)

    it("shows the lines of the task that failed and of those it was part of", function()
      local path = script [[
local task = require "lurcher.task"
local function inner()
  task.sleep(0.001)
  error "broken"
end
local function outer()
  task.map({ 1 }, function() inner() return 1 end)
  return 2
end
task.scope(function(scope)
  scope:spawn(function() outer() return 1 end)
end)
print "not reached"]]
      local ended = run { path }
      assert.equal("", ended.out)
      assert.equal(1, ended.status)
      local heading = ("lurcher: %s:4: broken\nstack traceback:\n"):format(path)
      assert.equal(heading, ended.err:sub(1, #heading))
      for _, line in ipairs { 4, 7, 11, 10 } do
        assert.truthy(ended.err:find((":%d: in "):format(line), 1, true)
          or ended.err:find((":%d\n"):format(line), 1, true), "line " .. line .. " in " .. ended.err)
      end
      assert.falsy(ended.err:find("lurcher/", 1, true), ended.err)
    end)

    it("shows the line in each function, whoever raised the error", function()
      local ended = run { "-e", [[
        local function inner(x)
          return x.field.field
        end
        local function outer()
          local result = inner {}
          return result
        end
        outer()
      ]] }
      local lines = {}
      for line in ended.err:gmatch("\n\t%(command line%):(%d+): in ") do lines[#lines + 1] = line end
      assert.same({ "2", "5", "8" }, lines)
    end)

    it("cancels the other tasks, which clean up", function()
      local ended = run { "-e", [[
        local task = require "lurcher.task"
        task.spawn(function()
          task.defer(function() print "cleaned up" end)
          task.sleep(100)
        end)
        task.sleep(0.01)
        error "broken"
      ]] }
      assert.equal("cleaned up\n", ended.out)
      assert.matches("^lurcher: %(command line%):7: broken\n", ended.err)
      assert.equal(1, ended.status)
    end)

    it("prints an error object as one line, then the traceback", function()
      local code = "assert(require('lurcher.http').get(..., { retry = false }))"
      local ended = run { "-e", code, "http://127.0.0.1:1/" }
      assert.matches("^lurcher: GET http://127%.0%.0%.1:1/: connect: [^\n]*\nstack traceback:\n", ended.err)
      assert.equal(1, ended.status)
    end)

    it("names what the tasks of a deadlock wait for", function()
      local ended = run { "-e", "require('lurcher.task').event():wait()" }
      assert.matches("^lurcher: deadlock: ", ended.err)
      assert.matches("%(command line%):1", ended.err)
      assert.equal(1, ended.status)
    end)

    it("says so when the script cancelled itself", function()
      local ended = run { "-e", "local t = require('lurcher.task') t.current():cancel() t.sleep(1)" }
      assert.matches("^lurcher: the script was cancelled", ended.err)
      assert.equal(1, ended.status)
    end)
  end)

  describe("when the script makes a mistake", function()
    for _, case in ipairs {
      { "require('lurcher.http').get('http://a', { timout = 1 })",
        "unknown option 'timout'; did you mean 'timeout'?" },
      { "require('lurcher.task').sleep 'x'",
        "bad argument #1 to 'task.sleep' (a number of seconds expected, got string)" },
      { "require 'lurcher.websocket'", "module 'lurcher.websocket' not found:" },
      { "require 'lurcher.htpp'", "module 'lurcher.htpp' not found; did you mean 'lurcher.http'?" },
      { "table.sort({ 2, 1 }, function() require('lurcher.task').sleep(1) end)",
        "cannot wait for a sleep here" },
    } do
      it("tells the caller's line and: " .. case[2], function()
        local ended = run { "-e", "\n" .. case[1] }
        local heading = ended.err:match("^[^\n]*\n")
        assert.matches("^lurcher: %(command line%):2: ", heading)
        assert.truthy(heading:find(case[2], 1, true), heading)
        assert.equal(1, ended.status)
      end)
    end
  end)

  it("logs what fails in clean-up when something else failed before", function()
    for _, where in ipairs { "", "task.scope(function() ", "task.spawn(function() " } do
      local ended = run { "-e", "local task = require 'lurcher.task' " .. where .. [[
        task.defer(function() error 'deferred first' end)
        task.defer(function() error 'deferred last' end)
        error 'the body']] .. (where ~= "" and " end)" or "") }
      assert.equal(1, ended.status)
      assert.matches("ERROR clean%-up failed, too error=[^\n]*deferred last[^\n]*\n", ended.err)
      assert.matches("ERROR clean%-up failed, too error=[^\n]*deferred first[^\n]*\n", ended.err)
      assert.matches("\nlurcher: %(command line%):3: the body\n", ended.err)
    end
  end)

  describe("os.exit", function()
    for _, case in ipairs { { "7", 7 }, { "", 0 }, { "true", 0 }, { "false", 1 } } do
      it(("ends with %d for os.exit(%s) and flushes"):format(case[2], case[1]), function()
        local ended = run { "-e", ("io.write 'text' print() os.exit(%s)"):format(case[1]) }
        assert.equal("text\n", ended.out)
        assert.equal("", ended.err)
        assert.equal(case[2], ended.status)
      end)
    end

    it("refuses what is no status, with the caller's line", function()
      local ended = run { "-e", "os.exit 'x'" }
      assert.equal(1, ended.status)
      assert.matches("%(command line%):1: os.exit: the status must be a number or a boolean", ended.err)
    end)

    it("works in any task", function()
      local ended = run { "-e", [[
        local task = require "lurcher.task"
        task.spawn(function() task.sleep(0.001) print "leaving" os.exit(5) end)
        task.sleep(100)
      ]] }
      assert.equal("leaving\n", ended.out)
      assert.equal(5, ended.status)
    end)
  end)

  describe("standard output", function()
    it("may lose its reader: the script is cancelled, cleans up, and ends quietly", function()
      local child = start { "-e", [[
        local task = require "lurcher.task"
        task.defer(function()
          print "one more line" io.stdout:flush()
          task.sleep(0.01)
          io.stderr:write "cleaned up"
        end)
        while true do print "line" io.stdout:flush() task.sleep(0.001) end
      ]] }
      child:wait_for("line\n")
      child:close("out")
      local ended = child:wait()
      assert.equal("cleaned up", ended.err)
      assert.equal(13, ended.signal)
    end)

    it("may lose its reader while the script never waits", function()
      for _, write in ipairs { "print(i)", "io.write(i, '\\n')" } do
        local child = start { "-e", "for i = 1, 1e12 do " .. write .. " end" }
        child:wait_for("1\n")
        child:close("out")
        local ended = child:wait()
        assert.equal("", ended.err)
        assert.equal(13, ended.signal)
      end
    end)

    it("may be closed by a connection's peer, that is, not at all", function()
      local s = serving.raw(function(conn) conn:read_request() conn:reset() end)
      local ended = run { "-e", [[
        local http = require "lurcher.http"
        for _ = 1, 3 do
          local res, err = http.post(..., { body = ("x"):rep(1e6), retry = false })
          assert(not res and (err.kind == "closed" or err.kind == "connect"), tostring(err))
        end
        print "still here"
      ]], s.url }
      assert.equal("", ended.err)
      assert.equal("still here\n", ended.out)
      assert.equal(0, ended.status)
    end)

    it("that cannot be written is an error", function()
      for _, code in ipairs { "print(1)", "io.write(1)", "print(1) os.exit(0)" } do
        local ended = run({ "-e", code }, { stdout = "/dev/full" })
        assert.equal("lurcher: cannot write to standard output: ENOSPC: No space left on device\n", ended.err)
        assert.equal(1, ended.status)
      end
    end)

    it("that is closed is not mistaken for a connection", function()
      local s = echo_server()
      local code = "local get = require 'lurcher.http'.get print(get(...).status) print(get(...).status)"
      local ended = run({ "-c", 'exec "$0" "$@" >&-', process.lurcher, "-e", code, s.url },
        { command = "sh" })
      assert.equal("lurcher: cannot write to standard output: EBADF: Bad file descriptor\n", ended.err)
      assert.equal(1, ended.status)
    end)

    it("that cannot be written ends the script", function()
      local ended = run({ "-e", "for _ = 1, 1e6 do print(1) end require('lurcher.task').sleep(1000)" },
        { stdout = "/dev/full" })
      assert.equal("lurcher: cannot write to standard output: ENOSPC: No space left on device\n", ended.err)
      assert.equal(1, ended.status)
    end)
  end)

  describe("--trace", function()
    it("shows each attempt with its times on standard error, without secrets", function()
      local s = serving.start(function(req)
        if req.path == "/" then return { status = 302, headers = { Location = "/there?token=abc" } } end
        return { body = "body" }
      end)
      local with_user = s.url:gsub("//", "//user:secret@")
      local ended = run { "--trace", "-e", [[
        local http = require "lurcher.http"
        print(assert(http.get(...)).body)
        http.post("http://127.0.0.1:1/", { body = "x", retry = false })
      ]], with_user .. "/" }
      assert.equal("body\n", ended.out)
      local lines = {}
      for line in ended.err:gmatch("[^\n]+") do lines[#lines + 1] = line end
      assert.equal(3, #lines)
      local times = " attempt=1 queue=T dns=T connect=T tls=T first_byte=T body=T"
      times = times:gsub("T", "[%%d.]+ms")
      assert.matches("^lurcher: GET http://[^ ]*127%.0%.0%.1:%d+/ 302" .. times, lines[1])
      assert.matches("^lurcher: GET http://[^ ]*/there%?token=[^ ]+ 200" .. times, lines[2])
      assert.matches("reused$", lines[2])
      assert.matches("^lurcher: POST http://127%.0%.0%.1:1/ connect[%w/]* attempt=1 queue=", lines[3])
      assert.falsy(ended.err:find("secret", 1, true))
      assert.falsy(ended.err:find("abc", 1, true))
    end)
  end)

  describe("--log", function()
    local code = [[
      local log = require "lurcher.log"
      log.error("e") log.warn("w") log.info("i") log.debug("d")
    ]]

    local function levels(...)
      local ended = run { ... }
      assert.equal("", ended.out)
      local found = {}
      for level in ended.err:gmatch("Z (%u+)") do found[#found + 1] = level end
      return table.concat(found, " ")
    end

    it("shows errors and warnings unless told otherwise", function()
      assert.equal("ERROR WARN", levels("-e", code))
    end)

    it("sets the most talkative level", function()
      assert.equal("ERROR", levels("--log=error", "-e", code))
      assert.equal("ERROR WARN INFO", levels("--log=info", "-e", code))
      assert.equal("ERROR WARN INFO DEBUG", levels("--log=debug", "-e", code))
    end)
  end)

  describe("test", function()
    it("runs specs and ends with 0 when all pass", function()
      local ended = run { "test", script "it('passes', function() assert.equal(1, 1) end)" }
      assert.matches("1 success / 0 failures", ended.out)
      assert.equal(0, ended.status)
    end)

    it("says what it needs when busted is not there", function()
      local ended = run({ "LUA_PATH=/nowhere/?.lua", process.lurcher, "test" }, { command = "env" })
      assert.matches("^lurcher: lurcher test needs busted, which is not installed", ended.err)
      assert.equal(1, ended.status)
    end)

    it("ends with 1 when one fails", function()
      local ended = run { "test", script "it('fails', function() assert.equal(1, 2) end)" }
      assert.matches("0 successes / 1 failure", ended.out)
      assert.equal(1, ended.status)
    end)
  end)
end)
