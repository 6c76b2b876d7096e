local fs = require "lurcher.fs"
local http = require "lurcher.http"
local process = require "spec.support.process"
local server = require "lurcher.server"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local start, connect = serving.start, serving.connect

local read = fs.read

local function write(path, text) assert(fs.write(path, text)) end

-- A folder that goes with the spec.
local function new_folder()
  local path = process.directory()
  task.defer(function() assert(fs.remove(path, { recursive = true })) end)
  return path
end

local function folder_of(contents, opts)
  local path = new_folder()
  for name, text in pairs(contents) do write(path .. "/" .. name, text) end
  local s = start(server.folder(path, opts))
  return s, path
end

local function ask(s, target, headers, method)
  local lines = { ("%s %s HTTP/1.1\r\nHost: a\r\n"):format(method or "GET", target) }
  for name, value in pairs(headers or {}) do lines[#lines + 1] = name .. ": " .. value .. "\r\n" end
  local client = connect(s)
  client:send(table.concat(lines) .. (method == "HEAD" and "Connection: close\r\n" or "") .. "\r\n")
  if method == "HEAD" then return { text = client:receive_all() } end
  return client:response()
end

describe("server.folder", function()
  it("gives files with their types, and folders by their index", function()
    local s, path = folder_of { ["a.json"] = "{}", ["page.html"] = "<p>", ["no-ending"] = "\0\1", ["a b.txt"] = "blank",
      ["empty"] = "" }
    process.shell('mkdir "$1/sub" && echo -n start > "$1/sub/index.html"', path)
    for target, expected in pairs {
      ["/a.json"] = { "{}", "application/json" }, ["/page.html"] = { "<p>", "text/html; charset=utf-8" },
      ["/no-ending"] = { "\0\1", "application/octet-stream" },
      ["/a%20b.txt?v=1"] = { "blank", "text/plain; charset=utf-8" },
      ["/sub/"] = { "start", "text/html; charset=utf-8" }, ["/empty"] = { "", "application/octet-stream" },
    } do
      local res = ask(s, target)
      assert.equal(200, res.status, target)
      assert.equal(expected[1], res.body, target)
      assert.equal(expected[2], res.headers["content-type"], target)
    end
    assert.equal("/sub/?q=1", ask(s, "/sub?q=1").headers.location)
    assert.equal("/sub/", ask(s, "//sub").headers.location)
    assert.equal(404, ask(s, "/").status)
    assert.equal(405, ask(s, "/a.json", nil, "DELETE").status)
    local head = ask(s, "/a.json", nil, "HEAD").text
    assert.truthy(head:find "Content%-Length: 2\r\n.*\r\n\r\n$" or head:find "\r\n\r\n$")
    assert.truthy(head:find("Content-Length: 2\r\n", 1, true))
  end)

  it("gives nothing that is not in it, nor what is hidden", function()
    local s, path = folder_of { ["in.txt"] = "inside", [".env"] = "secret" }
    local outside = new_folder()
    write(outside .. "/out.txt", "outside")
    process.shell([[cd "$1" && ln -s "$2/out.txt" link.txt && ln -s "$2" folder && ln -s in.txt near.txt &&
      mkdir sub && ln -s ../in.txt sub/up.txt && mkfifo pipe]], path, outside)
    local name = outside:match "[^/]+$"
    for _, target in ipairs {
      "/../" .. name .. "/out.txt", "/%2e%2e/" .. name .. "/out.txt", "/..%2f" .. name .. "/out.txt", "/sub/../in.txt",
      "/%2e%2E%2f" .. name .. "%2Fout.txt", "/in.txt%00.html", "/in.txt/", "/in.txt/x", "/link.txt", "/folder/out.txt",
      "/folder/", "/.env", "/%2eenv", "/sub/%2e%2e/.env", "/" .. outside .. "/out.txt", "/%2f" .. outside .. "/out.txt",
      "/in%2", "/in%zz.txt", "/pipe", "/missing", "/" .. ("a/"):rep(3000), "/..\\" .. name,
    } do
      local res = ask(s, target)
      assert.equal(404, res.status, target)
      assert.is_nil(res.body:find("outside", 1, true), target)
    end
    for _, target in ipairs { "/in.txt", "//in.txt", "/near.txt", "/sub/up.txt" } do
      assert.equal("inside", ask(s, target).body, target)
    end
    assert.equal("secret", (ask(start(server.folder(path, { hidden = true })), "/.env").body))
  end)

  it("answers what a client knows already with 304, and with 412", function()
    local s = folder_of { a = "text" }
    local first = ask(s, "/a")
    local etag, modified = first.headers.etag, first.headers["last-modified"]
    for _, case in ipairs {
      { 304, { ["If-None-Match"] = etag } }, { 304, { ["If-None-Match"] = '"x", W/' .. etag } },
      { 304, { ["If-None-Match"] = "*" } }, { 200, { ["If-None-Match"] = '"x"' } },
      { 304, { ["If-Modified-Since"] = modified } },
      { 200, { ["If-Modified-Since"] = "Thu, 01 Jan 1970 00:00:00 GMT" } },
      { 200, { ["If-None-Match"] = '"x"', ["If-Modified-Since"] = modified } },
      { 200, { ["If-Modified-Since"] = "nonsense" } },
      { 412, { ["If-Match"] = '"x"' } }, { 412, { ["If-Match"] = "W/" .. etag } }, { 200, { ["If-Match"] = etag } },
      { 412, { ["If-Unmodified-Since"] = "Thu, 01 Jan 1970 00:00:00 GMT" } },
    } do
      local res = ask(s, "/a", case[2])
      local what = next(case[2]) .. ": " .. select(2, next(case[2]))
      assert.equal(case[1], res.status, what)
      assert.equal(etag, res.headers.etag, what)
    end
  end)

  it("gives the ranges that are asked for", function()
    local s = folder_of { a = "0123456789" }
    local etag = ask(s, "/a").headers.etag
    for _, case in ipairs {
      { "bytes=2-4", 206, "234", "bytes 2-4/10" }, { "bytes=7-", 206, "789", "bytes 7-9/10" },
      { "bytes=-3", 206, "789", "bytes 7-9/10" }, { "bytes=-30", 206, "0123456789", "bytes 0-9/10" },
      { "bytes=5-99", 206, "56789", "bytes 5-9/10" }, { "BYTES = 0-0", 206, "0", "bytes 0-0/10" },
      { "bytes=10-", 416, "", "bytes */10" }, { "bytes=-0", 416, "", "bytes */10" },
      { "bytes=99999999999999999999-", 416, "", "bytes */10" }, { "bytes=20-30,40-50", 416, "", "bytes */10" },
      { "bytes=4-2", 200 }, { "bytes=a-b", 200 }, { "bytes=--2", 200 }, { "bytes=-", 200 }, { "bytes=", 200 },
      { "lines=1-2", 200 }, { "bytes=0-9,0-9", 200 }, { "bytes=" .. ("0-0,"):rep(30), 200 },
      { "bytes=" .. ("0-0,"):rep(3000), 200 }, { "bytes=20-30,1-2", 206, "12", "bytes 1-2/10" },
    } do
      local res = ask(s, "/a", { Range = case[1] })
      local what = case[1]:sub(1, 40)
      assert.equal(case[2], res.status, what)
      assert.equal(case[3] or "0123456789", res.body, what)
      assert.equal(case[4], res.headers["content-range"], what)
    end
    assert.equal(206, ask(s, "/a", { Range = "bytes=0-1", ["If-Range"] = etag }).status)
    assert.equal(200, ask(s, "/a", { Range = "bytes=0-1", ["If-Range"] = "W/" .. etag }).status)
    assert.equal(200, ask(s, "/a", { Range = "bytes=0-1", ["If-Range"] = '"x"' }).status)
    assert.equal(200, ask(s, "/a", { Range = "bytes=0-1", ["If-Range"] = "Thu, 01 Jan 1970 00:00:00 GMT" }).status)
    assert.equal("bytes", ask(s, "/a").headers["accept-ranges"])
  end)

  it("gives several ranges as parts", function()
    local s = folder_of { ["a.txt"] = "0123456789" }
    local client = connect(s)
    for _ = 1, 2 do -- the length is right: the connection goes on
      local res = client:request("GET /a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1, 4-5,-1\r\n\r\n")
      assert.equal(206, res.status)
      local boundary = res.headers["content-type"]:match "^multipart/byteranges; boundary=(%w+)$"
      local expected = {}
      for range, text in ("0-1=01,4-5=45,9-9=9"):gmatch "([%d-]+)=(%d+)" do
        expected[#expected + 1] = ("\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
          .. "Content-Range: bytes %s/10\r\n\r\n%s"):format(boundary, range, text)
      end
      assert.equal(table.concat(expected) .. "\r\n--" .. boundary .. "--\r\n", res.body)
    end
  end)

  it("serves a large file in pieces, and a download goes on where it was cut", function()
    local text = ("0123456789abcde\n"):rep(40000)
    local s, path = folder_of { ["large.bin"] = text }
    assert.is_true(assert(http.get(s.url .. "/large.bin")).body == text)
    local cut = true
    local handler = server.folder(path)
    local flaky = start(function(req)
      local response = handler(req)
      if cut then response.fault, cut = "truncate", false end
      return response
    end)
    local target = new_folder() .. "/got.bin"
    assert(http.download(flaky.url .. "/large.bin", target, { retry = { base = 0.001 } }))
    assert.is_true(read(target) == text)
  end)

  it("shows a folder's names, when that is wanted, as text", function()
    local s, path = folder_of({ ["a&b <i>.txt"] = "", [".hidden"] = "" }, { listing = true })
    process.shell('mkdir "$1/sub"', path)
    local page = ask(s, "/").body
    assert.truthy(page:find('<a href="./a%26b%20%3Ci%3E.txt">a&amp;b &lt;i&gt;.txt</a>', 1, true))
    assert.truthy(page:find('<a href="./sub/">sub/</a>', 1, true))
    assert.is_nil(page:find("hidden", 1, true))
    assert.truthy(ask(s, "/sub/").body:find('<title>/sub/</title>\n<ul>\n<li><a href="../">', 1, true))
  end)

  it("serves a part of the paths, with headers of its own", function()
    local path = new_folder()
    write(path .. "/a b", "text")
    local folder = server.folder(path, { headers = { ["Cache-Control"] = "no-store" } })
    local s = start { routes = { ["/static/{path*}"] = folder } }
    local res = ask(s, "/static/a%20b")
    assert.equal("text", res.body)
    assert.equal("no-store", res.headers["cache-control"])
    assert.equal(404, ask(s, "/static/%2e%2e/x").status)
    assert.equal(404, ask(s, "/static/a%00").status)
  end)
end)
