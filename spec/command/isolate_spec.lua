local eventually = require "spec.support.eventually"
local faults = require "spec.support.faults"
local fs = require "lurcher.fs"
local files = require "spec.support.files"
local preload = require "spec.support.preload"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

local run = process.run

-- What a kernel without one of them says; where the specs run it may lack them.
local function lacks(ended, what) return ended.err:find("this kernel has no " .. what, 1, true) ~= nil end

describe("lurcher --isolate", function()
  local folder
  before_each(function() folder = files.begin() end)
  after_each(files.finish)

  it("confines the process for good, and tells what the kernel lacks", function()
    local ended = run { "--isolate", "--allow-read=/proc/self/status", "-e", [[
      local status = fs.read "/proc/self/status"
      print(status:match "NoNewPrivs:%s*(%d)", status:match "Seccomp:%s*(%d)", io)]] }
    assert.equal(("1\t%d\tnil\n"):format(lacks(ended, "seccomp") and 0 or 2), ended.out)
    assert.equal(0, ended.status)
  end)

  it("lets a script do what was allowed", function()
    local s = serving.start(function() return { body = "pong" } end)
    local ended = run { "--isolate", "--allow-net=127.0.0.1", "--allow-write=" .. folder .. "/new",
      "--allow-read=" .. folder, "-e", [[
      local url, folder = ...
      print(assert(http.get(url)).body)
      print(fs.write(folder .. "/new", "text"), fs.read(folder .. "/new"))]], s.url, folder }
    assert.equal("pong\ntrue\ttext\n", ended.out)
    assert.equal(0, ended.status)
  end)

  it("lets a script listen on and connect to a Unix socket that was allowed", function()
    local path = folder .. "/api.sock"
    local ended = run { "--isolate", "--allow-net=" .. path, "--allow-write=" .. path, "-e", [[
      local server = require "lurcher.server"
      local s = assert(server.start(function() return "pong" end, { unix_socket = ... }))
      print(assert(http.get("http://x/", { unix_socket = ... })).body)
      s:stop()]], path }
    assert.equal("pong\n", ended.out)
    assert.is_false(fs.exists(path))
  end)

  it("holds files and programs where the sandbox lets everything pass", function()
    assert(fs.write(folder .. "/secret", "text"))
    local ended = run { "--isolate", "--sandbox=log", "-e", [[
      local text, unread = fs.read(... .. "/secret")
      local done, unwritten = fs.write(... .. "/new", "x")
      local ran, not_run = process.run "ls"
      print(text, unread and unread.code, done, unwritten and unwritten.code, ran, not_run and not_run.code)]], folder }
    if lacks(ended, "Landlock") or lacks(ended, "seccomp") then return end
    assert.matches("^nil\tEACCES\tnil\tEACCES\tnil\tE%u+\n$", ended.out)
  end)

  it("leaves no way out to native code", function()
    local port = assert(tonumber(serving.start(function() return {} end).url:match ":(%d+)"))
    assert(fs.mkdir(folder .. "/inside"))
    assert(fs.mkdir(folder .. "/outside"))
    assert(fs.write(folder .. "/outside/secret", "text"))
    local library = preload.compile "spec/support/escape.c"
    local ended = process.run({ "-c", [[exec 9<"$1"; shift; exec env "$@"]], "sh", folder .. "/outside/secret",
      "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0", "LD_PRELOAD=" .. library,
      "LURCHER_IN=" .. folder .. "/inside", "LURCHER_OUT=" .. folder .. "/outside", "LURCHER_PORT=" .. port,
      "ESCAPE_SECRET=hidden", process.lurcher, "--isolate", "--allow-write=" .. folder .. "/inside",
      "--allow-net=127.0.0.1:" .. port % 65535 + 1, "-e", "" }, { command = "sh" })
    local held, ways = {
      EPERM = true, EACCES = true, ENOSYS = true, EXDEV = true, EBADF = true, ENOENT = true, EINVAL = true,
    }, 0
    local lacking = {
      L = lacks(ended, "Landlock"), T = ended.err:find("Landlock", 1, true), N = ended.err:find("Landlock", 1, true),
      A = faults.sanitized(), [""] = lacks(ended, "seccomp"),
    }
    for name, needs, answer in ended.out:gmatch "([^\t\n]+)\t(%u*)\t(%w+)\n" do
      ways = ways + 1
      if not lacking[needs] then assert.is_true(held[answer], name .. ": " .. answer) end
    end
    assert.equal(83, ways, ended.out .. ended.err)
    assert.equal(0, ended.status)
  end)

  it("opens no socket where no host is allowed", function()
    local ended = run { "--isolate", "--sandbox=log", "-e", [[
      local answer, err = http.get("http://127.0.0.1:9", { retry = false })
      print(answer, err.kind)]] }
    if lacks(ended, "seccomp") then return end
    assert.equal("nil\tconnect\n", ended.out)
  end)

  it("tells what an older kernel does not hold, and runs the script", function()
    local library = preload.compile "spec/support/old_kernel.c"
    local cases = {
      { {}, { "this kernel has no Landlock", "this kernel has no seccomp filter" } },
      { { "LURCHER_LANDLOCK=1" },
        { "Landlock (version 1) does not hold the cutting short of files, ports of connections\n" } },
      { { "LURCHER_LANDLOCK=3" }, { "Landlock (version 3) does not hold ports of connections\n" } },
    }
    for _, case in ipairs(cases) do
      local ended = preload.run_with(library, case[1], { "--isolate", "--allow-net=127.0.0.1:1", "-e", "print(1)" })
      assert.equal("1\n", ended.out)
      if case[1][1] and lacks(ended, "Landlock") then return end
      for _, text in ipairs(case[2]) do assert.is_truthy(ended.err:find(text, 1, true), ended.err) end
    end
  end)

  describe("in its child", function()
    local WAIT = [[log.warn "ready" task.sleep(60)]]

    local function started(code)
      local outer = process.start { "--isolate", "-e", code or WAIT }
      outer:wait_for("ready", "err")
      local inner = assert(fs.read(("/proc/%d/task/%d/children"):format(outer.pid, outer.pid))):match "%d+"
      return outer, inner
    end

    local function signal(name, pid) process.shell('kill -s "$1" -- "$2"', name, pid) end

    local function state_of(pid)
      local text = fs.read(("/proc/%s/stat"):format(pid))
      return text and text:match "%) (%a)"
    end

    local function await_state(pid, wanted)
      eventually(function() return (wanted):find(state_of(pid) or "-", 1, true) end)
    end

    it("ends with the script's status", function()
      assert.equal(7, run({ "--isolate", "-e", "os.exit(7)" }).status)
      assert.equal(1, run({ "--isolate", "-e", "error 'x'" }).status)
      assert.equal(3, run({ "--isolate", "--burst=0.05", "-e", "while true do end" }).status)
    end)

    it("passes a signal on, and takes one that reached both for one", function()
      local code = [[
        task.defer(function() task.shield(function() task.sleep(0.2) print "clean" end) end)
        log.warn "ready"
        task.sleep(60)]]
      local outer, inner = started(code)
      signal("TERM", outer.pid)
      signal("TERM", inner)
      local ended = outer:wait()
      assert.equal("clean\n", ended.out)
      assert.equal(143, ended.status)
    end)

    it("stops and goes on with the process outside", function()
      local outer, inner = started()
      signal("TSTP", outer.pid)
      await_state(inner, "T")
      await_state(outer.pid, "T")
      signal("CONT", outer.pid)
      await_state(inner, "SR")
      await_state(outer.pid, "SR")
      signal("INT", outer.pid)
      assert.equal(130, outer:wait().status)
    end)

    it("tells what the kernel ended it for, and ends as it does", function()
      local cases = {
        { "XCPU", "the limit 'cpu' was reached", 3 },
        { "SYS", "a call of the system that is forbidden", 1 },
        { "ABRT", "crashed (SIGABRT)", nil, 6 },
        { "KILL", "was killed", nil, 9 },
      }
      for _, case in ipairs(cases) do
        local outer, inner = started()
        signal(case[1], inner)
        local ended = outer:wait()
        assert.is_truthy(ended.err:find(case[2], 1, true), ended.err)
        assert.same({ case[3], case[4] }, { ended.status, ended.signal })
      end
    end)

    it("dies with the process outside", function()
      local outer, inner = started()
      signal("KILL", outer.pid)
      outer:wait()
      await_state(inner, "-Z")
    end)
  end)
end)
