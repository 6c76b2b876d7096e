-- Requests as Lua scripts: what they say, and that they send the request.

local curl = require "lurcher.curl"
local faults = require "spec.support.faults"
local generated = require "spec.support.generated"
local http = require "lurcher.http"
local json = require "lurcher.json"
local recorder = require "spec.support.recorder"

-- Runs a script here; its prints go nowhere.
local function run(text, variables)
  local chunk = assert(loadstring(text, "=script"))
  local env = { print = function() end, os = { getenv = function(name) return variables and variables[name] end } }
  setfenv(chunk, setmetatable(env, { __index = _G }))()
end

-- A request whatever the order of its lines, of the keys of a JSON body, and its boundary.
local function comparable(text, opts)
  local head, body = text:match("^(.-\r\n)\r\n(.*)$")
  if opts.json ~= nil and body ~= "" then body = json.encode(json.decode(body), { sort = true }) end
  if opts.multipart then
    local boundary = head:match("boundary=([^\r]*)")
    head = head:gsub("boundary=[^\r]*", "boundary=B")
    body = body:gsub("%-%-" .. boundary:gsub("%p", "%%%0"), "--B")
  end
  local lines = {}
  for line in head:gmatch("[^\r\n]+") do lines[#lines + 1] = line end
  table.sort(lines)
  return table.concat(lines, "\n") .. "\n\n" .. body
end

describe("curl.script", function()
  it("gives scripts that send the same requests, alone and several together", function()
    local count, size = faults.sanitized() and 100 or 500, 10
    local record, make = recorder.start(), generated.new(4711)
    local client = http.client { cookies = false, retry = false }
    for first = 1, count, size do
      local cases = {}
      for number = first, first + size - 1 do
        local case = make(number, record.url)
        cases[#cases + 1] = case
        assert(client:request(case.method, case.url, case.opts))
      end
      local ours = record:take()
      local texts = { curl.script(cases, { secrets = true }) }
      for i, case in ipairs(cases) do texts[i + 1] = curl.script(case, { secrets = true }) end
      for i, text in ipairs(texts) do
        run(text)
        local theirs = record:take()
        for k, case in ipairs(cases) do
          if i == 1 or i == k + 1 then
            local number = first + k - 1
            assert.are.equal(1, #(theirs[number] or {}), text:sub(1, 3000))
            assert.are.equal(comparable(ours[number][1], case.opts), comparable(theirs[number][1], case.opts),
              text:sub(1, 3000))
          end
        end
      end
    end
  end)

  it("is short for one request", function()
    assert.are.equal([[
-- GET https://api.example.com/items?page=2

local http = require "lurcher.http"

local res = assert(http.get("https://api.example.com/items?page=2", { headers = { Accept = "text/html" } }))
print(res.body)
]], curl.script { method = "GET", url = "https://api.example.com/items?page=2",
      opts = { headers = { Accept = "text/html" } } })
  end)

  it("reads secrets from the environment, and tells which", function()
    local text = curl.script { method = "POST", url = "https://ada:pw1@api.example.com/?api_key=k1",
      opts = { auth = http.bearer "t1", headers = { Cookie = "c=1", ["X-Key"] = http.secret "secret1" } } }
    for _, secret in ipairs { "pw1", "k1", "t1", "c=1", "secret1" } do
      assert.is_nil(text:find('"[^"]*' .. secret .. '[^"]*"'), secret)
    end
    for name, place in pairs { TOKEN = "http.bearer(token)", COOKIE = "Cookie = cookie", X_KEY = '["X-Key"] = x_key',
      API_KEY = '?api_key=" .. api_key', PASSWORD = '"https://ada:" .. password .. "@api' } do
      assert.matches(('local %s = assert(os.getenv "%s", "set %s")'):format(name:lower(), name, name), text, 1, true)
      assert.matches(place, text, 1, true)
    end
    assert.matches("--   PASSWORD=… API_KEY=… ", text, 1, true)
  end)

  it("gives two secrets of one name two variables", function()
    local text = curl.script { { method = "GET", url = "https://h/a", opts = { auth = http.bearer "one" } },
      { method = "GET", url = "https://h/b", opts = { auth = http.bearer "two" } },
      { method = "GET", url = "https://h/c", opts = { auth = http.bearer "one" } } }
    assert.matches('os.getenv "TOKEN_2"', text, 1, true)
    assert.is_nil(text:find("TOKEN_3", 1, true))
  end)

  it("joins parameters of a curl command to the texts around them", function()
    local request = assert(curl.parse [[curl -H "X-Key: a${KEY}b" "http://127.0.0.1:1/$ID" -u "me:$PW"]])
    local text = curl.script(request)
    assert.matches('["X-Key"] = "a" .. key .. "b"', text, 1, true)
    assert.matches('http.get("http://127.0.0.1:1/" .. id', text, 1, true)
    assert.matches('auth = { "me", pw }', text, 1, true)
  end)

  it("hoists what several requests have in common, and gives each a function", function()
    local function request(method, path, headers, opts)
      opts = opts or {}
      opts.headers, opts.redirects, opts.auth = headers, 3, { "ada", "pw" }
      return { method = method, url = "https://api.example.com/v1/" .. path, opts = opts }
    end
    assert.are.equal([[
-- 4 requests, a function each, which are sent one after the other
--   PASSWORD=… lurcher SCRIPT

local http = require "lurcher.http"

-- secrets, which are not in the script
local password = assert(os.getenv "PASSWORD", "set PASSWORD")

local api = http.client {
  base_url = "https://api.example.com/v1",
  headers = { Accept = "*/*" },
  auth = { "ada", password },
  redirects = 3,
}

local function get_items()
  return api:get("items?page=2")
end

local function post_items()
  return api:post("items", { json = { "a" } })
end

local function get_items_2()
  return api:get("items/7", { headers = { ["X-A"] = "1" } })
end

local function propfind_items_end()
  return api:request("PROPFIND", "items/8f14e45fceea467a/end")
end

print(assert(get_items()))
print(assert(post_items()))
print(assert(get_items_2()))
print(assert(propfind_items_end()))
]], curl.script { request("GET", "items?page=2", { Accept = "*/*" }),
      request("POST", "items", { Accept = "*/*", ["Content-Type"] = "application/json" }, { body = '["a"]' }),
      request("GET", "items/7", { Accept = "*/*", ["X-A"] = "1" }),
      request("PROPFIND", "items/8f14e45fceea467a/end", { Accept = "*/*" }) })
  end)

  it("hoists headers that nearly all requests have, and takes them from the others", function()
    local list = {}
    for i = 1, 10 do
      list[i] = { method = "GET", url = "http://h/" .. i, opts = { headers = { ["X-All"] = "a", ["X-Most"] = "m",
        ["X-Few"] = i <= 3 and "f" or nil, Accept = i > 1 and "a/b" or nil } } }
    end
    list[2].opts.headers["X-Most"] = nil
    list[3].opts.headers["X-Most"] = "other"
    list[4].opts.headers["X-Most"], list[4].opts.headers["x-most"] = nil, "m"
    local text = curl.script(list)
    local function count(part) return select(2, text:gsub(part, "")) end
    assert.same({ 1, 4, 1, 1, 1 }, { count '"X%-All"%]', count '"X%-Most"%]' + count '"x%-most"%]',
      count '"X%-Most"%] = false', count '"X%-Most"%] = "other"', count '"x%-most"%] = "m"' })
    assert.same({ 3, 9 }, { count '"X%-Few"%] = "f"', count 'Accept = "a/b"' })
  end)

  it("writes JSON and forms as tables where they give the same bytes, else as they are", function()
    local function body(text, content_type)
      return curl.script({ method = "POST", url = "http://h/", opts = { body = text,
        headers = { ["Content-Type"] = content_type } } }):match(", (%b{})%)%)\n")
    end
    assert.are.equal('{ json = { name = "Ada" } }', body('{"name":"Ada"}', "application/json"))
    assert.are.equal('{ json = { { 1, json.null }, json.array {}, {} } }', body("[[1,null],[],{}]", "application/json"))
    assert.matches('body = [[{"name": "Ada"}]]', body('{"name": "Ada"}', "application/json"), 1, true)
    assert.matches('body = [[{"b":1,"a":2}]]', body('{"b":1,"a":2}', "application/json"), 1, true)
    assert.matches('body = "1.0"', body("1.0", "application/json"), 1, true)
    local form = "application/x-www-form-urlencoded"
    assert.are.equal('{ form = { a = "1 2", b = "é" } }', body("a=1+2&b=%C3%A9", form))
    assert.are.equal('{ form = { { "b", "1" }, { "a", "2" }, { "a", "3" } } }', body("b=1&a=2&a=3", form))
    assert.matches('body = "a=1%202"', body("a=1%202", form), 1, true)
  end)

  it("names files and tells what it cannot write", function()
    local text = curl.script { method = "PUT", url = "http://h/", opts = { body = http.file("a.bin", { offset = 3 }),
      auth = function() end } }
    assert.matches('body = http.file("a.bin", { offset = 3 })', text, 1, true)
    assert.matches("\n-- auth is a function of the program that made the request\n", text, 1, true)
  end)

  it("stays a script that loads with hundreds of requests", function()
    local list = {}
    for i = 1, 400 do list[i] = { method = "GET", url = "http://h/" .. ("x"):rep(i % 30 + 1) } end
    assert(loadstring(curl.script(list)))
  end)

  it("raises for what is no request", function()
    assert.error_matches(function() curl.script { url = "http://h/" } end, "request 1 needs method and url")
    assert.error_matches(function() curl.script "GET" end, "curl.script")
  end)

  it("names functions by the words of their paths, in the order of the requests", function()
    local requests = {}
    for i, path in ipairs { "items/1", "items/2", "items", "" } do
      requests[i] = { method = i == 2 and "POST" or "GET", url = "https://a.test/api/" .. path }
    end
    local function names(list)
      local found = {}
      for name in curl.script(list):gmatch "local function ([%w_]+)" do found[#found + 1] = name end
      return found
    end
    assert.are.same({ "get_items", "post_items", "get_items_2", "get_api" }, names(requests))
    assert.are.same({ "get_items", "post_items" }, names { requests[1], requests[2] }) -- below a base of both
    local alike = {}
    for i = 1, 30 do alike[i] = requests[4] end
    local last = names(alike)
    assert.are.equal("get_api_30", last[30])
  end)
end)
