local commanded = require "spec.support.commanded"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

local run = commanded.run

local BIG = "2345678901234567890"

-- Three pages, each with the URL of the next in its Link header and its body.
local function linked(req)
  local n = tonumber(req.query.page or "1")
  local following = n < 3 and ("/link?page=%d"):format(n + 1)
  return { headers = { Link = following and ("<%s>; rel=next"):format(following) or nil },
    body = ('{"next":%s,"d":{"l":[\n {"b" : %d%s, "a":"x, y"},\n [%d ]]}}'):format(
      following and '"' .. following .. '"' or "null", n, BIG, n) }
end

local function counted(req)
  local place, page = req.query.offset or req.query.start, req.query.page or req.query.p
  local from, list = tonumber(place) or (tonumber(page) - 1) * 100, {}
  for i = from, math.min(from + 99, 249) do list[#list + 1] = tostring(i) end
  return { body = "[" .. table.concat(list, ", ") .. "]" }
end

local function with_cursor(req)
  return { body = req.query.after == "b" and '{"items":[3],"meta":{}}' or '{"items":[1,2],"meta":{"next":"b"}}' }
end

local PATHS = { ["/link"] = linked, ["/counted"] = counted, ["/cursor"] = with_cursor,
  ["/list"] = function() return { body = '["a", null, {"a":"b"}]' } end,
  ["/broken"] = function() return { status = 500, body = "no" } end,
  ["/html"] = function() return { headers = { ["Content-Type"] = "text/html" }, body = "<p>" } end }

local function url(path)
  return serving.start(function(req) return PATHS[req.path](req) end).url .. path
end

describe("--pages", function()
  it("prints every item of every page, as the server wrote it, on a line", function()
    local lines = {}
    for n = 1, 3 do lines[n] = ('{"b":%d%s,"a":"x, y"}\n[%d]\n'):format(n, BIG, n) end
    local expected = { status = 0, out = table.concat(lines), err = "" }
    for _, how in ipairs { "--pages", "--pages=link", "--pages=url:next" } do
      assert.same(expected, run("get", url "/link", how, "--items=d.l"), how)
    end
  end)

  it("counts items and pages", function()
    for _, how in ipairs { "offset", "offset:start", "number", "number:p" } do
      local ended = run("get", url "/counted", "--pages=" .. how)
      assert.same({ 0, "" }, { ended.status, ended.err })
      assert.equal(250, select(2, ended.out:gsub("\n", "")))
      assert.same({ "0\n1\n", "248\n249\n" }, { ended.out:sub(1, 4), ended.out:sub(-8) })
    end
  end)

  it("follows cursors", function()
    assert.equal("1\n2\n3\n", run("get", url "/cursor", "--pages=cursor:after:meta.next", "--items=items").out)
  end)

  it("prints what --pick finds in each item", function()
    assert.equal("null\nnull\nb\n", run("get", url "/list", "--pages", "--pick=a").out)
    assert.equal('"a"\nnull\n{"a":"b"}\n', run("get", url "/list", "--pages").out)
  end)

  it("goes into the file of -o", function()
    files.begin()
    assert.equal("", run("get", url "/list", "--pages", "-o", files.path "out").out)
    assert.equal('"a"\nnull\n{"a":"b"}\n', files.read "out")
    files.finish()
  end)

  it("is coloured on a terminal, a line each", function()
    local ended = commanded.on_terminal(80, "get", url "/list", "--pages", "--no-color")
    assert.same({ '"a"\nnull\n{"a": "b"}\n', "" }, { ended.out, ended.err })
  end)

  it("tells what is wrong with a page, behind what came before it", function()
    for path, message in pairs { ["/broken"] = "status 500", ["/html"] = "it looks like XML or HTML",
      ["/cursor"] = "the page is an object with the keys 'items', 'meta', not a list; %-%-items=PATH says where" } do
      local ended = run("get", url(path), "--pages", "--retry=1")
      assert.same({ 1, "" }, { ended.status, ended.out })
      assert.matches("^lurcher: GET .*" .. message .. "[^\n]*\n$", ended.err)
    end
    local ended = run("get", url "/counted", "--pages=offset", "--items=d")
    assert.matches("the path 'd' leads into the page", ended.err, 1, true)
  end)

  it("sends nothing with --offline, and prints the request of the first page", function()
    local offline = run("get", "http://127.0.0.1:1/a", "--pages=number:p", "q==1", "--offline")
    assert.same({ 0, "" }, { offline.status, offline.err })
    assert.matches("^GET /a%?[qp]=1&[qp]=1 HTTP/1.1\r\n", offline.out)
    assert.matches("^GET /a HTTP/1.1\r\n", run("get", "http://127.0.0.1:1/a", "--pages", "--offline").out)
  end)

  it("is a loop in the script of --lua, which prints the same", function()
    files.begin()
    for path, options in pairs {
      ["/list"] = { "--pages" }, ["/counted"] = { "--pages=offset:start" },
      ["/cursor"] = { "--pages=cursor:after:meta.next", "--items=items", "--bearer=hidden-token" },
    } do
      local at = url(path)
      local sent = run("get", at, unpack(options))
      options[#options + 1] = "--lua"
      local script = run("get", at, unpack(options)).out
      assert.is_nil(script:find "hidden")
      assert(fs.write(files.path "script.lua", script))
      local ended = process.run({ "TOKEN=hidden-token", process.lurcher, files.path "script.lua" }, { command = "env" })
      assert.same({ 0, "" }, { ended.status, ended.err })
      assert.equal(sent.out, ended.out)
    end
    files.finish()
  end)

  it("is wrong usage in another form", function()
    for how in (",foo,cursor,cursor:,cursor:a,cursor::a,url,url:,offset:,link:x"):gmatch "[^,]*" do
      local ended = run("get", "http://127.0.0.1:1/", "--pages=" .. how)
      assert.same({ 2, "" }, { ended.status, ended.out }, how)
      assert.matches("^lurcher: %-%-pages is link, .-\n  %-%-pages=" .. how .. "\n +%^+\n$", ended.err, how)
    end
  end)
end)
