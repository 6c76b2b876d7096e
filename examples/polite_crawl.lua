-- A polite crawl of an API with a rate limit: it says who it is, uses few connections, keeps below the limit,
-- and when the server asks for patience (429 or 503 with Retry-After), all of its requests wait.
--   lurcher examples/polite_crawl.lua URL [REQUESTS_PER_SECOND]
-- Bounded as a whole: lurcher --max-requests=5000 --max-time=3600 examples/polite_crawl.lua URL

local http = require "lurcher.http"
local metrics = require "lurcher.metrics"
local pages = require "lurcher.pages"
local task = require "lurcher.task"

local url, rate = ...
local api = http.client {
  base_url = assert(url, "usage: polite_crawl.lua URL [REQUESTS_PER_SECOND]"),
  user_agent = "polite-crawl/1.0 (+https://example.org/crawl)",
  limits = { per_origin = 4, rate = tonumber(rate) or 100, burst = 4 },
  retry = { attempts = 5 },
}

local places = pages.items(api, "subdivisions", {
  next = pages.cursor { param = "cursor", path = "next_cursor" }, items = "data", max_items = 100,
})

local types = {}
for _, place in task.stream(places, function(item)
  return assert(assert(api:get("subdivisions/" .. item.code, { expect = 200 })):json())
end, { concurrency = 4, progress = "places" }) do
  types[place.type] = (types[place.type] or 0) + 1
end

local seen, refused = 0, 0
for _, count in pairs(types) do seen = seen + count end
for _, series in ipairs(metrics.snapshot()) do refused = refused + (series.statuses["429"] or 0) end
print(("%d places crawled; the server had to say 'too many requests' %d times"):format(seen, refused))
