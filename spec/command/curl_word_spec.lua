local commanded = require "spec.support.commanded"
local curl = require "lurcher.curl"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

local word = require "lurcher.command.curl"
local import = require "lurcher.command.import"

local function run(module, ...) return commanded.call(module.perform, ...) end

describe("lurcher curl", function()
  local received

  -- The URL of a server that ends with the spec.
  local function start()
    received = {}
    return serving.start(function(req)
      received[#received + 1] = req
      return { status = req.path == "/404" and 404 or 200, body = "answer\n" }
    end).url
  end

  before_each(files.begin)
  after_each(files.finish)

  it("sends the request with --run, first or last", function()
    local base = start()
    for _, list in ipairs { { "--run", "-d", "a=1", base }, { "-d", "a=1", base, "--run" } } do
      local ended = run(word, unpack(list))
      assert.same({ status = 0, out = "answer\n", err = "" }, ended)
    end
    assert.equal(2, #received)
    assert.equal("POST", received[2].method)
    assert.equal("a=1", received[2].body)
  end)

  it("shows with --run what curl would show", function()
    local base = start()
    assert.matches("^HTTP/1.1 200 OK\n.*\n\nanswer\n$", run(word, "--run", "-i", base).out)
    local path = files.path "body"
    assert.same({ status = 0, out = "", err = "" }, run(word, "-so", path, base, "--run"))
    assert.equal("answer\n", files.read "body")
    assert.equal(1, run(word, "--run", base .. "/404").status)
  end)

  it("sends each request of several", function()
    local base = start()
    local ended = run(word, "--run", base .. "/[1-2]", "--next", "-I", base)
    assert.matches("^answer\nanswer\nHTTP/1.1 200 OK\n", ended.out)
    assert.equal("HEAD", received[3].method)
  end)

  it("takes a whole command as one word, with variables of the environment", function()
    local base = start()
    local ended = run(word, "--run", "curl '" .. base .. "/$PATH' -H \"X-Path: $PATH\"")
    assert.equal(0, ended.status, ended.err)
    assert.equal(os.getenv "PATH", received[1].headers["x-path"])
    assert.equal("/$PATH", received[1].path)
    ended = run(word, "--run", "curl " .. base .. '/"$LURCHER_NONE"')
    assert.same({ status = 2, out = "", err = "lurcher: the variable LURCHER_NONE is not set\n" }, ended)
  end)

  it("ends with 1 for what is not understood, and with 2 without a command", function()
    local base = start()
    local ended = run(word, "--frobnicate", base)
    assert.same({ status = 1, out = "", err = "lurcher: decode: the option --frobnicate is not understood\n" }, ended)
    assert.equal(2, run(word).status)
    assert.equal(2, run(import).status)
    assert.equal(2, run(import, "postman", "a").status)
    assert.matches("file: cannot read 'none'", run(import, "curl", "none").err, 1, true)
    assert.equal(0, #received)
  end)

  it("leaves curl's options to curl, whatever lurcher calls so", function()
    local base = start()
    local ended = process.run { "curl", "--run", "--max-time", "60", "-o", files.path "x", "-v", base }
    assert.equal(0, ended.status, ended.err)
    assert.equal("answer\n", files.read "x")
  end)

  it("reads data of standard input when it is asked to", function()
    local base = start()
    local ended = process.run({ "curl", "--run", base, "-d", "@-" }, { stdin = "a\nb\n" })
    assert.equal("answer\n", ended.out, ended.err)
    assert.equal("ab", received[1].body)
  end)

  it("tells what it leaves out", function()
    local base = start()
    assert(fs.write(files.path "a.sh", "curl " .. base .. "/?a=1&b=2\ncurl " .. base .. " | jq . > out\n"))
    local requests = assert(curl.parse_all(assert(fs.read(files.path "a.sh"))))
    local ended = commanded.call(function(_, streams) word.warn(requests, streams) end)
    assert.equal("lurcher: an unquoted & ended the command before 'b=2': put the URL in quotes\n"
      .. "lurcher: the pipe's other command is left out: jq .\n", ended.err)
  end)
end)
