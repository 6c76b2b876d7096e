--- What `lurcher.retry` repeats. A condition is `function(call)` that returns true: this attempt should be
--- followed by another one. `call.failed` tells whether the function failed, `call.err` with what, and
--- `call.result` what it returned otherwise.

local arguments = require "lurcher.retry.arguments"
local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local kinds = require "lurcher.base.kinds"
local stops = require "lurcher.retry.stops"

local argument, kind_of = check.argument, arguments.kind_of

local conditions = {}

local function kind_set(what, ...)
  local set = {}
  for i = 1, select("#", ...) do
    local kind = (select(i, ...))
    argument(kind, "string", i, what)
    if kind == "canceled" then errors.raise(what .. ": a cancellation is never repeated") end
    if not kinds.get(kind) then errors.raise(what .. ": " .. check.unknown(kind, kinds.names(), "kind")) end
    set[kind] = true
  end
  return set
end

---Any failure.
function conditions.failed(call)
  return call.failed
end

---A failure that was raised, not returned.
function conditions.raised(call)
  return call.raised
end

---An error of one of these kinds.
---@param ... string
function conditions.kind(...)
  local set = kind_set("when.kind", ...)
  return function(call) return call.failed and set[kind_of(call.err)] or false end
end

---An error whose message (or which itself, when it is a string) matches a Lua pattern.
---@param pattern string
function conditions.message(pattern)
  argument(pattern, "string", 1, "when.message")
  return function(call)
    if not call.failed then return false end
    local err = call.err
    return tostring(type(err) == "table" and err.message or err):find(pattern) ~= nil
  end
end

---An error that goes back to one of that kind, or to one for which a function returns true.
---@param wanted string|fun(cause: any): boolean
function conditions.cause(wanted)
  argument(wanted, "string|callable", 1, "when.cause")
  local set = type(wanted) == "string" and kind_set("when.cause", wanted)
  return function(call)
    local cause = call.failed and type(call.err) == "table" and call.err.cause
    while cause do
      if set and set[kind_of(cause)] or not set and wanted(cause) then return true end
      cause = type(cause) == "table" and cause.cause
    end
    return false
  end
end

---No failure, but results for which the function returns true.
---@param predicate fun(...): boolean
function conditions.result(predicate)
  argument(predicate, "callable", 1, "when.result")
  return function(call)
    return not call.failed and predicate(unpack(call.results, 1, call.results.n)) and true or false
  end
end

---One of them holds.
---@param ... fun(call: lurcher.RetryCall): boolean
function conditions.any(...)
  return stops.any(unpack(arguments.functions("when.any", ...)))
end

---All of them hold.
---@param ... fun(call: lurcher.RetryCall): boolean
function conditions.all(...)
  return stops.all(unpack(arguments.functions("when.all", ...)))
end

---It does not hold.
---@param condition fun(call: lurcher.RetryCall): boolean
function conditions.unless(condition)
  argument(condition, "callable", 1, "when.unless")
  return function(call) return not condition(call) end
end

return conditions
