local http = require "lurcher.http"
local json = require "lurcher.json"
local origin = require "spec.support.origin"
local paged = require "spec.support.paged"
local pages = require "lurcher.pages"
local task = require "lurcher.task"

local ALL = paged.ALL
local answer, slice, numbered = paged.answer, paged.slice, paged.numbered
local ids, failure = paged.ids, require("spec.support.raising").failure

describe("pages", function()
  local site, api

  before_each(function() site, api = paged.begin() end)
  after_each(paged.finish)

  local function asked(count)
    assert.are.equal(count, #site:requests())
  end

  describe("end with an error", function()
    local function fails(kind, pattern, opts)
      local err = failure(function() ids(pages.items(api, "x", opts)) end)
      assert.are.equal(kind, err.kind)
      assert.matches(pattern, tostring(err))
      return err
    end

    for name, opts in pairs {
      next = function(fn) return { next = fn } end,
      items = function(fn) return { next = pages.link(), items = fn } end,
      dedupe = function(fn) return { next = pages.link(), items = "data", dedupe = fn } end,
      filter = function(fn) return { next = pages.link(), items = "data", filter = fn } end,
      ["the path of a cursor"] = function(fn) return { next = pages.cursor { param = "at", path = fn } } end,
      ["more of a cursor"] = function(fn)
        return { next = pages.cursor { param = "at", path = "next", more = fn }, items = "data" }
      end,
      ["the path of a URL"] = function(fn) return { next = pages.url { path = fn }, items = "data" } end,
      ["the total of numbers"] = function(fn) return { next = pages.number { total = fn }, items = "data" } end,
      ["the pages of numbers"] = function(fn) return { next = pages.number { pages = fn }, items = "data" } end,
      ["the total of offsets"] = function(fn) return { next = pages.offset { total = fn }, items = "data" } end,
    } do
      it("that a function returns beside nil: " .. name, function()
        site.answer = function() return answer { data = slice(1, 2), next = "abc" } end
        local given = opts(function() return nil, "no such thing" end)
        given.items = given.items or "data"
        local ok, err = pcall(ids, pages.items(api, "x", given))
        assert.is_false(ok)
        assert.are.equal("no such thing", err)
      end)
    end

    it("at a status that is not 2xx, and tell page and cursor", function()
      site.answer = function(req)
        if req.query.at then return { status = 403, body = "not yours" } end
        return answer { data = slice(1, 2), next = "abc" }
      end
      local err = fails("status", 'GET http.*/x%?at=abc: status 403 .*: not yours %(page 2, at "abc"%)$',
        { next = pages.cursor { param = "at", path = "next" }, items = "data" })
      assert.are.equal(2, err.page)
      assert.are.equal("abc", err.cursor)
      assert.are.equal(403, err.response.status)
    end)

    it("when the server does not answer", function()
      site.answer = numbered(3)
      local iterator = pages.items(api, "x", { next = pages.link(), ahead = 0 })
      iterator()
      site:stop()
      local err = failure(function() ids(iterator) end)
      assert.are.equal("connect", err.kind)
      assert.are.equal(2, err.page)
      assert.matches("/x%?page=2$", err.cursor)
    end)

    it("when a page is HTML", function()
      site.answer = { status = 200, body = "<!doctype html><title>Log in</title>",
        headers = { ["Content-Type"] = "text/html" } }
      fails("decode", "the page is HTML, not JSON: <!doctype html><title>Log in</title> %(page 1%)$",
        { next = pages.link() })
    end)

    it("when a page is cut or empty", function()
      site.answer = { status = 200, body = '{"data": [1, 2' }
      fails("decode", "%(page 1%)$", { next = pages.link(), items = "data" })
      site.answer = { status = 200, body = "" }
      fails("decode", "the page is empty, not JSON", { next = pages.link() })
    end)

    it("when there is no list where it should be", function()
      site.answer = answer { error = "gone", items = 3 }
      fails("decode", "nothing at 'data' in the page, which is an object with the keys 'error', 'items'",
        { next = pages.link(), items = "data" })
      fails("decode", "there is no list at 'items', but a number", { next = pages.link(), items = "items" })
      fails("decode", "the page is an object with the keys 'error', 'items', not a list; the option `items`",
        { next = pages.link() })
      fails("decode", "the function `items` must return a list, got nothing",
        { next = pages.link(), items = function() end })
    end)

    it("when there is no total where it should be", function()
      site.answer = answer { data = slice(1, 2) }
      fails("decode", "there is no number at 'total', where `total` should be",
        { next = pages.offset { total = "total" }, items = "data" })
    end)

    it("when the next page was there before", function()
      site.answer = function(req)
        return answer { data = slice(1, 1), next = req.query.at == "a" and "b" or "a" }
      end
      local err = fails("protocol", "form a loop",
        { next = pages.cursor { param = "at", path = "next" }, items = "data" })
      assert.are.equal(4, err.page)
      assert.are.equal("a", err.cursor)
      asked(3)
    end)

    it("when the next page was there up to a thousand pages before", function()
      for length, noticed in pairs { [1000] = true, [1001] = false } do
        local count = 0
        site.answer = function()
          count = count + 1
          return answer { data = slice(1, 1), next = "c" .. count % length }
        end
        local before, next = #site:requests(), pages.cursor { param = "at", path = "next" }
        local opts = { next = next, items = "data", max_pages = 2 * length }
        local err = failure(function() ids(pages.items(api, "orders", opts)) end)
        assert.are.equal(noticed and "protocol" or "limit", err.kind)
        assert.are.equal(noticed and length + 1 or 2 * length, #site:requests() - before)
      end
    end)

    it("when a page links to itself, or to the first one", function()
      site.answer = function(req)
        return answer(slice(1, 1), { Link = ("<%s>; rel=next"):format(req.target) })
      end
      fails("protocol", "form a loop", { next = pages.link() })
      asked(1)
    end)

    it("when a function asks for the same page again", function()
      local count = 0
      site.answer = function()
        count = count + 1
        return answer(slice(count, 1, 100))
      end
      fails("protocol", "form a loop", { next = function() return { params = { page = 2 } } end })
      asked(2)
    end)

    it("when the server does not look at the page's number", function()
      site.answer = answer(slice(1, 3))
      local err = fails("protocol", "the same page came twice", { next = pages.number() })
      assert.are.equal(2, err.page)
      fails("protocol", "the same page came twice", { next = pages.offset { limit = 3 } })
    end)

    it("when empty pages do not end", function()
      site.answer = function(req)
        return answer { data = json.array {}, next = (tonumber(req.query.at) or 0) + 1 }
      end
      fails("limit", "5 pages in turn were empty",
        { next = pages.cursor { param = "at", path = "next" }, items = "data", max_empty = 5 })
      asked(5)
    end)

    it("when there are more than max_pages", function()
      site.answer = numbered(1)
      local err = fails("limit", "more than max_pages = 9 pages", { next = pages.link(), max_pages = 9 })
      assert.are.equal(10, err.page)
      asked(9)
      assert.are.equal(ALL, ids(pages.items(api, "x", { next = pages.link(), max_pages = 10 })))
    end)

    it("when the cursor is no text", function()
      site.answer = answer { data = slice(1, 1), next = { a = 1 } }
      fails("decode", "the cursor at 'next' must be a string or a number, but is an object with the key 'a'",
        { next = pages.cursor { param = "at", path = "next" }, items = "data" })
    end)

    it("when the next URL is none", function()
      site.answer = answer { data = slice(1, 1), next = "http://[" }
      fails("url", "http://%[", { next = pages.url { path = "next" }, items = "data" })
      site.answer = answer { data = slice(1, 1), next = "ftp://host/x" }
      fails("url", "ftp", { next = pages.url "next", items = "data" })
    end)

    for name, case in pairs {
      ["a URL that is none"] = { "http://[", "url", pages.url },
      ["a URL of another scheme"] = { "mailto:somebody", "url", pages.url },
      ["a cursor that is a list"] = { json.array {}, "decode", function(path)
        return pages.cursor { param = "at", path = path }
      end },
      ["a cursor whose path leads into a list"] = { json.array { { at = "x" } }, "decode", function(path)
        return pages.cursor { param = "at", path = path .. ".at" }
      end },
    } do
      it("behind the items of the page that leads nowhere: " .. name, function()
        site.answer = answer { data = slice(1, 2), next = case[1] }
        for ahead = 0, 2 do
          local opts, given = { next = case[3] "next", items = "data", ahead = ahead }, {}
          local iterator = pages.items(api, "x", opts)
          local err = failure(function()
            for item in iterator do given[#given + 1] = item end
          end)
          assert.are.equal(case[2], err.kind)
          assert.are.equal(1, err.page)
          assert.are.equal(2, #given)
          assert.is_nil((iterator()))
          opts.max_items = 2
          assert.are.equal("1 2", ids(pages.items(api, "x", opts)))
        end
        asked(6)
      end)
    end

    it("once: the iterator is over then", function()
      site.answer = { status = 500 }
      local iterator = pages.items(api, "x", { next = pages.link() })
      failure(iterator)
      assert.is_nil((iterator()))
    end)

    it("that a function of the script returned or raised", function()
      site.answer = answer(slice(1, 1))
      fails("decode", "%(page 1%)$", { next = function() return json.decode "{" end })
      local err = failure(function()
        ids(pages.items(api, "x", { next = function() error("oh no") end }))
      end)
      assert.matches("pages_faults_spec.lua:%d+: oh no", err)
    end)
  end)

  describe("keep credentials to their origin", function()
    local other

    before_each(function()
      other = origin.start()
      site.answer = answer(slice(1, 1), { Link = ("<%s/b?page=2>; rel=next"):format(other.url) })
      other.answer = answer(slice(2, 1))
    end)

    after_each(function() other:stop() end)

    local function sent_to_other(its_client, opts)
      opts.next = opts.next or pages.link()
      assert.are.equal("1 2", ids(pages.items(its_client, "a", opts)))
      return other:last()
    end

    it("the client's auth, headers and parameters", function()
      local keyed = http.client { base_url = site.url, auth = http.bearer "t", params = { key = "k" },
        headers = { ["X-Key"] = "k", Cookie = "a=b", ["X-Plain"] = "p" }, secret_headers = { "X-Key" } }
      local got = sent_to_other(keyed, {})
      assert.are.equal("Bearer t", site:last().headers.Authorization)
      assert.are.equal("k", site:last().headers["X-Key"])
      assert.is_nil(got.headers.Authorization)
      assert.is_nil(got.headers.Cookie)
      assert.is_nil(got.headers["X-Key"])
      assert.are.equal("p", got.headers["X-Plain"])
      assert.are.equal("/b?page=2", got.target)
      keyed:close()
    end)

    it("those given to pages", function()
      local got = sent_to_other(api, { auth = { "a", "b" }, headers = { cookie = "a=b", ["x-key"] = "k" },
        secret_headers = { "X-Key" } })
      assert.matches("^Basic ", site:last().headers.Authorization)
      assert.is_nil(got.headers.Authorization)
      assert.is_nil(got.headers.Cookie)
      assert.is_nil(got.headers["X-Key"])
    end)

    it("a header that holds them", function()
      local got = sent_to_other(api, { headers = { authorization = "Bearer x" } })
      assert.are.equal("Bearer x", site:last().headers.Authorization)
      assert.is_nil(got.headers.Authorization)
    end)

    it("also where a function leads there, and after the way back", function()
      site.answer = answer(slice(1, 1))
      local urls = { other.url .. "/b", site.url .. "/c" }
      local opts = { auth = { "a", "b" }, next = function(_, _, n) return urls[n] end }
      assert.are.equal("1 2 1", ids(pages.items(api, "a", opts)))
      assert.is_nil(other:last().headers.Authorization)
      assert.are.equal("/c", site:last().path)
      assert.is_nil(site:last().headers.Authorization)
    end)

    it("where a redirect has led to another origin", function()
      site.paths["/a"] = { status = 302, headers = { Location = other.url .. "/r" } }
      other.paths["/r"] = answer(slice(1, 1), { Link = "</b>; rel=next" })
      assert.is_nil(sent_to_other(api, { auth = { "a", "b" } }).headers.Authorization)
    end)

    it("but let them go along to the same origin", function()
      site.answer = function(req)
        local link = req.path == "/a" and ("<%s/b>; rel=next"):format(site.url) or nil
        return answer(slice(1, 1), { Link = link })
      end
      assert.are.equal("1 1", ids(pages.items(api, "a", { next = pages.link(), auth = { "a", "b" } })))
      assert.matches("^Basic ", site:last().headers.Authorization)
    end)

    it("and do not follow from https to http", function()
      local secure = origin.start { tls = true }
      task.defer(function() secure:stop() end)
      secure.answer = site.answer
      local its_client = http.client { base_url = secure.url, tls = { ca = secure.ca }, auth = { "a", "b" } }
      local err = failure(function() ids(pages.items(its_client, "a", { next = pages.link() })) end)
      assert.are.equal("redirect", err.kind)
      assert.matches("from https to http; allow_downgrade=true", err.message)
      assert.is_nil(sent_to_other(its_client, { allow_downgrade = true }).headers.Authorization)
      its_client:close()
    end)
  end)

  describe("refuse at once, with the caller's line", function()
    local function options_refused(pattern, opts)
      local err = failure(function() pages.items(api, "x", opts) end)
      assert.matches("^[^:]*pages_faults_spec.lua:%d+: " .. pattern, err)
    end

    it("unknown options, of pages and of requests", function()
      options_refused("pages.items: unknown option 'max_item'; did you mean 'max_items'?",
        { next = pages.link(), max_item = 1 })
      options_refused("pages.items: unknown option 'parms'; did you mean 'params'?",
        { next = pages.link(), parms = {} })
      options_refused("pages.items: unknown option 'per_page'; if it is a query parameter, it is given as params = {",
        { next = pages.link(), per_page = 100 })
      options_refused("pages.items: option 'limits' belongs to the client",
        { next = pages.link(), limits = {} })
    end)

    it("options that cannot be", function()
      options_refused("pages.items: option 'next' is missing: pages.link", {})
      options_refused("pages.items: option 'next' must be called: pages.link", { next = pages.link })
      options_refused("pages.items: option 'next' must be pages.link", { next = "link" })
      options_refused("pages.items: option 'max_items' must be a whole number",
        { next = pages.link(), max_items = -1 })
      options_refused("pages.items: option 'concurrency' needs pages.offset",
        { next = pages.link(), concurrency = 2 })
      options_refused("pages.items: option 'concurrency' needs pages.offset",
        { next = pages.offset(), concurrency = 2 })
      options_refused("pages.items: option 'limit' cannot be given: it is written max_items",
        { next = pages.link(), limit = 10 })
      options_refused("pages.items: option 'stream' cannot be given", { next = pages.link(), stream = true })
      options_refused("pages.items: options must be a table, got nil", nil)
    end)

    it("strategies that lack something", function()
      local function fails(pattern, fn)
        assert.matches("^[^:]*pages_faults_spec.lua:%d+: " .. pattern, failure(fn))
      end
      fails("pages.cursor: the option 'path' is missing", function() pages.cursor { param = "a" } end)
      fails("pages.cursor: the option 'param' is missing", function() pages.cursor { path = "a" } end)
      fails("pages.url: the option 'path' is missing", function() pages.url {} end)
      fails("pages.offset: unknown option 'size'", function() pages.offset { size = 10 } end)
      fails("pages.number: 'size_param' needs 'size'", function() pages.number { size_param = "n" } end)
    end)

    it("what is no client", function()
      local err = failure(function() pages.items("https://x", "y", { next = pages.link() }) end)
      assert.matches("bad argument #1 to 'pages.items' %(a client expected", err)
      err = failure(function() pages.items(api, nil, { next = pages.link() }) end)
      assert.matches("bad argument #2 to 'pages.items' %(string expected, got nil", err)
    end)
  end)
end)
