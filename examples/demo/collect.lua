-- Collects the details of every subdivision of every country from the demo's API (api.lua) into a file, one
-- JSON object a line, and checks that none is lost or doubled.
--
--   lurcher examples/demo/collect.lua URL [FILE]

local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
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

local function get(target, params)
  local res = assert(api:get(target, { params = params, expect = 200 }))
  return assert(res:json()), res
end

-- The three ways in which APIs hand out long lists: the next page's URL in the Link header, …
local function get_countries()
  local names, target = {}, "countries"
  while target do
    local page, res = get(target)
    for _, country in ipairs(page) do names[country.alpha_2] = country.name end
    local following = res:links().next
    target = following and following.url
  end
  return names
end

-- … a cursor that leads from each page to the next, …
local function get_codes()
  local codes, cursor = {}, nil
  repeat
    local page = get("subdivisions", { limit = 200, cursor = cursor })
    for _, subdivision in ipairs(page.data) do codes[#codes + 1] = subdivision.code end
    cursor = page.next_cursor
  until cursor == json.null
  return codes
end

-- … and an offset: once the total is known, the pages can be had all at once.
local function count_languages()
  local size = 500
  local first = get("languages", { offset = 0, limit = size })
  local offsets = {}
  for offset = size, first.total - 1, size do offsets[#offsets + 1] = offset end
  local pages = task.map(offsets, function(offset)
    return #get("languages", { offset = offset, limit = size }).items
  end)
  local count = #first.items
  for _, more in ipairs(pages) do count = count + more end
  assert(count == first.total, "languages are missing")
  return count
end

-- A line that is written over and over, only where somebody looks at it.
local is_terminal = os.execute("test -t 2") == 0
local line_open = false
task.defer(function() if line_open then io.stderr:write("\n") end end) -- left by an error or Ctrl-C

local function show_progress(done, total, seconds)
  if not is_terminal then return end
  line_open = true
  local filled = math.floor(done / total * 30)
  io.stderr:write(("\r[%s%s] %d of %d details, %.1f s, %d retries "):format(
    ("#"):rep(filled), ("."):rep(30 - filled), done, total, seconds, counts.retries))
end

local started = task.now()
local names, codes, languages = task.all { get_countries, get_codes, count_languages }

local out = assert(fs.writer(path, { atomic = true }))
local done, shown = 0, 0
local function get_details(code) return get("subdivisions/" .. code) end
for _, subdivision in task.stream(codes, get_details, { concurrency = 64 }) do
  assert(out:write(json.encode(subdivision, { sort = true }) .. "\n"))
  done = done + 1
  if task.now() - shown >= 0.1 or done == #codes then
    shown = task.now()
    show_progress(done, #codes, shown - started)
  end
end
assert(out:close())
if line_open then io.stderr:write("\n") end
line_open = false
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
