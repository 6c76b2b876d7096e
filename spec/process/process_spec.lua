local fs = require "lurcher.fs"
local http = require "lurcher.http"
local process = require "lurcher.process"
local task = require "lurcher.task"

local function pieces(list)
  local i = 0
  return function()
    i = i + 1
    return list[i]
  end
end

-- Whether a process is there and no zombie.
local function is_alive(pid)
  local status = io.open(("/proc/%d/stat"):format(pid))
  if not status then return false end
  local state = status:read("*a"):match("^%d+ %b() (%a)")
  status:close()
  return state ~= "Z"
end

local function wait_until_gone(pid)
  task.timeout(20, function()
    while is_alive(pid) do task.sleep(0.01) end
  end)
  return not is_alive(pid)
end

local function fails(kind, result, err)
  assert.is_nil(result)
  assert.are.equal(kind, err.kind)
  return err
end

describe("process.run", function()
  it("runs a command without a shell", function()
    local done = assert(process.run("printf", { "%s|", "a b", "$HOME", "*", 7 }))
    assert.are.same({ status = 0, stdout = "a b|$HOME|*|7|", stderr = "" }, done)
  end)

  it("gives status and both streams", function()
    local done = assert(process.run("sh", { "-c", "echo out; echo err >&2; exit 3" }))
    assert.are.same({ status = 3, stdout = "out\n", stderr = "err\n" }, done)
  end)

  it("gives the signal that ended it", function()
    assert.are.same({ signal = 9, stdout = "x", stderr = "" },
      assert(process.run("sh", { "-c", "printf x; kill -9 $$" })))
  end)

  it("has an empty input, or what is given", function()
    assert.are.equal("", assert(process.run "cat").stdout)
    assert.are.equal("a\0b", assert(process.run("cat", {}, { stdin = "a\0b" })).stdout)
    assert.are.equal("s3cret", assert(process.run("cat", {}, { stdin = http.secret "s3cret" })).stdout)
    assert.are.equal("abc", assert(process.run("cat", {}, { stdin = pieces { "a", "", "bc" } })).stdout)
    local much = ("0123456789abcdef"):rep(200000)
    assert.is_true(assert(process.run("cat", {}, { stdin = much })).stdout == much)
  end)

  it("does not mind a command that leaves its input unread", function()
    local much = ("x"):rep(5000000)
    assert.are.equal("xx", assert(process.run("head", { "-c", "2" }, { stdin = much })).stdout)
    assert.are.equal(0, assert(process.run("true", {}, { stdin = pieces { much, "y" } })).status)
  end)

  it("fails as the iterator of its input does", function()
    local result, err = process.run("cat", {}, { stdin = function() return nil, "broken" end })
    assert.is_nil(result)
    assert.are.equal("broken", err)
    assert.error_matches(function()
      process.run("cat", {}, { stdin = function() error("oh", 0) end })
    end, "^oh$")
  end)

  it("names what its input gave instead of text", function()
    assert.has_error(function() process.run("cat", {}, { stdin = pieces { "a", 5 } }) end,
      "the iterator of stdin gave a number, not a string")
  end)

  it("has its own environment and directory", function()
    assert.are.equal("A=1\nB=x y\n", assert(process.run("env", {}, { env = { B = "x y", A = "1" } })).stdout)
    assert.are.equal("/\n", assert(process.run("pwd", {}, { cwd = "/" })).stdout)
    assert.are.equal(os.getenv "PATH" .. "\n", assert(process.run("sh", { "-c", "echo $PATH" })).stdout)
  end)

  it("inherits no descriptor", function()
    local file = io.open "/etc/hostname" or io.open "/etc/passwd"
    local done = assert(process.run("ls", { "/proc/self/fd" }))
    assert.are.equal("0\n1\n2\n3\n", done.stdout) -- the fourth is the directory itself
    file:close()
  end)

  it("can open its own streams by name", function()
    local done = assert(process.run("sh", { "-c", "cat /dev/stdin > /dev/stdout" }, { stdin = "in" }))
    assert.are.equal("in", done.stdout)
  end)

  it("of what cannot be run is kind file", function()
    local err = fails("file", process.run "no-such-command-anywhere")
    assert.are.equal("ENOENT", err.code)
    assert.matches("cannot run 'no%-such%-command%-anywhere': No such file or directory", err.message)
    assert.not_matches("shell", err.message)
    err = fails("file", process.run "echo hi | cat")
    assert.matches("; there is no shell: give the arguments as a list, process%.run%(\"echo\", { \"hi\" … }%)$",
      err.message)
    assert.are.equal("EACCES", fails("file", process.run "/etc/passwd").code)
    assert.matches("cannot run a command in '/nonexistent'",
      fails("file", process.run("pwd", {}, { cwd = "/nonexistent" })).message)
    assert.are.equal("E2BIG", fails("file", process.run("true", { ("x"):rep(3000000) })).code)
  end)

  it("is stopped after its timeout, with what it said so far", function()
    local err = fails("timeout", process.run("sh", { "-c", "echo begun; sleep 100" }, { timeout = 0.3 }))
    assert.are.equal("total", err.phase)
    assert.are.equal("begun\n", err.stdout)
    assert.matches("'sh' was stopped after 0.3 s", err.message)
  end)

  it("runs for as long as it likes with a timeout of math.huge", function()
    assert.are.equal(0, assert(process.run("sleep", { "0.01" }, { timeout = math.huge })).status)
  end)

  it("is killed when it does not heed SIGTERM", function()
    local deaf = "trap '' TERM; while :; do sleep 0.1; done"
    fails("timeout", process.run("sh", { "-c", deaf }, { timeout = 0.2 }))
  end)

  it("is stopped when it says too much", function()
    local err = fails("too_large", process.run("yes", {}, { max_output = 100000 }))
    assert.are.equal(100000, err.limit)
    fails("too_large", process.run("sh", { "-c", "yes >&2" }, { max_output = 1000 }))
    local enough = assert(process.run("head", { "-c", "1000", "/dev/zero" }, { max_output = 1000 }))
    assert.are.equal(1000, #enough.stdout)
  end)

  it("lets other tasks run", function()
    local order = {}
    task.all {
      function()
        process.run("sh", { "-c", "read line" }, { stdin = function()
          while order[1] ~= "other" do task.yield() end
          return nil
        end })
        order[#order + 1] = "process"
      end,
      function() order[#order + 1] = "other" end,
    }
    assert.are.same({ "other", "process" }, order)
  end)

  it("many at a time", function()
    local numbers = {}
    for i = 1, 40 do numbers[i] = i end
    local said = task.map(numbers, function(i) return assert(process.run("echo", { i })).stdout end)
    for i = 1, 40 do assert.are.equal(i .. "\n", said[i]) end
  end)

  it("raises for what cannot be meant", function()
    assert.error_matches(function() process.run(7) end, "bad argument #1 to 'process.run'")
    assert.error_matches(function() process.run "" end, "the command is empty")
    assert.error_matches(function() process.run("echo", "a") end, "bad argument #2 to 'process.run'")
    for message, wrong in pairs {
      ["argument 1 must be a string, got a table"] = { { {} } },
      ["the arguments are a list of strings"] = { { cwd = "/" } },
      ["an argument cannot contain a NUL byte"] = { { "a\0b" } },
      ["did you mean 'timeout'"] = { {}, { timout = 1 } },
      ["must be a map of names"] = { {}, { env = { "A=1" } } },
    } do
      assert.error_matches(function() process.run("echo", wrong[1], wrong[2]) end, message)
    end
  end)
end)

describe("process.start", function()
  it("is written to and read from", function()
    local child = assert(process.start "cat")
    assert.is_true(child:write "one")
    assert.are.equal("one", child:read())
    assert.is_true(child:write "two")
    assert.are.equal("tw", child:read(2))
    assert.are.equal("o", child:read(2))
    child:close_stdin()
    assert.is_nil(child:read())
    assert.are.same({ status = 0, stdout = "", stderr = "" }, child:wait())
    assert.are.same({ status = 0, stdout = "", stderr = "" }, child:wait())
  end)

  it("gives lines of either stream", function()
    local child = assert(process.start("sh", { "-c", [[printf 'a\nb\r\n\nc'; printf 'x\n' >&2]] }))
    local lines = {}
    for line in child:lines() do lines[#lines + 1] = line end
    assert.are.same({ "a", "b", "", "c" }, lines)
    assert.are.equal("x", child:lines "stderr"())
    assert.are.equal(0, child:wait().status)
  end)

  it("bounds its lines", function()
    local child = assert(process.start("head", { "-c", "3000000", "/dev/zero" }))
    local ok, err = pcall(child:lines())
    assert.is_false(ok)
    assert.are.equal("too_large", err.kind)
    assert.are.equal(3000000, #assert(child:wait()).stdout)
  end)

  it("waits with much output unread", function()
    local code = "head -c 5000000 /dev/zero; head -c 3000000 /dev/zero >&2"
    local child = assert(process.start("sh", { "-c", code }))
    local done = assert(child:wait())
    assert.are.equal(5000000, #done.stdout)
    assert.are.equal(3000000, #done.stderr)
  end)

  it("gives the same to all who wait", function()
    local child = assert(process.start("sh", { "-c", "echo out; echo err >&2; sleep 0.05; echo late" }))
    local function wait() return child:wait() end
    local expected = { status = 0, stdout = "out\nlate\n", stderr = "err\n" }
    assert.are.same({ expected, expected, expected }, { task.all { wait, wait, wait } })
    assert.are.same(expected, wait())

    child = assert(process.start("yes", {}, { max_output = 1000 }))
    fails("too_large", child:wait())
    fails("too_large", child:wait())

    child = assert(process.start("sh", { "-c", "echo before; read line; echo $line" }))
    assert.are.equal("timeout", select(2, task.timeout(0.1, wait)).kind)
    assert(child:write "after\n")
    assert.are.equal("before\nafter\n", wait().stdout)
  end)

  it("says that a signal was sent and its input closed", function()
    local child = assert(process.start "cat")
    assert.is_true(child:close_stdin())
    child:wait()
    assert.is_true(child:kill())
  end)

  it("reads no further ahead than it must", function()
    local child = assert(process.start("yes"))
    child:read(1)
    task.sleep(0.05)
    child:kill()
    assert.is_true(#assert(child:wait()).stdout < 4 * 1024 * 1024)
  end)

  it("says when its input is read no more", function()
    local child = assert(process.start "true")
    child:wait()
    local ok, err = child:write "x"
    assert.is_nil(ok)
    assert.are.equal("file", err.kind)
    assert.are.equal("EPIPE", err.code)
    assert.matches("'true' reads no more", err.message)
  end)

  it("is signalled by name or number", function()
    for signal, number in pairs { TERM = 15, SIGINT = 2, kill = 9, [1] = 1 } do
      local child = assert(process.start("sleep", { "100" }))
      child:kill(signal)
      assert.are.equal(number, child:wait().signal)
    end
    local child = assert(process.start("sleep", { "100" }))
    assert.error_matches(function() child:kill "TRM" end, "unknown signal 'TRM'; did you mean 'TERM'")
    child:kill()
    assert.are.equal(15, child:wait().signal)
    child:kill() -- nothing any more
  end)
end)

describe("processes of a task", function()
  it("end with it, and what they started, too", function()
    local pids = {}
    task.spawn(function()
      local child = assert(process.start("sh", { "-c", "sleep 100 & echo $!; wait" }))
      pids[1], pids[2] = child.pid, tonumber(child:lines()())
    end):join()
    assert.is_true(wait_until_gone(pids[1]) and wait_until_gone(pids[2]))
  end)

  it("end when it is cancelled, however deaf they are", function()
    local pid
    local handle = task.spawn(function()
      local deaf = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
      local child = assert(process.start("sh", { "-c", deaf }))
      pid = child.pid
      child:lines()()
      child:wait()
    end)
    while not pid do task.yield() end
    task.sleep(0.02)
    handle:cancel()
    pcall(handle.join, handle)
    assert.is_true(wait_until_gone(pid))
  end)

  it("end when time is up", function()
    local pid
    local result, err = task.timeout(0.2, function()
      local child = assert(process.start("sleep", { "100" }))
      pid = child.pid
      return child:wait()
    end)
    assert.is_nil(result)
    assert.are.equal("timeout", err.kind)
    assert.is_true(wait_until_gone(pid))
  end)

  it("cannot be used behind it", function()
    local child
    task.spawn(function() child = assert(process.start "cat") end):join()
    assert.error_matches(function() child:read() end, "the task that started it has ended")
  end)

  for what, code in pairs {
    ["os.exit"] = [[child:lines()() print(child.pid) os.exit(3)]],
    ["os.exit though they are deaf"] = [[
      child = assert(process.start("sh", { "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done" }))
      child:lines()() print(child.pid) os.exit(3)]],
  } do
    it("end with " .. what, function()
      local lurcher = require "spec.support.process"
      local ended = lurcher.run { "-e", [[
        local process = require "lurcher.process"
        local child = assert(process.start("sh", { "-c", "echo ready; sleep 100; echo" }))
        ]] .. code }
      assert.are.equal(3, ended.status)
      assert.is_true(wait_until_gone(tonumber(ended.out)))
    end)
  end

  it("end with the script", function()
    local lurcher = require "spec.support.process"
    local ended = lurcher.run { "-e", [[
      local process = require "lurcher.process"
      local child = assert(process.start("sleep", { "100" }))
      print(child.pid)
      error "the script fails"]] }
    assert.are.equal(1, ended.status)
    assert.is_false(is_alive(tonumber(ended.out)))
  end)
end)

describe("descriptors", function()
  it("are all given back", function()
    local function count() return #assert(fs.list "/proc/self/fd") end
    process.run "true"
    local before = count()
    for _ = 1, 20 do
      process.run("cat", {}, { stdin = "x" })
      process.run "no-such-command-anywhere"
    end
    assert.is_true(count() <= before + 1)
  end)
end)
