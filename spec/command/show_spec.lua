local commanded = require "spec.support.commanded"
local fs = require "lurcher.fs"
local files = require "spec.support.files"
local http = require "lurcher.http"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local run, on_terminal = commanded.run, commanded.on_terminal

local JSON = '{"big":12345678901234567890,"price":1.50,'
  .. '"z":{"b":[1,{"c":"d e"}],"a":null},"name":"Ü \\u001b[31m","z":{"y":[true]}}'
local STEERING = "\27]0;TITLE\7\27[31m\194\15531m\127\226\128\174\226\129\166 \255"

local function of_type(content_type, body, status)
  return { status = status, headers = { ["Content-Type"] = content_type }, body = body }
end

local ANSWERS = {
  ["/json"] = function() return of_type("application/json", JSON) end,
  ["/problem"] = function() return of_type("application/problem+json; charset=utf-8", '{"a":1}', 404) end,
  ["/cut"] = function() return of_type("application/json", '{"a":[1,') end,
  ["/text"] = function() return of_type("text/plain", "a\r\nb\n") end,
  ["/guess"] = function() return of_type("text/plain", ' {"a":1}') end,
  ["/latin"] = function() return of_type("text/plain; charset=iso-8859-1", "gr\252n") end,
  ["/wide"] = function() return of_type("text/plain; charset=utf-16le", "a\0\226\0") end,
  ["/steering"] = function() return of_type("text/plain", STEERING) end,
  ["/steering.json"] = function() return of_type("application/json", '{"a":"' .. STEERING .. '"}') end,
  ["/steering.nd"] = function() return of_type("application/x-ndjson", STEERING .. '\n{"a": [1, 2]}\n' .. STEERING) end,
  ["/image"] = function() return of_type("image/png", "\137PNG\r\n\26\n\0\0") end,
  ["/octets"] = function() return of_type("application/octet-stream", "only text\n") end,
  ["/zeros"] = function() return of_type("text/plain", "a\0b") end,
  ["/lines"] = function() return of_type("application/x-ndjson", '{"a":[1,{"b":2}]}\n\n{"a":3}') end,
  ["/empty"] = function() return of_type("application/json", "") end,
  ["/moved"] = function() return { status = 302, headers = { Location = "/text" } } end,
  ["/cookie"] = function() return { headers = { ["Set-Cookie"] = "id=hidden; Path=/" }, body = "x" } end,
  ["/cookies"] = function()
    return { headers = { ["Set-Cookie"] = { 'e="a;hidden"; Path=/; HttpOnly', 'e="a; Path=hidden"; Path=/; HttpOnly',
      "n=a; hidden; secure", "hidden", "hidden;Path", 'e="a; hidden' } }, body = "x" }
  end,
  ["/file"] = function()
    return { headers = { ["Content-Disposition"] = 'attachment; filename="..profile"' }, body = "bytes" }
  end,
}

