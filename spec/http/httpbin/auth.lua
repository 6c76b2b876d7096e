-- Who may see it: Basic, Bearer and Digest with every qop and algorithm.

local assert = require "luassert"
local http = require "lurcher.http"

local ALGORITHMS = { "MD5", "SHA-256", "SHA-512" }
local QOPS = { "auth", "auth-int", "both" }

local routes = {}

local function check_basic(bin, path, refusal)
  assert.same({ authenticated = true, user = "ann" }, bin.json("GET", path, { auth = { "ann", "s:cret" } }))
  assert.equal(refusal, assert(bin.api:get(path)).status)
  assert.equal(refusal, assert(bin.api:get(path, { auth = http.basic("ann", "wrong") })).status)
  local inside = bin.url:gsub("//", "//ann:s%%3acret@")
  assert.equal("ann", assert(assert(bin.api:get(inside .. path)):json()).user)
end

routes["/basic-auth/<user>/<passwd>"] = function(bin)
  check_basic(bin, "/basic-auth/ann/s%3acret", 401)
  assert.equal('Basic realm="Fake Realm"', assert(bin.api:get "/basic-auth/a/b").headers["www-authenticate"])
end

routes["/hidden-basic-auth/<user>/<passwd>"] = function(bin)
  check_basic(bin, "/hidden-basic-auth/ann/s%3acret", 404)
end

routes["/bearer"] = function(bin)
  assert.same({ authenticated = true, token = "t-1" }, bin.json("GET", "/bearer", { auth = http.bearer "t-1" }))
  assert.equal("t-2", bin.json("GET", "/bearer", { auth = http.bearer(function() return "t-2" end) }).token)
  local refused = assert(bin.api:get "/bearer")
  assert.same({ 401, "Bearer" }, { refused.status, refused.headers["www-authenticate"] })
end

local function check_digest(bin, path)
  local auth = http.digest("ann", "s3cret")
  for _ = 1, 2 do
    assert.same({ authenticated = true, user = "ann" }, bin.json("GET", path, { auth = auth }))
  end
  local refused = assert(bin.api:get(path, { auth = http.digest("ann", "wrong") }))
  assert.equal(401, refused.status, path)
  assert.equal(401, assert(bin.api:get(path)).status, path)
end

routes["/digest-auth/<qop>/<user>/<passwd>"] = function(bin)
  for _, qop in ipairs(QOPS) do check_digest(bin, ("/digest-auth/%s/ann/s3cret"):format(qop)) end
end

routes["/digest-auth/<qop>/<user>/<passwd>/<algorithm>"] = function(bin)
  for _, qop in ipairs(QOPS) do
    for _, algorithm in ipairs(ALGORITHMS) do
      check_digest(bin, ("/digest-auth/%s/ann/s3cret/%s"):format(qop, algorithm))
    end
  end
end

-- How many more answers it takes with a nonce is in a cookie. (With a query, which `require-cookie` is, it answers 500
-- under Python 3.)
routes["/digest-auth/<qop>/<user>/<passwd>/<algorithm>/<stale_after>"] = function(bin)
  local function statuses(algorithm, stale_after)
    local client = http.client { base_url = bin.url, auth = http.digest("ann", "s3cret") }
    local path = ("/digest-auth/auth/ann/s3cret/%s/%s"):format(algorithm, stale_after)
    local list = {}
    for i = 1, 4 do list[i] = assert(client:get(path)).status end
    client:close()
    return list
  end
  for _, algorithm in ipairs(ALGORITHMS) do
    for _, stale_after in ipairs { "never", "1", "2" } do
      assert.same({ 200, 200, 200, 200 }, statuses(algorithm, stale_after))
    end
    assert.same({ 401, 401, 401, 401 }, statuses(algorithm, "0"))
  end
end

return routes
