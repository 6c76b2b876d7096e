-- The parts of the prompt that need no terminal.

local chunk = require "lurcher.command.repl.chunk"
local complete = require "lurcher.command.repl.complete"
local history = require "lurcher.command.repl.history"
local http = require "lurcher.http"
local json = require "lurcher.json"
local palette = require "lurcher.command.show.palette"
local print_value = require "lurcher.command.repl.print"
local save = require "lurcher.command.repl.save"
local secrets = require "lurcher.command.repl.secrets"
local tokens = require "lurcher.command.repl.tokens"

describe("what is typed", function()
  it("is whole, or goes on in the next line", function()
    for text, wanted in pairs {
      ["1 +"] = "more", ["f("] = "more", ["{ 1,"] = "more", ["x ="] = "more", ["x."] = "more", ["x.y:"] = "more",
      ["for i = 1, 2 do"] = "more", ["if x then"] = "more", ["function f()"] = "more", ["local function f()"] = "more",
      ["[[text"] = "more", ["--[[ comment"] = "more", ["'text\\"] = "more", ["repeat x()"] = "more", ["not"] = "more",
      ["local x,"] = "more", ["return"] = "fine", ["'text"] = "wrong", ["a b"] = "wrong", ["1 = 2"] = "wrong",
      ["end"] = "wrong", ["x = = 1"] = "wrong", ["goto nowhere"] = "wrong", ["x"] = "fine", ["x = 1"] = "fine",
      ["f 'x'"] = "fine", ["-- comment"] = "fine", ["x -- comment"] = "fine", ["f() ;"] = "fine", ["x\n+ 1"] = "fine",
      ["local x <const> = 1"] = "wrong", ["~"] = "wrong", ["'\\n'"] = "fine", ["do local x end"] = "fine",
    } do
      local fn, message, is_incomplete = chunk.compile(chunk.session(), text)
      assert.are.equal(wanted, fn and "fine" or is_incomplete and "more" or "wrong", text .. ": " .. tostring(message))
    end
  end)

  it("is asked to be whole by a command of one line", function()
    local commands = require "lurcher.command.repl.commands"
    for _, line in ipairs { ":time 1 +", ":type f(", ":time [[text" } do
      local ok, err = pcall(commands.run, chunk.session(), line)
      assert.is_false(ok)
      assert.are.equal("the expression is not whole", err)
    end
  end)

  it("declares what the top level calls local", function()
    for text, wanted in pairs {
      ["local x"] = "x", ["local x = 1"] = "x=", ["local a, b = f()"] = "a,b=", ["local function f() end"] = "f=",
      ["do local x = 1 end"] = "", ["for i = 1, 2 do local x end local y = 1"] = "y=", ["x = 'local y = 1'"] = "",
      ["-- local x\nlocal z"] = "z", ["x = [==[ local y ]==] local q"] = "q", ["--[[ local a ]] local b"] = "b",
      ["f(function() local x end) local y = 2"] = "y=",
      ["if a then local b elseif c then local d else local e end"] = "",
      ["repeat local x until x local y"] = "y", ["while true do local x break end"] = "", ["t.locals = 1"] = "",
      ["local x = function() local y end local z = 1"] = "x= z=", ["local x = 'a\\'local b'"] = "x=",
      ["local x -- = 1\nlocal y = 2"] = "x y=",
    } do
      local found = {}
      for i, one in ipairs(chunk.declarations(text)) do
        found[i] = table.concat(one.names, ",") .. (one.has_value and "=" or "")
      end
      assert.are.equal(wanted, table.concat(found, " "), text)
    end
  end)

  it("shares one variable between the lines and the functions that use it", function()
    local session = chunk.session()
    local function run(text) return assert(chunk.compile(session, text))() end
    run "local n, unset = 1"
    run "local function get() return n end function set(v) n = v end"
    assert.are.equal(1, run "get()")
    run "n = 2"
    assert.are.equal(2, run "get()")
    run "set(3)"
    assert.are.equal(3, run "n")
    run "local n = 4 if true then local n = 5 end"
    assert.are.equal(4, run "get()")
    assert.is_nil(run "unset")
    assert.are.equal(tostring, run "local tostring = tostring return tostring")
    run "local tostring"
    assert.is_nil(run "tostring")
    assert.is_nil(rawget(_G, "n"))
    run "typed_global = 1"
    assert.are.equal(1, rawget(_G, "typed_global"))
    rawset(_G, "typed_global", nil)
  end)

  it("may have more locals than a function, and texts over several lines", function()
    local session, lines, names = chunk.session(), {}, {}
    for i = 1, 250 do
      lines[i], names[i] = ("local v%d = %d"):format(i, i), "v" .. i
    end
    assert(chunk.compile(session, table.concat(lines, "\n")))()
    local sum = ("local function sum() return %s end"):format(table.concat(names, " + "))
    assert(chunk.compile(session, table.concat(lines, " ", 1, 100) .. " " .. sum))()
    assert.are.equal(250 * 251 / 2, assert(chunk.compile(session, "sum()"))())
    assert(chunk.compile(session, "local t = 'a\\z\n  local b'"))()
    assert.are.equal("alocal b", assert(chunk.compile(session, "t"))())
    local fn, message = chunk.compile(session, "do " .. table.concat(lines, " ") .. " end")
    assert.is_nil(fn)
    assert.matches("more than 200 local variables", message)
  end)

  it("tells the line where it failed", function()
    local ok, message = pcall(assert(chunk.compile(chunk.session(), "\nerror 'x'")))
    assert.is_false(ok)
    assert.are.equal("prompt:2: x", message)
  end)

  it("is read as Lua's tokens", function()
    local kinds = {}
    for i, token in ipairs(tokens.of "local a_1 = 0x1F + 1e-5 .. 'x\\'y' --c\n[=[ ]] ]=] ~= b.c:d") do
      kinds[i] = token.text
    end
    assert.are.same({ "local", "a_1", "=", "0x1F", "+", "1e-5", "..", "'x\\'y'", "[=[ ]] ]=]", "~=", "b", ".", "c",
      ":", "d" }, kinds)
  end)
end)

