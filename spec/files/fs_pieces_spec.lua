local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local task = require "lurcher.task"
local counts = require("lurcher.native.task").counts
local process = require "spec.support.process"
local message_of = require("spec.support.raising").message

local KIB, MIB = 1024, 1024 * 1024

local path, read, fails = files.path, files.read, files.fails

describe("lurcher.fs, piece by piece:", function()
  local directory
  before_each(function() directory = files.begin() end)
  after_each(files.finish)

  describe("lines", function()
    local function lines(data, opts)
      assert(fs.write(path("file"), data))
      local list = {}
      for line in fs.lines(path("file"), opts) do list[#list + 1] = line end
      return list
    end

    it("ends lines at LF and CRLF only", function()
      assert.are.same({ "a", "b", "", "c\rd", "e\226\128\168f" }, lines "a\nb\r\n\nc\rd\ne\226\128\168f\n")
    end)

    it("gives a last line without an end", function()
      assert.are.same({ "a", "b" }, lines "a\nb")
      assert.are.same({ "a" }, lines "a\n")
      assert.are.same({}, lines "")
    end)

    it("finds lines wherever they fall in the pieces that are read", function()
      local data = {}
      for i = 1, 60000 do data[i] = ("%d:"):format(i) .. ("x"):rep(i % 37) end
      assert.are.same(data, lines(table.concat(data, "\r\n")))
    end)

    it("raises kind 'too_large' for a line above max", function()
      assert.are.same({ ("x"):rep(10) }, lines(("x"):rep(10) .. "\r\n", { max = 10 }))
      local ok, err = pcall(lines, "fine\n" .. ("x"):rep(11) .. "\n", { max = 10 })
      assert.is_false(ok)
      assert.are.equal("too_large", err.kind)
      assert.are.equal(10, err.limit)
      ok, err = pcall(lines, ("x"):rep(3 * MIB))
      assert.is_false(ok)
      assert.are.equal("too_large", err.kind)
    end)

    it("raises the error object when the file cannot be read", function()
      local ok, err = pcall(function()
        for _ in fs.lines(path("none")) do error("a line?") end
      end)
      assert.is_false(ok)
      assert.are.equal("ENOENT", err.code)
      assert.is_false((pcall(fs.lines(directory))))
    end)

    it("works in a generator", function()
      assert(fs.write(path("file"), "a\nb\n"))
      local generator = coroutine.wrap(function()
        for line in fs.lines(path("file")) do coroutine.yield(line:upper()) end
      end)
      assert.are.equal("A", generator())
      assert.are.equal("B", generator())
      generator()
    end)

    it("closes the file at the end, at a failure and when told to", function()
      local before = counts().file or 0
      assert(fs.write(path("file"), "a\nb\n"))
      local iterator = fs.lines(path("file"))
      iterator()
      assert.are.equal(before + 1, counts().file)
      iterator:close()
      assert.is_nil(iterator())
      for _ in fs.lines(path("file")) do end
      pcall(fs.lines(path("file"), { max = 0 }))
      assert.are.equal(before, counts().file or 0)
    end)

    it("does not gather the files of loops that were left", function()
      local name = path("file")
      assert(fs.write(name, ("line\n"):rep(100000)))
      local most, before = 0, counts().file or 0
      for _ = 1, faults.sanitized() and 400 or 2000 do
        assert(fs.lines(name)())
        assert(fs.open(name)):line()
        most = math.max(most, counts().file - before)
      end
      collectgarbage()
      assert.is_true(most < 300)
    end)

    it("holds a bounded piece of a large file in memory", function()
      local writer = assert(fs.writer(path("file")))
      local block = (("x"):rep(99) .. "\n"):rep(10000)
      for _ = 1, 200 do assert(writer:write(block)) end
      assert(writer:close())
      local output = process.shell('exec "$1" -e "$2" "$3" 2>&1', process.lurcher, [[
        local fs = require "lurcher.fs"
        local function peak() return tonumber(fs.read("/proc/self/status"):match("VmHWM:%s+(%d+) kB")) end
        local before, count = peak(), 0
        for line in fs.lines((...)) do count = count + 1 end
        print(count, peak() - before < 20000 or peak() - before)]], path("file"))
      assert.are.equal("2000000\ttrue\n", output)
    end)
  end)

  describe("open", function()
    it("reads in pieces and lines", function()
      assert(fs.write(path("file"), "first\nsecond\nthird"))
      local reader = assert(fs.open(path("file"), "r"))
      assert.are.equal("fir", reader:read(3))
      assert.are.equal("st", reader:line())
      assert.are.equal("second", reader:line())
      assert.are.equal("third", reader:read())
      assert.is_nil(reader:read())
      assert.is_nil(reader:line())
      reader:close()
      reader:close()
      assert.equal("the file is closed", message_of(function() reader:read() end))
    end)

    it("goes on after a cancelled read", function()
      process.shell('mkfifo "$1"', path("pipe"))
      local reader = assert(fs.open(path("pipe")))
      local data, err = task.timeout(0.02, reader.read, reader)
      assert.is_nil(data)
      assert.are.equal("timeout", err.kind)
      local writer = assert(fs.open(path("pipe"), "a"))
      assert(writer:write("hello\n"))
      assert(writer:flush())
      assert.are.equal("hello", reader:line())
      assert(writer:close())
      assert.is_nil(reader:line())
      reader:close()
    end)

    it("does not keep others from their files while it waits for silent pipes", function()
      local readers, waiting = {}, {}
      for i = 1, 8 do
        process.shell('mkfifo "$1"', path(tostring(i)))
        readers[i] = assert(fs.open(path(tostring(i))))
        waiting[i] = task.spawn(function() return readers[i]:line() end)
      end
      for i = 1, 8 do assert(fs.append(path(tostring(i)), ("line %d\n"):format(i))) end
      for i = 1, 8 do
        assert.are.equal("line " .. i, waiting[i]:join())
        readers[i]:close()
      end
    end)

    it("wakes a reader whose file another task closes", function()
      process.shell('mkfifo "$1"', path("pipe"))
      local reader = assert(fs.open(path("pipe")))
      local handle = task.spawn(function() return { reader:read() } end)
      task.yield()
      assert.equal("another task is reading from this file", message_of(function() reader:read() end))
      reader:close()
      local results = handle:join()
      assert.is_nil(results[1])
      assert.are.equal("file", results[2].kind)
      assert.matches("closed", results[2].message)
    end)

    it("writes with mode 'w' and appends with 'a'", function()
      for _, step in ipairs { { "w", "one" }, { "a", "two" } } do
        local writer = assert(fs.open(path("file"), step[1]))
        assert(writer:write(step[2]))
        assert(writer:close())
      end
      assert.are.equal("onetwo", read("file"))
      assert(assert(fs.open(path("file"), "w")):close())
      assert.are.equal("", read("file"))
    end)

    it("returns nil and kind 'file' when it cannot", function()
      fails("ENOENT", path("none"), fs.open(path("none")))
      fails("ENOENT", path("none/file"), fs.open(path("none/file"), "w"))
      fails("EISDIR", directory, fs.open(directory, "a"))
    end)
  end)

  describe("writer", function()
    it("takes lines of many tasks, none lost, doubled or mixed", function()
      local writer = assert(fs.writer(path("file")))
      local items = {}
      for i = 1, 2000 do items[i] = i end
      task.map(items, function(i)
        for j = 1, 20 do assert(writer:write(("%d %d %s\n"):format(i, j, ("x"):rep(100)))) end
      end, { concurrency = 500 })
      assert(writer:close())
      local seen, count = {}, 0
      for line in fs.lines(path("file")) do
        local key = assert(line:match("^(%d+ %d+) x+$"))
        assert.is_nil(seen[key])
        seen[key], count = true, count + 1
      end
      assert.are.equal(40000, count)
    end)

    it("empties the file first, or appends", function()
      assert(fs.write(path("file"), "old\n"))
      local writer = assert(fs.writer(path("file"), { append = true }))
      assert(writer:write("new\n"))
      assert(writer:close())
      assert.are.equal("old\nnew\n", read("file"))
      assert(assert(fs.writer(path("file"))):close())
      assert.are.equal("", read("file"))
    end)

    it("flushes what was written to the file", function()
      local writer = assert(fs.writer(path("file")))
      assert(writer:write("line\n"))
      assert.are.equal("", read("file"))
      assert.is_true(writer:flush())
      assert.are.equal("line\n", read("file"))
      assert.is_true(writer:flush())
      assert(writer:close())
    end)

    it("shows an atomic file only once it is closed", function()
      assert(fs.write(path("file"), "old"))
      local writer = assert(fs.writer(path("file"), { atomic = true }))
      assert(writer:write("new"))
      assert(writer:flush())
      assert.are.equal("old", read("file"))
      assert.is_true(writer:close())
      assert.is_true(writer:close())
      assert.are.equal("new", read("file"))
      assert.are.same({ "file" }, fs.list(directory))
    end)

    it("leaves nothing of an atomic file that is discarded", function()
      local writer = assert(fs.writer(path("file"), { atomic = true }))
      assert(writer:write(("x"):rep(MIB)))
      assert(writer:discard())
      assert.are.same({}, fs.list(directory))
    end)

    it("makes whoever writes wait while its buffer is full", function()
      process.shell('mkfifo "$1"', path("pipe"))
      local reader = assert(fs.open(path("pipe")))
      local writer = assert(fs.writer(path("pipe")))
      local written = 0
      local _, err = task.timeout(0.1, function()
        while true do
          written = written + 64 * KIB
          writer:write(("x"):rep(64 * KIB))
        end
      end)
      assert.are.equal("timeout", err.kind)
      assert.is_true(written < 2 * MIB)
      local closing = task.spawn(function() return writer:close() end)
      local got = 0
      for data in function() return reader:read() end do got = got + #data end
      assert.is_true(closing:join())
      assert.are.equal(written, got)
      reader:close()
    end)

    it("reports a failed write at the next call, at flush and at close", function()
      local writer = assert(fs.writer("/dev/full"))
      assert.is_true(writer:write("x"))
      fails("ENOSPC", "/dev/full", writer:flush())
      fails("ENOSPC", "/dev/full", writer:write("x"))
      fails("ENOSPC", "/dev/full", writer:close())
      fails("ENOSPC", "/dev/full", writer:close())
    end)

    it("keeps what other tasks wrote when one is cancelled while it waits", function()
      process.shell('mkfifo "$1"', path("pipe"))
      local reader = assert(fs.open(path("pipe")))
      local writer = assert(fs.writer(path("pipe")))
      assert(writer:write(("a"):rep(MIB)))
      assert.are.equal("timeout", select(2, task.timeout(0.02, writer.write, writer, "b")).kind)
      local closing = task.spawn(function() return writer:close() end)
      local parts = {}
      for data in function() return reader:read() end do parts[#parts + 1] = data end
      assert.is_true(closing:join())
      assert.is_true(table.concat(parts) == ("a"):rep(MIB) .. "b")
      reader:close()
    end)

    it("closes when its task ends: what was written is kept, but not half an atomic file", function()
      local before = counts().file or 0
      task.spawn(function()
        assert(assert(fs.writer(path("plain"))):write("kept"))
        assert(assert(fs.writer(path("atomic"), { atomic = true })):write("dropped"))
      end):join()
      assert.are.equal("kept", read("plain"))
      assert.are.same({ "plain" }, fs.list(directory))
      assert.are.equal(before, counts().file or 0)
    end)

    it("raises when it is used after close", function()
      local writer = assert(fs.writer(path("file")))
      assert(writer:close())
      local ok, message = pcall(writer.write, writer, "x")
      assert.is_false(ok)
      assert.matches("closed before this write", message)
    end)
  end)
end)
