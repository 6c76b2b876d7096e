-- The methods, and what they say of the request.

local assert = require "luassert"

local METHODS = { "GET", "POST", "PUT", "PATCH", "DELETE" }

-- What every one of these answers holds.
local function check_request(bin, seen, path)
  assert.equal(bin.url .. path .. "?a=1&a=2&b=%20%26", seen.url)
  assert.same({ a = { "1", "2" }, b = " &" }, seen.args)
  assert.equal("127.0.0.1", seen.origin)
  assert.equal("gzip, deflate, br, zstd", seen.headers["Accept-Encoding"])
  assert.equal("yes", seen.headers["X-Own"])
end

local function asking(more)
  local opts = { params = { { "a", 1 }, { "a", 2 }, { "b", " &" } }, headers = { ["x-own"] = "yes" } }
  for key, value in pairs(more or {}) do opts[key] = value end
  return opts
end

-- Of a method that takes a body: JSON, a form, a file in a form, and bytes that are no text.
local function check_bodies(bin, method, path)
  local seen = bin.json(method, path, asking { json = { ["ü"] = { 1, 2.5, "x" } } })
  check_request(bin, seen, path)
  assert.same({ ["ü"] = { 1, 2.5, "x" } }, seen.json)
  assert.equal("application/json", seen.headers["Content-Type"])
  assert.same({ n = { "1", "2" }, ["ä"] = "&" },
    bin.json(method, path, { form = { { "n", 1 }, { "n", 2 }, { "ä", "&" } } }).form)
  seen = bin.json(method, path, { multipart = {
    { name = "field", value = "one" }, { name = "file", body = "two", filename = "two.txt" },
  } })
  assert.same({ { field = "one" }, { file = "two" }, "" }, { seen.form, seen.files, seen.data })
  assert.equal("data:application/octet-stream;base64,AP+A",
    bin.json(method, path, { body = "\0\255\128" }).data)
end

local routes = {}

routes["/get"] = function(bin)
  check_request(bin, bin.json("GET", "/get", asking()), "/get")
  local head = assert(bin.api:head "/get")
  assert.equal(200, head.status)
  assert.equal("", head.body)
  local allowed = {}
  for method in assert(bin.api:options "/get").headers.allow:gmatch "%u+" do allowed[method] = true end
  assert.same({ GET = true, HEAD = true, OPTIONS = true }, allowed)
  assert.equal(405, assert(bin.api:post "/get").status)
end

for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
  local path = "/" .. method:lower()
  routes[path] = function(bin) check_bodies(bin, method, path) end
end

routes["/anything"] = function(bin)
  for _, method in ipairs(METHODS) do
    assert.equal(method, bin.json(method, "/anything").method)
    check_bodies(bin, method, "/anything")
  end
  assert.equal("TRACE", bin.json("TRACE", "/anything").method)
end

routes["/anything/<path:anything>"] = function(bin)
  for _, method in ipairs(METHODS) do
    local seen = bin.json(method, "/anything/a/b%20c/../d", asking())
    assert.equal(method, seen.method)
    check_request(bin, seen, "/anything/a/d")
  end
end

routes["/ip"] = function(bin) assert.same({ origin = "127.0.0.1" }, bin.json("GET", "/ip")) end

routes["/headers"] = function(bin)
  local seen = bin.json("GET", "/headers", { headers = { ["X-List"] = { "a", "b" }, ["User-Agent"] = false } }).headers
  assert.equal("a,b", seen["X-List"])
  assert.is_nil(seen["User-Agent"])
  assert.equal(bin.url:match "//(.*)", seen.Host)
end

routes["/user-agent"] = function(bin)
  assert.matches("^lurcher/[%d.]+$", bin.json("GET", "/user-agent")["user-agent"])
  assert.equal("mine/1", bin.json("GET", "/user-agent", { user_agent = "mine/1" })["user-agent"])
end

return routes
