-- Bodies of every format, and codings.

local assert = require "luassert"

local routes = {}

local function check_page(path, kind, file, ending)
  routes[path] = function(bin)
    local response = assert(bin.api:get(path))
    assert.equal(kind, response.headers["content-type"])
    -- The templates are without variables; jinja takes the last newline.
    assert.equal(bin.template(file):gsub("\n$", ""), (response:text():gsub("\n$", "")))
    if ending then assert.truthy(response.body:find(ending, 1, true)) end
  end
end

check_page("/html", "text/html; charset=utf-8", "moby.html", "Herman Melville")
check_page("/xml", "application/xml", "sample.xml", "WonderWidgets")
check_page("/encoding/utf8", "text/html; charset=utf-8", "UTF-8-demo.txt")

routes["/"] = function(bin)
  local response = assert(bin.api:get "/")
  assert.same({ 200, "text/html; charset=utf-8" }, { response.status, response.headers["content-type"] })
  assert.truthy(response.body:find("httpbin", 1, true))
  assert.equal(tonumber(response.headers["content-length"]), #response.body)
end

routes["/forms/post"] = function(bin)
  local response = assert(bin.api:get "/forms/post")
  assert.truthy(response.body:find('<form method="post" action="/post">', 1, true))
  assert.truthy(response.body:find('name="firstname"', 1, true))
end

routes["/static/<path:filename>"] = function(bin)
  assert.equal(404, assert(bin.api:get "/static/not-there").status)
end

routes["/robots.txt"] = function(bin)
  local response = assert(bin.api:get "/robots.txt")
  assert.equal("User-agent: *\nDisallow: /deny\n", response.body)
  assert.matches("^text/plain", response.headers["content-type"])
end

routes["/deny"] = function(bin)
  assert.truthy(assert(bin.api:get "/deny").body:find("YOU SHOULDN'T BE HERE", 1, true))
end

-- A coding is undone unless it is to be kept, for streams too.
local function check_coding(path, field, coding)
  routes[path] = function(bin)
    local seen = bin.json("GET", path)
    assert.same({ true, "GET" }, { seen[field], seen.method })
    local response = assert(bin.api:get(path, { stream = true }))
    assert.is_true(assert(require "lurcher.json".decode(assert(response:read_all())))[field])
    local raw = assert(bin.api:get(path, { decompress = false }))
    assert.equal(coding, raw.headers["content-encoding"])
    assert.equal(tonumber(raw.headers["content-length"]), #raw.body)
    assert.is_nil(raw.body:find(field, 1, true))
  end
end

check_coding("/gzip", "gzipped", "gzip")
check_coding("/deflate", "deflated", "deflate")
check_coding("/brotli", "brotli", "br")

return routes
