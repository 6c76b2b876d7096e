-- Makes the list of one API equal to that of another: one task puts the differences into a bounded queue, a
-- few others write what comes out of it. PUT and DELETE may be repeated, so passing failures are retried.
--   lurcher examples/sync_apis.lua SOURCE_URL TARGET_URL

local http = require "lurcher.http"
local pages = require "lurcher.pages"
local task = require "lurcher.task"

local source_url, target_url = ...
local source = http.client { base_url = assert(source_url, "usage: sync_apis.lua SOURCE_URL TARGET_URL") }
local target = http.client { base_url = target_url, retry = { attempts = 5 } }

local known = {} -- name by code, as the target has it
for country in pages.items(target, "countries", { next = pages.link() }) do
  known[country.alpha_2] = country.name
end

local queue, written, deleted = task.queue(20), 0, 0
task.scope(function(scope)
  scope:spawn(function()
    for country in pages.items(source, "countries", { next = pages.link() }) do
      if known[country.alpha_2] ~= country.name then queue:put(country) end
      known[country.alpha_2] = nil
    end
    for code in pairs(known) do queue:put { alpha_2 = code } end -- what the source has no more
    queue:close()
  end)
  task.map(queue, function(country)
    local path = "countries/" .. country.alpha_2
    if country.name then
      assert(target:put(path, { json = country, expect = "2xx" }))
      written = written + 1
    else
      assert(target:delete(path, { expect = "2xx" }))
      deleted = deleted + 1
    end
  end, { concurrency = 4 })
end)
print(("%d written, %d deleted"):format(written, deleted))
