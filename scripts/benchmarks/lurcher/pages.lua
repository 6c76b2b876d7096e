-- URL COUNT [CHECKPOINT]: walks through COUNT items in pages of 100, two pages ahead; with a checkpoint file,
-- without duplicates.

local http, pages = require "lurcher.http", require "lurcher.pages"

local url, count, checkpoint = ...
count = tonumber(count)
local api = http.client { base_url = url }
local items, sum = 0, 0
for item in pages.items(api, "items", {
  next = pages.cursor { param = "cursor", path = "next_cursor" }, items = "data", ahead = 2,
  params = { count = count, limit = 100 }, checkpoint = checkpoint, dedupe = checkpoint and "id",
}) do
  items, sum = items + 1, sum + item.id
end
assert(sum == count * (count + 1) / 2, "items are lost or doubled")
print(('{"items":%d}'):format(items))
