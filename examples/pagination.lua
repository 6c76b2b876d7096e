-- Walks through a paged list by the Link header: each page says where the next one is.
--   lurcher examples/pagination.lua URL

local http = require "lurcher.http"

local api = http.client { base_url = assert((...), "usage: pagination.lua URL") }

-- A generator: requests happen while the loop below asks for more.
local function countries()
  return coroutine.wrap(function()
    local target = "countries"
    while target do
      local res = assert(api:get(target, { expect = 200 }))
      for _, country in ipairs(assert(res:json())) do coroutine.yield(country) end
      local following = res:links().next
      target = following and following.url
    end
  end)
end

local count, longest = 0, ""
for country in countries() do
  count = count + 1
  if #country.name > #longest then longest = country.name end
end
print(("%d countries; the longest name is %s"):format(count, longest))
