-- Statuses of every class, and lists of them.

local assert = require "luassert"

local FINAL = {
  200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 304, 305, 306, 400, 401, 402, 403, 404, 405, 406, 407, 408,
  409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 500, 501, 502,
  503, 504, 505, 506, 507, 508, 510, 511, 599,
}

local MOVED = { 301, 302, 303, 307 }

local METHODS = { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE" }

local routes = {}

local function check_final(bin)
  for _, status in ipairs(FINAL) do
    for _, method in ipairs { "GET", "POST" } do
      local response = assert(bin.api:request(method, "/status/" .. status))
      assert.equal(status, response.status)
      assert.equal(status >= 200 and status < 300, response.ok)
      local _, err = response:expect "2xx"
      assert.equal(not response.ok and "status" or nil, err and err.kind)
    end
  end
  for _, method in ipairs(METHODS) do
    assert.equal(404, assert(bin.api:request(method, "/status/404")).status, method)
  end
end

-- All lead to /redirect/1, and that to /get.
local function check_moved(bin)
  for _, status in ipairs(MOVED) do
    assert.equal(status, assert(bin.api:get("/status/" .. status, { redirects = false })).status)
    local response = assert(bin.api:get("/status/" .. status))
    assert.same({ 200, bin.url .. "/get", 2 }, { response.status, response.url, #response.history })
  end
end

-- gunicorn sends them as if they were the answer: 101 unasked, and behind the others the last chunk of a body.
local function check_interim(bin)
  for _, status in ipairs { 100, 101, 102, 103 } do
    local response, err = bin.api:get("/status/" .. status)
    assert.is_nil(response)
    assert.equal("protocol", err.kind, status .. ": " .. tostring(err))
  end
end

local function check_lists(bin)
  local seen = {}
  for _ = 1, 40 do seen[assert(bin.api:get "/status/200,404:1,500:0").status] = true end
  assert.same({ [200] = true, [404] = true }, seen)
  assert.same({ 400, "Invalid status code" },
    (function(response) return { response.status, response.body } end)(assert(bin.api:get "/status/200,x")))
end

routes["/status/<codes>"] = function(bin)
  check_final(bin)
  check_moved(bin)
  check_interim(bin)
  check_lists(bin)
  local tea = assert(bin.api:get "/status/418")
  assert.equal("http://tools.ietf.org/html/rfc2324", tea.headers["x-more-info"])
  assert.truthy(tea.body:find("teapot", 1, true))
  local tried = assert(bin.api:get("/status/503", { retry = { attempts = 3, base = 0.001 } }))
  assert.same({ 503, 3 }, { tried.status, tried.attempts })
end

return routes
