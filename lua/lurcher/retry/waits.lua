--- How long `lurcher.retry` waits. A wait is a number of seconds or `function(call)` that returns one, asked
--- after the attempt number `call.attempts`.

local arguments = require "lurcher.retry.arguments"
local backoff = require "lurcher.retry.backoff"
local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local random = require "lurcher.base.random"
local tables = require "lurcher.base.tables"

local argument, as_wait, min, huge = check.argument, arguments.wait, math.min, math.huge

local waits = {}

local function all(what, ...)
  local functions = { ... }
  for i = 1, math.max(1, select("#", ...)) do functions[i] = as_wait(functions[i], i, what) end
  return functions
end

---Always the same.
---@param seconds number
function waits.fixed(seconds)
  return as_wait(argument(seconds, "seconds", 1, "wait.fixed"))
end

---Drawn between two.
---@param least number
---@param most number
function waits.random(least, most)
  argument(least, "seconds", 1, "wait.random")
  argument(most, "seconds", 2, "wait.random")
  if most < least then errors.raise(("wait.random: %g is less than %g"):format(most, least)) end
  return function() return least + random.unit() * (most - least) end
end

---`start` after the first attempt, and `step` more each time, at most `most`.
---@param start number
---@param step number
---@param most? number
function waits.incrementing(start, step, most)
  argument(start, "seconds", 1, "wait.incrementing")
  argument(step, "seconds", 2, "wait.incrementing")
  argument(most, "duration|nil", 3, "wait.incrementing")
  return function(call) return min(most or huge, start + step * (call.attempts - 1)) end
end

---`base * factor ^ (n - 1)`, at most `max_wait`, with jitter: the waits of the option `retry`, with the same
---defaults.
---@param opts? { base?: number, factor?: number, max_wait?: number|false, jitter?: string }
function waits.exponential(opts)
  local policy = tables.overlay(backoff.DEFAULT, check.options(opts, backoff.OPTIONS, "wait.exponential"))
  return function(call) return backoff.exponential(policy, call.attempts, call.wait) end
end

---`base` times 1, 1, 2, 3, 5, 8, …, at most `most`.
---@param base? number default 1
---@param most? number
function waits.fibonacci(base, most)
  argument(base, "seconds|nil", 1, "wait.fibonacci")
  argument(most, "duration|nil", 2, "wait.fibonacci")
  base, most = base or 1, most or huge
  return function(call)
    local now, next = base, base
    for _ = 2, call.attempts do
      now, next = next, min(now + next, most)
    end
    return min(now, most)
  end
end

---One after the other; the last one from then on.
---@param ... number|fun(call: lurcher.RetryCall): number
function waits.chain(...)
  local functions = all("wait.chain", ...)
  return function(call) return functions[min(call.attempts, #functions)](call) end
end

---All of them added up: wait.sum(wait.fixed(1), wait.random(0, 0.5)).
---@param ... number|fun(call: lurcher.RetryCall): number
function waits.sum(...)
  local functions = all("wait.sum", ...)
  return function(call)
    local seconds = 0
    for i = 1, #functions do seconds = seconds + functions[i](call) end
    return seconds
  end
end

---Another wait with jitter: drawn from 0 to all of it ("full") or from half to all of it ("equal").
---@param wait number|fun(call: lurcher.RetryCall): number
---@param jitter? "full"|"equal"|"none" default "full"
function waits.jitter(wait, jitter)
  wait = as_wait(wait, 1, "wait.jitter")
  argument(jitter, backoff.DRAWN .. "|nil", 2, "wait.jitter")
  return function(call) return backoff.drawn(wait(call), jitter or "full") end
end

-- What the other side asked for, or nil.
local function asked_wait(call)
  local err = call.failed and type(call.err) == "table" and call.err or nil
  local seconds = err and err.retry_after
  if type(seconds) == "number" and seconds >= 0 then return seconds end
  local res = call.failed and err and err.response or call.result
  return tables.is_a(res, "lurcher.Response") and res:retry_after() or nil
end

---What the other side asked for: `retry_after` of an error, or Retry-After and the like of a response (the
---result, or the error's). Another wait when it asked for nothing.
---@param otherwise? number|fun(call: lurcher.RetryCall): number default: exponential
---@param most? number it is asked in vain for a longer one than this
function waits.asked(otherwise, most)
  argument(most, "duration|nil", 2, "wait.asked")
  otherwise = otherwise == nil and waits.exponential() or as_wait(otherwise, 1, "wait.asked")
  return function(call)
    local seconds = asked_wait(call)
    if seconds then return min(seconds, most or huge) end
    return otherwise(call)
  end
end

return waits