describe("what a one-shot request shows", function()
  local base, folder

  -- The URL of a path on a server that ends with the spec.
  local function at(path)
    if not base then
      base = serving.start(function(req)
        return (ANSWERS[req.path] or function() return of_type("text/plain", "?") end)()
      end).url
    end
    return base .. path
  end

  before_each(function()
    base, folder = nil, files.begin()
    http.default().cookies:clear()
  end)
  after_each(files.finish)

  local function get(path, ...) return run("get", at(path), ...) end
  local function show(path, ...) return on_terminal(80, "get", at(path), ...) end

  it("is the body's bytes and nothing else in a pipe", function()
    for path, body in pairs { ["/json"] = JSON, ["/text"] = "a\r\nb\n", ["/empty"] = "",
      ["/image"] = "\137PNG\r\n\26\n\0\0",
      ["/steering"] = STEERING, ["/cut"] = '{"a":[1,', ["/latin"] = "gr\252n" } do
      assert.same({ status = 0, out = body, err = "" }, get(path), path)
    end
  end)

  it("ends with 1 for 4xx and 5xx, and shows the body", function()
    local ended = get "/problem"
    assert.same({ 1, '{"a":1}' }, { ended.status, ended.out })
    assert.matches("^lurcher: GET http://.-/problem: 404 Not Found\n$", ended.err)
    assert.same({ status = 0, out = '{"a":1}', err = "" }, get("/problem", "--any-status"))
  end)

  it("is indented JSON below a status line on a terminal", function()
    local ended = show("/json", "--no-color")
    assert.equal([=[
{
  "big": 12345678901234567890,
  "price": 1.50,
  "z": {
    "b": [
      1,
      {
        "c": "d e"
      }
    ],
    "a": null
  },
  "name": "Ü \u001b[31m",
  "z": {
    "y": [
      true
    ]
  }
}
]=], ended.out)
    assert.matches("^HTTP/1.1 200 OK  [%d.]+ %S+, application/json, 116 B\n$", ended.err)
    assert.equal("{\n  \"a\": 1\n}\n", show("/problem", "--no-color").out)
    assert.equal("{\n  \"a\": 1\n}\n", show("/guess", "--no-color").out)
    assert.equal('{"a":[1,\n', show("/cut").out)
    assert.equal("", show("/empty").out)
  end)

  it("is as it came with --pretty=none, and indented in a pipe with --pretty=all", function()
    assert.equal(JSON .. "\n", show("/json", "--pretty=none").out)
    assert.equal('{\n  "a": 1\n}\n', (get("/problem", "--pretty=all", "--no-color").out))
    local coloured = get("/problem", "--pretty=all").out
    assert.equal('{\n  "a": 1\n}\n', (coloured:gsub("\27%[[%d;]*m", "")))
    if not os.getenv "NO_COLOR" then assert.matches("\27%[35m1", coloured) end
  end)

  it("is text in UTF-8 on a terminal", function()
    assert.equal("grün\n", show("/latin").out)
    assert.equal("aâ\n", show("/wide").out)
    assert.equal("a\nb\n", show("/text").out)
  end)

  it("does not steer the terminal", function()
    for _, path in ipairs { "/steering", "/steering.json", "/steering.nd" } do
      for _, option in ipairs { "--no-color", "-i", "--pretty=none" } do
        local ended = show(path, option, "--no-color")
        local shown = ended.out .. ended.err
        assert.is_nil(shown:find("[%z\1-\8\11-\31\127]"), path .. option)
        assert.is_nil(shown:find("\194[\128-\159]"), path .. option)
        assert.is_nil(shown:find("\226\128\174", 1, true), path .. option)
        assert(not ended.out:find("\255", 1, true), path .. option)
      end
    end
  end)

  it("is no binary body on a terminal", function()
    for _, path in ipairs { "/image", "/zeros" } do
      local ended = show(path)
      assert.same({ 0, "" }, { ended.status, ended.out })
      assert.matches("the body is binary %(.-%) and is not shown on a terminal: %-o PATH saves it", ended.err)
    end
    assert.equal("only text\n", show("/octets").out)
  end)

  it("has a value on each line of NDJSON", function()
    assert.equal('{"a": [1, {"b": 2}]}\n\n{"a": 3}\n', show("/lines", "--no-color").out)
    assert.equal("2\n", get("/lines", "--pick=a.2.b").out:match "^[^\n]*\n" or "")
  end)

  it("has the head with -i, --headers and head", function()
    assert.matches("^HTTP/1.1 200 OK\nContent%-Type: text/plain\n.-\n\na\r\nb\n$", get("/text", "-i").out)
    assert.matches("^HTTP/1.1 200 OK\nContent%-Type: text/plain\n[^\n].-[^\n]\n$", get("/text", "--headers").out)
    assert.equal(get("/text", "--headers").out:gsub("Date.*", ""), run("head", at "/text").out:gsub("Date.*", ""))
    assert.equal("a\nb\n", show("/text", "--body-only").out)
    assert.equal("", show("/text", "-i").err)
    assert.matches("Set%-Cookie: id=hidden; Path=/\n", get("/cookie", "-i").out)
  end)

  it("has request and response with -v, and no secrets", function()
    local ended = run("post", at "/cookie", "a=b", "-v", "--auth=user:pass", "Cookie:c=d")
    assert.matches("^POST /cookie HTTP/1.1\nHost: 127.0.0.1:%d+\nAccept: ", ended.out)
    assert.matches("\nContent%-Length: 9\n\n", ended.out)
    assert.matches("\nAuthorization: Basic %*%*%*\n", ended.out)
    assert.matches('\n\n{"a":"b"}\n\nHTTP/1.1 200 OK\n', ended.out)
    assert.matches("\nCookie: %*%*%*\n", ended.out)
    assert.matches("\nSet%-Cookie: id=%*%*%*; Path=/\n", ended.out)
    local clear = run("post", at "/cookie", "a=b", "-v", "--auth=user:pass", "--show-secrets")
    assert.matches("\nAuthorization: Basic dXNlcjpwYXNz\n", clear.out)
    assert.matches("\nSet%-Cookie: id=hidden; Path=/\n", clear.out)
  end)

  it("has nothing of a cookie that is set, whatever its value holds", function()
    local out = run("get", at "/cookies", "-v").out
    for line in out:gmatch "Set%-Cookie:[^\n]*" do assert.is_nil(line:match "hidden", line) end
    assert.matches('\nSet%-Cookie: e=%*%*%*; Path=/; HttpOnly\n', out)
    assert.matches('\nSet%-Cookie: n=%*%*%*; secure\n', out)
    assert.matches('\nSet%-Cookie: %*%*%*\n', out)
  end)

  it("is the last of the requests after redirects", function()
    assert.matches("^GET /text HTTP/1.1\n", get("/moved", "-v").out)
  end)

  it("is the request only with --offline, as it would be sent", function()
    local sent
    local raw = serving.raw(function(conn)
      local bytes = ""
      repeat bytes = bytes .. (conn:read(1) or "") until bytes:find('"b"}$')
      sent = bytes
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    end)
    local arguments = { raw.url .. "/a b?x=1", "a=b", "q==ü", "X-One:1", "--bearer=secret", "--show-secrets" }
    assert.equal(0, run("post", unpack(arguments)).status)
    arguments[#arguments + 1] = "--offline"
    local function lines_of(text)
      local list = {}
      for line in text:gmatch "[^\r\n]+" do list[#list + 1] = line end
      table.sort(list)
      return list
    end
    local offline = run("post", unpack(arguments)).out
    assert.same(lines_of(sent), lines_of(offline))
    assert.matches("\r\n\r\n{\"a\":\"b\"}$", offline)
    assert.matches("Authorization: Bearer %*%*%*\r\n", run("get", "http://127.0.0.1:1/", "--offline", "--bearer=x").out)
  end)

  it("is one value with --pick", function()
    for path, shown in pairs { big = "12345678901234567890", price = "1.50", name = "Ü \27[31m", z = '{"y":[true]}',
      ["z.y"] = "[true]", ["z.y.1"] = "true", ["z.y.-1"] = "true" } do
      assert.same({ status = 0, out = shown .. "\n", err = "" }, get("/json", "--pick=" .. path), path)
    end
    local ended = get("/json", "--pick=nothing")
    assert.same({ 1, "" }, { ended.status, ended.out })
    assert.matches("the body has nothing at 'nothing': there is an object with the keys", ended.err, 1, true)
    for wanted, advice in pairs { ["a.0.b"] = "places in lists count from 1", ["a[0].b"] = "is written data.1" } do
      assert.matches(advice, get("/json", "--pick=" .. wanted).err, 1, true)
    end
    assert.matches("the path 'z.y.a' leads into 'z.y', which is a list", get("/json", "--pick=z.y.a").err, 1, true)
    assert.equal(1, get("/cut", "--pick=a").status)
    assert.equal("Ü \\x1b[31m\n", show("/json", "--pick=name").out)
    assert.equal('{\n  "y": [\n    true\n  ]\n}\n', show("/json", "--pick=z", "--no-color").out)
  end)

  it("goes into a file with -o, which is replaced", function()
    local path = files.path "out"
    assert(fs.write(path, "a longer text from before"))
    assert.same({ status = 0, out = "", err = "" }, get("/text", "-o", path))
    assert.equal("a\r\nb\n", files.read "out")
    assert.equal(1, get("/problem", "-o", path).status)
    assert.equal('{"a":1}', files.read "out")
  end)

  it("tells what is wrong with the file", function()
    for path, message in pairs { [folder] = "EISDIR%); %-%-download=FOLDER/", [folder .. "/no/x"] = "ENOENT",
      ["/dev/full"] = "ENOSPC" } do
      local ended = get("/text", "-o", path)
      assert.equal(1, ended.status)
      assert.matches("^lurcher: file: cannot write '" .. path:gsub("%W", "%%%0") .. "': .*" .. message, ended.err)
    end
  end)

  it("is downloaded under the server's name, without dots before it", function()
    assert.equal(0, get("/file", "--download=" .. folder .. "/").status)
    assert.equal("bytes", files.read "profile")
    local ended = get("/problem", "--download=" .. folder .. "/")
    assert.equal(1, ended.status)
    assert.matches("status 404", ended.err)
    assert.equal(2, run("post", at "/", "--download").status)
  end)

  it("ends with 1 and one line when the request fails", function()
    local ended = run("get", "http://127.0.0.1:1/", "--retry=1")
    assert.same({ 1, "" }, { ended.status, ended.out })
    assert.matches("^lurcher: GET http://127.0.0.1:1/: connect: [^\n]+\n$", ended.err)
  end)

  it("is what came before a fault, too", function()
    local raw = serving.raw(function(conn)
      conn:read_request()
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstart")
    end)
    local ended = run("get", raw.url)
    assert.same({ 1, "start" }, { ended.status, ended.out })
    assert.matches("truncated", ended.err)
    assert.equal("start\n", on_terminal(80, "get", raw.url).out)
  end)

  it("comes as the server sends it", function()
    local told = task.event()
    local slow = serving.start(function()
      local n = 0
      return of_type("application/x-ndjson", function()
        n = n + 1
        if n == 2 then task.timeout(30, told.wait, told) end
        return n <= 2 and ('{"n":%d}\n'):format(n) or nil
      end)
    end)
    for _, columns in ipairs { 80, false } do
      local seen = {}
      local out = { write = function(_, text)
        seen[#seen + 1] = text
        told:set()
      end, flush = function() end }
      told = task.event()
      require("lurcher.command.request").perform("get", { slow.url, "--no-color" },
        { out = out, err = { write = function() end }, columns = columns or nil })
      assert.equal('{"n":1}\n{"n":2}\n', (table.concat(seen):gsub(": ", ":")))
      assert(#seen >= 2)
    end
  end)
end)

describe("http bodies", function()
  it("know their length when nothing of it is produced", function()
    local body = require "lurcher.http.body"
    files.begin()
    local path = files.path "file"
    assert(fs.write(path, "12345"))
    local content = body.new({ "abc", http.file(path), http.file(path, { offset = 3 }) }, "parts")
    assert(content:prepare())
    assert.equal(10, content.length)
    local endless = body.new({ "abc", function() end }, "parts")
    assert(endless:prepare())
    assert.is_nil(endless.length)
    files.finish()
  end)
end)

describe("a failure in the shell", function()
  it("is told with the options that the shell has", function()
    local errors = require "lurcher.base.errors"
    local printing = require "lurcher.command.show.printing"
    local function told(kind)
      local written = {}
      local err = { write = function(_, ...) written[#written + 1] = table.concat { ... } end }
      assert.equal(1, printing.fail({ err = err }, errors.new { kind = kind, message = "give it as tls.ca)" }))
      return table.concat(written)
    end
    assert.matches("give it as --cacert)\n", told "tls", 1, true)
    assert.matches("give it as tls.ca)\n", told "decode", 1, true)
  end)
end)
