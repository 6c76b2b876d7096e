-- A script may replace Lua's own functions: it hurts nobody but itself.

local process = require "spec.support.process"
local script = process.script

describe("a script that replaces", function()
  it("Lua's functions does not break the runtime's modules", function()
    local ended = process.run { script [[
      local print, pairs, rawset, type = print, pairs, rawset, type
      local function broken() while true do print "called" coroutine.yield() end end
      for _, library in pairs { string, table, math, os, io, coroutine, debug, _G } do
        for name, value in pairs(library) do
          if type(value) == "function" and name ~= "require" then rawset(library, name, broken) end
        end
      end
      local task, http, json = require "lurcher.task", require "lurcher.http", require "lurcher.json"
      local server, retry, pages = require "lurcher.server", require "lurcher.retry", require "lurcher.pages"
      local s = server.start(function(req) return { body = json.encode { path = req.path } } end)
      local results = task.map({ 1, 2 }, function(i) return http.get(s.url .. "/" .. i):json().path end)
      print(results[1], results[2], ("x"):rep(2))
      local res, err = http.get("http://127.0.0.1:1/", { retry = false })
      print(res, err.kind, err)
      s:stop()
    ]] }
    assert.equal("", ended.err)
    assert.matches("^/1\t/2\txx\nnil\tconnect\tGET http://127.0.0.1:1/: connect: ", ended.out)
    assert.equal(0, ended.status)
  end)

  it("or adds methods of texts has them", function()
    local ended = process.run { "-e", "function string.twice(s) return s .. s end print(('a'):twice())" }
    assert.equal("aa\n", ended.out)
  end)
end)
