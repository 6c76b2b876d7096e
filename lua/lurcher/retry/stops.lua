--- When `lurcher.retry` gives up. A stop is `function(call)` that returns true: no further attempt. It is
--- asked after an attempt that should be repeated, with the wait that would follow in `call.wait`.

local arguments = require "lurcher.retry.arguments"
local check = require "lurcher.base.check"

local argument = check.argument

local stops = {}

---After so many attempts.
---@param count integer
function stops.attempts(count)
  argument(count, "count|huge", 1, "stop.attempts")
  return function(call) return call.attempts >= count end
end

---Once so many seconds have passed since the call. The wait before the last attempt may reach beyond.
---@param seconds number
function stops.elapsed(seconds)
  argument(seconds, "duration", 1, "stop.elapsed")
  return function(call)
    call.time_is_up = call.elapsed >= seconds
    return call.time_is_up
  end
end

---When the next attempt would begin later than so many seconds after the call: waits are included.
---@param seconds number
function stops.before(seconds)
  argument(seconds, "duration", 1, "stop.before")
  return function(call)
    call.time_is_up = call.elapsed + call.wait > seconds
    return call.time_is_up
  end
end

---When the event is set. The option `event` of a policy ends a wait under way too.
---@param event lurcher.Event
function stops.event(event)
  argument(event, arguments.event_mismatch, 1, "stop.event")
  return function() return event.happened end
end

---When one of them says so.
---@param ... fun(call: lurcher.RetryCall): boolean
function stops.any(...)
  local functions = arguments.functions("stop.any", ...)
  return function(call)
    for i = 1, #functions do
      if functions[i](call) then return true end
    end
    return false
  end
end

---When all of them say so.
---@param ... fun(call: lurcher.RetryCall): boolean
function stops.all(...)
  local functions = arguments.functions("stop.all", ...)
  return function(call)
    for i = 1, #functions do
      if not functions[i](call) then return false end
    end
    return true
  end
end

return stops
