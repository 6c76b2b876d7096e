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

  it("what finds modules does not keep those from them that are loaded later", function()
    local ended = process.run { script [[
      local http, json, s = require "lurcher.http", require "lurcher.json", nil
      s = require("lurcher.server").start(function(req)
        if req.path == "/moved" then return { status = 302, headers = { Location = "/" } } end
        return { body = json.encode { path = req.path } }
      end)
      local function broken() error "called" end
      package.path, package.cpath, package.loaders, package.preload = nil, nil, { broken }, { broken }
      for name in pairs(package.loaded) do
        if name:find "^lurcher" then package.loaded[name] = nil end
      end
      package.loaded["lurcher.http.client"], package.loaded["lurcher.http.response"] = nil, nil
      package.loaded, package, require, setmetatable, string.format = {}, nil, broken, broken, broken
      print(http.get(s.url):json().path, http.get(s.url .. "/moved").status,
        http.get(s.url .. "/a", { headers = { A = "b" } }):json().path, select(2, http.get "no url").kind)
      s:stop()
    ]] }
    assert.equal("", ended.err)
    assert.equal("/\t200\t/a\turl\n", ended.out)
    assert.equal(0, ended.status)
  end)

  it("or adds methods of texts has them", function()
    local ended = process.run { "-e", "function string.twice(s) return s .. s end print(('a'):twice())" }
    assert.equal("aa\n", ended.out)
  end)
end)
