-- What the command loads when it starts, what only when it is wanted, and what it says where it cannot.

local assert = require "luassert"
local files = require "spec.support.files"
local faults = require "spec.support.faults"
local process = require "spec.support.process"

-- The command where libcurl is no library.
local function without_libcurl(...)
  assert(io.open(files.path "libcurl.so.4", "w")):close()
  return process.run({ "LD_LIBRARY_PATH=" .. files.path "", process.lurcher, ... }, { command = "env" })
end

describe("libcurl", function()
  before_each(files.begin)
  after_each(files.finish)

  it("is loaded by the first client, not by a script that sends nothing", function()
    local ended = process.run { "-e", [[
      local function is_loaded() return io.open("/proc/self/maps"):read("*a"):find "libcurl" ~= nil end
      for _, name in ipairs { "task", "json", "fs", "url", "server", "process" } do require("lurcher." .. name) end
      io.write(tostring(is_loaded()), " ")
      require("lurcher.http").client()
      io.write(tostring(is_loaded()))
    ]] }
    assert.equal("", ended.err)
    assert.equal("false true", ended.out)
  end)

  it("is asked for by a client where it is missing, and what sends nothing goes on", function()
    local ended = without_libcurl("-e", [[
      print "before"
      for _ = 1, 2 do print(pcall(require, "lurcher.http")) end
      print "after"
    ]])
    local refused = "false\tlibcurl cannot be initialised: HTTP needs libcurl %(Debian's package libcurl4%): "
      .. "[^\n]*libcurl.so.4: file too short\n"
    assert.matches("^before\n" .. refused .. refused .. "after\n$", ended.out)
    assert.equal("", ended.err)
    assert.equal(0, ended.status)
  end)

  it("is not needed for a page of the manual", function()
    local ended = without_libcurl("help", "retries")
    assert.equal("", ended.err)
    assert.matches("^RETRIES\n", ended.out)
  end)

  it("is not needed to tell which Lurcher this is", function()
    local ended = without_libcurl("--version")
    assert.matches("^lurcher %d+%.%d+%.%d+\n$", ended.out)
    assert.matches("libcurl.so.4: file too short", ended.err)
    assert.equal(1, ended.status)
  end)

  it("is tried again when a descriptor is free", function()
    local ended = process.run({ "-c", 'ulimit -n 40; exec "$0" -e "$1"', process.lurcher, [[
      local held = {}
      for file in function() return io.open "/dev/null" end do held[#held + 1] = file end
      print(pcall(require, "lurcher.http"))
      held = nil
      collectgarbage() collectgarbage()
      print(require("lurcher.http").get("http://127.0.0.1:9/", { retry = false }))
    ]] }, { command = "sh" })
    assert.matches("^false\t[^\n]*libcurl.so.4: [^\n]*Too many open files\nnil\t[^\n]*connect", ended.out)
    assert.equal(0, ended.status)
  end)
end)

-- AddressSanitizer takes terabytes of addresses.
if not faults.sanitized() then
  -- With less the libraries' own beginnings fail, without a word.
  describe("under a limit of memory", function()
    it("the command says why it cannot go on", function()
      local silent = process.shell([[
        for kilobytes in $(seq 24000 4000 60000); do
          said=$(ulimit -v $kilobytes; exec "$1" -e 'print "well"' 2>&1) status=$?
          [ -n "$said" ] || [ $status -ge 128 ] || echo "nothing was said with $kilobytes kB"
        done
      ]], process.lurcher)
      assert.equal("", silent)
    end)
  end)
end
