local clock = require "lurcher.clock"
local http = require "lurcher.http"
local json = require "lurcher.json"
local paged = require "spec.support.paged"
local pages = require "lurcher.pages"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local TOTAL, ALL = paged.TOTAL, paged.ALL
local answer, slice, numbered = paged.answer, paged.slice, paged.numbered
local ids, failure = paged.ids, require("spec.support.raising").failure

describe("pages", function()
  local site, api

  before_each(function() site, api = paged.begin() end)
  after_each(paged.finish)

  local function asked(count)
    assert.are.equal(count, #site:requests())
  end

  describe("find the next page", function()
    it("by the Link header", function()
      site.answer = numbered(3)
      assert.are.equal(ALL, ids(pages.items(api, "orders", { next = pages.link() })))
      asked(4)
    end)

    it("by another relation of the Link header", function()
      site.answer = function(req)
        return answer(slice(1, 1), not req.query.page and { Link = "</x?page=2>; rel=older" } or {})
      end
      assert.are.equal("1 1", ids(pages.items(api, "orders", { next = pages.link "older" })))
    end)

    it("by a URL in the body", function()
      site.answer = numbered(4, function(list, number, more)
        return { data = list, paging = { next = more and "?page=" .. number + 1 or json.null } }
      end)
      local opts = { next = pages.url { path = "paging.next" }, items = "data" }
      assert.are.equal(ALL, ids(pages.items(api, "orders", opts)))
      assert.are.equal("/orders?page=3", site:last().target)
    end)

    it("by a cursor, beside the parameters given", function()
      site.answer = numbered(4, function(list, number, more)
        return { data = list, next_cursor = more and number + 1 or "" }
      end)
      local opts = { next = pages.cursor { param = "page", path = "next_cursor" }, items = "data",
        params = { status = "open" } }
      assert.are.equal(ALL, ids(pages.items(api, "orders", opts)))
      assert.are.equal("/orders?page=3&status=open", site:last().target)
    end)

    it("by the last item's id, as long as there is more", function()
      site.answer = function(req)
        local list = slice((tonumber(req.query.after) or 0) + 1, 4)
        return answer { data = list, more = list[#list].id < TOTAL }
      end
      local next = pages.cursor { param = "after", path = "data.-1.id", more = "more" }
      local opts = { next = next, items = "data" }
      assert.are.equal(ALL, ids(pages.items(api, "orders", opts)))
      asked(3)
    end)

    it("by an offset, until a page is empty", function()
      site.answer = function(req) return answer(slice(req.query.offset + 1, tonumber(req.query.limit))) end
      assert.are.equal(ALL, ids(pages.items(api, "orders", { next = pages.offset { limit = 4 } })))
      assert.are.equal("/orders?limit=4&offset=10", site:last().target)
      asked(4)
    end)

    it("by an offset, until the total is reached", function()
      site.answer = function(req)
        local list = slice(req.query.start + 1, tonumber(req.query.size))
        return answer { items = list, meta = { total = TOTAL } }
      end
      local next = pages.offset { param = "start", limit_param = "size", limit = 5, total = "meta.total" }
      assert.are.equal(ALL, ids(pages.items(api, "orders", { next = next, items = "items" })))
      asked(2)
    end)

    it("by an offset that goes on by what came when the server gives less than asked for", function()
      site.answer = function(req) return answer(slice(req.query.offset + 1, 3)) end
      assert.are.equal(ALL, ids(pages.items(api, "orders", { next = pages.offset { limit = 100 } })))
    end)

    it("by a page number, until a page is empty", function()
      site.answer = numbered(5)
      assert.are.equal(ALL, ids(pages.items(api, "orders", { next = pages.number() })))
      assert.are.equal("/orders?page=3", site:last().target)
    end)

    it("by a page number that starts at 0, until the last page is reached", function()
      site.answer = function(req)
        return answer { list = slice(req.query.p * 4 + 1, tonumber(req.query.n)), pages = 3 }
      end
      local next = pages.number { param = "p", first = 0, size_param = "n", size = 4, pages = "pages" }
      assert.are.equal(ALL, ids(pages.items(api, "orders", { next = next, items = "list" })))
      assert.are.equal("/orders?n=4&p=2", site:last().target)
    end)

    it("by a page number, until the total is reached", function()
      site.answer = numbered(5, function(list) return { list = list, total = 10 } end)
      local next = pages.number { total = "total" }
      assert.are.equal(ALL, ids(pages.items(api, "orders", { next = next, items = "list" })))
      asked(2)
    end)

    it("by a function that changes the request", function()
      site.answer = function(req) return answer(slice(json.decode(req.body).from, 4)) end
      local numbers = {}
      local opts = { method = "POST", json = { from = 1 }, next = function(res, items, n)
        assert.are.equal(200, res.status)
        numbers[n] = #items
        return #items == 4 and { json = { from = n * 4 + 1 } } or nil
      end }
      assert.are.equal(ALL, ids(pages.items(api, "orders", opts)))
      assert.are.same({ 4, 4, 2 }, numbers)
    end)

    it("by a function that returns a URL below the base URL", function()
      site.paths["/v1/a"] = answer(slice(1, 1))
      site.paths["/v1/b"] = answer(slice(2, 1))
      local v1 = api:extend { base_url = site.url .. "/v1" }
      local function after(_, _, n) return n == 1 and "b" or nil end
      assert.are.equal("1 2", ids(pages.items(v1, "a", { next = after })))
    end)

    it("relative to where a redirect led", function()
      site.paths["/old"] = { status = 302, headers = { Location = "/new/list" } }
      site.paths["/new/list"] = answer(slice(1, 1), { Link = "<more>; rel=next" })
      site.paths["/new/more"] = answer(slice(2, 1))
      assert.are.equal("1 2", ids(pages.items(api, "old", { next = pages.link() })))
    end)
  end)

  describe("take items", function()
    it("from where a function finds them", function()
      site.answer = function() return { status = 200, body = "5,6,7" } end
      local function split(res)
        local list = {}
        for id in res.body:gmatch("%d") do list[#list + 1] = { id = id } end
        return list
      end
      assert.are.equal("5 6 7", ids(pages.items(api, "x.csv", { next = pages.link(), items = split })))
    end)

    it("from the decoded page a function is given", function()
      site.answer = answer { a = { b = slice(1, 2) } }
      local opts = { next = pages.link(), items = function(_, value) return value.a.b end }
      assert.are.equal("1 2", ids(pages.items(api, "x", opts)))
    end)

    it("from a path of keys with dots", function()
      site.answer = answer { ["a.b"] = { c = slice(1, 2) } }
      assert.are.equal("1 2", ids(pages.items(api, "x", { next = pages.link(), items = { "a.b", "c" } })))
    end)

    it("from null and 204 as from an empty list", function()
      site.answer = answer { data = json.null }
      assert.are.equal("", ids(pages.items(api, "x", { next = pages.link(), items = "data" })))
      site.answer = { status = 204 }
      local next = pages.offset { total = "total" }
      assert.are.equal("", ids(pages.items(api, "x", { next = next, items = "data" })))
    end)

    it("that are false or null, too", function()
      site.answer = answer(json.array { false, json.null, 1 })
      local list = {}
      for item in pages.items(api, "x", { next = pages.link() }) do list[#list + 1] = item end
      assert.are.same({ false, json.null, 1 }, list)
    end)

    it("without those whose key was there before", function()
      site.answer = function(req)
        local from = tonumber(req.query.from) or 1
        return answer({ data = slice(from, 4), next = from < 7 and from + 3 or nil })
      end
      local opts = { next = pages.cursor { param = "from", path = "next" }, items = "data", dedupe = "id" }
      assert.are.equal(ALL, ids(pages.items(api, "x", opts)))
      opts.dedupe = function(item) return item.id % 2 end
      assert.are.equal("1 2", ids(pages.items(api, "x", opts)))
    end)

    it("up to max_items, without asking for more", function()
      site.answer = numbered(3)
      local opts = { next = pages.link(), max_items = 6, ahead = 5 }
      assert.are.equal("1 2 3 4 5 6", ids(pages.items(api, "x", opts)))
      asked(2)
      assert.are.equal("", ids(pages.items(api, "x", { next = pages.link(), max_items = 0 })))
      asked(2)
    end)

    it("with the number of their page", function()
      site.answer = numbered(4)
      local numbers = {}
      for item, number in pages.items(api, "x", { next = pages.link() }) do numbers[item.id] = number end
      assert.are.same({ 1, 1, 1, 1, 2, 2, 2, 2, 3, 3 }, numbers)
    end)
  end)

  it("are given as whole responses by each", function()
    site.answer = numbered(4)
    local counts = {}
    for res, number in pages.each(api, "x", { next = pages.link() }) do
      counts[number] = #assert(res:json())
    end
    assert.are.same({ 4, 4, 2 }, counts)
  end)

  it("need not be JSON for each", function()
    site.answer = function(req)
      local link = not req.query.p and "<?p=2>; rel=next" or nil
      return { status = 200, body = "<p>", headers = { Link = link } }
    end
    local bodies = {}
    for res in pages.each(api, "x", { next = pages.link() }) do bodies[#bodies + 1] = res.body end
    assert.are.same({ "<p>", "<p>" }, bodies)
  end)

  it("are counted by each when the strategy counts", function()
    site.answer = function(req) return answer { data = slice(req.query.offset + 1, 4) } end
    local count = 0
    local opts = { next = pages.offset { limit = 4 }, items = "data" }
    for _ in pages.each(api, "x", opts) do count = count + 1 end
    assert.are.equal(4, count)
    local err = failure(function()
      for _ in pages.each(api, "x", { next = pages.offset() }) do count = count + 1 end
    end)
    assert.are.equal("decode", err.kind)
    assert.matches("the option `items` says where", err.message)
  end)

  it("are asked for by the default client when given lurcher.http", function()
    site.answer = numbered(20)
    assert.are.equal(ALL, ids(pages.items(http, site.url .. "/x", { next = pages.link() })))
  end)

  it("pass options on to each request", function()
    site.answer = numbered(6)
    local opts = { next = pages.link(), headers = { ["X-Tenant"] = "7" }, auth = { "ada", "secret" } }
    assert.are.equal(ALL, ids(pages.items(api, "x", opts)))
    for _, req in ipairs(site:requests()) do
      assert.are.equal("7", req.headers["X-Tenant"])
      assert.matches("^Basic ", req.headers.Authorization)
    end
  end)

  it("add the client's parameters to a link that lacks them, and no parameter twice", function()
    site.answer = function(req)
      return answer(slice(1, 1), not req.query.page and { Link = "</x?page=2&per=5>; rel=next" } or {})
    end
    local keyed = http.client { base_url = site.url, params = { key = "k", per = 5 } }
    local opts = { next = pages.link(), params = { state = "open" } }
    assert.are.equal("1 1", ids(pages.items(keyed, "x", opts)))
    assert.are.equal("/x?page=2&per=5&key=k", site:last().target)
    keyed:close()
  end)

  describe("fetched ahead", function()
    -- How many pages were asked for while the loop is at the first item.
    local function asked_at_first(opts)
      site.answer = numbered(1)
      opts.next = opts.next or pages.link()
      local iterator = pages.items(api, "x", opts)
      assert.are.equal(1, iterator().id)
      local wanted = 1 + (opts.ahead or 1)
      serving.eventually(function() return #site:requests() >= wanted end)
      for _ = 1, 20 do task.yield() end
      task.sleep(0.02) -- room for one too many
      asked(wanted)
      iterator:close()
    end

    it("is one page", function() asked_at_first {} end)
    it("are as many as wanted", function() asked_at_first { ahead = 3 } end)
    it("is none with ahead = 0", function() asked_at_first { ahead = 0 } end)

    it("do not begin before the first item is asked for", function()
      site.answer = numbered(3)
      local iterator = pages.items(api, "x", { next = pages.link() })
      task.sleep(0.01)
      asked(0)
      iterator:close()
      assert.is_nil((iterator()))
    end)

    it("end with the task when the loop is left", function()
      site.answer = function(req)
        if req.query.page then task.sleep(60) end
        return answer(slice(1, 1), { Link = "<?page=2>; rel=next" })
      end
      task.scope(function(scope)
        scope:spawn(function()
          local first = pages.items(api, "x", { next = pages.link() })()
          assert.are.equal(1, first.id)
          serving.eventually(function() return #site:requests() == 2 end)
        end)
      end)
      assert.are.equal(0, api:stats().in_flight)
    end)

    it("deliver what came before a fault first", function()
      site.answer = function(req)
        if req.query.page == "3" then return { status = 500, body = "broken" } end
        return numbered(2)(req)
      end
      local seen = {}
      local err = failure(function()
        for item in pages.items(api, "x", { next = pages.link(), ahead = 5 }) do seen[#seen + 1] = item.id end
      end)
      assert.are.equal("status", err.kind)
      assert.are.same({ 1, 2, 3, 4 }, seen)
    end)
  end)

  describe("fetched together", function()
    local most
    before_each(function()
      local now = 0
      most = 0
      site.answer = function(req)
        now = now + 1
        most = math.max(most, now)
        task.sleep(req.query.offset == "2" and 0.02 or 0.01) -- not in order
        now = now - 1
        return answer { data = slice(req.query.offset + 1, tonumber(req.query.limit), 40), total = 40 }
      end
    end)

    local function collect(opts)
      local list = {}
      opts.next, opts.items = opts.next or pages.offset { limit = 2, total = "total" }, "data"
      for item in pages.items(api, "x", opts) do list[#list + 1] = item.id end
      return list
    end

    it("come in order, several at once", function()
      local list = collect { concurrency = 4 }
      assert.are.equal(40, #list)
      for i, id in ipairs(list) do assert.are.equal(i, id) end
      assert.is_true(most > 1 and most <= 4, "at once: " .. most)
      asked(20)
    end)

    it("are as large as the server makes them", function()
      local capped = site.answer
      site.answer = function(req)
        req.query.limit = "3"
        return capped(req)
      end
      assert.are.equal(40, #collect { concurrency = 4, next = pages.offset { limit = 100, total = "total" } })
      asked(14)
    end)

    it("by number", function()
      site.answer = function(req)
        return answer { data = slice((req.query.page - 1) * 3 + 1, 3), total = TOTAL }
      end
      assert.are.equal(TOTAL, #collect { concurrency = 3, next = pages.number { total = "total" } })
      asked(4)
    end)

    it("stop at max_items and at max_pages", function()
      assert.are.equal(5, #collect { concurrency = 4, max_items = 5 })
      local err = failure(function() collect { concurrency = 4, max_pages = 3 } end)
      assert.are.equal("limit", err.kind)
      assert.are.equal(4, err.page)
    end)

    it("deliver all pages before the first that failed", function()
      local fine, seen = site.answer, 0
      site.answer = function(req)
        if req.query.offset == "6" then return { status = 404 } end
        return fine(req)
      end
      local err = failure(function()
        for _ in pages.items(api, "x",
          { next = pages.offset { limit = 2, total = "total" }, items = "data", concurrency = 8 }) do
          seen = seen + 1
        end
      end)
      assert.are.equal("status", err.kind)
      assert.are.equal(4, err.page)
      assert.are.equal(6, err.cursor)
      assert.are.equal(6, seen)
    end)
  end)

  it("keep the distance that `delay` wants, between the starts of requests", function()
    clock.virtual(function()
      local server, times = require "lurcher.server", {}
      local s = server.start(function(req)
        times[#times + 1] = math.floor(task.now() * 10 + 0.5)
        task.sleep(1)
        return numbered(4)(req)
      end)
      local its_client = http.client { base_url = s.url }
      assert.are.equal(ALL, ids(pages.items(its_client, "x", { next = pages.link(), delay = 3, ahead = 5 })))
      assert.are.equal(30, times[2] - times[1])
      assert.are.equal(30, times[3] - times[2])
      its_client:close()
      s:stop()
    end)
  end)

  it("say so when the task that made the iterator is gone", function()
    site.answer = numbered(4)
    local iterator = task.spawn(function() return pages.items(api, "x", { next = pages.link() }) end):join()
    local err = failure(function()
      for _ in iterator do error "there is nothing" end
    end)
    assert.matches("pages_spec.lua:%d+: the task that made this iterator has ended", err)
    asked(0)
  end)

  it("work inside task.map, coroutines and several tasks", function()
    site.answer = numbered(3)
    local function iterator() return pages.items(api, "x", { next = pages.link() }) end
    assert.are.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, task.map(iterator(), function(item)
      task.yield()
      return item.id
    end))
    assert.are.equal(ALL, ids(coroutine.wrap(function()
      for item in iterator() do coroutine.yield(item) end
    end)))
    local shared, count = iterator(), 0
    task.scope(function(scope)
      for _ = 1, 4 do
        scope:spawn(function()
          for _ in shared do
            task.yield()
            count = count + 1
          end
        end)
      end
    end)
    assert.are.equal(TOTAL, count)
  end)

  it("raise the cancellation in a cancelled task", function()
    site.answer = function() task.sleep(60) end
    local handle = task.spawn(function() ids(pages.items(api, "x", { next = pages.link() })) end)
    serving.eventually(function() return #site:requests() == 1 end)
    handle:cancel()
    assert.is_false((pcall(handle.join, handle)))
    assert.are.equal("canceled", handle.status)
    serving.eventually(function() return api:stats().in_flight == 0 end)
  end)
end)
