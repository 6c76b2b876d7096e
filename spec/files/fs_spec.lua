local files = require "spec.support.files"
local fs = require "lurcher.fs"
local task = require "lurcher.task"
local eventually = require "spec.support.eventually"
local process = require "spec.support.process"

local KIB, MIB = 1024, 1024 * 1024

local path, read, fails = files.path, files.read, files.fails

describe("lurcher.fs", function()
  local directory
  before_each(function() directory = files.begin() end)
  after_each(files.finish)

  describe("read", function()
    it("gives the bytes of a file as they are", function()
      local data = "a\0b\r\n\255" .. ("x"):rep(3 * MIB)
      assert(fs.write(path("file"), data))
      assert.is_true(fs.read(path("file")) == data)
    end)

    it("gives an empty string for an empty file", function()
      assert(fs.write(path("file"), ""))
      assert.are.equal("", fs.read(path("file")))
    end)

    it("reads files whose size is not known beforehand", function()
      assert.matches("^Name:", fs.read("/proc/self/status"))
    end)

    it("returns nil and kind 'file' with the path and the errno's name", function()
      fails("ENOENT", path("none"), fs.read(path("none")))
      fails("EISDIR", directory, fs.read(directory))
      assert(fs.write(path("file"), ""))
      fails("ENOTDIR", path("file/below"), fs.read(path("file/below")))
      fails("ENOENT", "''", fs.read(""))
    end)

    it("keeps the reason in the message when the path is long", function()
      fails("ENAMETOOLONG", "...", fs.read(path(("n"):rep(2000))))
    end)

    it("returns nil and kind 'too_large' for a file above max", function()
      assert(fs.write(path("file"), "12345"))
      assert.are.equal("12345", fs.read(path("file"), { max = 5 }))
      local data, err = fs.read(path("file"), { max = 4 })
      assert.is_nil(data)
      assert.are.equal("too_large", err.kind)
      assert.are.equal(4, err.limit)
      assert.are.equal(5, err.observed)
    end)

    it("stops an endless file at max", function()
      local data, err = fs.read("/dev/zero", { max = 100 * KIB })
      assert.is_nil(data)
      assert.are.equal("too_large", err.kind)
    end)

    it("works in 1,000 tasks at once", function()
      local names = {}
      for i = 1, 1000 do
        names[i] = path(tostring(i % 50))
        if i <= 50 then assert(fs.write(names[i], ("%d"):format(i % 50):rep(1000))) end
      end
      local texts = task.map(names, function(name) return assert(fs.read(name)) end, { concurrency = 1000 })
      assert.are.equal(1000, #texts)
      for i = 1, 1000 do assert.is_true(texts[i] == ("%d"):format(i % 50):rep(1000)) end
    end)

    it("does not block other tasks, and can be cancelled, while a pipe gives nothing", function()
      process.shell('mkfifo "$1"', path("pipe"))
      local handle = task.spawn(function() return fs.read(path("pipe")) end)
      for _ = 1, 3 do task.sleep(0.001) end
      assert.are.equal("running", handle.status)
      handle:cancel()
      assert.is_false((pcall(handle.join, handle)))
      assert.are.equal("canceled", handle.status)
    end)
  end)

  describe("write", function()
    it("makes a file, and replaces one", function()
      assert.is_true(fs.write(path("file"), "old"))
      assert.is_true(fs.write(path("file"), "new\0"))
      assert.are.equal("new\0", read("file"))
      assert.are.same({ "file" }, fs.list(directory))
    end)

    it("keeps the mode of the file it replaces", function()
      assert(fs.write(path("file"), "old"))
      process.shell('chmod 640 "$1"', path("file"))
      assert(fs.write(path("file"), "new"))
      assert.are.equal("640\n", (process.shell('stat -c %a "$1"', path("file"))))
    end)

    it("gives a new file the mode that the umask leaves", function()
      process.shell('umask 027; exec "$1" -e "$2" "$3"', process.lurcher,
        'require("lurcher.fs").write((...), "x")', path("file"))
      assert.are.equal("640\n", (process.shell('stat -c %a "$1"', path("file"))))
    end)

    it("follows a symbolic link", function()
      assert(fs.write(path("target"), "old"))
      process.shell('ln -s target "$1"', path("link"))
      assert(fs.write(path("link"), "new"))
      assert.are.equal("new", read("target"))
      assert.are.equal("link", fs.list(directory, { details = true })[1].type)
    end)

    it("writes to devices directly", function()
      assert.is_true(fs.write("/dev/null", "data"))
      fails("ENOSPC", "/dev/full", fs.write("/dev/full", "data"))
    end)

    it("says why it cannot write, and leaves nothing behind", function()
      fails("EISDIR", directory, fs.write(directory, "x"))
      fails("ENOENT", path("none/file"), fs.write(path("none/file"), "x"))
      fails("ENOENT", "''", fs.write("", "x"))
      assert(fs.write(path("file"), "x"))
      fails("ENOTDIR", path("file/below"), fs.write(path("file/below"), "x"))
      assert.are.same({ "file" }, fs.list(directory))
    end)

    it("keeps the old file, and no other, when the disk takes no more", function()
      assert(fs.write(path("file"), "old"))
      local script = [[
        local ok, err = require("lurcher.fs").write((...), ("x"):rep(1000000))
        print(ok, err.kind, err.code)]]
      local output = process.shell('ulimit -f 100; trap "" XFSZ; exec "$1" -e "$2" "$3" 2>&1',
        process.lurcher, script, path("file"))
      assert.are.equal("nil\tfile\tEFBIG\n", output)
      assert.are.equal("old", read("file"))
      assert.are.same({ "file" }, fs.list(directory))
    end)

    it("keeps the old file when the process is killed in the middle", function()
      local new = ("x"):rep(8 * MIB)
      for _ = 1, 5 do
        assert(fs.write(path("file"), "old"))
        local child = process.start { "-e", [[
          local fs, data = require "lurcher.fs", ("x"):rep(8 * 1024 * 1024)
          while true do assert(fs.write((...), data)) end]], path("file") }
        -- While it writes there is another file.
        eventually(function() return #assert(fs.list(directory)) > 1 end)
        child:kill "KILL"
        assert.are.equal(9, child:wait().signal)
        local found = read("file")
        assert.is_true(found == "old" or found == new, #found .. " bytes")
        for _, name in ipairs(assert(fs.list(directory))) do
          if name ~= "file" then assert(fs.remove(path(name))) end
        end
      end
    end)

    it("leaves the old or the new file, and no other, wherever it is cancelled", function()
      local old, new = ("o"):rep(2 * MIB), ("n"):rep(8 * MIB)
      for i = 1, 30 do
        assert(fs.write(path("file"), old))
        local handle = task.spawn(function() fs.write(path("file"), new) end)
        task.sleep(i * 0.0004)
        handle:cancel()
        eventually(function() return #assert(fs.list(directory)) == 1 end)
        local data = assert(fs.read(path("file")))
        assert.is_true(data == old or data == new)
      end
    end)

    it("can be cancelled while a pipe takes no more", function()
      process.shell('mkfifo "$1"', path("pipe"))
      local reader = assert(fs.open(path("pipe")))
      local _, err = task.timeout(0.05, fs.write, path("pipe"), ("x"):rep(MIB))
      assert.are.equal("timeout", err.kind)
      _, err = task.timeout(0.05, fs.append, path("pipe"), ("x"):rep(MIB))
      assert.are.equal("timeout", err.kind)
      reader:close()
    end)
  end)

  describe("append", function()
    it("adds to a file, which it makes when it is missing", function()
      assert.is_true(fs.append(path("file"), "one\n"))
      assert.is_true(fs.append(path("file"), "two\n"))
      assert.are.equal("one\ntwo\n", read("file"))
    end)

    it("returns nil and kind 'file' when it cannot", function()
      fails("EISDIR", directory, fs.append(directory, "x"))
      fails("ENOSPC", "/dev/full", fs.append("/dev/full", "x"))
    end)

    it("never mixes the pieces of several tasks", function()
      local items = {}
      for i = 1, 200 do items[i] = i end
      task.map(items, function(i)
        assert(fs.append(path("file"), ("%d "):format(i):rep(500) .. "\n"))
      end, { concurrency = 50 })
      local seen = 0
      for line in fs.lines(path("file")) do
        assert.is_true(line == line:match("^%d+ "):rep(500))
        seen = seen + 1
      end
      assert.are.equal(200, seen)
    end)
  end)

  describe("exists", function()
    it("tells whether there is something", function()
      assert(fs.write(path("file"), ""))
      process.shell('ln -s nowhere "$1"', path("link"))
      assert.is_true(fs.exists(path("file")))
      assert.is_true(fs.exists(directory))
      assert.is_false(fs.exists(path("none")))
      assert.is_false(fs.exists(path("file/below")))
      assert.is_false(fs.exists(path("link")))
    end)

    it("returns nil and kind 'file' when it cannot be found out", function()
      process.shell('ln -s loop "$1"', path("loop"))
      fails("ELOOP", path("loop"), fs.exists(path("loop")))
    end)
  end)

  describe("mkdir", function()
    it("makes one directory", function()
      assert.is_true(fs.mkdir(path("a")))
      fails("EEXIST", path("a"), fs.mkdir(path("a")))
      fails("ENOENT", path("b/c"), fs.mkdir(path("b/c")))
    end)

    it("makes those above it when asked to, and none that is there", function()
      assert.is_true(fs.mkdir(path("a//b/c/"), { parents = true }))
      assert.is_true(fs.mkdir(path("a/b/c"), { parents = true }))
      assert.is_true(fs.exists(path("a/b/c")))
      assert(fs.write(path("file"), ""))
      fails("ENOTDIR", path("file/below"), fs.mkdir(path("file/below"), { parents = true }))
    end)
  end)

  describe("list", function()
    it("gives sorted names, in any script", function()
      local names = { ".hidden", "B", "a", "a b", "\206\177\206\178", "\230\151\165\230\156\172" }
      for _, name in ipairs(names) do assert(fs.write(path(name), name)) end
      assert.are.same(names, fs.list(directory))
      for _, name in ipairs(names) do assert.are.equal(name, fs.read(path(name))) end
    end)

    it("gives types, sizes and times when asked to", function()
      assert(fs.write(path("file"), "12345"))
      assert(fs.mkdir(path("directory")))
      process.shell('mkfifo "$1"', path("pipe"))
      process.shell('ln -s file "$1"', path("link"))
      local types = {}
      for _, entry in ipairs(assert(fs.list(directory, { details = true }))) do
        types[entry.name] = entry.type
        assert.is_true(math.abs(entry.modified - os.time()) < 60)
        if entry.name == "file" then assert.are.equal(5, entry.size) end
      end
      assert.are.same({ file = "file", directory = "directory", pipe = "other", link = "link" }, types)
    end)

    it("returns nil and kind 'file' when it cannot", function()
      fails("ENOENT", path("none"), fs.list(path("none")))
      fails("ENOTDIR", "/dev/null", fs.list("/dev/null"))
    end)
  end)

  describe("remove", function()
    it("removes a file, a link and an empty directory", function()
      assert(fs.write(path("file"), ""))
      assert(fs.mkdir(path("directory")))
      process.shell('ln -s directory "$1"', path("link"))
      assert.is_true(fs.remove(path("link")))
      assert.is_true(fs.remove(path("file")))
      assert.is_true(fs.remove(path("directory")))
      fails("ENOENT", path("file"), fs.remove(path("file")))
    end)

    it("removes what is in a directory only when asked to", function()
      assert(fs.mkdir(path("tree/a/b"), { parents = true }))
      assert(fs.write(path("tree/a/file"), ""))
      assert(fs.write(path("kept"), ""))
      process.shell('ln -s ../kept "$1"; ln -s .. "$2"', path("tree/link"), path("tree/a/up"))
      fails("ENOTEMPTY", path("tree"), fs.remove(path("tree")))
      assert.is_true(fs.remove(path("tree"), { recursive = true }))
      assert.are.same({ "kept" }, fs.list(directory))
    end)
  end)

  it("leaves nothing half done when the script fails in the middle of it", function()
    process.shell('mkfifo "$1"', path("pipe"))
    local output, status = process.shell('exec "$1" -e "$2" "$3" 2>&1', process.lurcher, [[
      local fs, task, directory = require "lurcher.fs", require "lurcher.task", ...
      local writer = assert(fs.writer(directory .. "/atomic", { atomic = true }))
      writer:write(("x"):rep(4e6))
      local reader = assert(fs.open(directory .. "/pipe"))
      task.spawn(reader.read, reader)
      task.spawn(fs.read, directory .. "/pipe")
      task.spawn(fs.write, directory .. "/file", ("x"):rep(5e6))
      task.sleep(0.002)
      error("on purpose")]], directory)
    assert.matches("on purpose", output)
    assert.are.equal(1, status)
    for _, entry in ipairs(assert(fs.list(directory, { details = true }))) do
      assert.is_true(entry.name == "pipe" or entry.name == "file" and entry.size == 5e6, entry.name)
    end
  end)

  describe("arguments", function()
    it("raise with the caller's line when they are of the wrong type", function()
      for _, call in ipairs {
        function() fs.read(1) end,
        function() fs.read() end,
        function() fs.write("file") end,
        function() fs.write("file", 1) end,
        function() fs.append("file", {}) end,
        function() fs.open("file", "rw") end,
        function() fs.writer("file", { append = true, atomic = true }) end,
        function() fs.mkdir("a", { parents = 1 }) end,
      } do
        local ok, message = pcall(call)
        assert.is_false(ok)
        assert.matches("fs_spec.lua:%d+:", message)
      end
    end)

    it("raise for an unknown option and name the nearest", function()
      local ok, message = pcall(fs.remove, "file", { recursiv = true })
      assert.is_false(ok)
      assert.matches("did you mean 'recursive'", message)
    end)

    it("raise for a NUL byte in a path", function()
      for _, name in ipairs { "read", "exists", "list", "mkdir", "remove", "lines", "open", "writer" } do
        local ok, message = pcall(fs[name], "a\0b")
        assert.is_false(ok)
        assert.matches("NUL", message)
      end
      assert.is_false((pcall(fs.write, "a\0b", "")))
      assert.is_false((pcall(fs.append, "a\0b", "")))
    end)
  end)
end)
