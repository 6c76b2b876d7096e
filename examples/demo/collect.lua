-- Collects the details of every subdivision of every country from the demo's API (api.lua) into a file, one
-- JSON object a line, and checks that none is lost or doubled.
--
--   lurcher examples/demo/collect.lua URL [FILE]

local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local pages = require "lurcher.pages"
local task = require "lurcher.task"

local url, path = ...
if not url then error("usage: collect.lua URL [FILE]", 0) end
path = path or "subdivisions.ndjson"

local counts = { requests = 0, retries = 0, [429] = 0, [503] = 0 }

local api = http.client {
  base_url = url,
  limits = { per_origin = 64 },
  -- Whoever is refused by a rate limit may be refused again when the others come back, too.
  retry = { attempts = 10 },
  hooks = {
    request = { function() counts.requests = counts.requests + 1 end },
    retry = { function(event)
      counts.retries = counts.retries + 1
      if counts[event.status] then counts[event.status] = counts[event.status] + 1 end
    end },
  },
}

-- The three ways in which APIs hand out long lists: the next page's URL in the Link header, …
local function get_countries()
  local names = {}
  for country in pages.items(api, "countries", { next = pages.link() }) do
    names[country.alpha_2] = country.name
  end
  return names
end

-- … a cursor that leads from each page to the next, …
local function get_codes()
  local codes, by_cursor = {}, pages.cursor { param = "cursor", path = "next_cursor" }
  local opts = { next = by_cursor, items = "data", params = { limit = 200 } }
  for subdivision in pages.items(api, "subdivisions", opts) do codes[#codes + 1] = subdivision.code end
  return codes
end

-- … and an offset: once the total is known, the pages can be had all at once.
local function count_languages()
  local count, total = 0, nil
  local by_offset = pages.offset { limit = 500, total = "total" }
  for res in pages.each(api, "languages", { next = by_offset, items = "items", concurrency = 16 }) do
    local page = assert(res:json())
    count, total = count + #page.items, page.total
  end
  assert(count == total, "languages are missing")
  return count
end

local started = task.now()
local names, codes, languages = task.all { get_countries, get_codes, count_languages }

local out = assert(fs.writer(path, { atomic = true }))
local function get_details(code)
  return assert(assert(api:get("subdivisions/" .. code, { expect = 200 })):json())
end

local done = 0
for _, subdivision in task.stream(codes, get_details, { concurrency = 64, progress = "details" }) do
  assert(out:write(json.encode(subdivision, { sort = true }) .. "\n"))
  done = done + 1
end
assert(out:close())
local seconds = task.now() - started

-- What is in the file now: each code that was listed, once, in a country that was listed.
local missing, problems = {}, 0
for _, code in ipairs(codes) do missing[code] = true end
for line in fs.lines(path) do
  local subdivision = assert(json.decode(line))
  if not missing[subdivision.code] or not names[subdivision.country.code] then problems = problems + 1 end
  missing[subdivision.code] = nil
end
for _ in pairs(missing) do problems = problems + 1 end

local countries = 0
for _ in pairs(names) do countries = countries + 1 end
print(("%d subdivisions, %d countries, %d languages"):format(done, countries, languages))
print(("%d requests in %.1f s: %d a second"):format(counts.requests, seconds, counts.requests / seconds))
print(("%d retries: %d after 429 (too many requests), %d after 503 (unavailable)"):format(
  counts.retries, counts[429], counts[503]))
if problems > 0 then error(("%d details are lost or doubled in %s"):format(problems, path), 0) end
print("nothing lost, nothing doubled: " .. path)
