local process = require "spec.support.process"

-- Prints a line for each of many texts and patterns put together by chance: as much as finds how two sets of
-- functions differ.
local GENERATOR = [=[
local seed = 12345
local function draw(n)
  seed = (seed * 1103515245 % 2 ^ 31 + 12345) % 2 ^ 31
  return math.floor(seed / 65536) % n + 1
end
local PIECES = { "a", "b", "x", ".", "%a", "%d", "%s", "%w", "%x", "%p", "%u", "%l", "%c", "%z", "%g", "%A", "%S",
  "[ab]", "[^a]", "[a-c]", "[%d_]", "[]]", "[^]]", "[a-]", "%.", "%%", "*", "+", "-", "?", "(", ")", "()", "^", "$",
  "%b()", "%bxy", "%f[%w]", "%f[%W]", "%1", "%2", "%0", "[", "%", "\0", "\200", "[%a-z]" }
local CHARACTERS = { "a", "b", "c", "x", "y", "(", ")", " ", "1", "2", "_", ".", "A", "Z", "\0", "\200", "%", "-",
  "\n" }
local function make(set, most)
  local parts = {}
  for i = 1, draw(most) do parts[i] = set[draw(#set)] end
  return table.concat(parts)
end
local lines = {}
local function note(...)
  local parts = { ... }
  for i = 1, select("#", ...) do parts[i] = tostring(parts[i]) end
  if parts[1] == "false" then parts[2] = parts[2]:match(": (.*)$") or parts[2] end
  lines[#lines + 1] = ("%q"):format(table.concat(parts, "|"))
end
local function gather(text, pattern)
  local found = {}
  for a, b in text:gmatch(pattern) do found[#found + 1] = tostring(a) .. "," .. tostring(b) end
  return table.concat(found, ";")
end
for _ = 1, 3000 do
  local pattern, text = make(PIECES, 6), make(CHARACTERS, 12)
  note(pcall(string.find, text, pattern))
  note(pcall(string.find, text, pattern, draw(16) - 5))
  note(pcall(string.find, text, pattern, 1, true))
  note(pcall(string.match, text, pattern))
  note(pcall(gather, text, pattern))
end
]=]

describe("patterns", function()
  it("match under a limit what they match without one", function()
    local ended = process.run { "--cpu=100", "-e", GENERATOR .. "io.write(table.concat(lines, '\\n'))" }
    assert.same({ "", 0 }, { ended.err, ended.status })
    local lines = assert(load(GENERATOR .. "return lines"))()
    local at = 0
    for line in (ended.out .. "\n"):gmatch "(.-[^\\])\n" do
      at = at + 1
      if line ~= lines[at] then assert.equal(lines[at], line) end
    end
    assert.equal(15000, at)
  end)

  for _, case in ipairs {
    { "hello", "l", "L", nil, "heLLo", 2 }, { "hello", "l", "L", 1, "heLlo", 1 }, { "abc", "", "-", nil, "-a-b-c-", 4 },
    { "abc", "%w", "%0%0", nil, "aabbcc", 3 }, { "k=v", "(%w)=(%w)", "%2=%1", nil, "v=k", 1 },
    { "abc", "^a", "x", nil, "xbc", 1 }, { "aaa", "^a", "x", nil, "xaa", 1 }, { "a.b", "%.", "%%", nil, "a%b", 1 },
    { "abc", "b", { b = 1 }, nil, "a1c", 1 }, { "abc", "%w", { b = false }, nil, "abc", 3 },
    { "abc", "()b", function(at) return at end, nil, "a2c", 1 }, { "abc", "b*", "-", nil, "-a--c-", 4 },
    { ("x"):rep(3000), "x", "yz", nil, ("yz"):rep(3000), 3000 }, { "a\0b", "%z", "0", nil, "a0b", 1 },
    { "THE (quick) fox", "%((%a+)%)", "<%1>", nil, "THE <quick> fox", 1 }, { "abc", "c", 5, nil, "ab5", 1 },
    { "abc", "%w", function() end, 2, "abc", 2 }, { "", "^", "x", nil, "x", 1 }, { "abc", "$", "d", nil, "abcd", 1 },
  } do
    local text, pattern, put, most, becomes, count = unpack(case, 1, 6)
    it(("are replaced: %q in %q"):format(pattern, text:sub(1, 10)), function()
      local got, times = text:gsub(pattern, put, most)
      assert.same({ becomes, count }, { got, times })
    end)
  end

  local WRONG = {
    { "'['", "malformed pattern (missing ']')" }, { "'%'", "malformed pattern (ends with '%')" },
    { "'%f'", "missing '[' after '%f' in pattern" }, { "'('", "unfinished capture" },
    { "')'", "invalid pattern capture" },
    { "'%1'", "invalid capture index" },
    { "'%b'", "malformed pattern (missing arguments to '%b')", "unbalanced pattern" },
    { "('()'):rep(33)", "too many captures" }, { "('a?'):rep(300)", "pattern too complex" },
  }

  -- Functions of our own take the place of Lua's where a runtime has limits.
  it("that are wrong raise, with limits and without", function()
    local calls = {}
    for i, case in ipairs(WRONG) do
      calls[i] = ("print(select(2, pcall(string.gsub, ('a'):rep(400), %s, '%%1')))\n"):format(case[1])
    end
    local code = table.concat(calls)
    for column, arguments in ipairs { { "--burst=60", "-e", code }, { "-e", code } } do
      local ended, at = process.run(arguments), 0
      for line in ended.out:gmatch "[^\n]+" do
        at = at + 1
        assert.matches(WRONG[at][column + 1] or WRONG[at][2], line, 1, true)
      end
      assert.equal(#WRONG, at, ended.err)
    end
  end)

  it("raise where what replaces is none", function()
    assert.error_matches(function() ("a"):gsub("a", true) end,
      "bad argument #%d to 'gsub' %(string/function/table expected")
    assert.error_matches(function() ("a"):gsub("a", "%2") end, "invalid capture index")
    assert.error_matches(function() ("a"):gsub("a", function() return {} end) end,
      "invalid replacement value %(a table%)")
  end)

  it("replaced by functions that replace without end are an error", function()
    local function nest() return (("x"):gsub("x", nest)) end
    assert.error_matches(nest, "stack overflow %(too many nested calls of C functions%)")
  end)
end)
