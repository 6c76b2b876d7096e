local files = require "spec.support.files"
local fs = require "lurcher.fs"
local process = require "spec.support.process"
local task = require "lurcher.task"

local run = process.run

describe("lurcher --sandbox", function()
  it("gives a script what does no harm, and the modules of -e", function()
    local ended = run { "--sandbox", "-e", [[
      print(io, debug, os.remove, string.dump, pcall(require, "ffi") == false, tostring({}))
      print(json.encode { 1 }, require "lurcher.json" == json, ..., arg[0])
      os.exit(4)]], "given" }
    assert.equal("nil\tnil\tnil\tnil\ttrue\ttable: 1\n[1]\ttrue\tgiven\t-e\n", ended.out)
    assert.same({ "", 4 }, { ended.err, ended.status })
  end)

  it("writes no keys of TLS, and reads no configuration of OpenSSL, that the environment names", function()
    local code = [[
      local s = require "lurcher.server".start(function() return "fine" end, { tls = true })
      print(http.get(s.url, { tls = { verify = false } }).body)
      s:stop(0)]]
    local folder = files.begin()
    task.defer(files.finish)
    local keys, shell = folder .. "/keys", 'SSLKEYLOGFILE=$1 OPENSSL_CONF=$1/none; export SSLKEYLOGFILE OPENSSL_CONF; \z
      shift; exec "$0" "$@"'
    local function lurcher(...)
      return run({ "-c", shell, process.lurcher, keys, ... }, { command = "sh" })
    end
    assert.equal("fine\n", lurcher("--sandbox", "--allow-net=127.0.0.1", "--log=error", "-e", code).out)
    assert.is_false(fs.exists(keys))
  end)

  it("runs no file as one of the runtime's own modules", function()
    local folder = files.begin()
    task.defer(files.finish)
    for _, name in ipairs { "host", "lurcher", "bit", "ffi" } do
      assert(fs.write(("%s/%s.lua"):format(folder, name), "return { escaped = io }"))
    end
    assert(fs.write(folder .. "/script.lua", [[
      for _, name in ipairs { "host", "lurcher", "lurcher.none", "ffi", "lurcher.task.script" } do
        print(name, pcall(require, name) == true)
      end
      print(require "bit" == bit)]]))
    local ended = run({ "-c", 'cd "$1" && exec "$0" --sandbox --allow-read=. --allow-write=. script.lua',
      process.lurcher, folder }, { command = "sh" })
    assert.equal("host\tfalse\nlurcher\tfalse\nlurcher.none\tfalse\nffi\tfalse\nlurcher.task.script\tfalse\ntrue\n",
      ended.out)
  end)

  it("stops no script that is not sandboxed", function()
    local ended = run { "-e", "print(io.write, debug.getinfo, type(getmetatable('')))" }
    assert.matches("^function: builtin#%d+\tfunction: builtin#%d+\ttable\n$", ended.out)
    assert.same({ "", 0 }, { ended.err, ended.status })
  end)
end)
