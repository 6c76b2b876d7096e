local commanded = require "spec.support.commanded"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local json = require "lurcher.json"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local run = commanded.run

-- What the server was asked, as the body of its answer.
local function echo(req)
  return { headers = { ["Content-Type"] = "application/json" }, body = ('{ "%s": %s,\n "body": %s }'):format(
    req.method, json.encode(req.path .. (next(req.query) and "?" .. json.encode(req.query) or "")),
    req.body ~= "" and json.encode(req.body) or "null") }
end

local BODIES = {
  ["/text"] = { headers = { ["Content-Type"] = "text/plain" }, body = 'a"b\n' },
  ["/latin"] = { headers = { ["Content-Type"] = "text/plain; charset=latin1" }, body = "\252" },
  ["/number"] = { headers = { ["Content-Type"] = "application/json" }, body = " 12345678901234567890 " },
  ["/untyped"] = { body = "[1, 2]" }, ["/empty"] = { body = "" }, ["/204"] = { status = 204 },
  ["/moved"] = { status = 302, headers = { Location = "/number" } },
  ["/404"] = { status = 404, body = "gone" },
  ["/cut"] = { headers = { ["Content-Type"] = "application/json" }, body = "[1," },
}

describe("--each", function()
  before_each(files.begin)
  after_each(files.finish)

  local function lines(text)
    assert(fs.write(files.path "lines", text))
    return "--each=" .. files.path "lines"
  end

  -- The URL of a server; `text` with "@" for it.
  local function url(path) return serving.start(function(req) return BODIES[req.path] or echo(req) end).url .. path end

  it("sends the request once for every line, percent-encoded in a URL", function()
    assert.same({ status = 0, err = "", out = '{"GET":"/a%20b%2F","body":null}\n{"GET":"/7","body":null}\n' },
      run("get", url "/{}", lines "a b/\n7\n"))
    assert.same({ '{"GET":"/a%3D%26?{\\"q\\":\\"x y\\"}","body":null}\n' },
      { run("get", url "/{id}", "q=={n}", lines '{"id":"a=&","n":"x y"}\r\n').out })
  end)

  it("takes a line as it is for the whole URL", function()
    local base = url ""
    local text = ""
    for _, path in ipairs { "/text", "/latin", "/number", "/untyped", "/empty", "/204", "/moved" } do
      text = text .. base .. path .. "\n"
    end
    assert.same({ status = 0, err = "", out = '"a\\"b\\n"\n"ü"\n12345678901234567890\n[1,2]\nnull\nnull\n'
      .. "12345678901234567890\n" }, run("get", "{}", lines(text)))
  end)

  it("puts a plain value into items, which is not parsed again", function()
    local ended = run("post", url "/", "a={}", "X:{}", lines "b:=1;@c=\\{}")
    assert.equal('{"a":"b:=1;@c=\\\\{}"}', json.decode(ended.out).body)
    assert.equal('{"n":{"x":[1,12345678901234567890]},"t":"{\\"x\\":[1,12345678901234567890]}","s":"u"}',
      json.decode(run("post", url "/", "n:={a}", "t={a}", "s={b}",
        lines '{"a":{"x":[1, 12345678901234567890]},"b":"u"}').out).body)
  end)

  it("takes only {} and {identifier} for places", function()
    local ended = run("post", url "/", "a:={ }", "b={ x }", "c={1}", "d={}", lines "x")
    assert.equal('{"a":{},"b":"{ x }","c":"{1}","d":"x"}', json.decode(ended.out).body)
  end)

  it("goes on behind what fails, and ends with 1", function()
    local base = url ""
    local ended = run("get", "{}", "--retry=1",
      lines(("%s/404\n%s/number\nhttp://127.0.0.1:1/\n%s/cut\n"):format(base, base, base)))
    assert.same({ 1, "" }, { ended.status, ended.err })
    local found = {}
    for value in json.lines(ended.out) do found[#found + 1] = value end
    assert.same({ { kind = "status", status = 404, message = "status 404 Not Found, expected 2xx, 3xx: gone" }, 1 },
      { found[1].error, found[1].line })
    assert.equal("12345678901234567890", found[2])
    assert.same({ "connect", 3 }, { found[3].error.kind, found[3].line })
    assert.same({ "decode", 4 }, { found[4].error.kind, found[4].line })
    assert.is_nil(found[3].error.status)
    assert.same({ status = 0, err = "", out = '"gone"\n' }, run("get", "{}", "--any-status", lines(base .. "/404")))
  end)

  it("fails for lines without what is asked for", function()
    local ended = run("get", url "/{id}", lines 'x\n{"a":1}\n[1]\n')
    assert.equal(1, ended.status)
    for value, number in json.lines(ended.out) do
      assert.same({ "decode", number }, { value.error.kind, value.line })
    end
    assert.matches("the line has no member 'id'", ended.out, 1, true)
  end)

  it("does not make another URL of an empty line", function()
    local ended = run("delete", url "/items/{}", lines "1\n\n2\n")
    assert.equal(1, ended.status)
    assert.matches('^{"DELETE":"/items/1".-\n{"error":{"kind":"url".-,"line":2}\n{"DELETE":"/items/2".-\n$', ended.out)
  end)

  it("gives results in the order of the lines, so many at once and no more", function()
    local running, most, gates = 0, 0, {}
    for i = 1, 8 do gates[i] = task.event() end
    local s = serving.start(function(req)
      local n = tonumber(req.path:match "%d+")
      running = running + 1
      most = math.max(most, running)
      if n % 4 ~= 0 then gates[n]:wait() end
      if n > 1 then gates[n - 1]:set() end -- each group of four ends backwards
      running = running - 1
      return { body = tostring(n) }
    end)
    local ended = run("get", s.url .. "/{}", "--concurrency=4", lines "1\n2\n3\n4\n5\n6\n7\n8")
    assert.same({ 0, "1\n2\n3\n4\n5\n6\n7\n8\n" }, { ended.status, ended.out })
    assert(most <= 4, most)
  end)

  it("reads no further ahead than it sends", function()
    local asked, gate = 0, task.event()
    local s = serving.start(function(req)
      asked = math.max(asked, tonumber(req.path:match "%d+"))
      if req.path == "/1" then gate:wait() end
      return { body = "1" }
    end)
    local list = {}
    for i = 1, 500 do list[i] = i end
    local watch = task.spawn(function()
      serving.eventually(function() return asked >= 8 end)
      for _ = 1, 50 do task.yield() end
      local seen = asked
      gate:set()
      return seen
    end)
    assert.equal(0, run("get", s.url .. "/{}", "--concurrency=8", lines(table.concat(list, "\n"))).status)
    assert.equal(8, watch:join())
    assert.equal(500, asked)
  end)

  it("prints the requests only with --offline", function()
    local ended = run("get", "http://h/{}?x=1", "--offline", lines "a b\nc\n")
    assert.equal(0, ended.status)
    assert.same({ "GET /a%20b?x=1 HTTP/1.1", "GET /c?x=1 HTTP/1.1" }, { ended.out:match "^(GET [^\r]*).*(GET [^\r]*)" })
  end)

  it("prints what --pick finds", function()
    assert.equal("/a\n/b\n", run("get", url "/{}", "--pick=GET", lines "a\nb").out)
  end)

  it("is wrong usage without the file, and with a request that is wrong in itself", function()
    local ended = run("get", "http://h/{}", "--each=/no/such/file")
    assert.equal(2, ended.status)
    assert.matches("cannot read '/no/such/file'.-\n  %-%-each=/no/such/file\n         %^", ended.err)
    assert.equal(2, run("get", "http://h/{}", "oops", lines "a").status)
    assert.equal(2, run("get", "http://h/{}", "--lua", lines "a").status)
  end)
end)
