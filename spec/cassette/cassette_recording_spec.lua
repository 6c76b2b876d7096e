-- What becomes of a recording that is large, or that does not come to its end.

local cassette = require "lurcher.cassette"
local crypto = require "lurcher.crypto"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local process = require "spec.support.process"
local serving = require "spec.support.serving"
local sse = require "lurcher.sse"
local task = require "lurcher.task"

local SIZE = 30 * 1024

local path

before_each(function()
  files.begin()
  path = files.path "tape.json"
end)
after_each(files.finish)

local function entries() return json.decode(files.read "tape.json").entries end

local function memory()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count" * 1024
end

-- A server whose answers are large, and another each time.
local function large()
  return serving.start(function(req) return { status = 200, body = req.path .. ("x"):rep(SIZE) } end)
end

describe("a recording", function()
  for name, ask in pairs {
    ["of calls"] = function(url) return #assert(http.get(url)).body end,
    ["of streams"] = function(url)
      local size = 0
      for piece in assert(http.get(url, { stream = true })):chunks() do size = size + #piece end
      return size
    end,
  } do
    it(name .. " is not kept in memory, and has its order", function()
      local s = large()
      assert(cassette.use(path, function()
        ask(s.url .. "/0")
        local before = memory()
        for i = 1, 60 do ask(s.url .. "/" .. i) end
        assert.is_true(memory() - before < 40 * SIZE)
      end))
      for i, entry in ipairs(entries()) do
        assert.are.equal(s.url .. "/" .. i - 1, entry.request.url)
        assert.are.equal(1, select(2, table.concat(entry.response.body.text):gsub("^/" .. i - 1 .. "x", "")))
      end
      assert.are.equal(SIZE + 2, cassette.use(path, { unused = "ignore" }, function() return ask(s.url .. "/9") end))
      assert.are.same({ "tape.json" }, fs.list(files.path ""))
    end)
  end

  it("of a stream that is still open at its end has what came of it", function()
    local s = serving.start(function()
      return { status = 200, headers = { ["Content-Type"] = "text/event-stream" }, body = "data: a\n\ndata: b\n\n" }
    end)
    local function ask()
      local got = {}
      for event in sse.connect(http.client(), s.url) do
        got[#got + 1] = event.data
        if #got == 2 then return got end
      end
    end
    assert.are.same({ "a", "b" }, cassette.use(path, ask))
    assert.are.same({ "a", "b" }, cassette.use(path, { mode = "none", unused = "error" }, ask))
  end)

  it("of tasks side by side has the order in which they began", function()
    local gates = {}
    for i = 1, 40 do gates[i] = task.event() end
    local s = serving.start(function(req)
      local i = tonumber(req.path:match "%d+")
      gates[i]:wait()
      if gates[i - 1] then gates[i - 1]:set() end
      return { status = 200, body = ("x"):rep(SIZE) }
    end)
    gates[40]:set()
    assert(cassette.use(path, function()
      local api = http.client { limits = { inflight = 40, per_origin = 40 } }
      task.scope(function(scope)
        for i = 1, 40 do scope:spawn(function() assert(api:get(s.url .. "/" .. i)) end) end
      end)
    end))
    for i, entry in ipairs(entries()) do assert.are.equal(s.url .. "/" .. i, entry.request.url) end
  end)

  it("holds no secret that was learned after an entry went out of memory", function()
    local token = "a-t0ken-of-its-own"
    local s = serving.start(function(req)
      local body = { ["/text"] = "it was " .. token, ["/bytes"] = ("\0"):rep(70) .. token .. "\255" }
      return { status = 200, body = body[req.path] or ("x"):rep(SIZE) }
    end)
    assert(cassette.use(path, function()
      http.get(s.url .. "/text")
      http.get(s.url .. "/bytes")
      for i = 1, 40 do http.get(s.url .. "/" .. i) end
      http.get(s.url .. "/last", { auth = http.bearer(token) })
    end))
    assert.is_nil(files.read("tape.json"):find(token, 1, true))
    assert.are.equal("it was ***", entries()[1].response.body.text[1])
    local bytes = crypto.base64_decode(table.concat(entries()[2].response.body.base64))
    assert.are.equal(("\0"):rep(70) .. "***\255", bytes)
  end)

  it("looks for secrets in time that grows with the text, whatever it is", function()
    local long = 60000
    local bodies = {
      ["an element that does not end"] = "<" .. ("a"):rep(long),
      ["heads of parts"] = ('form-data; name="password"'):rep(long / 10),
      ["parts without an end"] = ('form-data; name="password"\r\n'):rep(long / 10),
      ["a name"] = ("a"):rep(long), ["quotes"] = ('"'):rep(long), ["spaces"] = '"password"' .. (" "):rep(long),
      ["escaped quotes"] = ('\\"'):rep(long), ["bearers"] = ("bearer "):rep(long / 5),
      ["URLs"] = ("://a"):rep(long / 3), ["parameters"] = ("?a&"):rep(long / 2), ["brackets"] = ("["):rep(long),
      ["lines"] = ("a:\n"):rep(long / 2), ["dashes"] = ("-"):rep(long), ["white space"] = (" "):rep(long),
      ["tags"] = ('<input name="token" value='):rep(long / 20), ["values"] = ("token='"):rep(long / 5),
      ["backslashes"] = ("\\"):rep(long), ["values in JSON"] = ('\\"token\\":\\"'):rep(long / 10),
      ["CDATA"] = ("<token><![CDATA["):rep(long / 10), ["encoded quotes"] = ("%22token%22%3A%22"):rep(long / 10),
    }
    local s = serving.start(function(req)
      local is_form = req.body:find "parts"
      local headers = { ["Content-Type"] = is_form and "multipart/form-data; boundary=b" or "text/plain" }
      return { status = 200, headers = headers, body = bodies[req.body] }
    end)
    assert(cassette.use(path, function()
      for name, body in pairs(bodies) do
        assert.are.equal(body, assert(http.post(s.url, { body = name, headers = { Cookie = ("a"):rep(20000) } })).body)
      end
    end))
  end)

  it("that is cancelled leaves nothing", function()
    local s = large()
    local asked = task.event()
    local handle = task.spawn(function()
      cassette.use(path, function()
        for i = 1, 40 do assert(http.get(s.url .. "/" .. i)) end
        asked:set()
        task.sleep(math.huge)
      end)
    end)
    asked:wait()
    handle:cancel()
    pcall(handle.join, handle)
    assert.are.same({}, fs.list(files.path ""))
  end)

  local SCRIPT = [[
    local cassette, http, server = require "lurcher.cassette", require "lurcher.http", require "lurcher.server"
    local path, count, how = ...
    local s = assert(server.start(function() return { status = 200, body = ("x"):rep(100000) } end))
    local ok, err = cassette.use(path, { mode = "all" }, function()
      for i = 1, count do assert(http.get(s.url .. "/" .. i)) end
      if how == "killed" then os.execute("kill -9 $PPID") end
    end)
    print(ok, err and err.kind, err and err.code, err)
  ]]

  it("leaves the file as it was, and nothing else, when its process is killed", function()
    assert(fs.write(path, "as it was"))
    assert.are.equal(137, (select(2, process.shell('"$1" "$2" "$3" 40 killed', process.lurcher, process.script(SCRIPT),
      path))))
    assert.are.equal("as it was", files.read "tape.json")
    assert.are.same({ "tape.json" }, fs.list(files.path ""))
  end)

  it("leaves the file as it was, and says so, when the disk is full", function()
    assert(fs.write(path, "as it was"))
    for _, count in ipairs { "40", "5" } do -- full while it is recorded, and when it is written
      local out = process.shell('trap "" XFSZ; ulimit -f 100; "$1" "$2" "$3" "$4" 2>&1', process.lurcher,
        process.script(SCRIPT), path, count)
      assert.matches("nil\tfile\tEFBIG", out, 1, true)
      assert.matches("tape.json", out, 1, true)
      assert.are.equal("as it was", files.read "tape.json")
      assert.are.same({ "tape.json" }, fs.list(files.path ""))
    end
  end)
end)
