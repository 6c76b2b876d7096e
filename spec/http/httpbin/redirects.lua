-- Redirects of every kind, and cookies, which come with them.

local assert = require "luassert"
local http = require "lurcher.http"

local routes = {}

local function check_many(kind)
  routes[("/%s/<int:n>"):format(kind)] = function(bin)
    local response = assert(bin.api:get(("/%s/5"):format(kind)))
    assert.same({ 200, bin.url .. "/get", 5 }, { response.status, response.url, #response.history })
    for _, earlier in ipairs(response.history) do assert.equal(302, earlier.status) end
    local _, err = bin.api:get(("/%s/5"):format(kind), { redirects = 4 })
    assert.equal("redirect", err.kind)
    local first = assert(bin.api:get(("/%s/1"):format(kind), { redirects = false }))
    assert.same({ 302, bin.url .. "/get" }, { first.status, first:location() })
  end
end

check_many "redirect"
check_many "relative-redirect"
check_many "absolute-redirect"

-- Method and body behind each status, as RFC 9110 has it.
local BEHIND = {
  [301] = { POST = "GET", PUT = "PUT", DELETE = "DELETE" }, [302] = { POST = "GET", PUT = "PUT", PATCH = "PATCH" },
  [303] = { POST = "GET", PUT = "GET", DELETE = "GET" }, [307] = { POST = "POST", PUT = "PUT" },
  [308] = { POST = "POST", PATCH = "PATCH" },
}

routes["/redirect-to"] = function(bin)
  for status, methods in pairs(BEHIND) do
    for method, behind in pairs(methods) do
      local params = { url = "/anything?x=%C3%BC#end", status_code = status }
      local response = assert(bin.api:request(method, "/redirect-to", { params = params, body = "kept" }))
      local seen = assert(response:json())
      assert.same({ behind, behind == "GET" and "" or "kept", { x = "ü" } }, { seen.method, seen.data, seen.args },
        method .. " " .. status)
      assert.equal(bin.url .. "/anything?x=%C3%BC#end", response.url)
    end
  end
  for _, away in ipairs { "ftp://127.0.0.1/", "file:///etc/passwd", "mailto:a@b.c" } do
    local _, err = bin.api:get("/redirect-to", { params = { url = away } })
    assert.equal("redirect", err.kind, away)
  end
end

-- One jar for each, and one that keeps nothing.
local function with_jar(bin, fn)
  for _, cookies in ipairs { true, false } do
    local client = http.client { base_url = bin.url, cookies = cookies }
    fn(function(path, params) return assert(assert(client:get(path, { params = params })):json()).cookies end,
      function(wanted) return cookies and wanted or {} end, client)
    client:close()
  end
end

routes["/cookies"] = function(bin)
  with_jar(bin, function(ask) assert.same({}, ask "/cookies") end)
  assert.same({ a = "1", b = "2" }, bin.json("GET", "/cookies", { headers = { Cookie = "a=1; b=2" } }).cookies)
end

routes["/cookies/set"] = function(bin)
  with_jar(bin, function(ask, kept, client)
    assert.same(kept { a = "1", b = "ü" }, ask("/cookies/set", { a = 1, b = "ü" }))
    assert.same(kept { a = "2", b = "ü" }, ask("/cookies/set", { a = 2 }))
    assert.same(kept { a = "2", b = "ü" }, ask "/cookies")
    if next(kept { 1 }) then assert.equal("2", (client.cookies:get("a", bin.url))) end
  end)
end

routes["/cookies/set/<name>/<value>"] = function(bin)
  with_jar(bin, function(ask, kept) assert.same(kept { one = "two three" }, ask "/cookies/set/one/two%20three") end)
end

routes["/cookies/delete"] = function(bin)
  with_jar(bin, function(ask, kept)
    ask("/cookies/set", { a = 1, b = 2 })
    assert.same(kept { b = "2" }, ask("/cookies/delete", { a = "" }))
  end)
end

return routes
