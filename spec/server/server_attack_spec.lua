-- What strangers send to lurcher.server's routes and folders, and what handlers let through.

local fs = require "lurcher.fs"
local process = require "spec.support.process"
local server = require "lurcher.server"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local start, connect = serving.start, serving.connect

local function ask(s, target, headers)
  return connect(s):request(("GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n"):format(target, headers or ""))
end

-- The CPU time of some calls: other processes do not count.
local function cost(fn)
  local before = os.clock()
  for _ = 1, 20 do fn() end
  return os.clock() - before
end

describe("lurcher.server", function()
  it("lets no handler's value add headers, a status line or events", function()
    local cases = {
      { headers = { ["X-A"] = "b\r\nX-Evil: 1" } }, { headers = { ["X-A\r\nX-Evil"] = "1" } },
      { headers = { ["X-A"] = { "b", "c\nX-Evil: 1" } } }, { reason = "OK\r\nX-Evil: 1" },
      { headers = { { "X-A", "b\0\r\nX-Evil: 1" } } }, { headers = { Location = "/\r\n\r\nX-Evil: 1" } },
      { json = {}, headers = { ["Content-Type"] = "a\r\nX-Evil: 1" } },
    }
    for i, response in ipairs(cases) do
      local s = start(function() return response end)
      local res = ask(s, "/")
      assert.equal(500, res.status, "case " .. i)
      assert.is_nil(res.headers["x-evil"], "case " .. i)
    end
    local function named(req) return { headers = { ["X-Name"] = req.params.name } } end
    local s = start { routes = { ["/{name}"] = named } }
    assert.equal(500, ask(s, "/a%0d%0aX-Evil:%201").status)
  end)

  it("takes time in proportion to what is sent", function()
    local folder = process.directory()
    task.defer(function() assert(fs.remove(folder, { recursive = true })) end)
    assert(fs.write(folder .. "/a", "text"))
    local handler = server.routes { ["/f/{path*}"] = server.folder(folder), ["/{a}/{b}/{c}/x"] = "y" }
    local function request(path, headers)
      return { method = "GET", path = path, target = path, headers = headers or {} }
    end
    for name, make in pairs {
      ["slashes"] = function(n) return request(("/"):rep(n)) end,
      ["dots"] = function(n) return request("/f/" .. ("../"):rep(n / 3)) end,
      ["escapes"] = function(n) return request("/f/" .. ("%2e%2f"):rep(n / 6)) end,
      ["halves of escapes"] = function(n) return request("/f/" .. ("%"):rep(n)) end,
      ["ranges"] = function(n) return request("/f/a", { range = "bytes=" .. ("0-0,"):rep(n / 4) }) end,
      ["blanks in ranges"] = function(n) return request("/f/a", { range = "bytes=" .. (" "):rep(n) .. "x" }) end,
      ["tags"] = function(n) return request("/f/a", { ["if-none-match"] = ('W/"'):rep(n / 3) }) end,
      ["quotes"] = function(n) return request("/f/a", { ["if-match"] = ('"'):rep(n) }) end,
      ["dates"] = function(n) return request("/f/a", { ["if-modified-since"] = ("1 "):rep(n / 2) }) end,
    } do
      local small, large = make(10240), make(102400)
      local function closed(req)
        local response = handler(req)
        while type(response.body) == "function" and response.body() do end
      end
      closed(small)
      local first, second = cost(function() closed(small) end), cost(function() closed(large) end)
      assert.is_true(second < 40 * first + 0.1, ("%s: %.4f s, then %.4f s"):format(name, first, second))
    end
  end)

  it("refuses targets that are neither a path nor a URL", function()
    local s = start(function(req) return req.path end)
    for target, path in pairs { ["/a?b"] = "/a", ["http://b.test/a?b"] = "/a", ["http://b.test"] = "/", ["*"] = "*",
      ["a"] = false, ["../a"] = false, ["?a"] = false, ["http://"] = false, ["/a#b"] = false, ["#"] = false } do
      local res = ask(s, target)
      assert.equal(path and 200 or 400, res.status, target)
      if path then assert.equal(path, res.body) end
    end
  end)

  it("refuses heads that are too large, and goes on", function()
    local s = start({ handler = function() return "fine" end, max_head = 4096 })
    assert.equal(431, ask(s, "/" .. ("a"):rep(5000)).status)
    assert.equal(431, ask(s, "/", "X: " .. ("a"):rep(5000) .. "\r\n").status)
    assert.equal("fine", ask(s, "/").body)
  end)
end)
