-- What the response says of itself: headers, validators, caching.

local assert = require "luassert"
local date = require "lurcher.date"

local routes = {}

routes["/response-headers"] = function(bin)
  local twice = { { "X-Twice", "a" }, { "X-Twice", "b" }, { "X-Once", "ü" } }
  for _, method in ipairs { "GET", "POST" } do
    local response = assert(bin.api:request(method, "/response-headers", { params = twice }))
    assert.same({ "a", "b" }, response:header_list "x-twice")
    assert.same({ "a", "a, b" }, { response:header "X-TWICE", response.headers["x-TWICE"] })
    assert.same({ "a", "b" }, assert(response:json())["X-Twice"])
  end
end

routes["/cache"] = function(bin)
  local first = assert(bin.api:get "/cache")
  assert.matches("^%x+$", first.headers.etag)
  assert.is_true(math.abs(date.parse(first.headers["last-modified"]) - date.now()) < 600)
  for name, value in pairs {
    ["If-None-Match"] = first.headers.etag, ["If-Modified-Since"] = first.headers["last-modified"],
  } do
    local again = assert(bin.api:get("/cache", { headers = { [name] = value } }))
    assert.same({ 304, "" }, { again.status, again.body })
  end
end

routes["/cache/<int:value>"] = function(bin)
  assert.equal("public, max-age=60", assert(bin.api:get "/cache/60").headers["cache-control"])
end

routes["/etag/<etag>"] = function(bin)
  local function status(name, value)
    return assert(bin.api:get("/etag/abc", { headers = { [name] = value } })).status
  end
  assert.equal("abc", assert(bin.api:get "/etag/abc").headers.etag)
  assert.same({ 304, 304, 200 }, { status("If-None-Match", '"abc"'), status("If-None-Match", "*"),
    status("If-None-Match", '"other"') })
  assert.same({ 200, 200, 412 }, { status("If-Match", '"x", "abc"'), status("If-Match", "*"),
    status("If-Match", '"other"') })
end

return routes
