-- Cassettes: what is recorded, what is replayed, and what a file may not hold.

local cassette = require "lurcher.cassette"
local clock = require "lurcher.clock"
local crypto = require "lurcher.crypto"
local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local message_of = require("spec.support.raising").message
local mock = require "lurcher.mock"
local process = require "spec.support.process"
local servers = require "spec.support.servers"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local path

before_each(function()
  files.begin()
  path = files.path "tape.json"
end)
after_each(files.finish)

-- A server that counts, and a client for it.
local function counting(handler)
  local s
  s = serving.start(function(req)
    s.count = (s.count or 0) + 1
    return handler and handler(req, s.count) or { status = 200, body = ("%s %d"):format(req.path, s.count) }
  end)
  s.count = 0
  return s, http.client { base_url = s.url, retry = { base = 0.001, jitter = "none" } }
end

-- Records and then replays; gives what each gave.
local function twice(opts, fn)
  local recorded = { cassette.use(path, opts, fn) }
  local replayed = { cassette.use(path, opts, fn) }
  return recorded, replayed
end

local function entries() return json.decode(files.read "tape.json").entries end

describe("a cassette", function()
  it("replays what it recorded without the network", function()
    local s, api = counting()
    local function ask()
      local made = http.client { base_url = s.url }
      return assert(api:get "/a").body, assert(made:post("/b", { json = { x = 1 } })).body,
        assert(http.get(s.url .. "/c")).body
    end
    local recorded, replayed = twice({ mode = "once" }, ask)
    assert.are.same({ "/a 1", "/b 2", "/c 3" }, recorded)
    assert.are.same(recorded, replayed)
    assert.are.equal(3, s.count)
    assert.are.equal("/a 4", assert(api:get "/a").body) -- it is gone
  end)

  it("holds no request that was not permitted: another run may be allowed to", function()
    local s = counting()
    local code = ('print(assert(cassette.use(%q, function() return http.get "%s/x" or "denied" end)).body)')
      :format(path, s.url)
    local flags = { "--allow-read=" .. path, "--allow-write=" .. path }
    local refused = process.run { "--sandbox", flags[1], flags[2], "-e", (code:gsub("%.body%)$", ")")) }
    assert.equal("denied\n", refused.out)
    local ended = process.run { "--sandbox", flags[1], flags[2], "--allow-net=127.0.0.1", "-e", code }
    assert.same({ "/x 1\n", "" }, { ended.out, ended.err })
  end)

  it("is for its owner only, in a form that shows differences", function()
    local _, api = counting(function()
      return { status = 200, headers = { ["Content-Type"] = "application/json" }, body = '{"b":[1,2.50],"a":"x"}' }
    end)
    assert(cassette.use(path, function() assert(api:get "/") end))
    assert.matches('"b": [\n              1,\n              2.50\n            ],', files.read "tape.json", 1, true)
    assert.are.equal("600", (process.shell('stat -c %a "$1"', path):match "%d+"))
    local before = files.read("tape.json"):gsub('"Date: [^"]*"', "")
    assert(cassette.use(path, { mode = "all" }, function() assert(api:get "/") end))
    assert.are.equal(before, (files.read("tape.json"):gsub('"Date: [^"]*"', "")))
  end)

  for name, body in pairs {
    ["compact JSON"] = '{"z":1,"a":[{"b":null},[],{}],"n":12345678901234567890,"e":1e5,"s":"\\u00e9\\/\\n"}',
    ["spaced JSON"] = '{"z": 1, "a": [1, 2, {}], "s": "a, b: c"}',
    ["indented JSON"] = '{\n  "a": 1\n}\n', ["text"] = "a\r\nb\n\n\tc", ["a scalar"] = "17", ["nothing"] = "",
    ["bytes"] = "\0\255\1" .. ("x"):rep(100), ["a large text"] = ("line\n"):rep(50000),
    ["text that is not UTF-8"] = "caf\233", ["what looks like JSON"] = "{not", ["a quote at the end"] = '["\\\\"]',
  } do
    it("gives back byte for byte " .. name, function()
      local _, api = counting(function() return { status = 200, body = body } end)
      local recorded, replayed = twice({}, function() return assert(api:get "/").body end)
      assert.are.equal(body, recorded[1])
      assert.are.equal(body, replayed[1])
    end)
  end

  it("gives back headers and reasons of any bytes", function()
    local s = faults.answering("HTTP/1.1 200 Caf\233\r\nX-Name: caf\233\tau \226\130\172\r\nX-Empty:\r\n"
      .. "X-Ctl: a\1b\r\nContent-Length: 2\r\n\r\nok")
    local recorded, replayed = twice({}, function()
      local res = assert(http.get(s.url))
      return res.headers["X-Name"], res.headers["X-Empty"], res.headers["X-Ctl"], res.body
    end)
    assert.are.same({ "caf\233\tau \226\130\172", "", "a\1b", "ok" }, recorded)
    assert.are.same(recorded, replayed)
    assert(cassette.to_har(path, files.path "a.har"))
  end)

  it("decodes bodies before it records them", function()
    local gzip = crypto.base64_decode "H4sIAAAAAAAC/yvNK0hMzk5NUcjMUyjJSFUoSSxIBQA8jFOrFAAAAA=="
    local _, api = counting(function()
      return { status = 200, headers = { ["Content-Encoding"] = "gzip" }, body = gzip }
    end)
    local recorded, replayed = twice({}, function() return assert(api:get "/").body end)
    assert.are.same(recorded, replayed)
    assert.matches(recorded[1], files.read "tape.json", 1, true)
  end)

  it("replays attempts, hops and cookies as they were", function()
    local _, api = counting(function(req, n)
      if req.path == "/start" then
        return { status = 302, headers = { Location = "/end", ["Set-Cookie"] = "sid=1234567890123456; Path=/" } }
      end
      return { status = n == 2 and 503 or 200, body = req.headers.cookie }
    end)
    local recorded, replayed = twice({}, function()
      local res = assert(http.client { base_url = api.base_url, retry = { base = 0.001 } }:get "/start")
      return res.attempts, #res.history, res.body
    end)
    assert.are.same({ 2, 1, "sid=1234567890123456" }, recorded)
    assert.are.same({ 2, 1, "sid=***" }, replayed)
    assert.are.equal(3, #entries())
  end)

  it("replays a stream in its pieces, and one that was left early stays open", function()
    local go = task.queue(100)
    local _, api = counting(function()
      return { status = 200, body = function() return go:get() end }
    end)
    local function read(most)
      local pieces = {}
      local res = assert(api:get("/", { stream = true, timeout = { read = 1 } }))
      for piece in res:chunks() do
        pieces[#pieces + 1] = piece
        if #pieces == most then break end
        go:put "next"
      end
      res:close()
      return table.concat(pieces, "|")
    end
    go:put "first"
    local recorded = cassette.use(path, function() return read(3) end)
    assert.are.equal("first|next|next", recorded)
    assert.are.equal(recorded, cassette.use(path, function() return read(3) end))
    assert.is_true(entries()[1].open)
  end)

  it("replays failures of every kind", function()
    local s = faults.answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
    local refused = ("http://127.0.0.1:%d/"):format(servers.free_port())
    local recorded, replayed = twice({}, function()
      local list = {}
      local function note(_, err) list[#list + 1] = { err.kind, err.phase or false, err.attempts, err.message } end
      note(http.get(s.url, { retry = false }))
      note(http.get(refused, { retry = false }))
      local res = assert(http.get(s.url .. "/2", { stream = true }))
      note(nil, select(2, pcall(function()
        for piece in res:chunks() do list[#list + 1] = piece end
      end)))
      return list
    end)
    assert.are.equal("truncated", recorded[1][1][1])
    assert.are.equal("connect", recorded[1][2][1])
    assert.are.equal("short", recorded[1][3])
    assert.are.same(recorded, replayed)
  end)

  it("gives tasks side by side the same answers each time", function()
    local _, api = counting()
    local _, replayed = twice({}, function()
      local bodies = task.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function(i)
        return assert(api:get("/" .. i % 2, { params = { n = i % 4 } })).body
      end)
      return table.concat(bodies, " ")
    end)
    for _ = 1, 3 do
      assert.are.equal(replayed[1], cassette.use(path, function()
        return table.concat(task.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function(i)
          return assert(api:get("/" .. i % 2, { params = { n = i % 4 } })).body
        end), " ")
      end))
    end
  end)
end)

describe("the mode of a cassette", function()
  local function get(api, where) return function() return api:get(where, { retry = false }) end end

  it("once refuses what is not in it, and shows the nearest", function()
    local _, api = counting()
    assert(cassette.use(path, get(api, "/a?x=1")))
    local _, err = cassette.use(path, { unused = "ignore" }, get(api, "/a?x=2"))
    assert.are.equal("mock", err.kind)
    assert.matches("the nearest is entry 1 +url: recorded \"http[^\n]*x=1\", got \"http[^\n]*x=2\"", err.message)
    _, err = cassette.use(path, function()
      api:get "/a?x=1"
      return api:get "/a?x=1"
    end)
    assert.matches("it was used already", err.message, 1, true)
  end)

  it("new records what is not in it, behind what is", function()
    local s, api = counting()
    assert(cassette.use(path, get(api, "/a")))
    assert(cassette.use(path, { mode = "new" }, function()
      assert.are.equal("/a 1", api:get("/a").body)
      assert.are.equal("/b 2", api:get("/b").body)
      assert.are.equal("/c 3", api:post("/c", { body = coroutine.wrap(function() coroutine.yield "x" end) }).body)
    end))
    assert.are.equal(3, s.count)
    assert.are.equal(3, #entries())
    assert.are.equal("x", entries()[3].request.body.text[1])
  end)

  it("none needs a file", function()
    local _, api = counting()
    local _, err = cassette.use(path, { mode = "none" }, get(api, "/a"))
    assert.are.equal("file", err.kind)
  end)

  it("all records everything anew", function()
    local _, api = counting()
    assert(cassette.use(path, get(api, "/a")))
    assert(cassette.use(path, { mode = "all" }, get(api, "/b")))
    assert.are.equal(1, #entries())
  end)

  it("lets one answer again where it repeats", function()
    local _, api = counting()
    assert(cassette.use(path, get(api, "/a")))
    assert(cassette.use(path, { mode = "none", repeats = true }, function()
      for _ = 1, 3 do assert.are.equal("/a 1", api:get("/a").body) end
    end))
  end)

  it("replays in the time it took where that is asked for", function()
    local _, api = counting(function()
      local left = 2
      return { status = 200, body = function()
        left = left - 1
        if left == 0 then task.sleep(0.05) end
        return left >= 0 and "x" or nil
      end }
    end)
    local function read() return assert(api:get("/", { stream = true })):read_all() end
    assert(cassette.use(path, { timing = true }, read))
    local at = entries()[1].response.at
    assert.is_true(at[2] - at[1] >= 0.04)
    clock.virtual(function()
      local begun = task.now()
      assert(cassette.use(path, { timing = true }, read))
      assert.is_true(task.now() - begun >= at[2] - 0.002)
      begun = task.now()
      assert(cassette.use(path, read))
      assert.is_true(task.now() - begun < at[2] - at[1])
    end)
  end)

  it("leaves out and changes what a function says", function()
    local _, api = counting(function() return { status = 200, headers = { ["X-Id"] = "7" }, body = "x" } end)
    local redact = { with = function(entry)
      if entry.request.url:find "/left" then return false end
      entry.request.url = entry.request.url:gsub("%d+$", "N")
      entry.response.headers["x-id"], entry.response.body = nil, entry.response.body .. "y"
    end }
    assert(cassette.use(path, { redact = redact }, function()
      api:get "/left"
      api:get "/item/12"
    end))
    assert.are.equal(1, #entries())
    local res = assert(cassette.use(path, { redact = redact }, function() return api:get "/item/99" end))
    assert.are.same({ "xy", nil }, { res.body, res.headers["X-Id"] })
  end)

  it("tells of entries that were not used", function()
    local _, api = counting()
    assert(cassette.use(path, function()
      api:get "/a"
      api:get "/b"
    end))
    local _, err = cassette.use(path, { unused = "error" }, get(api, "/a"))
    assert.are.equal("mock", err.kind)
    assert.matches("1 of the 2 entries of the cassette '[^']*' were not used: GET http://[^/]*/b", err.message)
  end)

  it("compares what it is told to", function()
    local _, api = counting()
    local function use(match, fn) return cassette.use(path, { match = match, unused = "ignore" }, fn) end
    assert(use(nil, function() return api:post("/a?x=1", { json = { b = 1, a = 2 } }) end))
    assert(use(nil, function() return api:post("/a?x=1", { body = '{"a":2, "b":1}' }) end)) -- the same JSON
    assert.is_nil((use(nil, function() return api:post("/a?x=1", { json = { b = 2 } }) end)))
    assert(use({ "method", "path" }, function() return api:post("/a?x=2", { body = "other" }) end))
    assert(use({ function(sent, recorded) return sent.method == recorded.method end },
      function() return api:post("/else") end))
    assert.is_nil((use({ function() return false end }, function() return api:post("/a?x=1") end)))
  end)
end)

describe("a cassette's file", function()
  local SECRET = "s3cr3t-Value/+42"

  -- What is asked for, and what the server says.
  for name, row in pairs {
    ["basic authentication"] = { { auth = { "ann", SECRET } } },
    ["a bearer token"] = { function() return { auth = http.bearer(SECRET) } end },
    ["a header"] = { { headers = { ["X-Api-Key"] = SECRET } } },
    ["a cookie"] = { { headers = { Cookie = "session=" .. SECRET } } },
    ["a query"] = { { params = { api_key = SECRET } } },
    ["a query's value elsewhere in it"] = { { params = { { "token", SECRET }, { "q", "a" .. SECRET .. "b" } } } },
    ["JSON"] = { { json = { user = { password = SECRET } } } },
    ["JSON in JSON"] = { { json = { text = json.encode { client_secret = SECRET } } } },
    ["a form"] = { { form = { grant = "x", client_secret = SECRET } } },
    ["a multipart body"] = { { multipart = { { name = "password", value = SECRET }, { name = "x", value = "y" } } } },
    ["a body of a marked value"] = { function() return { body = http.secret(SECRET) } end },
    ["JSON that comes back"] = { {}, body = json.encode { data = { access_token = SECRET } } },
    ["events"] = { {}, body = 'data: {"refresh_token": "' .. SECRET .. '"}\n\n' },
    ["XML"] = { {}, body = "<a><Password>" .. SECRET .. "</Password></a>" },
    ["a cookie that is set"] = { {}, headers = { ["Set-Cookie"] = "sid=" .. SECRET .. "; HttpOnly" } },
    ["a redirect"] = { { redirects = false }, status = 302,
      headers = { Location = "https://a.test/cb?code=" .. SECRET .. "&x=1" } },
    ["a redirect's userinfo"] = { { redirects = false }, status = 302,
      headers = { Location = "https://u:" .. SECRET:gsub("/", "%%2F") .. "@a.test/" } },
    ["an echo in base64"] = { { auth = { "ann", SECRET } }, body = "you sent " .. crypto.base64("ann:" .. SECRET) },
    ["an echo in base64 of something longer"] = { { headers = { ["X-Token"] = SECRET } },
      body = "x" .. crypto.base64("0123" .. SECRET .. "tail") },
    ["an echo escaped for JSON"] = { { headers = { ["X-Token"] = SECRET } },
      body = '{"echo":"' .. SECRET:gsub("/", "\\/") .. '"}' },
    ["an echo that is percent-encoded"] = { { headers = { ["X-Token"] = SECRET } },
      body = "q=" .. SECRET:gsub("[/+]", { ["/"] = "%2F", ["+"] = "%2B" }) },
    ["an echo in bytes"] = { { headers = { ["X-Token"] = SECRET } }, body = "\0\1" .. SECRET .. "\255" },
    ["a reason"] = { { headers = { Authorization = "Bearer " .. SECRET } }, reason = "No " .. SECRET },
    ["a fragment"] = { {}, headers = { ["X-Next"] = "https://a.test/#id_token=" .. SECRET .. "&x=1" } },
    ["a URL within a URL"] = { {}, headers = { ["X-Next"] = "/login?to=https%3A%2F%2Fa.test%2F%3Ftoken%3D"
      .. SECRET:gsub("[/+]", { ["/"] = "%252F", ["+"] = "%252B" }) .. "&x=1" } },
    ["a form that says it is a text"] = { {}, body = "access_token=" .. SECRET .. "&token_type=bearer" },
    ["lines of a configuration"] = { {}, body = "user: ann\npassword: " .. SECRET .. "\nAPI_KEY=" .. SECRET .. "\n" },
    ["a cookie with spaces"] = { { headers = { Cookie = "a=1; session = " .. SECRET } } },
    ["a cookie without a name"] = { { headers = { Cookie = SECRET } } },
    ["JSON in JSON in JSON"] = { { json = { text = json.encode { text = json.encode { token = SECRET } } } } },
    ["JSON in a form"] = { { form = { payload = json.encode { token = SECRET } } } },
    ["JSON in a query"] = { { params = { payload = json.encode { token = SECRET } } } },
    ["an attribute"] = { {}, body = "<user name='x' password = '" .. SECRET .. "'/>" },
    ["CDATA"] = { {}, body = "<password><![CDATA[" .. SECRET .. "]]></password>" },
    ["a hidden field"] = { {}, body = '<input type="hidden" name="csrf_token" value="' .. SECRET .. '">' },
    ["a named tag"] = { {}, body = "<meta content='" .. SECRET .. "' name='csrf-token'>" },
    ["YAML"] = { {}, body = "users:\n  - password: " .. SECRET .. "\n    token: '" .. SECRET .. "'\n" },
    ["an INI file"] = { {}, body = "[a]\n  password = " .. SECRET .. "\n" },
    ["a shell's script"] = { {}, body = "export API_TOKEN=" .. SECRET .. "\nMY_SECRET=\"" .. SECRET .. "\"\n" },
    ["a program"] = { {}, body = "var config = { apiKey: '" .. SECRET .. "' };" },
    ["what Python prints"] = { {}, body = "{'password': '" .. SECRET .. "'}" },
    ["headers that come back"] = { {}, body = "Host: a\r\nAuthorization: Digest x" .. SECRET .. "\r\n" },
    ["a coded body that is not decoded"] = { { decompress = false }, headers = { ["Content-Encoding"] = "gzip" },
      body = crypto.base64_decode "H4sIAAAAAAAC/6tWSizIjM9OrVSyUio2Ti4yLtENS8wpTdXXNjFSqgUA36wiZB4AAAA=" },
    ["a name of one's own"] = { { headers = { ["X-Tenant"] = SECRET } }, redact = { headers = { "x-tenant" } } },
    ["a field of one's own"] = { { json = { email = { SECRET } } }, redact = { json = { "Email" } } },
    ["a parameter of one's own"] = { { params = { who = SECRET } }, redact = { query = { "who" } } },
    ["what a function puts in"] = { {}, redact = { with = function(entry)
      entry.response.body = json.encode { token = SECRET }
    end } },
  } do
    it("holds no secret of " .. name, function()
      collectgarbage() -- what marked the value before marks it no more
      collectgarbage()
      local options = type(row[1]) == "function" and row[1]() or row[1]
      local s = faults.server(function(conn)
        local body, lines = row.body or "ok", {}
        for header, value in pairs(row.headers or {}) do lines[#lines + 1] = header .. ": " .. value .. "\r\n" end
        conn:write(("HTTP/1.1 %d %s\r\n%sContent-Length: %d\r\n\r\n%s"):format(row.status or 200, row.reason or "OK",
          table.concat(lines), #body, body))
      end)
      local api = http.client { retry = false }
      local method = options.redirects == false and "GET" or "POST"
      local function ask() return api:request(method, s.url .. "/x", options) end
      local res = assert(cassette.use(path, { redact = row.redact }, ask))
      local text = files.read "tape.json"
      assert.matches("***", text, 1, true)
      for _, spelling in ipairs { SECRET, crypto.base64("ann:" .. SECRET), crypto.base64("0123" .. SECRET .. "tail"),
        (SECRET:gsub("/", "\\/")), (SECRET:gsub("[/+]", { ["/"] = "%2F", ["+"] = "%2B" })), "s3cr3t" } do
        assert.is_nil(text:find(spelling, 1, true), spelling)
      end
      local again = assert(cassette.use(path, { redact = row.redact, mode = "none", unused = "error" }, ask))
      assert.are.equal(res.status, again.status)
    end)
  end

  it("holds no secret that a stream split", function()
    local parts = { 'data: {"access_token":"', "abcdefgh", 'ijklmnop"}\n\ndata: x', "\n\n" }
    local step = task.queue(100)
    local _, api = counting(function()
      return { status = 200, body = function()
        step:get()
        return table.remove(parts, 1)
      end }
    end)
    local function read()
      local got = {}
      for piece in assert(api:get("/", { stream = true })):chunks() do
        got[#got + 1] = piece
        step:put(true)
      end
      return table.concat(got, "|")
    end
    step:put(true)
    assert(cassette.use(path, read))
    local text = files.read "tape.json"
    assert.is_nil(text:find "abcdefgh" or text:find "ijklmnop")
    assert.matches('data: {"access_token":"|***|"}\n\ndata: x|\n\n', cassette.use(path, read), 1, true)
  end)

  it("holds no secret of the environment, in any request", function()
    local script = process.script [[
      local cassette, http = require "lurcher.cassette", require "lurcher.http"
      local server = require "lurcher.server"
      local s = assert(server.start(function() return { status = 200, body = "is env-Val-77/x" } end))
      assert(cassette.use(arg[1], function() assert(http.get(s.url .. "/env-Val-77%2Fx")) end))
      print(assert(cassette.use(arg[1], function() return http.get(s.url .. "/env-Val-77%2Fx") end)).body)
    ]]
    local out, err = process.shell('MY_API_TOKEN=env-Val-77/x "$1" "$2" "$3" 2>&1', process.lurcher, script,
      path)
    assert.are.equal("is ***\n", out, err)
    assert.is_nil(files.read("tape.json"):find "env-Val")
  end)

  it("is not written again when it holds a secret that is known", function()
    local _, api = counting()
    assert(cassette.use(path, function() assert(api:get "/plain-Words-here") end))
    local before = files.read "tape.json"
    local mark = http.secret "plain-Words-here"
    local _, err = cassette.use(path, { mode = "new", unused = "ignore" }, function() assert(api:get "/other") end)
    assert.are.equal("file", err.kind)
    assert.matches("was not written: its entry 1 holds a secret", err.message, 1, true)
    assert.is_nil(err.message:find "plain")
    assert.are.equal(before, files.read "tape.json")
    assert.is_truthy(mark)
  end)

  it("is not written by what was cancelled, but by what raised", function()
    local _, api = counting()
    local handle = task.spawn(function()
      cassette.use(path, function()
        assert(api:get "/")
        task.sleep(math.huge)
      end)
    end)
    while api:stats().requests == 0 do task.yield() end
    handle:cancel()
    pcall(handle.join, handle)
    assert.is_false(fs.exists(path))
    assert.matches("oops", message_of(function()
      cassette.use(path, function()
        assert(api:get "/")
        error "oops"
      end)
    end))
    assert.are.equal(1, #entries())
  end)

  it("is not written when a body is too large for it, which the script gets all the same", function()
    local piece, left = ("x"):rep(1024 * 1024), 65
    local s = serving.start(function()
      return { status = 200, body = function()
        left = left - 1
        return left >= 0 and piece or nil
      end }
    end)
    local size = 0
    local ok, err = cassette.use(path, function()
      for bytes in assert(http.get(s.url, { stream = true })):chunks() do size = size + #bytes end
    end)
    assert.is_nil(ok)
    assert.are.same({ "too_large", 65 * #piece, false }, { err.kind, size, fs.exists(path) })
  end)

  it("is not written where there is no room, and stays as it was", function()
    local _, api = counting()
    local ok, err = cassette.use("/dev/full", { mode = "all" }, function() assert(api:get "/") end)
    assert.is_nil(ok)
    assert.are.equal("file", err.kind)
    ok, err = cassette.use(files.path "no/such/folder.json", function() assert(api:get "/") end)
    assert.is_nil(ok)
    assert.are.same({ "file", "ENOENT" }, { err.kind, err.code })
  end)
end)

describe("a function given as redact.with", function()
  for name, row in pairs {
    ["another type"] = { function(entry) entry.request.url = 5 end, "url has to stay a string" },
    ["a status that is none"] = { function(entry) entry.response.status = 20 end, "a whole number from 100 to 999" },
    ["a header of two lines"] = { function(entry) entry.response.headers["X-A"] = "a\nb" end, "has to be one line" },
    ["a header's name that is none"] = { function(entry) entry.request.headers["X A:"] = "b" end, "to be one line" },
  } do
    it("raises for what could not be read again: " .. name, function()
      local _, api = counting()
      local message = message_of(cassette.use, path, { redact = { with = row[1] } }, function() api:get "/" end)
      assert.matches(row[2], message, 1, true)
    end)
  end
end)

describe("cassettes side by side", function()
  it("leave every client as it was, in whatever order they end", function()
    local s, api = counting()
    local first_ends, second_ends = task.event(), task.event()
    task.scope(function(scope)
      scope:spawn(cassette.use, path, function()
        assert(api:get "/a")
        first_ends:wait()
      end)
      scope:spawn(cassette.use, files.path "other.json", function()
        assert(api:get "/b")
        first_ends:set()
        second_ends:wait()
        assert(api:get "/c")
      end)
      while s.count < 2 do task.yield() end
      for _ = 1, 10 do task.yield() end
      second_ends:set()
    end)
    assert.are.equal("/d 4", assert(api:get "/d").body)
    assert.are.equal("/e 5", assert(http.get(s.url .. "/e")).body)
    assert.are.equal("/f 6", assert(http.client { base_url = s.url }:get "/f").body)
  end)

  it("leave a mock as it was", function()
    local _, api = counting()
    local m = mock.new()
    local undo
    assert(cassette.use(path, function()
      undo = m:install()
      assert(api:get "/a")
    end))
    undo()
    assert.are.equal("/b 2", assert(http.client { base_url = api.base_url }:get "/b").body)
  end)
end)

describe("a call of a cassette", function()
  local nothing = function() end
  for name, row in pairs {
    ["an unknown option"] = { function() cassette.use("x", { mod = "once" }, nothing) end, "unknown option 'mod'" },
    ["an unknown mode"] = { function() cassette.use("x", { mode = "twice" }, nothing) end, "twice" },
    ["an unknown match"] = { function() cassette.use("x", { match = { "uri" } }, nothing) end, "url" },
    ["no function"] = { function() cassette.use "x" end, "#3" },
    ["names that are none"] = { function() cassette.open("x", { redact = { headers = { 1 } } }) end, "redact.headers" },
  } do
    it("raises for " .. name, function()
      local message = message_of(row[1])
      assert.matches(row[2], message, 1, true)
    end)
  end
end)
