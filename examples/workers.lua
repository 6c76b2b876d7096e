-- A producer that finds work, a bounded queue, and workers that do it. The queue's capacity keeps the
-- producer from running far ahead.
--   lurcher examples/workers.lua URL

local http = require "lurcher.http"
local json = require "lurcher.json"
local task = require "lurcher.task"

local api = http.client { base_url = assert((...), "usage: workers.lua URL") }
local queue = task.queue(50)
local done, named_after_saints = 0, 0

task.scope(function(scope)
  scope:spawn(function()
    local cursor
    for _ = 1, 3 do -- the first pages only
      local params = { limit = 100, cursor = cursor }
      local page = assert(assert(api:get("subdivisions", { params = params, expect = 200 })):json())
      for _, subdivision in ipairs(page.data) do queue:put(subdivision.code) end
      cursor = page.next_cursor
      if cursor == json.null then break end
    end
    queue:close()
  end)
  for _ = 1, 8 do
    scope:spawn(function()
      for code in queue do
        local place = assert(assert(api:get("subdivisions/" .. code, { expect = 200 })):json())
        done = done + 1
        if place.name:find("^Saint ") then named_after_saints = named_after_saints + 1 end
      end
    end)
  end
end)
print(("%d looked at, %d named after a saint"):format(done, named_after_saints))
