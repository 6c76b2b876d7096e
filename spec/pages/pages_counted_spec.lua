-- Lists that are counted: totals that are wrong, empty pages in between, items that the script leaves out.
local json = require "lurcher.json"
local paged = require "spec.support.paged"
local pages = require "lurcher.pages"

local answer, slice, ids = paged.answer, paged.slice, paged.ids
local failure = require("spec.support.raising").failure

local TOTAL, SIZE = 50, 10

describe("pages", function()
  local site, api

  before_each(function() site, api = paged.begin() end)
  after_each(paged.finish)

  local function all(count)
    local list = {}
    for i = 1, count or TOTAL do list[i] = i end
    return table.concat(list, " ")
  end

  -- Pages of SIZE items, by "offset" or "page"; `total(first)` is what the server says, `keep(id)` which items
  -- there are.
  local function serve(total, keep)
    site.answer = function(req)
      local first = tonumber(req.query.offset) or (tonumber(req.query.page) - 1) * SIZE
      local list = json.array {}
      for _, item in ipairs(slice(first + 1, SIZE, TOTAL)) do
        if not keep or keep(item.id) then list[#list + 1] = item end
      end
      return answer { data = list, total = total(first) }
    end
  end

  local function ways()
    return {
      ["offset"] = { next = pages.offset { limit = SIZE, total = "total" } },
      ["offset, 3 at once"] = { next = pages.offset { limit = SIZE, total = "total" }, concurrency = 3 },
      ["number"] = { next = pages.number { total = "total" } },
      ["number with a size"] = { next = pages.number { total = "total", size = SIZE, size_param = "n" } },
      ["number, 3 at once"] = { next = pages.number { total = "total" }, concurrency = 3 },
    }
  end

  local function list(opts)
    opts.items = "data"
    return pages.items(api, "list", opts)
  end

  for what, total in pairs {
    ["is right"] = function() return TOTAL end,
    ["is a text"] = function() return tostring(TOTAL) end,
    ["is 0"] = function() return 0 end,
    ["is -1"] = function() return -1 end,
    ["grows"] = function(first) return first + SIZE + (first < 40 and 1 or 0) end,
    ["grows once"] = function(first) return first == 0 and 20 or TOTAL end,
    ["shrinks below what was given"] = function(first) return first < 20 and TOTAL or 5 end,
    ["is null"] = function() return json.null end,
    ["shrinks to what was given"] = function(first) return math.max(first + SIZE, TOTAL - first) end,
    ["is what is left"] = function(first) return TOTAL - first end,
    ["was a guess that was too large"] = function(first) return first < 10 and 5000 or TOTAL end,
    ["is too large"] = function() return TOTAL + 25 end,
  } do
    it("give all items when the total " .. what, function()
      for name, opts in pairs(ways()) do
        serve(total)
        assert.are.equal(all(), ids(list(opts)), name)
      end
    end)
  end

  it("go on behind an empty page when the total says so", function()
    serve(function() return TOTAL end, function(id) return id <= 10 or id > 30 end)
    local wanted = all():gsub(" 11 .* 30 ", " ")
    for name, opts in pairs(ways()) do assert.are.equal(wanted, ids(list(opts)), name) end
  end)

  it("end at an empty page without a total", function()
    serve(function() return nil end, function(id) return id <= 10 or id > 30 end)
    assert.are.equal(all(10), ids(list { next = pages.offset { limit = SIZE } }))
    assert.are.equal(all(10), ids(list { next = pages.number() }))
  end)

  it("give nothing of an empty list whose total is 0", function()
    serve(function() return 0 end, function() return false end)
    for name, opts in pairs(ways()) do assert.are.equal("", ids(list(opts)), name) end
    assert.are.equal(#site:requests(), 5)
  end)

  it("end after max_empty empty pages in turn, fetched at once or not", function()
    serve(function() return 1000 end, function(id) return id <= 10 end)
    for name, opts in pairs(ways()) do
      opts.max_empty = 4
      local given = {}
      local err = failure(function()
        for item in list(opts) do given[#given + 1] = item.id end
      end)
      assert.are.equal("limit", err.kind, name)
      assert.matches("4 pages in turn were empty %(max_empty%)", err.message)
      assert.are.equal(all(10), table.concat(given, " "), name)
    end
  end)

  it("leave out what `filter` does not want, and lose and double nothing", function()
    local function wanted(item) return not (item.id > 10 and item.id <= 20) and item.id % 2 == 0 end
    local expected = {}
    for id = 1, TOTAL do
      if wanted { id = id } then expected[#expected + 1] = id end
    end
    local more = ways()
    more["number, no total"] = { next = pages.number() }
    more["offset, no total"] = { next = pages.offset { limit = SIZE } }
    for name, opts in pairs(more) do
      serve(function() return TOTAL end)
      opts.filter = wanted
      assert.are.equal(table.concat(expected, " "), ids(list(opts)), name)
      serve(function() return TOTAL end)
      opts.max_items = 3
      assert.are.equal("2 4 6", ids(list(opts)), name)
    end
  end)

  it("raise what `filter` raises, or returns as nil and an error", function()
    serve(function() return TOTAL end)
    local function fails(filter)
      return failure(function() ids(list { next = pages.number(), filter = filter }) end)
    end
    assert.are.equal("no", fails(function() return nil, "no" end))
    assert.are.equal("oh", fails(function() error("oh", 0) end))
  end)

  it("notice a function `items` that leaves items out, instead of losing and doubling some", function()
    for name, opts in pairs(ways()) do
      serve(function() return TOTAL end)
      opts.items = function(_, page)
        local kept = {}
        for _, item in ipairs(page.data) do
          if item.id <= 10 or item.id % 2 == 0 then kept[#kept + 1] = item end
        end
        return kept
      end
      local err = failure(function() ids(pages.items(api, "list", opts)) end)
      assert.matches("left out 5 of the 10 items of page 2, .* the option `filter` leaves some out", tostring(err),
        name)
      opts.items = function(_, page) return page.data end
      assert.are.equal(all(), ids(pages.items(api, "list", opts)), name)
      opts.items = function(_, page)
        local made = {}
        for i, item in ipairs(page.data) do made[i] = { id = item.id } end
        return made
      end
      assert.are.equal(all(), ids(pages.items(api, "list", opts)), name)
    end
  end)

  it("refuse `filter` for whole pages", function()
    assert.has_error(function() pages.each(api, "list", { next = pages.number(), filter = print }) end,
      "pages.each: option 'filter' is for items: see pages.items")
  end)
end)
