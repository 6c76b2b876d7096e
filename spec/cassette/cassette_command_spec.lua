-- lurcher --record=FILE and --replay=FILE: a cassette under a script that knows nothing of it.

local files = require "spec.support.files"
local json = require "lurcher.json"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

before_each(files.begin)
after_each(files.finish)

local SCRIPT = [[
  local http = require "lurcher.http"
  local url, how = ...
  print(assert(http.get(url .. "/a", { params = { api_key = "abcdefgh" } })).body)
  if how == "exit" then os.exit(4) end
  if how == "fail" then error "oops" end
]]

local function run(...)
  return process.run { ... }
end

describe("a script that is run with --record", function()
  for how, status in pairs { well = 0, exit = 4, fail = 1 } do
    it("is answered by its recording with --replay when it ends by " .. how, function()
      local s = serving.start(function() return { status = 200, body = "from the server" } end)
      local script, tape = process.script(SCRIPT), files.path "tape.json"
      assert.are.equal(status, run("--record=" .. tape, script, s.url, how).status)
      assert.are.equal(1, #json.decode(files.read "tape.json").entries)
      assert.is_nil(files.read("tape.json"):find "abcdefgh")
      s:stop(0)
      local replayed = run("--replay=" .. tape, script, s.url, how)
      assert.are.equal(status, replayed.status)
      assert.are.equal("from the server\n", replayed.out)
    end)
  end

  it("ends with 2 when there is no such cassette, or both are asked for", function()
    local script = process.script(SCRIPT)
    local ended = run("--replay=" .. files.path "none.json", script, "http://a.test")
    assert.are.equal(2, ended.status)
    assert.matches("none.json", ended.err, 1, true)
    assert.are.equal(2, run("--replay=x", "--record=y", script).status)
    assert.are.equal(2, run("--record=", script).status)
  end)

  it("ends with 1 when the recording cannot be written", function()
    local s = serving.start(function() return { status = 200 } end)
    local ended = run("--record=" .. files.path "no/folder.json", process.script(SCRIPT), s.url)
    assert.are.equal(1, ended.status)
    assert.matches("ENOENT", ended.err, 1, true)
  end)

  it("records what the words of the command ask for", function()
    local s = serving.start(function() return { status = 200, body = "x" } end)
    local tape = files.path "tape.json"
    assert.are.equal(0, run("get", s.url, "--record=" .. tape).status)
    s:stop(0)
    assert.are.equal("x", run("get", s.url, "--replay=" .. tape).out)
  end)
end)
