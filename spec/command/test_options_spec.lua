-- What `lurcher test` has beyond busted.

local difference = require "lurcher.command.test.difference"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local jobs = require "lurcher.command.test.jobs"
local options = require "lurcher.command.test.options"
local process = require "spec.support.process"
local task = require "lurcher.task"
local watch = require "lurcher.command.test.watch"

local FIRST = [[
local http, mock = require "lurcher.http", require "lurcher.mock"
local server, task = require "lurcher.server", require "lurcher.task"
local left, kept
describe("the first #virtual", function()
  it("sleeps for a day", function() task.sleep(86400) end)
end)
it("takes too long #limit=0.01", function() task.sleep(1000) end)
it("installs a mock", function() mock.new():install() end)
it("is not answered by it", function()
  assert.equal("connect", select(2, http.get("http://127.0.0.1:1/", { retry = false })).kind)
end)
it("leaves a file", function()
  local fs = require "lurcher.fs"
  kept = { assert(fs.open "sum.lua"), assert(fs.open "sum.lua") }
  kept[1]:close()
end)
it("leaves a server", function() left = server.start {} end)
it("finds it stopped", function() assert.equal("connect", select(2, http.get(left.url, { retry = false })).kind) end)
]]

local SECOND = [[
local added = dofile "sum.lua"
it("adds", function() assert.equal(3, added.sum(1, 2)) end)
it("differs", function() assert.same({ a = { "x", "y" } }, { a = { "x", "z" } }) end)
]]

local SUM = [[
local added = {}
function added.sum(a, b)
  return a + b
end
function added.never()
  return 1
end
return added
]]

local function text_of(run)
  local texts = { out = {}, err = {} }
  local function into(name)
    return { write = function(_, ...) for _, text in ipairs { ... } do table.insert(texts[name], text) end end }
  end
  local status = run { out = into "out", err = into "err" }
  return status, table.concat(texts.out), table.concat(texts.err)
end

describe("lurcher test", function()
  before_each(files.begin)
  after_each(files.finish)

  local function write_specs()
    assert(fs.mkdir(files.path "spec/deep", { parents = true }))
    assert(fs.write(files.path "spec/first_spec.lua", FIRST))
    assert(fs.write(files.path "spec/deep/second_spec.lua", SECOND))
    assert(fs.write(files.path "sum.lua", SUM))
  end

  it("runs by tags, undoes what a spec leaves, counts lines, and tells the seed and where things differ", function()
    write_specs()
    local out = process.shell('cd "$1" && "$2" test --coverage --shuffle-files -o plainTerminal 2>&1', files.path "",
      process.lurcher)
    assert.matches("5 successes / 3 failures / 1 error ", out, 1, true)
    assert.matches("took longer than 0.01 s", out, 1, true)
    assert.matches("left open: 1 server\n\ttask %d+ waits for .-%(spawned at spec/first_spec.lua:17%)", out)
    assert.matches("left open: 1 file\n\tfile opened at spec/first_spec.lua:14\n", out, 1, true)
    assert.matches("They differ at a[2]: passed z, expected y", out:gsub('"', ""), 1, true)
    assert.matches("shuffled by seed %d+: %-%-shuffle %-%-seed=%d+", out)
    assert.matches(" 83.3%  5 of 6 lines  sum.lua", out, 1, true)
    assert.equal("8:sum.lua\n1 1 1 1 1 0 1 1 \n", files.read "luacov.stats.out") -- a blank behind each: LuaCov's form
  end)

  it("runs files in processes of their own, and sums up what they print", function()
    write_specs()
    local dying = "local ffi = require 'ffi'\nffi.cdef 'int raise(int)'\nffi.C.raise(9)"
    assert(fs.write(files.path "spec/third_spec.lua", dying))
    assert.same({ files.path "spec/deep/second_spec.lua", files.path "spec/first_spec.lua",
      files.path "spec/third_spec.lua" }, jobs.files { files.path "spec/" })
    local words = { "-C", files.path "", "--exclude-pattern=first", files.path "spec/deep/second_spec.lua",
      files.path "spec/third_spec.lua" }
    local status, out, err = text_of(function(streams) return jobs.run(words, 2, streams) end)
    assert.equal(1, status)
    assert.matches("1 successes / 1 failures / 1 errors / 0 pending", out, 1, true)
    assert.equal(1, select(2, out:gsub("pending", "")))
    assert.matches("third_spec.lua: ended by signal", err, 1, true)
  end)

  it("makes one document of TAP, and of JUnit", function()
    write_specs()
    local path = files.path "spec/deep/second_spec.lua"
    local paths = { "-C", files.path "", path, path }
    local _, tap = text_of(function(streams) return jobs.run({ "-o", "TAP", unpack(paths) }, 2, streams) end)
    local numbers = {}
    for word, number in ("\n" .. tap):gmatch "\n(n?o?t? ?ok) (%d+)" do numbers[#numbers + 1] = word .. number end
    assert.same({ "ok1", "not ok2", "ok3", "not ok4" }, numbers)
    assert.matches("\n1..4\n$", tap)
    local _, junit = text_of(function(streams) return jobs.run({ "--output=junit", unpack(paths) }, 1, streams) end)
    assert.equal(2, select(2, junit:gsub("<testsuite ", "")))
    assert.equal(1, select(2, junit:gsub("<testsuites", "")))
    assert.equal(4, select(2, junit:gsub("<testcase ", "")))
  end)

  it("makes documents that can be read whatever names hold, and counts a process that breaks off", function()
    local odd = [[
      it("a ]] .. "]]>" .. [[ \27[31m \255 & < \" \n # SKIP b", function() error("\1 \255 ]] .. "]]>" .. [[") end)
    ]]
    local dying = "it('ends', function() require('ffi').cdef 'void _exit(int)' require('ffi').C._exit(0) end)"
    assert(fs.write(files.path "odd_spec.lua", odd))
    assert(fs.write(files.path "dying_spec.lua", dying))
    local words = { "-C", files.path "", files.path "dying_spec.lua", files.path "odd_spec.lua" }
    local status, junit = text_of(function(streams) return jobs.run({ "-o", "junit", unpack(words) }, 2, streams) end)
    assert.equal(1, status)
    assert(fs.write(files.path "junit.xml", junit))
    local read = "import sys, xml.etree.ElementTree as e; print(len(e.parse(sys.argv[1]).findall('.//error')))"
    assert.equal("2\n", (process.shell('python3 -c "$1" "$2"', read, files.path "junit.xml")))
    local _, tap = text_of(function(streams) return jobs.run({ "-o", "TAP", unpack(words) }, 2, streams) end)
    -- Whichever process ends first.
    assert.matches(" - a ]" .. "]> \\x1b[31m \\xff & < \" \\n \\# SKIP b\n", "\n" .. tap, 1, true)
    assert.matches("dying_spec.lua: the process ended before its specs had\n", tap, 1, true)
    assert.matches("\n1..2\n$", tap)
    local plain_status, plain = text_of(function(streams) return jobs.run(words, 1, streams) end)
    assert.equal(1, plain_status)
    assert.matches("0 successes / 0 failures / 2 errors", plain, 1, true)
  end)

  it("knows its own options, and refuses a wrong number of processes", function()
    local own, rest = options.take { "--jobs=3", "-o", "TAP", "--watch", "spec", "-c" }
    assert.same({ jobs = 3, watch = true, coverage = true }, own)
    assert.same({ "-o", "TAP", "spec" }, rest)
    for _, word in ipairs { "--jobs=0", "--jobs=x", "--jobs=1.5", "--jobs=", "--jobs=1000" } do
      local none, why = options.take { word }
      assert.is_nil(none)
      assert.matches(word:sub(8), why, 1, true)
    end
    local given, paths, output = options.split { "-o", "TAP", "a", "--filter=b", "-t", "c", "d" }
    assert.same({ "-o", "TAP", "--filter=b", "-t", "c" }, given)
    assert.same({ "a", "d" }, paths)
    assert.equal("TAP", output)
  end)

  it("sees when a Lua file was changed, added or removed", function()
    assert(fs.write(files.path "a.lua", "1"))
    local folder = files.path ""
    local before = watch.marks(folder)
    local seen = task.spawn(watch.change, folder, before)
    assert(fs.write(files.path "b.txt", "1"))
    assert.equal(before, watch.marks(folder))
    assert(fs.write(files.path "a.lua", "22"))
    local changed = seen:join()
    assert.not_equal(before, changed)
    assert(fs.remove(files.path "a.lua"))
    assert.not_equal(changed, watch.marks(folder))
  end)
