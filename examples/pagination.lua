-- Walks through a paged list by the Link header: each page says where the next one is.
--   lurcher examples/pagination.lua URL

local http = require "lurcher.http"
local pages = require "lurcher.pages"

local api = http.client { base_url = assert((...), "usage: pagination.lua URL") }

local count, longest = 0, ""
for country in pages.items(api, "countries", { next = pages.link() }) do
  count = count + 1
  if #country.name > #longest then longest = country.name end
end
print(("%d countries; the longest name is %s"):format(count, longest))
