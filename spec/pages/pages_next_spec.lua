-- Where the next page is: cursors, links, and what may go along there.
local fs = require "lurcher.fs"
local hash32 = require "lurcher.base.hash32"
local http = require "lurcher.http"
local json = require "lurcher.json"
local origin = require "spec.support.origin"
local paged = require "spec.support.paged"
local pages = require "lurcher.pages"
local process = require "spec.support.process"

local answer, ids = paged.answer, paged.ids
local failure = require("spec.support.raising").failure

describe("pages", function()
  local site, api

  before_each(function() site, api = paged.begin() end)
  after_each(paged.finish)

  it("tell numeric cursors apart by all their digits", function()
    for _, base in ipairs { 1700000000123450, 9007199254740900, 0.1 + 0.2 } do
      local n, asked = 0, {}
      site.answer = function(req)
        n, asked[#asked + 1] = n + 1, req.query.cursor
        local following = ("%.17g"):format(base + n * (base > 1 and 1 or 1e-16))
        return { status = 200, body = ('{"data":[{"id":%d}],"next":%s}'):format(n, n < 5 and following or "null") }
      end
      assert.are.equal("1 2 3 4 5",
        ids(pages.items(api, "list", { next = pages.cursor { "cursor", "next" }, items = "data" })))
      assert.are.equal(4, #asked)
    end
    assert.are.equal("9007199254740902", (function()
      site.answer = function(req)
        return { status = 200, body = req.query.cursor and '{"data":[]}' or '{"data":[],"next":9007199254740902}' }
      end
      ids(pages.items(api, "list", { next = pages.cursor { "cursor", "next" }, items = "data" }))
      return site:last().query.cursor
    end)())
  end)

  it("show all digits of a cursor in errors", function()
    site.answer = function(req)
      if req.query.cursor then return { status = 500 } end
      return answer { data = { { id = 1 } }, next = 1700000000123451 }
    end
    local err = failure(function()
      ids(pages.items(api, "list", { next = pages.cursor { "cursor", "next" }, items = "data" }))
    end)
    assert.matches("page 2, at 1700000000123451", err.message)
  end)

  it("take the same cursor again for a circle, unless repeats=true", function()
    local n = 0
    site.answer = function()
      n = n + 1
      return answer { data = { { id = n } }, scroll = n < 4 and "same" or json.null }
    end
    local function opts(repeats)
      return { next = pages.cursor { "scroll", "scroll" }, items = "data", repeats = repeats }
    end
    assert.matches("loop", failure(function() ids(pages.items(api, "list", opts(false))) end).message)
    n = 0
    assert.are.equal("1 2 3 4", ids(pages.items(api, "list", opts(true))))
  end)

  it("take a key that is missing for an empty page on later pages, not on the first", function()
    site.answer = function(req)
      local number = tonumber(req.query.page) or 1
      return answer { data = number ~= 2 and { { id = number } } or nil, pages = 3 }
    end
    assert.are.equal("1 3", ids(pages.items(api, "list", { next = pages.number { pages = "pages" }, items = "data" })))
    site.answer = answer { dta = { { id = 1 } } }
    assert.matches("nothing at 'data'",
      failure(function() ids(pages.items(api, "list", { next = pages.number(), items = "data" })) end).message)
  end)

  it("take a path that leads into a list for a mistake", function()
    site.answer = answer { data = { { items = { 1 }, next = "x" }, { items = { 2 } } } }
    for _, opts in ipairs {
      { next = pages.link(), items = "data.items" },
      { next = pages.cursor { "cursor", "data.next" }, items = "data" },
      { next = pages.url "data.next", items = "data" },
    } do
      local err = failure(function() ids(pages.items(api, "list", opts)) end)
      assert.are.equal("decode", err.kind)
      assert.matches("leads into 'data', which is a list of 2: a number says which item, as in 'data%.1%.", err.message)
    end
    site.answer = function(req)
      return answer(req.query.cursor and json.array {} or { data = { { id = 1 } }, next = "x" })
    end
    local err = failure(function()
      site.answer = answer { { next = "x" } }
      ids(pages.items(api, "list", { next = pages.cursor { "cursor", "next" } }))
    end)
    assert.matches("leads into the page, which is a list of 1", err.message)
  end)

  describe("send the name and password of the first URL", function()
    local function seen(opts)
      local list = {}
      local url = site.url:gsub("//", "//me:p%%40w@") .. "/list"
      local walk = pages.items(http.client { retry = false }, url, opts)
      for _ in walk do end
      for i, req in ipairs(site:requests()) do list[i] = req.headers.Authorization or "none" end
      return table.concat(list, " ")
    end

    local BASIC = "Basic " .. "bWU6cEB3"

    it("along to the pages that links lead to", function()
      for what, way in pairs { link = pages.link(), url = pages.url "n", cursor = pages.cursor { "page", "c" },
        fn = function(res) return res:json().n ~= json.null and res:json().n or nil end } do
        site:stop()
        site = origin.start()
        site.answer = function(req)
          local page = tonumber(req.query.page) or 1
          local more = page < 3
          return answer({ d = { page }, n = more and site.url .. "/list?page=" .. page + 1 or json.null,
            c = more and page + 1 or json.null },
            { Link = more and ('</list?page=%d>; rel="next"'):format(page + 1) or nil })
        end
        assert.are.equal(table.concat({ BASIC, BASIC, BASIC }, " "), seen { next = way, items = "d" }, what)
      end
    end)

    it("but not those of a server's link, and not to another origin", function()
      local other = origin.start()
      other.answer = answer { d = { 2 } }
      site.answer = function()
        return answer({ d = { 1 } }, { Link = ('<%s/x>; rel="next"'):format(other.url) })
      end
      assert.are.equal(BASIC, seen { next = pages.link(), items = "d" })
      assert.is_nil(other:last().headers.Authorization)
      site.answer = function(req)
        return answer({ d = { 1 } }, { Link = req.path == "/list"
          and ('<%s/x>; rel="next"'):format(site.url:gsub("//", "//evil:pw@")) or nil })
      end
      assert.are.equal(table.concat({ BASIC, BASIC, BASIC }, " "), seen { next = pages.link(), items = "d" })
      other:stop()
    end)
  end)

  it("send no credentials from a page on that was redirected to a stranger", function()
    local stranger = origin.start()
    stranger.answer = function()
      return answer({ { id = 1 } }, { Link = ('<%s/third>; rel="next"'):format(site.url) })
    end
    site.paths["/list"] = { status = 302, headers = { Location = stranger.url .. "/second" } }
    site.paths["/third"] = function()
      return answer({ { id = 2 } }, { Link = '</fourth>; rel="next"' })
    end
    site.paths["/fourth"] = answer { { id = 3 } }
    local own = http.client { base_url = site.url, retry = false, auth = http.bearer "TOKEN",
      headers = { ["X-Api-Key"] = "KEY" }, secret_headers = { "x-api-key" }, params = { key = "PARAM" } }
    assert.are.equal("1 2 3", ids(pages.items(own, "list", { next = pages.link() })))
    own:close()
    for i, req in ipairs(site:requests()) do
      assert.are.equal(i == 1 and "Bearer TOKEN" or nil, req.headers.Authorization)
      assert.are.equal(i == 1 and "KEY" or nil, req.headers["X-Api-Key"])
      assert.are.equal(i == 1 and "PARAM" or nil, req.query.key)
    end
    stranger:stop()
  end)

  describe("with a checkpoint", function()
    local directory, path

    before_each(function()
      directory = process.directory()
      path = directory .. "/c"
    end)

    after_each(function() fs.remove(directory, { recursive = true }) end)

    local function forge(lines)
      local seal, out = nil, {}
      for i, line in ipairs(lines) do
        local text = json.encode(line, { sort = true })
        seal = hash32(text, seal)
        out[i] = text .. " " .. seal .. "\n"
      end
      assert(fs.write(path, table.concat(out)))
    end

    local function head(next_page)
      return { lurcher_checkpoint = 1,
        query = { method = "GET", url = site.url .. "/list", next = next_page or "link next", items = "", body = "" } }
    end

    it("send no credentials where a file leads that somebody else wrote", function()
      local stranger = origin.start()
      stranger.answer = answer { { id = 7 } }
      forge { head(), { page = 2, at = stranger.url .. "/q", given = 0 } }
      local own = http.client { base_url = site.url, retry = false, auth = http.bearer "TOKEN",
        headers = { ["X-Api-Key"] = "KEY" }, secret_headers = { "x-api-key" } }
      assert.are.equal("7", ids(pages.items(own, "list", { next = pages.link(), checkpoint = path })))
      assert.is_nil(stranger:last().headers.Authorization)
      assert.is_nil(stranger:last().headers["X-Api-Key"])
      assert.are.equal(0, #site:requests())
      own:close()
      stranger:stop()
    end)

    it("fail with kind 'file' when it holds values that cannot be", function()
      local start = { page = 2, at = false, given = 0 }
      for _, odd in ipairs {
        { { page = "x", at = false, given = 0 } }, { { page = 2, at = { a = 1 }, given = 0 } },
        { { page = 1e308, at = "http://h/", given = 0 } }, { { page = 2, at = false, given = -1 } },
        { { page = 2, at = false, given = {} } }, { { page = 2, at = "/x", given = 0 } },
        { { page = 2, at = false, given = 0, step = "q" } }, { { page = 2, at = false, given = 0, foreign = "no" } },
        { { page = json.null } }, { { page = 0.5, at = false, given = 0 } }, { start, { body = 5 } },
        { { body = "01234567" } }, { json.array { 5 } }, { start, json.array { "x", "y" } },
        { start, json.array { -1 } }, { start, json.array { 1, json.null } }, { start, { seen = 5 } },
        { start, { seen = { json.null } } }, { start, { seen = { a = 1 } } }, { start, "text" }, { start, 5 },
        { start, { other = 1 } }, { start, { seen = { {} } } },
      } do
        forge { head(), unpack(odd) }
        local err = failure(function() ids(pages.items(api, "list", { next = pages.link(), checkpoint = path })) end)
        assert.are.equal("file", err.kind, json.encode(odd))
        assert.matches("line %d is damaged", err.message)
        assert.is_false(fs.exists(path .. ".lock"))
      end
      assert.are.equal(0, #site:requests())
      for next_page, odd in pairs { ["number page  "] = "3", ["cursor c next"] = json.array { 1 },
        ["offset offset limit 100"] = 2.5 } do
        forge { head(next_page), { page = 2, at = odd, given = 0 } }
        local strategy = next_page:find "number" and pages.number() or next_page:find "cursor"
          and pages.cursor { "c", "next" } or pages.offset()
        assert.are.equal("file", failure(function()
          ids(pages.items(api, "list", { next = strategy, checkpoint = path }))
        end).kind, next_page)
      end
    end)

    it("let only the owner read it", function()
      site.answer = paged.numbered(4)
      assert(fs.write(path, ""))
      process.shell('chmod 644 "$1"', path)
      local walk = pages.items(api, "list", { next = pages.link(), checkpoint = path })
      for _ = 1, 6 do walk() end
      assert.are.equal("600\n", (process.shell('stat -c %a "$1"', path)))
      walk:close()
    end)

    it("keep another walk, of this run or of another one, from the file while it is on", function()
      site.answer = paged.numbered(4)
      local function start() return pages.items(api, "list", { next = pages.link(), checkpoint = path }) end
      local walk = start()
      walk()
      local err = failure(start())
      assert.are.equal("file", err.kind)
      assert.matches("another run, or another walk of this script, is using it", err.message)
      local output = process.shell([["$1" -e 'local http, pages = require "lurcher.http", require "lurcher.pages"
        print(pcall(pages.items(http.client { base_url = arg[1] }, "list",
          { next = pages.link(), checkpoint = arg[2] })))' "$2" "$3" 2>&1]], process.lurcher, site.url, path)
      assert.matches("false%s+file: .*another run", output)
      walk:close()
      assert.are.equal(paged.ALL, ids(start()))
      assert.are.same({}, fs.list(directory))
    end)

    it("give the file back when a loop was left by break or by an error", function()
      site.answer = paged.numbered(4)
      local function start() return pages.items(api, "list", { next = pages.link(), checkpoint = path }) end
      for item in start() do
        if item.id == 3 then break end
      end
      pcall(function()
        for item in start() do
          if item.id == 5 then error "no" end
        end
      end)
      assert.are.equal("5 6 7 8 9 10", ids(start()))
    end)

    it("are told apart by form, json and body", function()
      site.answer = paged.numbered(4)
      local function start(opts)
        opts.method, opts.next, opts.checkpoint = "POST", pages.link(), path
        return pages.items(api, "list", opts)
      end
      -- The checkpoint is written once an item was consumed: when the next one is asked for.
      local walk = start { form = { a = "1" } }
      walk()
      walk()
      walk:close()
      for _, opts in ipairs { { form = { a = "2" } }, { json = { a = "1" } }, { body = "a=1" }, {} } do
        assert.matches("its body is", failure(start(opts)).message)
      end
      assert.are.equal("2 3 4 5 6 7 8 9 10", ids(start { form = { a = "1" } }))
      walk = start { body = "a" }
      walk()
      walk()
      walk:close()
      assert.matches("its body is", failure(start { body = "b" }).message)
    end)
  end)
end)
