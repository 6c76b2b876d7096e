-- `lurcher get URL` and its kin: what goes out, and what the command line as a whole does.

local caret = require "lurcher.command.caret"
local commanded = require "spec.support.commanded"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local places = require "lurcher.command.request.places"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

local run = commanded.run

describe("a one-shot request", function()
  local requests, base

  before_each(function()
    requests = {}
    http.default().cookies:clear()
  end)

  -- A server that keeps what comes, as { method, path, query, headers, body }.
  local function start(answer)
    base = serving.start(function(req)
      requests[#requests + 1] = { method = req.method, path = req.path, target = req.target, headers = req.headers,
        body = req.body }
      return answer and answer(req, #requests) or { body = "fine" }
    end).url
  end

  it("sends method, parameters, headers and body as they were typed", function()
    start()
    local ended = run("put", base .. "/a", "q==1 2", "q==3", "X-A:1", "X-A:2", "X-B;", "z=1",
      "b[]:=12345678901234567890")
    assert.same({ status = 0, out = "fine", err = "" }, ended)
    local req = requests[1]
    assert.same({ "PUT", "/a?q=1%202&q=3", '{"z":"1","b":[12345678901234567890]}' },
      { req.method, req.target, req.body })
    assert.same({ "1, 2", "", "application/json" },
      { req.headers["x-a"], req.headers["x-b"], req.headers["content-type"] })
  end)

  it("prints with --offline, byte by byte, what goes over the wire", function()
    files.begin()
    local path = files.path "a.txt"
    assert(fs.write(path, ("line\n"):rep(20000)))
    local received
    local url = serving.start(function(req)
      local lines = { ("%s %s HTTP/1.1"):format(req.method, req.target) }
      for name, value in req:each_header() do lines[#lines + 1] = (name .. ": " .. value):gsub(" $", "") end
      received = table.concat(lines, "\r\n") .. "\r\n\r\n" .. req.body
      return { body = "" }
    end).url
    for _, arguments in ipairs {
      { "get", url .. "/a b?x=1", "y==2" },
      { "get", url, "X-A:1", "Accept:a/b", "E;", "X-B:2", "X-A:3" },
      { "get", url, "Accept:", "User-Agent:", "Cookie:a=1", "X-A:1", "--show-secrets" },
      { "get", url, "X-A:1", "Host:example.com" },
      { "post", url, "a=1", "Cookie:a=1", "X-A:1", "--bearer=t", "--show-secrets" },
      { "post", url }, { "patch", url }, { "delete", url },
      { "put", url, "--body=@" .. path, "X-A:1", "Content-Type:a/b" },
      { "post", url, "--form", "a=1", "b=2", "--auth=u:p", "--show-secrets" },
    } do
      local word = table.remove(arguments, 1)
      assert.equal(0, run(word, unpack(arguments)).status)
      local sent = received
      arguments[#arguments + 1] = "--offline"
      assert.equal(sent, run(word, unpack(arguments)).out)
    end
    files.finish()
  end)

  it("sends no Content-Type with a body that is given as text", function()
    start()
    run("post", base, "--body=a")
    assert.same({ "a", "1" }, { requests[1].body, requests[1].headers["content-length"] })
    assert.is_nil(requests[1].headers["content-type"])
  end)

  it("sends files as parts with their names", function()
    start()
    files.begin()
    local file = assert(io.open(files.path "a.txt", "wb"))
    file:write("text")
    file:close()
    run("post", base, "f@" .. files.path "a.txt", "n:=5")
    files.finish()
    assert.matches("multipart/form-data", requests[1].headers["content-type"], 1, true)
    assert.matches('name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\ntext\r\n', requests[1].body, 1, true)
    assert.matches('name="n"\r\n\r\n5\r\n', requests[1].body, 1, true)
  end)

  it("sends the credentials that are given", function()
    start()
    run("get", base, "--auth=me:pw")
    run("get", base, "--bearer=token")
    assert.same({ "Basic bWU6cHc=", "Bearer token" },
      { requests[1].headers.authorization, requests[2].headers.authorization })
  end)

  it("makes as many attempts, and follows as many redirects, as it is told", function()
    start(function(req, number)
      if req.path == "/moved" then return { status = 302, headers = { Location = "/moved" .. number } } end
      return { status = 503, headers = { ["Retry-After-Ms"] = "1" }, body = "busy" }
    end)
    local ended = run("get", base .. "/busy", "--retry=2")
    assert.same({ 1, "busy", 2 }, { ended.status, ended.out, #requests })
    run("get", base .. "/busy", "--retry=0")
    assert.equal(3, #requests)
    assert.equal(0, run("get", base .. "/moved", "--redirects=0").status)
    assert.equal(4, #requests)
  end)

  it("ends with 2 and a caret for wrong usage, and sends nothing", function()
    start()
    assert.same({ status = 2, out = "", err = "lurcher: the JSON does not parse at line 1 column 1 (byte 1): \z
      expected a value near \"x\"\n  n:=x\n     ^\n" }, run("post", base, "a=1", "n:=x"))
    assert.same({}, requests)
  end)

  it("ends with 1 when the server cannot be reached", function()
    local ended = run("get", "http://127.0.0.1:1", "--retry=1")
    assert.same({ 1, "" }, { ended.status, ended.out })
    assert.matches("^lurcher: GET http://127.0.0.1:1/: connect: ", ended.err)
  end)

  it("looks for wrong usage before there is a line that fills its places", function()
    local ended = run("post", "https://x.example/{}", "n:={id}", "m:=x", "--each=/no/such")
    assert.same({ 2, "" }, { ended.status, ended.out })
    assert.matches("m:=x", ended.err, 1, true)
  end)
end)

describe("the places of a line", function()
  local line = '{"id": 12345678901234567890, "name": "a b", "list": [1, 2], "u": "\\u00e4"}'

  local function fill(text, how) return places.filler(line)(text, how) end

  it("are filled by texts, by values and percent-encoded", function()
    assert.equal("a b", fill("{name}", "text"))
    assert.equal('"a b"', fill("{name}", "json"))
    assert.equal("/a%20b/12345678901234567890", fill("/{name}/{id}", "url"))
    assert.equal("[1,2] and ä", fill("{list} and {u}", "text"))
    assert.equal('{"x":12345678901234567890,"l":[1,2]}', fill('{"x":{id},"l":{list}}', "json"))
    assert.equal("a b", places.filler("a b")("{}", "text"))
    assert.equal('"a b"', places.filler("a b")("{}", "json"))
    assert.equal("a%20b", places.filler("a b")("{}", "url"))
    assert.equal('{"a":1}', places.filler ' {"a": 1}'("{}", "json"))
    assert.equal("%{name}", places.filler "%{name}"("{}", "text"))
  end)

  it("are only braces with nothing or a name in them", function()
    for _, text in ipairs { "{ }", "{a b}", "{1}", "{a.b}", "{", "}", "{{", "${", '{"a":1}' } do
      assert.equal(text, fill(text, "text"))
    end
  end)

  it("need a line that has what they name", function()
    for text, message in pairs { ["{other}"] = "no member 'other'" } do
      local ok, err = pcall(fill, text, "text")
      assert.is_false(ok)
      assert.equal("decode", err.kind)
      assert.matches(message, err.message, 1, true)
    end
    for _, other in ipairs { "text", "[1]", "5", '{"a":' } do
      local ok, err = pcall(places.filler(other), "{a}", "text")
      assert.is_false(ok)
      assert.equal("decode", err.kind)
    end
  end)
end)

describe("wrong usage", function()
  local function shown(...)
    local ok, usage = pcall(caret.refuse, "wrong", ...)
    assert.is_false(ok)
    return (tostring(usage):gsub("^lurcher: wrong\n", ""))
  end

  it("has carets below the columns of the place, however wide its characters are", function()
    assert.equal("  abc\n   ^\n", shown("abc", 2))
    assert.equal("  abc\n  ^^^\n", shown("abc"))
    assert.equal("  äbc\n   ^^\n", shown("äbc", 3, 4))
    assert.equal("  日本x\n      ^\n", shown("日本x", 7))
    assert.equal("  日本x\n    ^^\n", shown("日本x", 4, 6))
    assert.equal("  abc\n     ^\n", shown("abc", 4))
    assert.equal("  \n  ^\n", shown("", 1))
  end)

  it("does not steer the terminal", function()
    assert.equal("  a?[31mb?\n  ^^^^^^^^\n", shown("a\27[31mb\n"))
    assert.equal("  a?b\n   ^\n", shown("a\194\155b", 2, 3))
    assert.is_nil(shown("a\255b"):find("\255", 1, true))
  end)

  it("shows what is around the place in a long argument", function()
    local text = shown(("x"):rep(10000) .. "!" .. ("y"):rep(10000), 10001)
    assert.is_true(#text < 300)
    local line, marks = text:match("^(.-)\n(.-)\n$")
    assert.equal("!", line:gsub("…", "."):sub(#marks, #marks))
  end)
end)

describe("the command line of a request", function()
  local server

  local function start()
    server = serving.start(function(req)
      return { body = json.encode { method = req.method, body = req.body, agent = req.headers["user-agent"] } }
    end)
    return server.url
  end

  it("leaves standard input alone unless it is asked for", function()
    local url = start()
    local ended = process.run({ "-c", '"$0" post "$1" a=1 >/dev/null && cat && exec "$0" post "$1" --body=- <"$2"',
      process.lurcher, url, "scripts/setup" }, { command = "sh", stdin = "not read" })
    assert.equal("", ended.err)
    assert.equal("not read", ended.out:sub(1, 8))
    local file = assert(io.open "scripts/setup")
    assert.equal(file:read "*a", json.decode(ended.out:sub(9)).body)
    file:close()
  end)

  it("gives up standard input that does not come", function()
    local path = files.begin() .. "/pipe"
    process.shell('mkfifo "$1"', path)
    local child = process.start({ "-c", 'exec "$0" post http://127.0.0.1:1 --body=- <>"$1"', process.lurcher, path },
      { command = "sh" })
    serving.eventually(function()
      return #(fs.list(("/proc/%d/task"):format(child.pid)) or {}) > 1 -- the thread that waits for it
    end)
    child:kill "INT"
    local ended = child:wait()
    files.finish()
    assert.same({ 130, "", "" }, { ended.status, ended.out, ended.err })
  end)

  it("takes options anywhere, the general ones too, until '--'", function()
    local url = start()
    local ended = process.run { "--log=error", "post", "--trace", url, "--form", "a=1", "--max-time=60", "--", "--b=2" }
    assert.equal(0, ended.status)
    assert.equal("a=1&--b=2", json.decode(ended.out).body)
    assert.matches("POST " .. url, ended.err, 1, true)
  end)

  it("names the nearest option for one that does not exist, also of a command", function()
    for arguments, message in pairs {
      [{ "get", "x", "--fomr" }] = "unknown option '--fomr'; did you mean '--form'?",
      [{ "get", "x", "--max-tiem=5" }] = "unknown option '--max-tiem'; did you mean '--max-time=SECONDS'?",
      [{ "ws", "x", "--fomr" }] = "unknown option '--fomr'; lurcher --help shows all",
      [{ "get", "x", "--timeout" }] = "option '--timeout' needs a value: --timeout=SECONDS",
      [{ "get", "x", "--insecure=1" }] = "option '--insecure' takes no value",
      [{ "get", "x", "-o" }] = "option '--output' needs a value: --output=FILE",
      [{ "--form", "get", "x" }] = "unknown option '--form'; lurcher --help shows all",
    } do
      local ended = process.run(arguments)
      assert.same({ 2, "", "lurcher: " .. message .. "\n" }, { ended.status, ended.out, ended.err })
    end
  end)
end)

describe("a session of requests", function()
  it("keeps cookies and headers for their origin, and no secret", function()
    local seen = {}
    local url = serving.start(function(req)
      seen[#seen + 1] = { cookie = req.headers.cookie or "", a = req.headers["x-a"] or "",
        auth = req.headers.authorization or "", key = req.headers["x-api-key"] or "" }
      return { headers = { ["Set-Cookie"] = "id=hidden; Path=/; Max-Age=1000" }, body = "" }
    end).url
    local home = files.begin()
    local function get(...)
      return process.run({ "-u", "XDG_CONFIG_HOME", "-u", "XDG_STATE_HOME", "HOME=" .. home, "SHOWN=secret-of-mine",
        process.lurcher, "get", url, "--session=mine", ... }, { command = "env" })
    end
    assert.same({ 0, "" }, { get("X-A:1", "X-Api-Key:hidden", "--bearer=env:SHOWN").status, get().err })
    get("x-a:", "--auth=me:hidden")
    get()
    assert.same({
      { cookie = "", a = "1", auth = "Bearer secret-of-mine", key = "hidden" },
      { cookie = "id=hidden", a = "1", auth = "Bearer secret-of-mine", key = "" },
      { cookie = "id=hidden", a = "", auth = "Basic bWU6aGlkZGVu", key = "" },
      { cookie = "id=hidden", a = "", auth = "", key = "" },
    }, seen)
    local out = process.shell('cd "$1/.local/state/lurcher/sessions" && stat -c "%a %n" *', home)
    assert.matches("600 mine.cookies\n", out, 1, true)
    assert.matches("600 mine.json\n", out, 1, true)
    local text = files.read ".local/state/lurcher/sessions/mine.json"
    assert.is_nil(text:find("hidden", 1, true))
    assert.is_nil(text:find("secret-of-mine", 1, true))
    files.finish()
  end)

  it("is the request that --offline, --lua and --curl print, too", function()
    local home = files.begin()
    assert(fs.mkdir(home .. "/lurcher"))
    assert(fs.write(home .. "/lurcher/mine.lua",
      'return { base_url = "http://h.localhost/v1", params = { k = 1, b = "2", q = 3 } }'))
    local function get(option, word)
      return process.run({ "XDG_CONFIG_HOME=" .. home, "XDG_STATE_HOME=" .. home .. "/state",
        process.lurcher, word or "get", "items", "q==4", "--session=mine", option }, { command = "env" })
    end
    local offline = get "--offline"
    assert.same({ 0, "" }, { offline.status, offline.err })
    assert.matches("^GET /v1/items%?b=2&k=1&q=4 HTTP/1.1\r\n", offline.out)
    assert.matches("curl 'http://h.localhost/v1/items?b=2&k=1&q=4' ", get("--curl").out, 1, true)
    assert.matches(" -b '" .. home .. "/state/lurcher/sessions/mine.cookies'", get("--curl").out, 1, true)
    assert.matches('params = { { "b", "2" }, { "k", 1 }, { "q", "4" } }', get("--lua").out, 1, true)
    assert.is_false(fs.exists(home .. "/state"))
    files.finish()
  end)

  it("heeds of a file that somebody wrote only what can be sent", function()
    local seen
    local url = serving.start(function(req)
      seen = {}
      for name, value in req:each_header() do seen[#seen + 1] = name .. ":" .. value end
      return { body = "" }
    end).url
    local home = files.begin()
    assert(fs.mkdir(home .. "/lurcher/sessions", { parents = true }))
    for _, text in ipairs {
      '{"%s":{"headers":[1,"a"],"credential":{"a":1}}}', '{"%s":{"headers":"a"}}', '{"%s":7}', "[", "\0",
      '{"%s":{"headers":{"X-A":5,"B\\r\\nC":"d","D":"e\\r\\nF: g","Content-Length":"5","Host":"evil",\z
        "Transfer-Encoding":"chunked","X-B":"kept"}}}',
    } do
      assert(fs.write(home .. "/lurcher/sessions/mine.json", (text:gsub("%%s", url))))
      local ended = process.run({ "XDG_STATE_HOME=" .. home, process.lurcher, "get", url, "--session=mine" },
        { command = "env" })
      assert.same({ 0, "" }, { ended.status, ended.err }, text)
      local named = table.concat(seen, "\n")
      for _, unwanted in ipairs { "\n[BDF]:", "X%-A", "evil", "Length" } do
        assert.is_nil(("\n" .. named):find(unwanted), text)
      end
      assert.equal(text:find("kept", 1, true) ~= nil, named:find("X-B:kept", 1, true) ~= nil)
    end
    files.finish()
  end)

  it("takes the defaults of a profile that bears its name, and does not write there", function()
    local seen
    local url = serving.start(function(req)
      seen = { req.target, req.headers["x-a"], req.headers["x-b"], req.headers.authorization }
      return { body = "" }
    end).url
    local home = files.begin()
    process.shell('mkdir -p "$1/conf/lurcher"', home)
    local file = assert(io.open(files.path "conf/lurcher/mine.lua", "w"))
    file:write(('return { base_url = "%s/v1", headers = { ["X-A"] = "profile", ["X-B"] = "profile" }, \z
      auth = http.bearer "b", params = { k = 1 }, timeout = 20 }'):format(url))
    file:close()
    local ended = process.run({ "XDG_CONFIG_HOME=" .. home .. "/conf", "XDG_STATE_HOME=" .. home .. "/state",
      process.lurcher, "get", "items/7", "q==2", "x-a:typed", "--session=mine" }, { command = "env" })
    assert.same({ status = 0, out = "", err = "" }, { status = ended.status, out = ended.out, err = ended.err })
    assert.same({ "/v1/items/7?k=1&q=2", "typed", "profile", "Bearer b" }, seen)
    assert.equal("mine.lua\n", (process.shell('ls "$1/conf/lurcher"', home)))
    files.finish()
  end)
end)

describe("a request from the shell", function()
  -- Runs a shell's command, in which "$1" is the command.
  local function shell(text) return process.run({ "-c", text, "sh", process.lurcher }, { command = "sh" }) end

  it("is written with the variables that its credentials are from", function()
    local variables = "TOK=hidden-token USR=ada PW=hidden-word "
    for option, patterns in pairs {
      ["--curl"] = { "-H 'Authorization: Bearer '\"$TOK\" ", "-u \"$USR\"':'\"$PW\" " },
      ["--lua"] = { 'os.getenv "TOK".*http.bearer%(tok%)', 'os.getenv "USR".*os.getenv "PW".*auth = { usr, pw }' },
    } do
      local bearer = shell(variables .. '"$1" get http://h/ --bearer=env:TOK ' .. option).out
      local basic = shell(variables .. '"$1" get http://h/ --auth=env:USR:env:PW ' .. option).out
      assert.matches(patterns[1], bearer, 1, option == "--curl")
      assert.matches(patterns[2], basic, 1, option == "--curl")
      assert.is_nil((bearer .. basic):find("hidden"))
    end
    assert.matches("-u 'ada:hidden-word'",
      shell(variables .. '"$1" get http://h/ --auth=env:USR:env:PW --curl --show-secrets').out, 1, true)
  end)

  it("reads standard input from where it stands, in a file as well", function()
    files.begin()
    assert(fs.write(files.path "lines", "one\ntwo\nthree\n"))
    local path = files.path "lines"
    local function behind_a_line(command)
      return shell(("(read -r line; echo \"$line\"; \"$1\" %s) < '%s'"):format(command, path))
    end
    local each = behind_a_line "get http://h/{} --each=- --curl"
    assert.matches("^one\ncurl 'http://h/two' [^\n]*\ncurl 'http://h/three' [^\n]*\n$", each.out)
    assert.matches("^one\n.*\r\n\r\ntwo\nthree\n$", behind_a_line("post http://h/ --body=- --offline").out)
    local twice = shell 'echo a | "$1" post http://h/ --each=- --body=- --offline'
    assert.equal(2, twice.status)
    assert.matches("can be read once\n  %-%-each=%-\n         %^", twice.err)
    local closed = shell '"$1" post http://h/ --body=- --offline <&-'
    assert.equal(2, closed.status)
    assert.matches("cannot read standard input: EBADF\n  %-%-body=%-\n         %^", closed.err)
    files.finish()
  end)
end)