describe("values at the prompt", function()
  local function shown(value, columns)
    return print_value.value(value, { columns = columns or 80, colours = palette.plain })
  end

  it("are shown as they are written in Lua", function()
    local cycle = { name = "a" }
    cycle.itself = cycle
    local secret = http.secret "well hidden"
    for _, case in ipairs {
      { nil, "nil" }, { true, "true" }, { 1, "1" }, { -0.5, "-0.5" }, { 2 ^ 53, "9.007199254741e+15" },
      { 1e15, "1000000000000000" },
      { 1 / 0, "inf" }, { "a\"b\\\n\0é\27", [["a\"b\\\n\x00é\x1b"]] }, { {}, "{}" }, { json.null, "json.null" },
      { { 1, 2, x = "y" }, '{ 1, 2, x = "y" }' }, { { b = 1, a = 2, ["c d"] = 3 }, '{ a = 2, b = 1, ["c d"] = 3 }' },
      { { [10] = 1, [true] = 2 }, "{ [10] = 1, [true] = 2 }" },
      { cycle, '{ itself = (a table that holds this one), name = "a" }' },
      { { { { { { 1 } } } } }, "{ { { { {…} } } } }" }, { secret, "***" }, { { "well hidden" }, '{ "***" }' },
      { print, "function" }, { json.array {}, "{}" }, { setmetatable({},
      { __tostring = error }), "(a value that cannot be shown)" },
      { setmetatable({ 1 }, { __index = error }), "{ 1 }" }, { { ["end"] = 1 }, '{ ["end"] = 1 }' },
      { setmetatable({}, { __tostring = function() return ("x"):rep(1000) end }), ("x"):rep(497) .. "…" },
      { { [setmetatable({}, { __tostring = error })] = 1, [setmetatable({}, { __tostring = error })] = 1 },
        "{\n  [(a value that cannot be shown)] = 1,\n  [(a value that cannot be shown)] = 1\n}" },
    } do
      assert.are.equal(case[2], shown(case[1]))
    end
    assert.matches("^function %(spec/command/repl_spec.lua:%d+%)$", shown(shown))
  end)

  it("are cut", function()
    local long = {}
    for i = 1, 1000 do long[i] = i end
    assert.matches("  40,\n  … 960 more\n}$", shown(long))
    assert.matches('^"x+…" %(9.8 KiB%)$', shown(("x"):rep(10000)))
    assert.are.equal('{\n  "aaaaaaaaaa",\n  "bbbbbbbbbb"\n}', shown({ ("a"):rep(10), ("b"):rep(10) }, 20))
    local wide = {}
    for i = 1, 40 do wide[i] = { long, long } end
    assert.is_true(#shown(wide) < 100000)
  end)

  it("of errors are one line", function()
    assert.are.equal("boom", print_value.failure("prompt:1: boom", false))
    for _, fn in ipairs { error, function() return 5 end } do
      assert.are.equal("(the error is a table value)",
        print_value.failure(setmetatable({}, { __tostring = fn }), false))
    end
    assert.are.equal("line 2: boom", print_value.failure("prompt:2: boom", true))
    assert.are.equal("a b", print_value.failure("a\nb", false))
  end)
end)

describe("the history", function()
  it("keeps what shows no secret", function()
    for _, entry in ipairs {
      "http.get 'https://example.com/a?page=2'", "http.bearer(os.getenv 'TOKEN')", "x = 1", "api.cookies:list()",
      "http.get('https://example.com', { timeout = 5 })", ":help secrets", "local token = res:json().token",
      "'an author'", "http.bearer(token)", ":curl https://example.com -d a=1", "tokens = {}", "error 'token missing'",
      ":curl -H 'Accept: a/b' -H \"X-Token: $TOKEN\" https://example.com/?page=2", "for token in all() do f 'x' end",
    } do
      assert.is_true(history.keeps(entry), entry)
    end
  end)

  it("leaves out what shows one", function()
    local known = http.secret "very hidden"
    for _, entry in ipairs {
      "http.bearer('abc')", 'http.bearer "abc"', "http.bearer[[abc]]", "http.secret 'abc'", "http.secret(x)",
      "http.get(u, { auth = { 'me', 'pass' } })", "auth={'a','b'}", "http.get 'https://me:pw@example.com/'",
      "http.get 'https://token@example.com/'", "headers = { Authorization = 'Bearer abc' }", "http.basic('a', 'b')",
      "headers = { ['Cookie'] = 'a=b' }", ":curl -u me:pw https://example.com", "password = 'x'", "api_key = 'x'",
      ":curl -H 'Authorization: Basic YTpi' https://example.com", "http.get 'https://example.com/?access_token=abc'",
      ":curl -b a=b https://example.com", "client_secret = 'x'", "token = \"x\"", "print 'very hidden'", "",
      "http.get '/x?access_token=abc'", ":curl example.com/x?api_key=abc", ":curl -sSLu a:b h", ":curl -sb a=b h",
      ":curl -H 'X-Api-Key: abc' h", ":curl -H 'PRIVATE-TOKEN: abc' h", ":curl -d password=abc h", ":curl a:b@h/x",
      ":curl -x 'a:b@proxy:3128' h", ":curl -F client_secret=abc h", "tokens = { github = 'abc' }",
      "cookies = { a = 'b' }", "f { body = 'user=a&password=abc' }", 'f(u, "token=abc")',
      "local token, x = 'abc', 1", "f('password', 'abc')", "private_key = 'abc'", "x = 'ghp_abcdefgh12345678'",
      "headers = { ['X-Auth-Key'] = 'abc' }", "'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln'", "pwd = 'abc'",
      "http.digest('a', 'b')", ":curl --user a:b https://example.com", "proxy = 'http://a:b@proxy:3128'",
    } do
      assert.is_false(history.keeps(entry), entry)
    end
    assert.are.equal("***", tostring(known))
  end)
end)

describe("completion", function()
  local session
  before_each(function()
    session = chunk.session()
    session.module = function(name) return require("lurcher." .. name) end
    session.commands = { "help", "save", "time" }
    session.topics = function() return { "retries", "tls" } end
    session.list = function(folder)
      return folder == "./" and { "beside" } or folder == "." and { "data.json", "dir/", ".hidden" } or nil
    end
    rawset(session.env, "files", { alpha = 1, beta = function() end, alert = { deep = 1 } })
    rawset(session.env, "object", setmetatable({ own = 1 }, { __index = { method = function() end, field = 2 } }))
    rawset(session.env, "odd", setmetatable({ plain = 1 }, { __index = function() error "called" end }))
    session.locals.files, session.locals.object, session.locals.odd = "set", "set", "set"
  end)

  it("offers some of very many", function()
    local many = {}
    for i = 1, 20000 do many["k" .. i] = i end
    rawset(session.env, "many", many)
    session.locals.many = "set"
    assert.are.equal(500, #complete.at("many.", session).candidates)
    assert.are.equal("k19999", table.concat(complete.at("many.k19999", session).candidates, " "))
  end)

  it("offers what may follow", function()
    for line, wanted in pairs {
      ["files.al"] = "alert alpha", ["files."] = "alert alpha beta", ["files.alert."] = "deep", ["files:"] = "beta",
      ["object."] = "field method own", ["object:"] = "method", ["odd."] = "plain", ["nothing."] = "",
      ["fil"] = "files",
      ["x = fil"] = "files", ["http.ge"] = "get", ["json.dec"] = "decode", ["htt"] = "http", ["wh"] = "while",
      ["f('da"] = "data.json", ["f('"] = "data.json dir/", ["f('."] = ".hidden", ["f('./b"] = "beside",
      ["-- fil"] = nil,
      ["http.get('u', { js"] = "json", ["http.get('u', { timeout = 5, js"] = "json",
      ["http.get('u', { json = js"] = "json",
      ["http.get('u', { timeout = { conn"] = "connect", ["api:get('u', { bo"] = "body",
      ["http.client { base_"] = "base_url",
      ["http.client({ base_"] = "base_url", ["http.get('u', { base_"] = "", [":sa"] = "save", [":help t"] = "tls",
      [":save d"] = "data.json dir/", [":time fil"] = "files", ["http.client { limits = { per_"] = "per_origin",
      ["x = 12"] = "", ["f(1, fil"] = "files", ["other { fil"] = "files",
    } do
      local found = complete.at(line, session)
      assert.are.equal(wanted or "", found and table.concat(found.candidates, " ") or "", line)
    end
  end)

  it("inserts what all have in common, and lists them when there is nothing more", function()
    local insertion, listing = complete.press("files.a", session, 80)
    assert.are.equal("l", insertion)
    assert.are.equal("", listing)
    insertion, listing = complete.press("files.al", session, 80)
    assert.are.equal("", insertion)
    assert.are.equal("alert  alpha", listing)
    assert.are.equal("alert\nalpha", (select(2, complete.press("files.al", session, 8))))
    assert.are.equal("t = ", (complete.press("http.client { limits = { burs", session, 80)))
    rawset(session.env, "words", { ["end"] = 1, ending = 2 })
    session.locals.words = "set"
    assert.are.equal("ing", (complete.press("words.end", session, 80)))
    session.list = function() return { "\27[2J", "日本" } end
    assert.are.equal("\\x1b[2J  日本", (select(2, complete.press("f('", session, 80))))
  end)
end)

describe("what is saved", function()
  it("is a script that runs", function()
    local script = save.script {
      { text = "local n = 20" }, { text = "n + 1", is_expression = true }, { text = "x = _ * 2" },
      { text = "x -- shown", is_expression = true }, { text = "return json.encode { 1 };", is_expression = true },
      { text = "local m = 5 return m", is_expression = true }, { text = "local k = 6 return k" },
    }
    assert.are.equal([[
-- Typed at the prompt of Lurcher. Calls raise where they fail.

local json = require "lurcher.json"
local _

local n = 20
_ = n + 1
x = _ * 2
print(x -- shown
)
print(json.encode { 1 })
local m = 5
print(m)
local k = 6
do local _ = k
end
]], script)
    assert.is_truthy(load(script))
    assert.matches('local http = require("lurcher.http").raising()', save.script { { text = "http.get(u)" } }, 1, true)
  end)

  -- What show(…) was given when these are typed, then when their script runs.
  local function both(texts)
    local at_prompt, in_script, entries, session = {}, {}, {}, chunk.session()
    local function into(list)
      return function(...)
        for i = 1, select("#", ...) do list[#list + 1] = tostring((select(i, ...))) end
      end
    end
    rawset(session.env, "show", into(at_prompt))
    session.locals.show = "set"
    for _, text in ipairs(texts) do
      local fn, message = chunk.compile(session, text)
      if not fn then error(text .. ": " .. tostring(message)) end
      local values = { n = 0 }
      local function keep(...) values = { n = select("#", ...), ... } end
      keep(fn())
      if values[1] ~= nil then rawset(session.env, "_", values[1]) end
      entries[#entries + 1] = { text = text, is_expression = values.n > 0, is_nil = values[1] == nil }
    end
    local script = save.script(entries)
    local env = setmetatable({ show = into(in_script), print = function() end }, { __index = _G })
    assert(load(script, "=script", "t", env))()
    return table.concat(at_prompt, " "), table.concat(in_script, " "), script
  end

  it("does what was done", function()
    for _, texts in ipairs {
      { "local x = 1", "local function f() return x end", "local x = 9", "show(f(), x)" },
      { "local function a() return b() end", "local function b() return 3 end", "show(a())" },
      { "local q = function() return q end", "show(q() == q)", "local t = {}; function t.f() return t end",
        "show(t.f() == t)" },
      { "local a = 1", "local f = function() return a, c end", "local a, c = 2, 3", "show(f())", "local a",
        "show(a, f())" },
      { "local v = 1 return v + 1", "show(_, v)", "return", "local w = 2 return", "show(w)" },
      { "5", "nil", "show(_)", "_, 6", "show(_)", "return nil, 7", "show(_)", "false", "show(_)" },
      { "goto z; ::z:: local k = 1", "goto z; ::z:: show(k)", "(show or f)(2)", "local g = show", "(g)(3)" },
      { "local print = print", "local tostring = function(x) return 'made' end", "show(tostring(1))" },
      { "show(({ k = 1 }).k)", "local k = 2", "show(k)", "local k = k + 1", "show(k)" },
    } do
      local at_prompt, in_script, script = both(texts)
      assert.are_not.equal("", at_prompt)
      assert.are.equal(at_prompt, in_script, script)
    end
  end)

  it("may have more locals than a function", function()
    local texts, sum = {}, {}
    for i = 1, 250 do texts[i] = ("local v%d = %d"):format(i, i) end
    for i = 1, 70 do sum[i] = "v" .. i end
    texts[#texts + 1] = ("local function f() return %s end"):format(table.concat(sum, " + "))
    texts[#texts + 1] = "show(f(), v250)"
    local at_prompt, in_script = both(texts)
    assert.are.equal("2485 250", at_prompt)
    assert.are.equal(at_prompt, in_script)
  end)

  it("keeps a local where one is enough", function()
    local _, _, script = both { "local r = { 1 }", "local n = #r", "local r = { n }", "show(r[1])" }
    assert.matches("\nlocal r = { 1 }\nlocal n = #r\nr = { n }\nshow(r[1])\n", script, 1, true)
  end)

  it("reads secrets from the environment", function()
    local held, entries = {}, {}
    local function saved(text)
      entries[#entries + 1] = { text = text }
      local script = save.script { { text = text } }
      assert.is_truthy(load(script), script)
      return script:match("\n([^\n]*)\n$"), script
    end
    for _, case in ipairs {
      { 'r = http.bearer "t0"', "r = http.bearer (token)" }, { "r = http.bearer('t0')", "r = http.bearer(token)" },
      { "local token = [[t0]]", "local token = token_2" }, { 'f { bearer = "t0" }', "f { bearer = token }" },
      { 'f { auth = { "me", "p0" } }', 'f { auth = { "me", password } }' },
      { "a = http.basic('me', 'p0')", "a = http.basic('me', password)" },
      { 'h = { ["X-Api-Key"] = "k0", Accept = "a" }', 'h = { ["X-Api-Key"] = x_api_key, Accept = "a" }' },
      { 'h = { Authorization = "Bearer t0" }', 'h = { Authorization = "Bearer " .. token }' },
      { 'http.get "https://me:p0@a.test/?x=1"', 'http.get ("https://me:" .. password .. "@a.test/?x=1")' },
      { 'u = "a?x=1&access_token=t0t0t0t0"', 'u = "a?x=1&access_token=" .. access_token' },
      { 'x = "ghp_12345678901234" .. y', "x = token .. y" },
      { 'secret = "s0" -- "s1"', 'secret = secret_2 -- "s1"' },
      { 'local a, token = 1, "t0"', "local a, token = 1, token_2" },
      { 'a.x, a.password = f(1, { 2 }), "p0"', "a.x, a.password = f(1, { 2 }), password_2" },
      { 'local a, b = token, "plain"', 'local a, b = token, "plain"' },
      { [[f { body = '{"user":"me", "password" : "p\\\\\\"0","n":1}' }]],
        'f { body = [[{"user":"me", "password" : "]] .. password .. [[","n":1}]] }' },
      { 'f { body = "user=me&password=p0&x=1" }', 'f { body = "user=me&password=" .. password .. "&x=1" }' },
      { [[f { body = '{"token_type":"bearer"}' }]], [[f { body = '{"token_type":"bearer"}' }]] },
      { 'token_url = "https://a.test/t"', 'token_url = "https://a.test/t"' },
      { 'f { max_tokens = "5" }', 'f { max_tokens = "5" }' },
    } do
      local line, script = saved(case[1])
      assert.are.equal(case[2], line)
      assert.are.equal(case[1] ~= case[2], script:find('assert(os.getenv "', 1, true) ~= nil)
    end

    local value = "only known by its use"
    entries[#entries + 1] = { text = ("plain = '%s'"):format(value) }
    assert.is_truthy(require("lurcher.http").secret(value))
    secrets.hold(entries, held)
    collectgarbage()
    collectgarbage()
    assert.are.equal("plain = secret", (saved(("plain = '%s'"):format(value))))
  end)
end)
