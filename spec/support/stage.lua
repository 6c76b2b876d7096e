-- A server in this process for scripts that run in another one, and the command run on them.
--
--   local ended = stage.run({ "--stats" }, "local url = … ; …")     -- the script's ... is the server's URL

local origin = require "spec.support.origin"
local process = require "spec.support.process"
local task = require "lurcher.task"

local stage = {}

---A server that ends with the spec: /slow (30 ms), /busy (503 twice, then 200), /away (a redirect to /ok),
---/missing (404); anything else is "ok".
function stage.site()
  local site, busy = origin.start(), 0
  task.defer(function() site:stop() end)
  site.paths["/slow"] = function()
    task.sleep(0.03)
    return { body = "slow" }
  end
  site.paths["/busy"] = function()
    busy = busy + 1
    return { status = busy % 3 == 0 and 200 or 503 }
  end
  site.paths["/away"] = { status = 302, headers = { Location = "/ok" } }
  site.paths["/missing"] = { status = 404 }
  return site
end

local HEAD = [[
local http, task = require "lurcher.http", require "lurcher.task"
local url = ...
local api = http.client { base_url = url, retry = { base = 0.001, max_wait = 0.001 } }
]]

---Starts the command with these options and a script, which has `http`, `task`, `url` and the client `api`.
---@param arguments string[]
---@param script string
---@param site? table
---@return Child
function stage.start(arguments, script, site)
  local words = { unpack(arguments) }
  words[#words + 1] = process.script(HEAD .. script)
  words[#words + 1] = (site or stage.site()).url
  return process.start(words)
end

---The same, to its end.
function stage.run(...)
  return stage.start(...):wait()
end

return stage
