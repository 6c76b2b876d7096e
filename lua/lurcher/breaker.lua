--- Circuit breakers: what fails again and again is left alone for a while, for its sake and the caller's.
---
---     local breaker = require "lurcher.breaker"
---     local b = breaker.new { failures = 3, cooldown = 10 }
---     local rows, err = b:call(query, "select …") -- nil and kind "circuit_open" while it is open
---
--- Closed, it lets everything through and counts. It opens when there are too many failures, and refuses.
--- Once its cooldown is over it is half open: so many probes at once may try. The first that succeeds closes
--- it, the first that fails opens it again, for longer.

local check = require "lurcher.base.check"
local circuit = require "lurcher.breaker.circuit"
local classify = require "lurcher.breaker.classify"
local native = require "lurcher.native.task"
local options = require "lurcher.breaker.options"
local overlay = require("lurcher.base.tables").overlay

local now, raise_if_stopping = native.now, native.raise_if_stopping
local xpcall, trace, error = native.raw_xpcall, native.trace, error
local Breaker = circuit.metatable

---@class lurcher.Breaker
local methods = circuit.methods

local breaker = {}

local OPTIONS = overlay(options.KNOWN, { name = "string" })

---@param opts? lurcher.BreakerOptions `name` too: how messages call it
---@return lurcher.Breaker
function breaker.new(opts)
  return circuit.new(check.options(opts, OPTIONS, "breaker.new", options.ELSEWHERE))
end

local function count(self, generation, seconds, ok, first, second)
  if not ok then raise_if_stopping() end
  local res, err = first, nil
  if not ok then
    res, err = nil, first == nil and "error(nil)" or first
  elseif first == nil then
    err = second
  end
  circuit.record(self, generation, classify(self, res, err, seconds))
end

-- Counts what the function gave, and hands it on.
local function finish(self, generation, began, ok, ...)
  local counted, raised = xpcall(count, trace, self, generation, now() - began, ok, ...)
  if not counted then
    circuit.record(self, generation, nil) -- gives its place back
    error(raised, 0)
  end
  if not ok then error((...), 0) end
  return ...
end

---Calls `fn` with the arguments, if the circuit lets it through: what it raises, or returns as nil and an
---error, is a failure. Else nil and an error of kind "circuit_open".
---@param fn function
---@param ... any its arguments
---@return any ... of fn
function methods:call(fn, ...)
  check.method(self, Breaker, "breaker:call")
  check.argument(fn, "callable", 1, "breaker:call")
  local generation = circuit.enter(self)
  if not generation then return nil, circuit.refusal(self) end
  return finish(self, generation, now(), xpcall(fn, trace, ...))
end

return breaker
