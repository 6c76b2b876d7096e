-- Where the bytes of a write end up: links, and what is no regular file.
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local process = require "spec.support.process"
local server = require "lurcher.server"
local http = require "lurcher.http"

local path, read, fails = files.path, files.read, files.fails

local function link(target, name) process.shell('ln -s "$1" "$2"', target, path(name)) end

local function kind_of(name) return (process.shell('stat -c %F "$1"', path(name)):gsub("\n$", "")) end

local function mode_of(name) return (process.shell('stat -c %a "$1"', name):gsub("\n$", "")) end

-- Three ways that replace a whole file.
local ways = {
  ["fs.write"] = function(target, data) return fs.write(target, data) end,
  ["an atomic fs.writer"] = function(target, data)
    local writer, err = fs.writer(target, { atomic = true })
    if not writer then return nil, err end
    assert(writer:write(data))
    return writer:close()
  end,
  ["res:save"] = function(target, data)
    local s = assert(server.start(function() return { status = 200, body = data } end))
    local res = assert(http.client():stream("GET", s.url))
    local saved, err = res:save(target)
    s:stop()
    return saved, err
  end,
}

describe("lurcher.fs writes where a path leads:", function()
  local directory
  before_each(function() directory = files.begin() end)
  after_each(files.finish)

  for name, write in pairs(ways) do
    describe(name, function()
      it("makes the file that a link to nothing names, and keeps the link", function()
        process.shell('mkdir "$1"', path("below"))
        link("below/second", "first")
        link("target", "below/second")
        assert(write(path("first"), "data"))
        assert.are.equal("data", read("below/target"))
        assert.are.equal("symbolic link", kind_of("first"))
        assert.are.equal("symbolic link", kind_of("below/second"))
      end)

      it("replaces the file at the end of a chain of links", function()
        link("second", "first")
        link(path("third"), "second")
        assert(fs.append(path("third"), "old"))
        assert(write(path("first"), "new"))
        assert.are.equal("new", read("third"))
        assert.are.equal("symbolic link", kind_of("first"))
        assert.are.same({ "first", "second", "third" }, fs.list(directory))
      end)

      it("refuses a circle of links, a link to a directory and one into a missing directory", function()
        link("b", "a")
        link("a", "b")
        fails("ELOOP", path("a"), write(path("a"), "x"))
        link(".", "here")
        fails("EISDIR", path("here"), write(path("here"), "x"))
        link("missing/file", "lost")
        fails("ENOENT", path("lost"), write(path("lost"), "x"))
        assert.are.same({ "a", "b", "here", "lost" }, fs.list(directory))
      end)

      it("writes to the device that a link names", function()
        link("/dev/null", "null")
        assert(write(path("null"), "x"))
        link("/dev/full", "full")
        fails("ENOSPC", path("full"), write(path("full"), "x"))
        assert.are.equal("symbolic link", kind_of("null"))
        assert.are.equal("symbolic link", kind_of("full"))
      end)

      it("writes to the pipe that a link names", function()
        process.shell('mkfifo "$1"', path("pipe"))
        link("pipe", "link")
        local reader = assert(fs.open(path("pipe")))
        assert(write(path("link"), "through"))
        assert.are.equal("through", reader:read())
        reader:close()
        assert.are.equal("symbolic link", kind_of("link"))
        assert.are.equal("fifo", kind_of("pipe"))
      end)

      it("keeps the mode of a file", function()
        for _, mode in ipairs { "600", "640", "755", "444" } do
          assert(fs.append(path(mode), "old"))
          process.shell('chmod "$1" "$2"', mode, path(mode))
          if mode ~= "444" or process.shell("id -u"):match("^0") then
            assert(write(path(mode), "new"))
            assert.are.equal(mode, mode_of(path(mode)))
            assert.are.equal("new", read(mode))
          end
        end
      end)
    end)
  end

  -- A child's own descriptors: a pipe, a socket, a file that has lost its name.
  local function child(shell, ...)
    local output, status = process.shell(shell, process.lurcher,
      [[ local fs = require "lurcher.fs"
         print(fs.write(arg[1], "DATA")) ]], ...)
    return output, status
  end

  it("writes to the pipe that /dev/stdout is, through links too", function()
    link("/dev/stdout", "out")
    for _, target in ipairs { "/dev/stdout", "/proc/self/fd/1", path("out") } do
      local output = child('"$1" -e "$2" "$3" | cat', target)
      assert.matches("DATA", output)
      assert.matches("true", output)
    end
    assert.are.equal("symbolic link", kind_of("out"))
  end)

  it("writes where standard output stands that is a file, and loses nothing of it", function()
    link("/dev/stdout", "out")
    assert.are.equal("", (child('{ echo before; "$1" -e "$2" "$3"; echo after; } >"$4"', path("out"), path("file"))))
    local text = read("file")
    assert.matches("^before\n", text)
    assert.matches("DATA", text, 1, true)
    assert.matches("true\n", text, 1, true)
    assert.matches("after\n$", text)
    assert.are.equal("symbolic link", kind_of("out"))
  end)

  it("writes to a file that was deleted and makes none of that name", function()
    local output = child('exec 5<>"$4"; rm "$4"; "$1" -e "$2" "$3"; cat <&5; cat /proc/self/fd/5',
      "/proc/self/fd/5", path("gone"))
    assert.matches("true", output)
    assert.matches("DATA", output)
    assert.are.same({}, fs.list(directory))
  end)

  it("writes to the socket that standard output is", function()
    local output = process.shell([==[/usr/bin/python3 - "$1" "$2" <<'END'
import socket, subprocess, sys
ours, theirs = socket.socketpair()
code = 'assert(require("lurcher.fs").write(arg[1], "DATA"))'
child = subprocess.Popen([sys.argv[1], "-e", code, sys.argv[2]], stdout=theirs)
theirs.close()
print(child.wait(), ours.recv(100).decode())
END]==], process.lurcher, "/dev/stdout")
    assert.are.equal("0 DATA\n", output)
  end)

  it("writes to a socket with a name, and tells when nobody listens", function()
    local output = process.shell([==[cd "$3" && /usr/bin/python3 - "$1" "$2" <<'END'
import socket, subprocess, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind("socket")
listener.listen()
command = [sys.argv[1], "-e", 'print(require("lurcher.fs").write(arg[1], "DATA"))', sys.argv[2]]
child = subprocess.run(command, stdout=subprocess.PIPE)
print(child.stdout.decode(), listener.accept()[0].recv(100).decode())
listener.close()
print(subprocess.run(command, stdout=subprocess.PIPE).stdout.decode())
END]==], process.lurcher, path("socket"), directory)
    assert.matches("^true\n DATA\n", output)
    assert.matches("ECONNREFUSED", output)
    assert.are.equal("socket", kind_of("socket"))
  end)

  it("never lets others read the new bytes who may not read the old ones", function()
    assert(fs.write(path("secret"), "old"))
    process.shell('chmod 600 "$1"', path("secret"))
    local writer = assert(fs.writer(path("secret"), { atomic = true }))
    assert(writer:write("new"))
    assert(writer:flush())
    for _, name in ipairs(fs.list(directory)) do assert.are.equal("600", mode_of(path(name))) end
    assert(writer:close())
    assert.are.equal("new", read("secret"))
  end)

  describe("rename", function()
    it("gives a file another name and replaces what has it", function()
      assert(fs.write(path("a"), "1"))
      assert(fs.write(path("b"), "2"))
      assert.is_true(fs.rename(path("a"), path("b")))
      assert.are.equal("1", read("b"))
      assert.are.same({ "b" }, fs.list(directory))
    end)

    it("tells which of the two paths is at fault", function()
      fails("ENOENT", path("none"), fs.rename(path("none"), path("b")))
      assert(fs.write(path("a"), "1"))
      fails("ENOENT", path("no/b"), fs.rename(path("a"), path("no/b")))
      assert(fs.mkdir(path("d")))
      fails("EISDIR", path("d"), fs.rename(path("a"), path("d")))
    end)
  end)

  describe("copy", function()
    it("copies bytes and, for a new file, the mode", function()
      local data = ("\0x"):rep(400000)
      assert(fs.write(path("a"), data))
      process.shell('chmod 600 "$1"', path("a"))
      assert.is_true(fs.copy(path("a"), path("b")))
      assert.is_true(read("b") == data)
      assert.are.equal("600", mode_of(path("b")))
      process.shell('chmod 644 "$1"', path("b"))
      assert(fs.write(path("a"), "short"))
      assert(fs.copy(path("a"), path("b")))
      assert.are.equal("short", read("b"))
      assert.are.equal("644", mode_of(path("b")))
    end)

    it("refuses a file onto itself, a directory and what is not there, and leaves nothing", function()
      assert(fs.write(path("a"), "1"))
      link("a", "l")
      fails("EINVAL", path("a"), fs.copy(path("a"), path("l")))
      assert.are.equal("1", read("a"))
      fails("ENOENT", path("none"), fs.copy(path("none"), path("b")))
      fails("EISDIR", directory, fs.copy(directory, path("b")))
      fails("ENOSPC", "/dev/full", fs.copy(path("a"), "/dev/full"))
      assert.are.same({ "a", "l" }, fs.list(directory))
    end)

    it("checks its arguments", function()
      assert.has_error(function() fs.copy("a") end, "bad argument #2 to 'fs.copy' (string expected, got nil)")
      assert.has_error(function() fs.rename("a", "b\0") end,
        "bad argument #2 to 'fs.rename' (a path cannot contain a NUL byte)")
    end)
  end)
end)
