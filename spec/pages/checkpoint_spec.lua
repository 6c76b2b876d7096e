local faults = require "spec.support.faults"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local origin = require "spec.support.origin"
local paged = require "spec.support.paged"
local pages = require "lurcher.pages"
local process = require "spec.support.process"
local task = require "lurcher.task"

local ALL = paged.ALL
local failure = require("spec.support.raising").failure
local answer, slice, numbered, ids = paged.answer, paged.slice, paged.numbered, paged.ids

describe("a checkpoint", function()
  local site, api, directory, path

  before_each(function()
    site, api = paged.begin()
    directory = process.directory()
    path = directory .. "/orders.checkpoint"
    site.answer = numbered(4)
  end)

  after_each(function()
    paged.finish()
    fs.remove(directory, { recursive = true })
  end)

  local function options(opts)
    opts = opts or {}
    opts.next, opts.checkpoint = opts.next or pages.link(), path
    return opts
  end

  local function orders(opts)
    return pages.items(api, "orders", options(opts))
  end

  -- Takes `count` items; the last of them is in hand when this run ends.
  local function take(count, opts)
    local list, iterator = {}, orders(opts)
    for i = 1, count do list[i] = iterator().id end
    iterator:close()
    return table.concat(list, " ")
  end

  describe("lets the next run go on", function()
    it("with the item that was in hand", function()
      assert.are.equal("1 2 3", take(3))
      assert.are.equal("3 4 5 6 7 8 9 10", ids(orders()))
    end)

    it("after the item that was said to be consumed", function()
      local iterator = orders()
      iterator()
      iterator()
      iterator:consumed()
      iterator:close()
      assert.are.equal("3 4 5 6 7 8 9 10", ids(orders()))
    end)

    it("without asking for earlier pages", function()
      take(6)
      local before = #site:requests()
      assert.are.equal("6 7 8 9 10", ids(orders()))
      assert.are.equal("/orders?page=2", site:requests()[before + 1].target)
    end)

    it("at the next page when one is consumed as a whole", function()
      take(5)
      local before = #site:requests()
      assert.are.equal("5 6 7 8 9 10", ids(orders()))
      assert.are.equal("/orders?page=2", site:requests()[before + 1].target)
      assert.are.equal(before + 2, #site:requests())
    end)

    it("again and again", function()
      local list = {}
      for _ = 1, 10 do
        local iterator = orders()
        list[#list + 1] = iterator().id
        iterator:consumed()
        iterator:close()
      end
      assert.are.equal(ALL, table.concat(list, " "))
      assert.are.equal("", ids(orders()))
    end)

    it("by cursor, offset, number and function", function()
      site.answer = function(req)
        local at = tonumber(req.query.at) or 0
        local list = slice(at + 1, 4)
        return answer { data = list, total = 10, next = at + 4 < 10 and at + 4 or nil }
      end
      local function after(res) return res:json().next and { params = { at = res:json().next } } or nil end
      for _, next in ipairs {
        pages.cursor { param = "at", path = "next" },
        pages.offset { param = "at", limit = 4, total = "total" },
        after,
      } do
        assert.are.equal("1 2 3 4 5 6", take(6, { next = next, items = "data" }))
        assert.are.equal("6 7 8 9 10", ids(orders { next = next, items = "data" }))
      end
      site.answer = numbered(4)
      assert.are.equal("1 2 3 4 5 6", take(6, { next = pages.number() }))
      assert.are.equal("6 7 8 9 10", ids(orders { next = pages.number() }))
    end)

    it("with pages that are fetched together", function()
      site.answer = function(req)
        return answer { data = slice(req.query.offset + 1, 2), total = 10 }
      end
      local function opts()
        return { next = pages.offset { limit = 2, total = "total" }, items = "data", concurrency = 3 }
      end
      assert.are.equal("1 2 3 4 5", take(5, opts()))
      assert.are.equal("5 6 7 8 9 10", ids(orders(opts())))
    end)

    it("with whole responses", function()
      local iterator = pages.each(api, "orders", options())
      iterator()
      iterator()
      iterator:close()
      local numbers = {}
      for _, number in pages.each(api, "orders", options()) do numbers[#numbers + 1] = number end
      assert.are.same({ 2, 3 }, numbers)
    end)

    it("after a page that failed", function()
      site.paths["/orders"] = function(req)
        if req.query.page == "3" then return { status = 500 } end
        return numbered(4)(req)
      end
      assert.are.equal("status", failure(function() ids(orders()) end).kind)
      site.paths["/orders"] = nil
      assert.are.equal("9 10", ids(orders()))
    end)

    it("up to the max_items of both together", function()
      assert.are.equal("1 2 3", take(3, { max_items = 6 }))
      assert.are.equal("3 4 5 6", ids(orders { max_items = 6 }))
    end)

    it("without credentials, where they were dropped", function()
      local other = origin.start()
      site.answer = answer(slice(1, 1), { Link = ("<%s/a>; rel=next"):format(other.url) })
      other.paths["/a"] = answer(slice(2, 1), { Link = ("<%s/b>; rel=next"):format(site.url) })
      site.paths["/b"] = answer(slice(3, 2))
      local keyed = api:extend { auth = http.bearer "t" }
      local iterator = pages.items(keyed, "orders", options())
      for _ = 1, 3 do iterator() end
      iterator:close()
      assert.are.equal("3 4", ids(pages.items(keyed, "orders", options())))
      assert.is_nil(site:last().headers.Authorization)
      other:stop()
    end)
  end)

  describe("of a list that has changed meanwhile", function()
    local shift

    before_each(function()
      shift = 0
      site.answer = function(req)
        local first = (tonumber(req.query.page) - 1) * 4 + 1 - shift
        local list = slice(first, 4)
        return answer(list)
      end
    end)

    it("gives the whole page again", function()
      take(7, { next = pages.number() })
      shift = 1
      assert.are.equal("4 5 6 7 8 9 10", ids(orders { next = pages.number() }))
    end)

    it("gives what was not there yet when items have a key", function()
      take(7, { next = pages.number(), dedupe = "id" })
      shift = 1
      assert.are.equal("7 8 9 10", ids(orders { next = pages.number(), dedupe = "id" }))
    end)

    it("gives nothing twice after several changes", function()
      take(6, { next = pages.number(), dedupe = "id" })
      shift = 1
      assert.are.equal("6 7", take(2, { next = pages.number(), dedupe = "id", max_items = 100 }))
      shift = 2
      assert.are.equal("7 8", take(2, { next = pages.number(), dedupe = "id", max_items = 100 }))
      assert.are.equal("8 9 10", ids(orders { next = pages.number(), dedupe = "id", max_items = 100 }))
    end)
  end)

  describe("is removed at the end", function()
    local function is_there() return fs.exists(path) end

    it("so that the next run starts over", function()
      assert.are.equal(ALL, ids(orders()))
      assert.is_false(is_there())
      assert.are.equal(ALL, ids(orders()))
    end)

    it("of max_items", function()
      assert.are.equal("1 2 3", ids(orders { max_items = 3 }))
      assert.is_false(is_there())
    end)

    it("but not before the last item is consumed", function()
      take(10)
      assert.is_true(is_there())
      assert.are.equal("10", ids(orders()))
      assert.is_false(is_there())
    end)
  end)

  describe("of several tasks", function()
    it("tells up to where all of them are, with task.map", function()
      local err = failure(function()
        task.map(orders { next = pages.link() }, function(item)
          if item.id == 6 then
            task.sleep(0.01)
            error("oh no", 0)
          end
        end, { concurrency = 3 })
      end)
      assert.are.equal("oh no", err)
      assert.are.equal("6 7 8 9 10", ids(orders()))
    end)

    it("goes on with task.map where a loop was left", function()
      local iterator, seen = orders(), {}
      for _ = 1, 3 do iterator() end
      failure(function()
        task.map(iterator, function(item)
          assert(item.id < 8)
          seen[#seen + 1] = item.id
        end, { concurrency = 1 })
      end)
      assert.are.same({ 4, 5, 6, 7 }, seen)
      assert.are.equal("8 9 10", ids(orders()))
    end)

    it("is removed when task.map is done", function()
      assert.are.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, task.map(orders(), function(item)
        task.yield()
        return item.id
      end, { concurrency = 3 }))
      assert.is_false(fs.exists(path))
    end)

    it("knows what the loop over task.stream has taken", function()
      local function id_of(item) return item.id end
      local stream = task.stream(orders(), id_of, { ordered = true, concurrency = 4 })
      for _ = 1, 3 do stream() end
      stream:close()
      assert.are.equal("3 4 5 6 7 8 9 10", ids(orders()))
    end)

    it("does not take one task's call for another's", function()
      local shared, slow, seen = orders(), task.event(), {}
      task.scope(function(scope)
        scope:spawn(function()
          seen[shared().id] = true
          slow:wait()
        end)
        scope:spawn(function()
          task.yield()
          for item in shared do
            seen[item.id] = true
            if item.id == 7 then break end
          end
          slow:set()
        end)
      end)
      shared:close()
      assert.is_true(seen[1] and seen[7])
      assert.are.equal(ALL, ids(orders()))
    end)
  end)

  describe("fails before the first request", function()
    local function fails(pattern, opts)
      local iterator = orders(opts)
      local before = #site:requests()
      local err = failure(iterator)
      assert.are.equal("file", err.kind)
      assert.matches(pattern, tostring(err))
      assert.is_nil((iterator()))
      assert.are.equal(before, #site:requests())
    end

    it("when it belongs to another query", function()
      take(2)
      fails("checkpoint': it belongs to another query: its url is 'http.*/orders', not 'http.*/orders%?a=b'",
        { params = { a = "b" } })
      fails("its next is 'link next', not 'number page", { next = pages.number() })
      fails("its items is '', not 'data'", { items = "data" })
      fails("its method is 'GET', not 'POST'", { method = "POST" })
      assert.are.equal("2 3 4 5 6 7 8 9 10", ids(orders()))
    end)

    it("when the same URL has another body", function()
      take(2, { method = "POST", json = { q = 1 } })
      fails("its body is", { method = "POST", json = { q = 2 } })
    end)

    for _, kind in ipairs { "form", "body" } do
      it("when the same URL has another " .. kind, function()
        local function with(value)
          return { method = "POST", [kind] = kind == "form" and { q = value } or "q=" .. value }
        end
        take(2, with "1")
        fails("its body is", with "2")
        fails("its body is", { method = "POST" })
        assert.are.equal("2 3 4 5 6 7 8 9 10", ids(orders(with "1")))
      end)
    end

    it("but not of another query that has come nowhere", function()
      local numbers = site.answer
      site.answer = { status = 404 }
      local err = failure(orders { params = { lmit = 5 } })
      assert.are.equal("status", err.kind)
      site.answer = numbers
      assert.are.equal("1 2", take(2))
      err = failure(orders { params = { lmit = 5 } })
      assert.are.equal("file", err.kind)
      assert.are.equal("2 3 4 5 6 7 8 9 10", ids(orders()))
    end)

    it("when it is none", function()
      assert(fs.write(path, "my precious notes\n"))
      fails("it is no checkpoint")
      assert.are.equal("my precious notes\n", fs.read(path))
      assert(fs.write(path, "no line"))
      fails("it is no checkpoint")
    end)

    it("wherever a byte of it is damaged", function()
      take(7, { dedupe = "id" })
      local text = fs.read(path)
      for i = 1, #text - 1 do
        local byte = text:byte(i)
        if byte ~= 10 then
          local other = byte == 48 and "1" or "0"
          assert(fs.write(path, text:sub(1, i - 1) .. other .. text:sub(i + 1)))
          fails("damaged", { dedupe = "id" })
        end
      end
    end)

    it("when a line is missing", function()
      take(7)
      local text = fs.read(path)
      local _, first = text:find "\n"
      local _, second = text:find("\n", first + 1)
      assert(fs.write(path, text:sub(1, first) .. text:sub(second + 1)))
      fails("line 2 is damaged; without the file the run starts over")
    end)

    it("when it cannot be written or read", function()
      path = directory .. "/nowhere/x"
      fails("nowhere/x': .*ENOENT")
      path = directory
      fails(directory)
    end)
  end)

  it("without its last line's end goes on a little earlier", function()
    take(7)
    local text = fs.read(path)
    assert(fs.write(path, text:sub(1, -3)))
    assert.are.equal("6 7 8 9 10", ids(orders()))
  end)

  it("that is empty is a new one", function()
    assert(fs.write(path, ""))
    assert.are.equal(ALL, ids(orders()))
  end)

  it("does not hold secrets of the query", function()
    local opts = function() return { params = { token = http.secret "hidden", password = "pw-hidden" } } end
    take(2, opts())
    assert.is_nil(fs.read(path):find("hidden", 1, true))
    assert.are.equal("2 3 4 5 6 7 8 9 10", ids(orders(opts())))
  end)

  it("stays small in a long run, keys included", function()
    local size = 1000
    site.answer = function(req) return answer(slice(req.query.offset + 1, size, 60000)) end
    local opts = { next = pages.offset { limit = size }, dedupe = "id", max_items = 50000 }
    local iterator, largest = orders(opts), 0
    for item in iterator do
      if item.id % 5000 == 0 then largest = math.max(largest, #fs.read(path)) end
      if item.id == 49999 then break end
    end
    iterator:close()
    assert.is_true(largest < 2500000, "bytes: " .. largest)
    assert.are.equal("49999 50000", ids(orders { next = pages.offset { limit = size }, dedupe = "id",
      max_items = 50000 }))
  end)

  -- ---- processes that are killed ----

  -- With AddressSanitizer each process takes a fifth of a second of the processor to start and to end.
  local COUNT, SIZE, KILLS = 300, 10, 25
  if faults.sanitized() then COUNT, KILLS = 70, 5 end

  local SCRIPT = [[
    local url, checkpoint, out, dedupe, stop = ...
    local http, pages = require "lurcher.http", require "lurcher.pages"
    local file = assert(io.open(out, "a"))
    file:setvbuf "no"
    local given = 0
    for item in pages.items(http.client { base_url = url }, "orders", {
      next = pages.cursor { param = "at", path = "next" }, items = "data", checkpoint = checkpoint, ahead = 2,
      dedupe = dedupe ~= "" and dedupe or nil,
    }) do
      if given == tonumber(stop) then os.execute("kill -9 $PPID") end
      file:write(item.id .. "\n") -- in one piece: a kill may come between two
      given = given + 1
    end
  ]]

  local function serve(changing, count)
    local asked = 0
    count = count or COUNT
    site.answer = function(req)
      asked = asked + 1
      task.sleep(0.002)
      local at = tonumber(req.query.at) or 0
      local next = at + SIZE < count and at + SIZE or nil
      return answer { data = slice(at + 1, SIZE, count), next = next, asked = changing and asked or 0 }
    end
  end

  -- Runs the script until it ends by itself; `kill(child, run)` may end it sooner. How often each item was
  -- written, and how many times it was killed.
  local function run(dedupe, kill, stop)
    local script, out = process.script(SCRIPT), directory .. "/out"
    local kills, written = 0, {}
    while true do
      local child = process.start { script, site.url, path, out, dedupe, stop and stop(kills) or "" }
      if kill then kill(child, kills) end
      local ended = child:wait()
      -- LeakSanitizer says so when it is killed at its own work, at the end of a run.
      assert.are.equal("", (ended.err:gsub("==%d+==Unable to get registers from thread %d+%.\n", "")))
      if ended.status == 0 then break end
      assert.are.equal(9, ended.signal)
      kills = kills + 1
      -- Killed behind the end of the list: another run would start over.
      if not fs.exists(path) and (fs.read(out) or ""):find(("\n%d\n"):format(COUNT), 1, true) then break end
      assert.is_true(kills < 500, "it does not come to its end")
    end
    for line in fs.lines(out) do written[tonumber(line)] = (written[tonumber(line)] or 0) + 1 end
    for id = 1, COUNT do assert.is_truthy(written[id], "lost: " .. id) end
    return written, kills
  end

  local function repeated(written)
    local count = 0
    for _, times in pairs(written) do count = count + times - 1 end
    return count
  end

  it("survives kill -9 between any two items: nothing is lost, nothing is doubled", function()
    serve(false)
    local written, kills = run("", nil, function(n) return n % 23 end)
    assert.is_true(kills >= KILLS, "kills: " .. kills)
    assert.are.equal(0, repeated(written))
  end)

  it("survives it while pages change: at most the items of one page are doubled, none with dedupe", function()
    serve(true)
    local written, kills = run("", nil, function(n) return n == 0 and 5 or 14 end)
    assert.is_true(kills >= KILLS / 2.5, "kills: " .. kills)
    assert.is_true(repeated(written) > 0 and repeated(written) <= kills * SIZE)
    assert(fs.remove(directory .. "/out"))
    written, kills = run("id", nil, function(n) return n % 23 end)
    assert.is_true(kills >= KILLS, "kills: " .. kills)
    assert.are.equal(0, repeated(written))
  end)

  it("is kept when a budget ends the run", function()
    serve(false, 300)
    local script, out, statuses = process.script(SCRIPT), directory .. "/out", {}
    for i = 1, 4 do
      local ended = process.run { "--max-requests=8", script, site.url, path, out, "", "" }
      statuses[i] = ended.status
    end
    assert.are.same({ 3, 3, 3, 0 }, statuses)
    local count = 0
    for line in fs.lines(out) do
      count = count + 1
      assert.are.equal(tostring(count), line)
    end
    assert.are.equal(300, count)
  end)

  it("survives it at any moment: at most the item in hand is doubled", function()
    serve(true)
    math.randomseed(7)
    local written, kills = run("id", function(child, before)
      task.sleep(0.005 + math.random() * 0.03 * (1 + before / 10)) -- ever later: a slow machine gets on
      child:kill "KILL"
    end)
    assert.is_true(kills >= 1, "kills: " .. kills)
    assert.is_true(repeated(written) <= kills)
  end)
end)
