-- `lurcher new PATH`: what it writes runs, and nothing is overwritten.

local files = require "spec.support.files"
local fs = require "lurcher.fs"
local json = require "lurcher.json"
local new = require "lurcher.command.new"
local process = require "spec.support.process"

-- What the command prints and tells, and its status.
local function run(...)
  local texts = { out = "", err = "" }
  local function into(name)
    return { write = function(_, ...) texts[name] = texts[name] .. table.concat { ... } end }
  end
  local status = new.perform({ ... }, { out = into "out", err = into "err" })
  return status, texts.out, texts.err
end

describe("lurcher new", function()
  before_each(files.begin)
  after_each(files.finish)

  it("writes a script and a spec that passes, in a folder or beside others", function()
    local folder = files.path "my api"
    local status, out, err = run(folder)
    assert.are.equal(0, status)
    assert.are.equal(("%s/my api.lua\n%s/spec/my api_spec.lua\n%s/.luarc.json\n"):format(folder, folder, folder), out)
    assert.matches(("next: lurcher '%s/my api.lua' URL, and its spec: cd '%s/' && lurcher test"):format(folder, folder),
      err, 1, true)
    assert.are.equal(0, (run(folder .. "/second.lua")))
    local ended = process.shell('cd "$1" && "$2" test -o plainTerminal 2>&1', folder, process.lurcher)
    assert.matches("4 successes / 0 failures / 0 errors", ended, 1, true)
    local settings = assert(json.decode(assert(fs.read(folder .. "/.luarc.json"))))
    assert.are.equal("LuaJIT", settings["runtime.version"])
  end)

  it("overwrites nothing", function()
    local path = files.path "a.lua"
    assert(fs.write(path, "mine"))
    local status, out, err = run(path)
    assert.are.same({ 1, "" }, { status, out })
    assert.matches("a.lua' is there already: nothing was written", err, 1, true)
    assert.are.equal("mine", files.read "a.lua")
    assert.is_false(fs.exists(files.path "spec"))
    assert(fs.write(files.path ".luarc.json", "{}"))
    assert.are.equal(0, (run(files.path "b.lua")))
    assert.are.equal("{}", files.read ".luarc.json")
  end)

  it("ends with 2 for wrong usage, and with 1 where it cannot write", function()
    for _, words in ipairs { {}, { "a", "b" }, { "" }, { "--x" }, { "/" }, { ".." } } do
      assert.are.equal(2, (run(unpack(words))))
    end
    assert(fs.write(files.path "file", ""))
    local status, _, err = run(files.path "file/x.lua")
    assert.are.equal(1, status)
    assert.matches("ENOTDIR", err, 1, true)
  end)
end)
