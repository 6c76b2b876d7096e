-- What specs of pages share: a server and a client for it, answers with lists of items { id = n }, and what becomes
-- of them.
--
--   before_each(function() site, api = paged.begin() end)
--   after_each(paged.finish)

local http = require "lurcher.http"
local json = require "lurcher.json"
local origin = require "spec.support.origin"

local paged = { TOTAL = 10, ALL = "1 2 3 4 5 6 7 8 9 10" }

local site, api

---A server (see origin.lua) and a client of it that does not retry, until `finish`.
---@return table site
---@return lurcher.Client api
function paged.begin()
  site = origin.start()
  api = http.client { base_url = site.url, retry = false }
  return site, api
end

function paged.finish()
  api:close()
  site:stop()
end

---An answer of a server: JSON.
function paged.answer(value, headers)
  headers = headers or {}
  headers["Content-Type"] = headers["Content-Type"] or "application/json"
  return { status = 200, body = json.encode(value), headers = headers }
end

---`count` items from `first` on, of TOTAL or `total`.
function paged.slice(first, count, total)
  local list = json.array {}
  for i = first, math.min(first + count - 1, total or paged.TOTAL) do list[#list + 1] = { id = i } end
  return list
end

---A server's handler: ten items in pages of `size`, by the query's `page`, with a Link to the next one.
---`wrap(list, number, more)` gives what is around the list.
function paged.numbered(size, wrap)
  return function(req)
    local number = tonumber(req.query.page) or 1
    local list = paged.slice((number - 1) * size + 1, size)
    local more = number * size < paged.TOTAL
    return paged.answer(wrap and wrap(list, number, more) or list,
      { Link = more and ('<%s?page=%d>; rel="next"'):format(req.path, number + 1) or nil })
  end
end

---The ids of all items, as one string.
function paged.ids(iterator)
  local list = {}
  for item in iterator do list[#list + 1] = item.id end
  return table.concat(list, " ")
end

return paged
