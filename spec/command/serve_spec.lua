-- `lurcher serve`: a file of handlers, a folder, or webhooks.

local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local process = require "spec.support.process"
local serve = require "lurcher.command.serve"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

-- The server (or the status) of a command line, and what it printed.
local function start(...)
  local texts = { out = "", err = "" }
  local function into(name)
    return { write = function(_, ...) texts[name] = texts[name] .. table.concat { ... } end }
  end
  local s, status = serve.start({ "--port=0", ... }, { out = into "out", err = into "err" })
  if s then task.defer(function() s:stop(0) end) end
  return s, texts, status
end

describe("lurcher serve", function()
  before_each(files.begin)
  after_each(files.finish)

  it("prints webhooks as they come, and answers 204", function()
    local s, texts = start()
    assert.equal(204, http.post(s.url .. "/hook?a=1", { json = { paid = true } }).status)
    assert.equal(204, http.post(s.url .. "/hook", { body = "\27[31m\0" }).status)
    assert.equal(204, http.get(s.url .. "/x").status)
    serving.eventually(function() return texts.out:find "/x" end)
    assert.equal('POST /hook?a=1 204\n  {\n    "paid": true\n  }\nPOST /hook 204\n  (6 bytes)\nGET /x 204\n', texts.out)
    assert.matches("serving 204 to everything at " .. s.url, texts.err, 1, true)
  end)

  it("serves a file of routes, a handler, or options, and loads it again when it was changed", function()
    local path = files.path "stub.lua"
    assert(fs.write(path, 'return { ["GET /users/{id}"] = function(req) return req.params.id end }'))
    local s, texts = start(path, "--quiet")
    assert.equal("7", http.get(s.url .. "/users/7").body)
    assert.equal("", texts.out)
    assert(fs.write(path, 'return function(req) return "new " .. req.path end'))
    assert.equal("new /x", http.get(s.url .. "/x").body)
    assert(fs.write(path, "return function("))
    assert.equal("new /x", http.get(s.url .. "/x").body)
    assert.matches("stub.lua:1: ", texts.err, 1, true)
    assert(fs.write(path, 'return { handler = function() return "x" end, fault = "truncate" }'))
    local faulty = start(path)
    local _, err = http.get(faulty.url, { retry = false })
    assert.equal("truncated", err.kind)
  end)

  it("finds modules beside the file", function()
    assert(fs.mkdir(files.path "api"))
    assert(fs.write(files.path "api/of_this_spec.lua", 'return "beside"'))
    assert(fs.write(files.path "api/stub.lua", 'local m = require "of_this_spec"\nreturn function() return m end'))
    local before = package.path
    task.defer(function() package.path, package.loaded.of_this_spec = before, nil end)
    assert.equal("beside", http.get(start(files.path "api/stub.lua").url).body)
  end)

  it("prints JSON token by token, as it came", function()
    local s, texts = start()
    http.post(s.url .. "/1", { body = '{"b":9007199254740993,"a":1.10}' })
    http.post(s.url .. "/2", { body = "[1,2" })
    serving.eventually(function() return texts.out:find "%[1,2" end)
    assert.equal('POST /1 204\n  {\n    "b": 9007199254740993,\n    "a": 1.10\n  }\nPOST /2 204\n  [1,2\n', texts.out)
  end)

  it("prints large bodies in part, and JSON that is large as it came", function()
    local s, texts = start()
    http.post(s.url .. "/1", { json = { ("x"):rep(70000) } })
    http.post(s.url .. "/2", { body = ("y"):rep(5000) .. "\27" })
    serving.eventually(function() return texts.out:find "/2" end)
    assert.matches('POST /1 204\n  ["xxx', texts.out, 1, true)
    assert.matches("\n  (65908 more bytes)\n", texts.out, 1, true)
    assert.matches("POST /2 204\n  (5001 bytes)\n", texts.out, 1, true)
  end)

  it("serves a folder", function()
    assert(fs.write(files.path "a.txt", "text"))
    local s = start(files.path ".")
    assert.equal("text", http.get(s.url .. "/a.txt").body)
    assert.truthy(http.get(s.url .. "/").body:find("a.txt", 1, true))
  end)

  it("takes --cors, --delay and --fault", function()
    local s = start("--cors", "--delay=0")
    local res = http.get(s.url, { headers = { Origin = "http://b" } })
    assert.equal("http://b", res.headers["Access-Control-Allow-Origin"])
    local faulty = start "--fault=garbage"
    local _, err = http.get(faulty.url, { retry = false })
    assert.equal("protocol", err.kind)
  end)

  it("tells what is wrong, and ends with 1 for a port in use, else with 2", function()
    assert(fs.write(files.path "a.txt", ""))
    for name, code in pairs { ["number.lua"] = "return 7", ["raises.lua"] = "error('oh no', 0)", ["no.lua"] = "x x",
      ["routes.lua"] = "return { x = 1 }" } do
      assert(fs.write(files.path(name), code))
    end
    for name, message in pairs {
      ["a.txt"] = "neither a folder nor a Lua file", ["missing.lua"] = "ENOENT", ["number.lua"] = "it returns number",
      ["raises.lua"] = "oh no", ["no.lua"] = "no.lua:1:", ["routes.lua"] = '"x"',
    } do
      local s, texts, status = start(files.path(name))
      assert.is_nil(s)
      assert.equal(2, status, name)
      assert.matches(message, texts.err, 1, true)
    end
    local first = start()
    local _, texts, status = start("--port=" .. first.port)
    assert.equal(1, status)
    assert.matches("port " .. first.port, texts.err, 1, true)
    for _, wrong in ipairs { "--port=x", "--fault=rest", "--delay=-1" } do
      _, texts, status = start(wrong)
      assert.equal(2, status, wrong)
      assert.matches("option '" .. wrong:match "%-%-(%w+)", texts.err, 1, true)
    end
    assert.equal(2, (select(3, start("a", "b"))))
  end)

  it("is a word of the command, and ends by a signal", function()
    local child = process.start { "serve", "--port=0" }
    child:wait_for("Ctrl-C", "err")
    local url = child.err:match "http://%S+"
    assert.equal(204, http.get(url).status)
    child:kill "INT"
    local ended = child:wait()
    assert.equal(130, ended.status)
    assert.equal("GET / 204\n", ended.out)
  end)
end)
