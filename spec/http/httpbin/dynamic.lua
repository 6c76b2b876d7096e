-- Bodies that are made for the request: sized, slow, in parts.

local assert = require "luassert"
local fs = require "lurcher.fs"
local task = require "lurcher.task"

local routes = {}

routes["/uuid"] = function(bin)
  assert.matches("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$", bin.json("GET", "/uuid").uuid)
end

routes["/base64/<value>"] = function(bin)
  assert.equal("naïve?", assert(bin.api:get "/base64/bmHDr3ZlPw==").body)
end

routes["/delay/<delay>"] = function(bin)
  local started = task.now()
  assert.equal(bin.url .. "/delay/0.2", bin.json("GET", "/delay/0.2").url)
  assert.is_true(task.now() - started >= 0.2)
  local _, err = bin.api:get("/delay/5", { timeout = 0.2 })
  assert.same({ "timeout", "total" }, { err.kind, err.phase })
end

routes["/drip"] = function(bin)
  local response = assert(bin.api:get("/drip", { params = { duration = 0.2, numbytes = 7, code = 203, delay = 0.1 } }))
  assert.same({ 203, "*******" }, { response.status, response.body })
  local _, err = bin.api:get("/drip", { params = { duration = 20, numbytes = 2 }, timeout = { read = 0.2 } })
  assert.same({ "timeout", "read" }, { err.kind, err.phase })
  assert.equal(400, assert(bin.api:get("/drip", { params = { numbytes = 0 } })).status)
end

routes["/stream/<int:n>"] = function(bin)
  local ids = {}
  for value in assert(bin.api:get("/stream/100", { stream = true })):ndjson() do ids[#ids + 1] = value.id end
  assert.same({ 100, 0, 99 }, { #ids, ids[1], ids[100] })
  assert.equal("chunked", assert(bin.api:get "/stream/1").headers["transfer-encoding"])
end

routes["/bytes/<int:n>"] = function(bin)
  local function bytes(n, seed) return assert(bin.api:get("/bytes/" .. n, { params = { seed = seed } })).body end
  assert.same({ 0, 1, 102400, 102400 }, { #bytes(0), #bytes(1), #bytes(102400), #bytes(200000) })
  assert.equal(bytes(1000, 1), bytes(1000, 1))
  assert.not_equal(bytes(1000, 1), bytes(1000, 2))
end

routes["/stream-bytes/<int:n>"] = function(bin)
  for _, chunk_size in ipairs { 1, 100, 4096 } do
    local bytes = 0
    local response = assert(bin.api:get("/stream-bytes/5000", { params = { chunk_size = chunk_size }, stream = true }))
    for chunk in response:chunks() do bytes = bytes + #chunk end
    assert.equal(5000, bytes)
  end
  local whole = assert(bin.api:get("/bytes/5000", { params = { seed = 3 } })).body
  assert.equal(whole, assert(bin.api:get("/stream-bytes/5000", { params = { seed = 3 } })).body)
end

local ALPHABET = ("abcdefghijklmnopqrstuvwxyz"):rep(4000)

local function check_ranges(bin)
  local function ask(range)
    local response = assert(bin.api:get("/range/100", { headers = { Range = range } }))
    return { response.status, response.body, response.headers["content-range"] }
  end
  local all = ALPHABET:sub(1, 100)
  assert.same({ 206, "bcd", "bytes 1-3/100" }, ask "bytes=1-3")
  assert.same({ 206, all:sub(91), "bytes 90-99/100" }, ask "bytes=-10")
  assert.same({ 206, all:sub(91), "bytes 90-99/100" }, ask "bytes=90-")
  assert.same({ 200, all, "bytes 0-99/100" }, ask "bytes=0-")
  assert.same({ 416, "", "bytes */100" }, ask "bytes=100-")
  assert.equal(404, assert(bin.api:get "/range/102401").status)
end

-- Its ETag stands without quotes, which makes it no strong validator.
routes["/range/<int:numbytes>"] = function(bin)
  check_ranges(bin)
  for _, parts in ipairs { 1, 4 } do
    local path = bin.directory .. "/range-" .. parts
    local got = assert(bin.api:download("/range/102400", path, { parts = parts, size = 102400 }))
    assert.equal(102400, got.bytes)
    assert.equal(ALPHABET:sub(1, 102400), assert(fs.read(path)))
  end
end

routes["/links/<int:n>/<int:offset>"] = function(bin)
  local page = assert(bin.api:get "/links/3/1").body
  assert.equal("<html><head><title>Links</title></head><body><a href='/links/3/0'>0</a> 1 "
    .. "<a href='/links/3/2'>2</a> </body></html>", page)
end

routes["/links/<int:n>"] = function(bin)
  local response = assert(bin.api:get "/links/10")
  assert.same({ bin.url .. "/links/10/0", 1 }, { response.url, #response.history })
  assert.equal(9, select(2, response.body:gsub("<a href", "")))
end

return routes
