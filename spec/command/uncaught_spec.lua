-- What the report of a script that failed says besides the traceback.

local process = require "spec.support.process"
local server = require "lurcher.server"
local task = require "lurcher.task"

-- The line below the message.
local function hint(code, ...)
  local ended = process.run { "-e", code, ... }
  assert.equal(1, ended.status)
  return ended.err:match("^lurcher: [^\n]*\nhint: ([^\n]*)") or "", ended.err
end

describe("the report of a script that failed", function()
  describe("by using nil", function()
    it("tells the last error that its task was given", function()
      for _, code in ipairs {
        "local res = http.get(url) print(res.status)", "local res = http.get(url) res:json()",
        "local res = http.get(url) print('x' .. res)", "local res = http.get(url) print(res + 1)",
        "local res = http.get(url) for _ in ipairs(res) do end", "local res = http.get(url) print(#res)",
        "local res = http.get(url) task.scope(function() print(res.body) end)",
        "task.map({ 1, 2 }, function() local res = http.get(url) return res.body end)",
        "local t = { res = http.get(url) } print(t.res.body)",
      } do
        local text = hint('local http, task = require "lurcher.http", require "lurcher.task"\nlocal url = ...\n'
          .. code, "http://127.0.0.1:1/")
        assert.matches("GET http://127.0.0.1:1/: connect: cannot connect to 127.0.0.1:1", text, 1, true)
      end
    end)

    it("tells errors of other modules too", function()
      assert.matches("decode: JSON does not parse", (hint 'local v = require("lurcher.json").decode("{") print(v.x)'))
      assert.matches("/nowhere", (hint 'local v = require("lurcher.fs").read("/nowhere") print(#v)'))
    end)

    it("tells nothing where none was given, or something else was wrong", function()
      assert.equal("", (hint "local x print(x.y)"))
      assert.equal("", (hint 'require("lurcher.json").decode("{") error("other")'))
      assert.equal("", (hint 'require("lurcher.json").decode("{") local x = 5 print(x.y.z)'):match("decode") or "")
    end)

    it("does not tell what a retry made good, nor what another task was given", function()
      local count = 0
      local s = server.raw(function(conn)
        count = count + 1
        if count == 1 then return conn:reset() end
        conn:read_request()
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
      end)
      task.defer(function() s:stop() end)
      assert.equal("", (hint([[
        local http, task = require "lurcher.http", require "lurcher.task"
        assert(http.get(..., { retry = { base = 0 } }))
        task.spawn(function() http.get("http://127.0.0.1:1/", { retry = false }) end):join()
        local x print(x.y)]], s.url)))
    end)

    it("tells of a module that was not loaded", function()
      for _, name in ipairs { "http", "json", "task", "fs", "log", "url", "pages" } do
        local path = process.script(name .. ".anything()")
        local ended = process.run { path }
        assert.matches(('local %s = require "lurcher.%s"'):format(name, name), ended.err, 1, true)
      end
    end)
  end)

  it("tells how Lua has what other languages have otherwise", function()
    for code, wanted in pairs {
      ["local res = { text = print } print(res.text:upper())"] = "hint: it is called, with a colon if it is a method: "
        .. "res:text()",
      ["local res = { text = print } print('a' .. res.text)"] = "hint: it is called, with a colon",
      ["print('status: ' + 200)"] = "hint: texts are joined by ..",
      ["local name = 'a' print(name + 1)"] = "hint: texts are joined by ..",
      ["print(table.unpack { 1 })"] = "hint: unpack(list) is a global here",
      ["local text = 'a,b' text:split(',')"] = "hint: for part in text:gmatch",
      ["os.sleep(1)"] = "hint: task.sleep(seconds) waits",
      ["await(1)"] = "hint: calls wait by themselves",
      ["try { 1 }"] = "hint: pcall(fn, …)",
    } do
      local err = process.run({ "-e", code }).err
      assert.truthy(err:find(wanted, 1, true), err)
    end
  end)

  it("shows a table that was raised", function()
    local ended = process.run { "-e", "error { code = 5, message = 'no' }" }
    assert.matches('^lurcher: the script raised a table: {"code":5,"message":"no"}\n', ended.err)
    ended = process.run { "-e", "error(setmetatable({}, { __tostring = function() return 'mine' end }))" }
    assert.matches("^lurcher: mine\n", ended.err)
    ended = process.run { "-e", "error()" }
    assert.matches("^lurcher: the script raised a nil value", ended.err)
  end)

  it("tells how Lua writes what newcomers write as elsewhere", function()
    for code, words in pairs {
      ["x = 5 // a comment"] = "a comment begins with %-%-",
      ["/* a comment */ x = 5"] = "a comment over several lines",
      ["if a != b then end"] = "~=", ["x += 1"] = "x = x %+ 1", ["x -= 1"] = "x = x %+ 1", ["x++"] = "x = x %+ 1",
      ["for i = 1, 3 do\n  if i == 2 then continue end\nend"] = "goto continue",
      ["for i = 1, 3 do\n  continue\nend"] = "goto continue",
      ["if a then\nelse if b then\nend"] = "elseif", ["if a then elif b then end"] = "elseif",
      ["if a && b then end"] = "is and", ["if a || b then end"] = "is or", ["if !a then end"] = "is not",
      ["const x = 5"] = "local", ["let x = 5"] = "local", ["x = { \"a\": 1 }"] = "%[\"other%-name\"%]",
      ["def f(x)\nend"] = "function", ["f = x => x"] = "function", ["x = a ? b : c"] = "and yes or no",
      ["x = 7 // 2"] = "math.floor", ["x = [1, 2]"] = "a list is", ["return [ ]"] = "a list is",
      ["print([1])"] = "a list is", ["import json"] = "require", ["if (a) {\n}"] = "then or do", ["try\nend"] = "pcall",
      ["await http.get()"] = "wait by themselves",
    } do
      local text, err = hint(code)
      assert(text:find("in Lua ", 1, true) and text:find(words), code .. ": " .. err)
    end
  end)

  it("tells nothing about other mistakes of syntax", function()
    for _, code in ipairs { "x = = 5", "print('a // b != c'", "if x then -- a != b\n", "x = (5", "x = [[ a ]] b",
      "x = [=[a]=] b" } do
      assert.equal("", (hint(code)))
    end
  end)
end)
