-- HTTP archives as scripts: what of them is taken over, and what is told to be missing.

local import = require "lurcher.command.import"
local json = require "lurcher.json"
local files = require "spec.support.files"
local recorder = require "spec.support.recorder"

local DATA = "spec/data/har/"

-- What the command prints and tells, and its status.
local function run(...)
  local out, err = {}, {}
  local function into(list)
    return { write = function(_, ...)
      for i = 1, select("#", ...) do list[#list + 1] = (select(i, ...)) end
    end }
  end
  local status = import.perform({ "har", ... }, { out = into(out), err = into(err) })
  return table.concat(out), table.concat(err), status
end

local function has(text, ...)
  for _, part in ipairs { ... } do assert.matches(part, text, 1, true) end
end

local function lacks(text, ...)
  for _, part in ipairs { ... } do assert.is_nil(text:find(part, 1, true), part) end
end

describe("lurcher import har", function()
  before_each(files.begin)
  after_each(files.finish)

  -- An archive of these entries in a file.
  local function archive(entries)
    for _, entry in ipairs(entries) do entry.request.headers = entry.request.headers or {} end
    local path = files.path "made.har"
    local file = assert(io.open(path, "wb"))
    file:write(json.encode { log = { version = "1.2", entries = entries } })
    file:close()
    return path
  end

  it("takes the requests of Chrome's archive without what belongs to connections", function()
    local text, told, status = run(DATA .. "chrome_sanitized.har")
    assert.are.equal(0, status)
    has(text, 'base_url = "https://shop.example"', 'headers = { ["user-agent"] = "Mozilla/5.0" }',
      'return api:post("api/cart?lang=en", { headers = { accept = "*/*" }, json = { id = 7 } })',
      'form = { { "user", "ada" }, { "next", "/home" } }', 'return http.get("https://cdn.example/logo.png")')
    lacks(text, ":authority", "content-length", "accept-encoding", "wss:", "data:")
    has(told, "neither cookies nor Authorization", "WebSockets are left out (1)",
      "no http or https request is left out (1)")
    has(text, "-- the archive has neither cookies nor Authorization")
    assert(loadstring(text))
  end)

  it("takes those of Firefox's, cookies once, and tells of files that are not in it", function()
    local text, told, status = run(DATA .. "firefox.har", "--show-secrets")
    assert.are.equal(0, status)
    has(text, 'Cookie = "session=s3cret; theme=dark"', 'Authorization = "Bearer t0ken"',
      '{ name = "photo", file = "cat.jpg", type = "image/jpeg" }')
    lacks(text, "Host", "Connection", "Content-Length", "boundary")
    assert.are.equal("lurcher: the file 'cat.jpg' is not in the archive: it is read from where the script runs\n", told)
    lacks(run(DATA .. "firefox.har"), "s3cret", "t0ken")
  end)

  it("leaves out what no script requested, and what the pattern is not in", function()
    local function urls(...)
      local list = {}
      for verb, url in run(...):gmatch('[:.](%l+)%("([^"]+)"') do list[#list + 1] = verb .. " " .. url end
      return table.concat(list, ", ")
    end
    local chrome, firefox = DATA .. "chrome_sanitized.har", DATA .. "firefox.har"
    assert.are.equal("post cart?lang=en, post login", urls(chrome, "--xhr"))
    assert.are.equal("get https://shop.example/api/cart", urls(firefox, "--xhr"))
    assert.are.equal("post https://shop.example/api/cart?lang=en", urls(chrome, "--only=cart?lang"))
    assert.are.equal("post cart?lang=en, post login", urls(chrome, "--only=//shop.*/api/"))
    assert.are.equal("get https://cdn.example/logo.png", urls(chrome, "--only=^https://cdn.*png$"))
    local _, told, status = run(chrome, "--only=nothing")
    assert.are.equal(1, status)
    has(told, "no request that is wanted")
  end)

  it("gives scripts that send what was recorded", function()
    local record = recorder.start()
    local function entry(fields)
      fields.url = record.url .. fields.url
      return { request = fields }
    end
    local text = run(archive {
      entry { method = "POST", url = "/c1/?a=1", queryString = { { name = "a", value = "1" } },
        headers = { { name = ":path", value = "/" }, { name = "Content-Type", value = "text/plain" },
          { name = "x-two", value = "a" }, { name = "X-Two", value = "b" } },
        postData = { mimeType = "text/plain", text = "it's\r\n\0binary" } },
      entry { method = "POST", url = "/c2/", postData = { mimeType = "application/octet-stream", text = "AP8=",
        encoding = "base64" } },
      entry { method = "POST", url = "/c3/", postData = { mimeType = "application/x-www-form-urlencoded",
        params = { { name = "a b", value = "é&" } } } },
      entry { method = "POST", url = "/c4/", postData = { mimeType = "application/x-www-form-urlencoded",
        params = { { name = "a%20b", value = "%26" } } } },
      entry { method = "GET", url = "/c5/", queryString = { { name = "q", value = "x y" } },
        headers = { { name = "cookie", value = "a=1" }, { name = "cookie", value = "b=2" } },
        cookies = { { name = "a", value = "1" } } },
      entry { method = "GET", url = "/c6/#part",
        cookies = { { name = "a", value = "1" }, { name = "b", value = "2" } } },
    }, "--show-secrets")
    setfenv(assert(loadstring(text)), setmetatable({ print = function() end }, { __index = _G }))()
    local seen = record:take()
    has(seen[1][1], "POST /c1/?a=1 HTTP/1.1\r\n", "\r\nx-two: a\r\nx-two: b\r\n", "\r\nContent-Type: text/plain\r\n",
      "\r\n\r\nit's\r\n\0binary")
    has(seen[2][1], "Content-Type: application/octet-stream\r\n", "\r\n\r\n\0\255")
    has(seen[3][1], "Content-Type: application/x-www-form-urlencoded\r\n", "\r\n\r\na+b=%C3%A9%26")
    has(seen[4][1], "Content-Type: application/x-www-form-urlencoded\r\n", "\r\n\r\na%20b=%26")
    has(seen[5][1], "GET /c5/?q=x%20y ", "\r\ncookie: a=1; b=2\r\n")
    has(seen[6][1], "GET /c6/ ", "\r\nCookie: a=1; b=2\r\n")
  end)

  it("says where an archive was cut", function()
    local path = files.path "cut.har"
    local whole = assert(io.open(DATA .. "firefox.har", "rb"))
    local text = whole:read("*a")
    whole:close()
    for _, size in ipairs { 1, 900, 2000, #text - 3 } do
      local file = assert(io.open(path, "wb"))
      file:write(text:sub(1, size))
      file:close()
      local out, told, status = run(path)
      assert.are.equal("", out)
      assert.are.equal(1, status)
      assert.matches("cut: it does not parse at line %d+ column %d+ %(byte %d+%)", told)
    end
  end)

  it("refuses what is no archive, and leaves out entries that are none", function()
    for _, text in ipairs { "[]", "{}", '{"log":{}}', '{"log":{"entries":{}}}', '{"log":{"entries":[]}}', "7",
      '{"log":{"entries":[1,{},{"request":7},{"request":{"method":"A B","url":"http://h"}}]}}',
      '{"log":{"entries":[{"request":{"method":"GET","url":"x","headers":[1],"cookies":7}}]}}', "" } do
      local file = assert(io.open(files.path "none.har", "wb"))
      file:write(text)
      file:close()
      local out, told, status = run(files.path "none.har")
      assert.are.equal("", out)
      assert.are.equal(1, status, text)
      assert.matches("^lurcher: decode: ", told)
    end
    local _, told = run(archive { { request = { method = "GET", url = "http://h/" } }, { request = { url = "x" } } })
    has(told, "entries without method or URL are left out (1)")
  end)

  it("ends with 2 for wrong usage and for a file that cannot be read", function()
    local _, told, status = run(files.path "missing.har")
    assert.are.equal(2, status)
    has(told, "missing.har", "ENOENT")
    for _, words in ipairs { {}, { "a", "b" }, { "a", "--only" } } do
      assert.are.equal(2, (select(3, run(unpack(words)))))
    end
  end)
end)
