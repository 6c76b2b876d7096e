-- What a peer, or the text that a script was given, may try on the terminal of the person who runs it.

local process = require "spec.support.process"
local server = require "lurcher.server"
local task = require "lurcher.task"

-- ESC, BEL, a C1 control, DEL, and characters that turn the order of the rest around.
local STEERING = "\27]0;TITLE\7\27[31m\194\15531m\127\226\128\174evil\226\129\166\226\128\143"
local RAW = { "\27]0", "\27[31m", "\7", "\194\155", "\127", "\226\128\174", "\226\129\166", "\226\128\143" }

local function answer(status, head, body)
  return ("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s"):format(status, head or "", #(body or "[]"),
    body or "[]")
end

local ANSWERS = {
  reason = answer("404 No" .. STEERING), body = answer("404 No", "", "oops" .. STEERING),
  text = answer("404 No", "", "oops \194\155\127"),
  location = answer("302 F", "Location: http://a b/" .. STEERING .. "\r\n"),
  location_scheme = answer("302 F", "Location: x" .. STEERING .. ":y\r\n"),
  keys = answer("200 OK", "", '{"a\\u001b]0;TITLE\\u0007\\u202e":1}'),
  c1_keys = answer("200 OK", "", '{"a\194\15531m":1}'),
  html = answer("200 OK", "Content-Type: text/html\r\n", "<p>" .. STEERING),
  json = answer("200 OK", "", "{" .. STEERING), ndjson = answer("200 OK", "", "{" .. STEERING .. "\n"),
  link = answer("200 OK", "Link: <http://a b/" .. STEERING .. ">;rel=next\r\n", "[1]"),
  coding = answer("200 OK", "Content-Encoding: " .. STEERING .. "\r\n"),
  charset = answer("200 OK", "Content-Type: text/plain; charset=a" .. STEERING:gsub(" ", "") .. "\r\n"),
  status = "HTTP/1.1 abc" .. STEERING .. "\r\n\r\n", header = "HTTP/1.1 200 OK\r\nbad" .. STEERING .. "\r\n\r\n",
  length = answer("200 OK", "Content-Length: " .. STEERING .. "\r\n"),
  redirect = answer("302 F", "Location: /reason?" .. STEERING .. "\r\n"),
  retry = answer("503 B" .. STEERING, "Retry-After: 0\r\n"),
}

local function hostile_server()
  local s = server.raw(function(conn)
    local request = conn:read_request()
    local name = request and request.path:match("^/([%w_]*)")
    conn:write(ANSWERS[name] or answer("200 OK"))
  end)
  task.defer(function() s:stop() end)
  return s
end

