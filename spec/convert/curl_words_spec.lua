-- How the words of a command are read: what shells, browsers and people with bad intentions write.

local curl = require "lurcher.curl"
local process = require "spec.support.process"

local function body_of(command)
  return assert(curl.parse(command)).opts.body
end

local function refusal_of(command)
  local request, err = curl.parse(command)
  assert.is_nil(request)
  return ("%s %s:%s %s"):format(err.kind, err.line, err.column, err.message:gsub("^line %d+, column %d+: ", ""))
end

-- What browsers' "copy as cURL" makes of a body, by their rules.

local function chrome_bash(text)
  if not text:find("[%z\1-\31\127!']") then return "'" .. text .. "'" end
  text = text:gsub("\\", "\\\\"):gsub("'", "\\'"):gsub("\n", "\\n"):gsub("\r", "\\r")
  return "$'" .. text:gsub("[%z\1-\31\127!]", function(c) return ("\\u%04x"):format(c:byte()) end) .. "'"
end

local function chrome_cmd(text)
  text = text:gsub("\\", "\\\\"):gsub('"', '\\"'):gsub("[^%w%s_%-:=+~'/.,?;()*`\128-\255]", "^%0")
  return '^"' .. text:gsub("%%%f[%w_]", "%%^"):gsub("\r?\n", "^\n\n") .. '^"'
end

-- Firefox writes all beyond ASCII as units of UTF-16.
local function firefox_bash(text)
  text = text:gsub("\\", "\\\\"):gsub("'", "\\'"):gsub("\n", "\\n"):gsub("!", "\\x21")
  return "$'" .. text:gsub("é", "\\u00e9"):gsub("😀", "\\ud83d\\ude00") .. "'"
end

local BODIES = {
  '{"a":"b"}', [[{"say":"it's \"$HOME\" `id` !x \\ %20 ^ & | < >"}]], '{"line":"one\ntwo"}',
  '{"emoji":"😀 é"}', "a=1&b=2%3D!&c=$(id)", "100% %PATH% !!", "",
}

describe("a browser's copy", function()
  for name, quote in pairs { ["Chrome's for bash"] = chrome_bash, ["Chrome's for cmd"] = chrome_cmd,
    ["Firefox's for bash"] = firefox_bash } do
    it(("(%s) gives the body as it was"):format(name), function()
      local is_cmd = name:find "cmd"
      for _, body in ipairs(BODIES) do
        local text = ("curl %s -H %s --data-raw %s --compressed"):format(quote "http://a.test/x?y=z",
          quote "content-type: application/json", quote(body))
        if is_cmd then text = text:gsub(" %-", " ^\n  -") else text = text:gsub(" %-%f[%-hH]", " \\\n  -") end
        local request = assert(curl.parse(text))
        assert.equal("http://a.test/x?y=z", request.url)
        assert.equal("application/json", request.opts.headers["content-type"])
        assert.equal(body, request.opts.body)
        assert.same({}, request.parameters)
      end
    end)
  end

  it("for cmd may have plain quotes, and lines of Windows", function()
    local request = assert(curl.parse('curl "http://a/%%20" ^\r\n'
      .. '  -H "a: \\"b\\" ""c"" \\d\\\\e" ^\r\n  -d "x"^\r\n\r\n"y"\r\n'))
    assert.equal("http://a/%20", request.url)
    assert.equal('"b" "c" \\d\\\\e', request.opts.headers.a)
    assert.equal("x\ny", request.opts.body)
  end)
end)

