--- The options of pages.items and pages.each, besides those of each request.

local path = require "lurcher.pages.path"
local rows = require "lurcher.base.rows"
local strategies = require "lurcher.pages.strategies"

local function next_mismatch(value)
  for name, make in pairs(strategies) do
    if value == make then return ("called: pages.%s(…)"):format(name) end
  end
  if strategies.is(value) or type(value) == "function" then return nil end
  return "pages.link(), pages.cursor{…}, pages.offset{…}, pages.number{…}, pages.url{…} or a function"
end

local function whole_mismatch(value)
  if type(value) == "number" and value >= 0 and value % 1 == 0 then return nil end
  return "a whole number of at least 0"
end

local function file_mismatch(value)
  if value == false or type(value) == "string" and value ~= "" and not value:find("%z") then return nil end
  return "a path or false"
end

local function whole(row)
  row.check, row.type = whole_mismatch, "integer"
  return row
end

local ROWS = {
  { "next", check = next_mismatch, required = true,
    type = "lurcher.NextPage|fun(res: lurcher.Response, items: table?, n: integer): table|string|nil",
    help = "where the next page is", example = "next = pages.link()" },
  { "items", check = path.mismatch, type = "string|table|fun(res: lurcher.Response, value: any): table",
    shown = "the page is the list",
    help = "where in a page the list is: a path, or a function, which must give all that the page has",
    example = 'items = "data.orders"' },
  { "method", check = "string", default = "GET", help = "of each request", example = 'method = "POST"' },
  whole { "max_items", help = "ends quietly after so many", example = "max_items = 500" },
  { "max_pages", check = "count|huge", default = 10000, help = "one page more raises kind `limit`",
    example = "max_pages = 50" },
  { "max_empty", check = "count|huge", default = 100, help = "so many empty pages in turn raise kind `limit`",
    example = "max_empty = 3" },
  whole { "ahead", default = 1, help = "pages fetched before they are needed", example = "ahead = 4" },
  { "concurrency", check = "count", default = 1,
    help = "pages fetched at once, given in order; for pages.offset and pages.number with `total` or `pages`",
    example = "concurrency = 8" },
  { "delay", check = "positive|false", help = "seconds between the starts of two page requests",
    example = "delay = 0.5" },
  { "dedupe", check = path.mismatch, type = "string|table|fun(item: any): any",
    help = "where an item's key is: an item whose key was there before is left out (at least the last \z
      50,000 are known)",
    example = 'dedupe = "id"' },
  { "filter", check = "function", type = "fun(item: any): boolean?",
    help = "leaves out the items it does not return true for, after they were counted",
    example = "filter = function(item) return item.active end" },
  { "repeats", check = "boolean", default = false,
    help = "the same cursor or link again is no error, as with scroll APIs", example = "repeats = true" },
  { "checkpoint", check = file_mismatch, type = "string|false",
    help = "a file: the next run goes on after the last item that was consumed",
    example = 'checkpoint = "orders.checkpoint"' },
  { "progress", check = "boolean|string", default = false,
    help = "show how many items were given; a string is the label", example = 'progress = "orders"' },
}

return {
  ROWS = ROWS,
  KNOWN = rows.specs(ROWS),
  DEFAULT = rows.defaults(ROWS),
  ---What is wrong with no `next` at all.
  MISSING_NEXT = next_mismatch(nil),
}
