--- The option `progress` of what moves a body: a bar, or a function that is told how far it is.

local check = require "lurcher.base.check"
local task = require "lurcher.task"

local body_progress = {}

local INTERVAL = 0.1 -- seconds between two looks

---A type spec for the option.
---@param value any
---@return string? mismatch
function body_progress.check(value)
  if type(value) == "boolean" or type(value) == "string" or not check.mismatch(value, "callable") then return nil end
  return "true, a label or a function"
end

-- What is told: as a bar, or to the script's function, when it changed.
local function teller(option)
  if type(option) == "boolean" or type(option) == "string" then
    local bar = require("lurcher.task.progress_bar").of_option(option)
    return function(received, total)
      bar.total = total
      if received > bar.count then bar:add(received - bar.count) end
    end
  end
  local last
  return function(received, total)
    if received == last then return end
    last = received
    option { sent = 0, received = received, total = total }
  end
end

---Calls `fn`, and meanwhile, and at its end, tells how far it is. What the script's function raises is raised
---on.
---@param option boolean|string|function|nil
---@param measure fun(): number, number? bytes received so far, and how many there are
---@param fn function
---@return any ... what fn returned
function body_progress.follow(option, measure, fn)
  if not option then return fn() end
  return task.scope(function(scope)
    local tell = teller(option)
    local ticker = scope:spawn(function()
      while true do
        tell(measure())
        task.sleep(INTERVAL)
      end
    end)
    local function over(...)
      ticker:cancel()
      tell(measure())
      return ...
    end
    return over(fn())
  end)
end

return body_progress
