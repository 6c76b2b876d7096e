local json = require "lurcher.json"
local log = require "lurcher.log"
local process = require "spec.support.process"

describe("lurcher.log", function()
  -- What a script writes to stderr and stdout.
  local function run(code, ...)
    local script = "local log = require 'lurcher.log' " .. code
    local words, options = { process.lurcher, script }, ""
    for i = 1, select("#", ...) do
      words[#words + 1] = (select(i, ...))
      options = options .. (' "$%d"'):format(#words)
    end
    local command = 'exec 3>&1; "$1"' .. options .. ' -e "$2" 2>&3 | sed "s/^/stdout: /"'
    return (process.shell(command, unpack(words)))
  end

  -- The line without time, level and task.
  local function text(code)
    return (run(code):match("^%S+ WARN  (.*) task=%d+\n$"))
  end

  local function object(code)
    local output = run("log.format 'json' " .. code)
    assert.matches("^[^\n]*\n$", output)
    return assert(json.decode(output))
  end

  it("writes one line with time, level, message, fields and task to stderr", function()
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ WARN  it is late by=5 task=%d+\n$",
      run "log.warn('it is late', { by = 5 })")
  end)

  it("shows errors and warnings, and more or less with --log", function()
    local all = "for _, level in ipairs { 'error', 'warn', 'info', 'debug' } do log[level](level) end"
    local function levels(...)
      local list = {}
      for level in run(all, ...):gmatch("Z (%u+)") do list[#list + 1] = level end
      return table.concat(list, " ")
    end
    assert.are.equal("ERROR WARN", levels())
    assert.are.equal("ERROR", levels "--log=error")
    assert.are.equal("ERROR WARN", levels "--log=warn")
    assert.are.equal("ERROR WARN INFO", levels "--log=info")
    assert.are.equal("ERROR WARN INFO DEBUG", levels "--log=debug")
  end)

  it("can be set by the script", function()
    local output = run "log.level 'info' log.info('shown') log.debug('no') print(log.level())"
    assert.matches("shown task=%d+\n.*stdout: info\n", output)
    assert.is_nil(output:find("no task", 1, true))
  end)

  it("sorts the fields and quotes what needs it", function()
    assert.are.equal([[m a=plain b="two words" c="" d="say \"x\"" e=k=v f=1.5 g=true h="c:\\d"]],
      text [[log.warn("m", { h = "c:\\d", g = true, f = 1.5, e = "k=v", d = 'say "x"', c = "",
        b = "two words", a = "plain" })]])
    assert.are.equal([[m "a b"=1 "k="=2]], text [[log.warn("m", { ["k="] = 2, ["a b"] = 1 })]])
  end)

  it("shows numbers as they are", function()
    assert.are.equal("m a=9007199254740991 b=0.1 c=1e+300 d=nan e=-inf f=0.12345678901235",
      text "log.warn('m', { a = 2^53 - 1, b = 0.1, c = 1e300, d = 0/0, e = -1/0, f = 0.1234567890123456 })"
        :gsub("%-nan", "nan"))
  end)

  it("shows lists and tables as JSON, no deeper and longer than is useful", function()
    assert.are.equal([[m list="[1,2,\"x\"]" map="{\"a\":1,\"b\":[true]}"]],
      text "log.warn('m', { list = { 1, 2, 'x' }, map = { b = { true }, a = 1 } })")
    assert.is_true(#text "local t = {} t.t = t log.warn('m', { t = t })" < 200)
    assert.is_true(#text "local t = {} for i = 1, 1e5 do t[i] = i end log.warn('m', { t = t })" < 1000)
  end)

  it("shows four levels of lists and tables, and dots for what is deeper", function()
    assert.are.equal([=[m list="[[[[\"...\"]]]]"]=], text "log.warn('m', { list = {{{{{ 'deep' }}}}} })")
    assert.are.equal([=[m map="{\"a\":[{\"b\":[\"...\"]}]}"]=],
      text "log.warn('m', { map = { a = {{ b = {{ 1 }} }} } })")
  end)

  it("shows errors by their line", function()
    assert.are.equal([[m error="file: cannot read '/none': No such file or directory (ENOENT)"]],
      text "log.warn('m', { error = select(2, require('lurcher.fs').read '/none') })")
    assert.are.equal([[m error="file: cannot read '/none': No such file or directory (ENOENT)"]],
      text "log.warn('m', select(2, require('lurcher.fs').read '/none'))")
  end)

  it("never shows a secret, wherever it stands", function()
    local output = run [[
      local token = require("lurcher.http").secret("s3cr3t-token")
      for _, format in ipairs { "text", "json" } do
        log.format(format)
        log.warn(token, { token = token, deep = { token }, text = "Bearer s3cr3t-token" })
        log.warn("it is s3cr3t-token", { ["s3cr3t-token"] = 1 })
      end]]
    assert.is_nil(output:find("s3cr3t", 1, true))
    assert.matches("*** deep=", output, 1, true)
    assert.matches("Bearer ***", output, 1, true)
  end)

  it("keeps a line one line, and leaves terminals alone", function()
    local odd = [[log.warn("a\nb\27[31m\0", { ["k\n"] = "v\r\n\t\127", u = "\194\133\226\128\168" })]]
    assert.are.equal([[a\nb\x1b[31m\x00 "k\n"="v\r\n\t\x7f" u="\xc2\x85\xe2\x80\xa8"]], text(odd))
    local line = object(odd)
    assert.are.equal("a\nb\27[31m\0", line.message)
    assert.are.equal("v\r\n\t\127", line["k\n"])
  end)

  it("keeps UTF-8 and shows what is none", function()
    assert.are.equal([[žluťoučký 日本 x="\xff\xfeé"]], text [[log.warn("žluťoučký 日本", { x = "\255\254é" })]])
    assert.are.equal("a\239\191\189b", object([[log.warn("a\255b")]]).message)
  end)

  it("never fails on odd values", function()
    local lines = run [[
      local bad = setmetatable({}, { __tostring = function() error("no") end })
      local worse = setmetatable({}, { __tostring = function() return 5 end })
      for _, format in ipairs { "text", "json" } do
        log.format(format)
        log.warn()
        log.warn(nil, 5)
        log.warn(bad, bad)
        log.warn({}, { [1] = bad, [bad] = worse, f = print, c = coroutine.create(print), u = io.stdout })
        log.warn(1/0, false)
        log.warn("m", setmetatable({}, { __index = error, __pairs = error, __len = error }))
      end
      print("done")]]
    local count = 0
    for _ in lines:gmatch("[^\n]+") do count = count + 1 end
    assert.are.equal(13, count)
    assert.matches("stdout: done\n$", lines)
  end)

  it("writes an object a line in format 'json'", function()
    local line = object "log.error('m', { n = 1, s = 'x', list = { 1 }, level = 'mine' })"
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT[%d:.]+Z$", line.time)
    assert.are.equal("error", line.level)
    assert.are.equal("m", line.message)
    assert.are.equal(1, line.n)
    assert.are.equal("x", line.s)
    assert.are.same({ 1 }, line.list)
    assert.are.equal("mine", line["fields.level"])
    assert.are.equal("number", type(line.task))
  end)

  it("names the task that logs", function()
    local output = run [[
      local task = require "lurcher.task"
      log.warn("here")
      task.all { function() log.warn("there") end }]]
    local here, there = output:match("here task=(%d+)\n.*there task=(%d+)\n")
    assert.is_truthy(here)
    assert.are_not.equal(here, there)
  end)

  it("raises for an unknown level or format", function()
    for _, call in ipairs { function() log.level "loud" end, function() log.format "xml" end } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.matches("log_spec.lua:%d+:", message)
    end
  end)
end)
