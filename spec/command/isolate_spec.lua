local fs = require "lurcher.fs"
local files = require "spec.support.files"
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
end)