describe("words of a shell", function()
  it("are those that bash makes", function()
    local words = { [['a'"b"c\ d]], [["\$a \`b\` \\ \" \q"]], [[$'\a\b\e\f\n\r\t\v\\\'\"\?\x41\x4g\101\0601\cA\u41\q']],
      [[$'\u20ac\U0001F600x\x9']], [['#'#a]], [[a\
b]], [["a\
b"]], [[~a]], [[a~]], [['']], [["a'b"'c"d']], [[\\\']], [[a=$]], [["$ "]], [[ü\üx]], [[a#b]], [[{a,b]], [["\!"]],
      [[$"a b"]], [[%d]], [[$'a\0b'c]] }
    local ended = process.run({ "-c", "printf '%s\\n' " .. table.concat(words, " ") }, { command = "bash" })
    local lines = {}
    for _, word in ipairs(words) do lines[#lines + 1] = body_of("curl http://a -d " .. word) .. "\n" end
    assert.equal(ended.out, table.concat(lines))
  end)

  it("may hold any byte but NUL", function()
    local bytes = {}
    for code = 1, 255 do bytes[code] = string.char(code) end
    local text = table.concat(bytes)
    assert.equal(text, body_of("curl http://a --data-raw '" .. text:gsub("'", "'\\''") .. "'"))
    assert.equal(text, body_of('curl http://a --data-raw "' .. text:gsub('[\\"$`]', "\\%0") .. '"'))
    assert.equal(text, body_of { "--data-raw", text, "http://a" })
    assert.equal("decode 1:10 a NUL byte cannot stand in a command", refusal_of "curl -d a\0b http://a")
    local request, err = curl.parse { "-d", "a\0b", "http://a" }
    assert.is_nil(request)
    assert.equal("word 2 holds a NUL byte", err.message)
  end)

  it("that end too early are refused with their place", function()
    for command, message in pairs {
      ["curl 'a"] = "decode 1:6 the ' is never closed",
      ["curl a\ncurl \"b\n"] = "decode 2:6 the \" is never closed",
      ["curl $'a\\'"] = "decode 1:6 the $' is never closed",
      ["curl a <<E\nE x\n"] = "decode 1:8 the here-document has no line 'E' at its end",
      ["curl a <<E"] = "decode 1:8 the here-document has no line 'E' at its end",
      ["curl a <"] = "decode 1:9 what follows < is missing",
      ["curl a(b)"] = "decode 1:7 an unquoted ( is not understood: put quotes around what it stands in",
      ["curl a -d \"$(cat f)\""] = "decode 1:12 $(cat f) is never run: write its output in its place",
      ["curl a -d @- <<E\n`id`\nE"] = "decode 1:14 `id` is never run: write its output in its place",
      ["curl <(id)"] = "decode 1:6 <(id) is never run: write its output in its place",
      ["curl ${A:-b}"] = "decode 1:6 ${A:-b} is not understood: only $NAME and ${NAME} are",
      ["curl \"$1\""] = "decode 1:7 $1 is known only inside a running shell: write its value, or quote it with '…'",
      ["curl a -d '$A' -H \"b: $A\""] = "decode nil:nil $A is a variable in one place and plain text in another: "
        .. "rename the variable",
    } do
      assert.equal(message, refusal_of(command))
    end
  end)

  it("of many here-documents go to their commands", function()
    local commands, bodies = {}, {}
    for i = 1, 300 do
      commands[i], bodies[i] = ("curl http://a/%d -d @- <<E%d"):format(i, i), ("\t<<E %d\nE%d\n"):format(i, i)
    end
    local text = table.concat(commands, "; ") .. "\n" .. table.concat(bodies)
    local requests = assert(curl.parse_all(text))
    assert.equal(300, #requests)
    for i, request in ipairs(requests) do assert.equal(("\t<<E %d"):format(i), request.opts.body) end
  end)

  it("are read in a time that grows with their bytes", function()
    local makers = {
      function(n) return "curl http://a -d '" .. ("x"):rep(n) .. "'" end,
      function(n) return 'curl http://a -d "' .. ('\\"'):rep(n / 2) .. '"' end,
      function(n) return "curl http://a -d $'" .. ("\\n"):rep(n / 2) .. "'" end,
      function(n) return "curl http://a -d @- <<E\n" .. ("$a b\n"):rep(n / 5) .. "E\n" end,
      function(n) return "curl http://a -H 'a" .. (" "):rep(n) .. "b'" end,
      function(n) return "curl http://a" .. (" -d a"):rep(n / 5) end,
      function(n) return "curl http://a -F 'a=b;type=c/d" .. (";e"):rep(n / 2) .. "'" end,
      function(n) return 'curl ^"http://a^" -d ^"' .. ("\\"):rep(n) .. '^"' end,
    }
    for i, make in ipairs(makers) do
      local function seconds(size)
        local text, from = make(size), os.clock()
        curl.parse(text)
        return os.clock() - from
      end
      seconds(10000)
      local small, large = math.max(seconds(100000), 0.004), seconds(1000000)
      assert.is_true(large < 60 * small, ("%d: %.3f s, then %.3f s"):format(i, small, large))
    end
  end)

  it("of a body of 1 MB are kept as they are", function()
    local body = ("0123456789abcde\n"):rep(65536)
    assert.equal(body, body_of("curl http://a --data-raw '" .. body .. "'"))
  end)
end)

describe("several commands", function()
  it("are several requests, each with what was left out of it", function()
    local requests = assert(curl.parse_all [[
#!/bin/sh
set -e
TOKEN=abc curl http://a/1 -o file | jq .x   # a comment
curl http://a/2?a=1&b=2
  $ sudo /usr/bin/curl -X DELETE http://a/3 2>&1 &
]])
    local urls, warnings = {}, {}
    for i, request in ipairs(requests) do
      urls[i], warnings[i] = request.url, request.warnings
    end
    assert.same({ "http://a/1", "http://a/2?a=1", "http://a/3" }, urls)
    assert.same({
      { "what is no curl command is left out: set -e",
        "the pipe's other command is left out: jq .x",
        "--output file is left out: the body is in res.body; res:save and http.download write files" },
      { "an unquoted & ended the command before 'b=2': put the URL in quotes" },
      { "the redirection 2>&1 is left out: the body is in res.body" },
    }, warnings)
  end)
end)
