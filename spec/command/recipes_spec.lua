-- The manual's recipes, run as they stand there: what curl and jq do is what lurcher does.

local files = require "spec.support.files"
local fs = require "lurcher.fs"
local process = require "spec.support.process"
local ranged = require "spec.support.ranged"
local serving = require "spec.support.serving"

local PAGE = "lua/lurcher/help/recipes.md"
local HOSTS = { "https://api.example.com", "api.example.com", "https://example.com", "example.com" }

-- The recipes of the page by their titles, each with its commands by curl and by lurcher.
local function read_recipes()
  local recipes, last = {}, nil
  for line in io.lines(PAGE) do
    local title, code = line:match "^## (.*)", line:match "^    (.*)"
    if title then
      last = { curl = {}, lurcher = {} }
      recipes[title] = last
    elseif code then
      table.insert(code:find "^lurcher" and last.lurcher or last.curl, code)
    end
  end
  return recipes
end

local RECIPES = read_recipes()

local function orders(req, url)
  local page = tonumber(req.query.page) or 1
  local link = page < 3 and ('<%s/orders?page=%d>; rel="next"'):format(url, page + 1) or nil
  return { json = { { id = page * 2 - 1 }, { id = page * 2 } }, headers = { Link = link } }
end

-- The parts of a multipart body, without the boundary, which each client makes up.
local function body_of(req)
  local boundary = (req.headers["content-type"] or ""):match "boundary=(%S+)"
  return boundary and req.body:gsub(boundary:gsub("%p", "%%%0"), "") or req.body
end

describe("the recipes", function()
  local origin, seen, is_refused

  local function answer(req)
    if req.path == "/users/7" then return { json = { name = "Ada", id = 7 } } end
    if req.path == "/orders" then return orders(req, origin.url) end
    if req.path:find "^/items/" then return { json = { id = req.path:match "[^/]+$" } } end
    if req.path ~= "/slow" or not is_refused then return { json = { ok = true } } end
    is_refused = false
    return { status = 503, body = "later" }
  end

  before_each(files.begin)
  after_each(files.finish)

  local function start()
    seen = {}
    origin = serving.start(function(req)
      local line = { req.method, req.path, req.query.q or "", req.query.limit or "", req.query.page or "",
        req.headers.authorization or "", (req.headers["content-type"] or ""):match "^[^;]*", (body_of(req)) }
      seen[#seen + 1] = table.concat(line, "|")
      return answer(req)
    end)
  end

  local function run(title, which, url)
    local text = table.concat(RECIPES[title][which], "\n")
    for _, host in ipairs(HOSTS) do text = text:gsub(host:gsub("%p", "%%%0"), "\1") end
    text = ("cd '%s'\nTOKEN=t0\nexport TOKEN\nlurcher() { '%s' \"$@\"; }\n%s"):format(files.path "",
      process.lurcher, text:gsub("\1", (url:gsub("%%", "%%%%"))))
    return process.run({ "-c", text }, { command = "/bin/sh" })
  end

  -- What came out, and what the server was asked; in any order where the recipe has none.
  local function result(title, which)
    seen, is_refused = {}, true
    local ended = run(title, which, origin.url)
    assert.equal("0", ended.status .. ended.err)
    table.sort(seen)
    local lines = {}
    for line in ended.out:gsub("}{", "}\n{"):gmatch "[^\n]+" do lines[#lines + 1] = line end
    table.sort(lines)
    return table.concat(lines, "\n"), table.concat(seen, "\n")
  end

  for _, title in ipairs {
    "A field of an answer", "Send JSON", "A token that is not in the history", "Parameters",
    "Every item of every page", "The same request for many", "Rows of a file, each a POST", "Send a file",
  } do
    it(("are the same: %s"):format(title), function()
      start()
      fs.write(files.path "ids.txt", "1\n2\n3\n")
      fs.write(files.path "users.ndjson", '{"name":"Ada","age":36}\n{"name":"Bo","age":7}\n')
      fs.write(files.path "cat.jpg", ("\255\216 not a cat"):rep(1000))
      local out, asked = result(title, "curl")
      assert.not_equal("", out)
      assert.not_equal("", asked)
      local same, asked_same = result(title, "lurcher")
      assert.equal(out, same)
      assert.equal(asked, asked_same)
    end)
  end

  it("go on with a download that the server broke off", function()
    for _, which in ipairs { "curl", "lurcher" } do
      local image = ranged.start { etag = '"1"', cut = 30000 }
      image.before = function(self) if #self.asked > 1 then self.cut = 0 end end
      local ended = run("Download, and go on where it broke off", which, image.url)
      assert.not_equal(0, ended.status)
      image.cut, image.before = nil, nil
      ended = run("Download, and go on where it broke off", which, image.url)
      assert.equal(0, ended.status, ended.err)
      assert.equal(image.body, files.read "image.iso")
      assert.equal("bytes=30000-", image.asked[#image.asked])
      assert(fs.remove(files.path "image.iso"))
    end
  end)

  it("try again, and show only what came at last", function()
    start()
    local title = "Retry, but not faster than allowed"
    assert.equal('later{"ok":true}', (result(title, "curl")))
    assert.equal('{"ok":true}', (result(title, "lurcher")))
    assert.equal(2, #seen)
  end)

  it("become a script", function()
    start()
    assert.equal("", (run("From here to a script", "lurcher", origin.url)).err)
    local ended = process.run { files.path "orders.lua" }
    assert.equal("GET|/orders|||||", (seen[1] or ended.err):sub(1, 16))
  end)

  it("are told here, all of them", function()
    local count = 0
    for _ in pairs(RECIPES) do count = count + 1 end
    assert.equal(11, count)
  end)
end)
