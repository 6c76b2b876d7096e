-- A fan-out in which some requests fail: with errors = "collect" the others go on, and none is forgotten.
--   lurcher examples/collect_errors.lua URL

local http = require "lurcher.http"
local task = require "lurcher.task"

local api = http.client { base_url = assert((...), "usage: collect_errors.lua URL") }
local codes = { "DE-BE", "FR-QQ", "IT-25", "JP-13", "ZZ-01", "US-CA" }

local names, failures = task.map(codes, function(code)
  local res, err = api:get("subdivisions/" .. code, { expect = "2xx" })
  if not res then return nil, err end
  return res:json().name
end, { errors = "collect" })

for i, code in ipairs(codes) do
  local err = failures[i]
  if err then
    print(("%-7s failed: %s %d"):format(code, err.kind, err.response.status))
  else
    print(("%-7s %s"):format(code, names[i]))
  end
end
