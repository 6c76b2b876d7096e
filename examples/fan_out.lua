-- Many requests at once, within limits: how many run together, and how many start in a second.
--   lurcher examples/fan_out.lua URL

local http = require "lurcher.http"
local task = require "lurcher.task"

local api = http.client {
  base_url = assert((...), "usage: fan_out.lua URL"),
  limits = { per_origin = 20, rate = 500, burst = 20 },
}

local page = assert(assert(api:get("subdivisions", { params = { limit = 200 }, expect = 200 })):json())

-- Results come in the order of the list. The first failure cancels the rest and is raised.
local places = task.map(page.data, function(subdivision)
  return assert(assert(api:get("subdivisions/" .. subdivision.code, { expect = 200 })):json())
end, { concurrency = 20 })

local by_type = {}
for _, place in ipairs(places) do by_type[place.type] = (by_type[place.type] or 0) + 1 end
local types = {}
for name in pairs(by_type) do types[#types + 1] = name end
table.sort(types, function(a, b) return by_type[a] > by_type[b] or by_type[a] == by_type[b] and a < b end)
for i = 1, 3 do print(("%4d  %s"):format(by_type[types[i]], types[i])) end