local function assert_clean(text, what)
  for _, bytes in ipairs(RAW) do
    local at = text:find(bytes, 1, true)
    assert(not at, at and ("%s: %q at %q"):format(what, bytes, text:sub(math.max(1, at - 60), at + 20)))
  end
  for line in text:gmatch("[^\n]+") do assert(#line <= 4600, what .. ": a line of " .. #line .. " bytes") end
end

local function urls_of_each()
  local s, urls = hostile_server(), {}
  for name in pairs(ANSWERS) do urls[#urls + 1] = s.url .. "/" .. name end
  table.sort(urls)
  return urls
end

-- Runs the code with these options once for each answer.
local function run_on_each(what, options, code)
  for _, url in ipairs(urls_of_each()) do
    local arguments = { unpack(options) }
    for _, word in ipairs { "-e", code, url } do arguments[#arguments + 1] = word end
    local ended = process.run(arguments)
    assert_clean(ended.out .. ended.err, what .. ", " .. url)
  end
end

-- The same in one process, for what does not end it.
local function run_on_all(what, options, code)
  local arguments, urls = { unpack(options) }, urls_of_each()
  table.insert(arguments, "-e")
  table.insert(arguments, ("for _, url in ipairs { ... } do (function(...) %s end)(url) end io.stderr:write 'all'")
    :format(code))
  for _, url in ipairs(urls) do table.insert(arguments, url) end
  local ended = process.run(arguments)
  assert_clean(ended.out .. ended.err, what)
  assert.equal(0, ended.status)
  assert.matches("all", ended.err)
end

describe("the terminal", function()
  it("is not steered by what a server brings into the error that ends a script", function()
    run_on_each("uncaught", { "--log=debug" }, [[
      local res = assert(require("lurcher.http").get(..., { expect = 200, retry = false }))
      assert(res:text())
      assert(res:json())]])
  end)

  it("is not steered by what errors say themselves", function()
    run_on_all("printed", {}, [[
      local res, err = require("lurcher.http").get(..., { expect = 200, retry = false })
      if res then print(res) end
      if not err then _, err = res:json() end
      print(err, err and err.message) print(err and err.response)]])
  end)

  it("is not steered through pages", function()
    run_on_each("pages", {}, [[
      local pages = require "lurcher.pages"
      local all = pages.items(require "lurcher.http", ..., { next = pages.link(), items = "data", retry = false })
      for _ in all do end]])
  end)

  it("is not steered through traces, tables and waterfalls", function()
    run_on_all("trace", { "--trace=bodies", "--stats", "--explain" }, [[
      require("lurcher.http").get(..., { retry = { attempts = 2, base = 0 } })]])
  end)

  it("is not steered through log lines", function()
    run_on_all("log", {}, [[
      local log = require "lurcher.log"
      log.format "text"
      local res, err = require("lurcher.http").get(..., { expect = 200, retry = false })
      log.warn("x", { err = err, res = res, reason = res and res.reason })
      log.warn(tostring(err or res))
      log.format "json"
      log.warn("x", { err = err, res = res, reason = res and res.reason })]])
  end)

  it("is not steered by names", function()
    local s = hostile_server()
    for _, options in ipairs { { "--trace" }, { "--stats" }, { "--explain" }, {} } do
      table.insert(options, "-e")
      table.insert(options, [[
        local name, url = ...
        require("lurcher.http").get(url, { name = name, retry = { attempts = 2, base = 0 } })
        print(require("lurcher.metrics").prometheus())]])
      table.insert(options, STEERING .. "\n\r")
      table.insert(options, s.url .. "/retry")
      local ended = process.run(options)
      assert.equal(0, ended.status)
      assert_clean(ended.out .. ended.err, options[1])
    end
  end)

  it("is not steered by what a script raises, whatever it is", function()
    for _, code in ipairs { "error(...)", "error({ text = ... })", "error(setmetatable({ ... }, { __tostring \z
      = function(self) return self[1] end }))", "load('error(0)', '=' .. ...)()", "require(...)" } do
      local ended = process.run { "-e", code, STEERING }
      assert.equal(1, ended.status)
      assert_clean(ended.err, code)
      assert.matches("1b", ended.err)
    end
  end)

  it("is not steered by a script that does not compile", function()
    local ended = process.run { "-e", "local x = = 5 '" .. STEERING }
    assert.equal(1, ended.status)
    assert_clean(ended.err, "syntax")
  end)

  it("shows a message of at most 4 KiB", function()
    for _, code in ipairs {
      "error(('x'):rep(1e6))", "error({ ('x'):rep(1e6) })", "error({ message = ('ä'):rep(1e6) })",
      "require('lurcher.fs').read(('x'):rep(1e6)) assert(require('lurcher.fs').read(('x'):rep(1e6)))",
      "assert(require('lurcher.http').get('http://h:99999/' .. ('x'):rep(1e6)))",
    } do
      local ended = process.run { "-e", code }
      assert.equal(1, ended.status)
      assert.is_true(#ended.err < 4600, code .. ": " .. #ended.err)
    end
  end)

  it("still shows what is no control character", function()
    local ended = process.run { "-e", "error 'grün 日本 🚀\\n\tnext line'" }
    assert.matches("grün 日本 🚀\n\tnext line", ended.err, 1, true)
  end)
end)
