-- What the command makes of what it is started with: signals, streams, limits, arguments.

local files = require "spec.support.files"
local process = require "spec.support.process"

process.always_search_leaks = true

-- Runs a Python program that starts the command, sys.argv[1].
local function python(text, ...)
  return process.run({ "-c", "import os, resource, signal, subprocess, sys, time\n" .. text, process.lurcher, ... },
    { command = "/usr/bin/python3" })
end

-- The command runs, is sent a signal when it has said so, and ends: its status as Python tells it.
local SEND = [==[
ignored = sys.argv[4:] == ["ignored"]
number = int(sys.argv[2])
child = subprocess.Popen([sys.argv[1], "-e", sys.argv[3]], stdout=subprocess.PIPE, stdin=subprocess.PIPE,
  preexec_fn=lambda: signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL))
child.stdout.readline()
child.send_signal(number)
print(child.communicate(b"go on\n")[0].decode() + str(child.returncode))
]==]

describe("a signal", function()
  for name, number in pairs { INT = 2, TERM = 15, ALRM = 14, USR1 = 10 } do
    it(("that is ignored from the start stays so: SIG%s"):format(name), function()
      local ended = python(SEND, number, [[
        print "up"
        io.stdout:flush()
        print(io.read())
      ]], "ignored")
      assert.equal("go on\n0\n", ended.out)
    end)
  end

  for name, number in pairs { ALRM = 14, USR1 = 10, HUP = 1 } do
    it(("that the command has no use for ends it as it ends others: SIG%s"):format(name), function()
      local ended = python(SEND, number, [[
        print "up"
        io.stdout:flush()
        require("lurcher.task").sleep(60)
      ]])
      assert.equal(-number .. "\n", ended.out)
    end)
  end
end)

describe("a limit of the process", function()
  before_each(files.begin)
  after_each(files.finish)

  it("on the size of a file makes an error of kind 'file'", function()
    local ended = python([==[
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
child = subprocess.run([sys.argv[1], "-e", sys.argv[3], sys.argv[2]], stdout=subprocess.PIPE)
print(child.stdout.decode(), child.returncode)
]==], files.path "large", [[
      local fs = require "lurcher.fs"
      local _, err = fs.write(..., ("x"):rep(100000))
      print(err.kind, err.code)
      print(fs.exists(...))
      local plain = io.open(..., "w")
      print(plain:write(("x"):rep(100000)) and plain:flush() or "not written")
    ]])
    assert.equal("file\tEFBIG\nfalse\nnot written\n 0\n", ended.out)
  end)

  it("on open files, too low to start, is told", function()
    for _, limit in ipairs { 4, 5, 8 } do
      local shell = 'exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ulimit -n %d; exec "$1" -e "print(1)"' -- none inherited
      local ended = process.run({ "-c", shell:format(limit), "sh", process.lurcher }, { command = "sh" })
      assert.equal(1, ended.status)
      assert.equal(("lurcher: the event loop cannot be made: too few files may be open (the limit is %d)\n")
        :format(limit), ended.err)
    end
  end)
end)

describe("a standard stream that does not block", function()
  it("is waited for, and no byte is lost", function()
    local ended = python([==[
for stream in ("stdout", "stderr"):
  end, other = os.pipe()
  os.set_blocking(other, False)
  child = subprocess.Popen([sys.argv[1], "-e", sys.argv[2], stream], **{stream: other})
  os.close(other)
  time.sleep(0.05)
  got = b""
  while True:
    piece = os.read(end, 4096)
    if not piece: break
    got += piece
  print(len(got), child.wait())
]==], [[
      local name = ...
      local line = ("x"):rep(99)
      for _ = 1, 3000 do
        if name == "stdout" then print(line) end
        io[name]:write(line, "\n")
      end
    ]])
    assert.equal("600000 0\n300000 0\n", ended.out)
  end)

  it("is waited for as input, of a script and as the script", function()
    for _, arguments in ipairs { { "-e", "print(io.read())" }, { "-" } } do
      local ended = python([==[
end, other = os.pipe()
os.set_blocking(end, False)
child = subprocess.Popen(sys.argv[1:], stdin=end, stdout=subprocess.PIPE)
time.sleep(0.05)
os.write(other, b"print 'late'\n")
os.close(other)
print(child.stdout.read().decode(), child.wait())
]==], unpack(arguments))
      assert.equal(#arguments == 2 and "print 'late'\n 0\n" or "late\n 0\n", ended.out)
    end
  end)
end)

describe("arguments", function()
  before_each(files.begin)
  after_each(files.finish)

  local function run_with(count, text)
    local file = assert(io.open(files.path "script.lua", "w"))
    assert(file:write(text))
    file:close()
    return process.run({ "-c", ('exec "$1" "$2" $(seq 1 %d)'):format(count), "sh", process.lurcher,
      files.path "script.lua" }, { command = "sh" })
  end

  it("may be 20,000 in `...`", function()
    local ended = run_with(20000, "print(#arg, select('#', ...), #{ ... }, (select(20000, ...)))")
    assert.same({ "20000\t20000\t20000\t20000\n", "", 0 }, { ended.out, ended.err, ended.status })
  end)

  it("may be 100,000 in the table `arg`, and what `...` lacks is told", function()
    local ended = run_with(100000, "print(#arg, arg[100000], select('#', ...))")
    assert.same({ "100000\t100000\t20000\n", 0 }, { ended.out, ended.status })
    assert.equal("lurcher: of 100000 arguments `...` holds the first 20000; the table `arg` holds them all\n",
      ended.err)
  end)
end)