end)

describe("the place where things differ", function()
  it("is named for tables and for long texts", function()
    local long = ("line\n"):rep(100)
    for expected, pair in pairs {
      ["They differ at a.b[2]: passed 5, expected nil"] = { { a = { b = { 1, 5 } } }, { a = { b = { 1 } } } },
      ['They differ at ["a b"]: passed true, expected false'] = { { ["a b"] = true }, { ["a b"] = false } },
      ["They differ at line 101, column 1: "] = { long .. "x", long .. "y" },
      ["They differ at text from line 101, column 1: "] = { { text = long .. "x" }, { text = long .. "y" } },
    } do
      assert.equal(expected, difference.of(pair[1], pair[2]):sub(1, #expected))
    end
    local endless = {}
    endless.self = endless
    for _, pair in ipairs { { 1, 2 }, { "a", "b" }, { {}, {} }, { 1, "1" }, { endless, endless } } do
      assert.is_nil(difference.of(pair[1], pair[2]))
    end
    local other = { self = {} }
    other.self.self = other
    assert.is_nil(difference.of(endless, other))
  end)

  it("is told of values whose own functions raise, of like numbers, and of what is held many times", function()
    local raising = setmetatable({ 1 }, { __tostring = function() error "no" end, __eq = function() error "no" end,
      __index = function() error "no" end })
    local function held(value)
      for _ = 1, 40 do value = { value, value } end -- 2 ^ 40 ways through it
      return value
    end
    for expected, pair in pairs {
      ["They differ at [1]: passed a table, expected 5"] = { { raising }, { 5 } },
      ["They differ at [1]: passed 1, expected 2"] = { raising, setmetatable({ 2 }, getmetatable(raising)) },
      ["They differ at [1]: passed 0.30000000000000004, expected 0.29999999999999999"] = { { 0.1 + 0.2 }, { 0.3 } },
      ["They differ at [a table]: passed 1, expected nil"] = { { [raising] = 1 }, {} },
      ["They differ at line 1, column 102: passed …\"" .. ("é"):rep(15) .. "à\", expected …\"" .. ("é"):rep(15)
        .. "á\""] = { ("é"):rep(50) .. "à", ("é"):rep(50) .. "á" },
    } do
      assert.equal(expected, difference.of(pair[1], pair[2]))
    end
    assert.is_nil(difference.of(held {}, held {}))
  end)

  it("is found quickly in large texts", function()
    local text = ("x"):rep(2 ^ 22)
    assert.matches("column 4194305", difference.of(text .. "a", text .. "b"), 1, true)
  end)
end)
