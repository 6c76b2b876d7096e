-- An export that may be stopped at any moment, by Ctrl-C or kill -9 too, and goes on where it was when it is
-- run again. Run as often as it takes; an item that was in hand when it was stopped may be there twice.
--   lurcher examples/resumable_export.lua URL FILE

local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local pages = require "lurcher.pages"

local url, path = ...
assert(url and path, "usage: resumable_export.lua URL FILE")
local api = http.client { base_url = url }
local resumed = fs.exists(path .. ".checkpoint")
if not resumed then fs.remove(path) end

local languages = pages.items(api, "languages", {
  next = pages.offset { limit = 500, total = "total" }, items = "items", dedupe = "alpha_3",
  checkpoint = path .. ".checkpoint", progress = "languages",
})

local out = assert(fs.writer(path, { append = true }))
local count = 0
for language in languages do
  assert(out:write(json.encode(language, { sort = true }) .. "\n"))
  assert(out:flush()) -- it is out before the loop asks for the next one, which makes this one "consumed"
  count = count + 1
end
assert(out:close())
print(("%d languages %s; all are in %s"):format(count, resumed and "were left" or "exported", path))
