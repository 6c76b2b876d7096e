--- The states of a circuit breaker: what is let through, and what a success or a failure changes. What counts
--- as which is not decided here, see lurcher.breaker.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local overlay = require("lurcher.base.tables").overlay
local rolling = require "lurcher.base.rolling"
local scopes = require "lurcher.task.scope"
local options = require "lurcher.breaker.options"
local sync = require "lurcher.task.sync"

local now, huge = require("lurcher.native.task").shared_now, math.huge

local circuit = {}

---@class lurcher.Breaker
---@field state "closed"|"open"|"half_open"
local methods = {}

-- `state` is worked out when it is asked for: an open circuit becomes half open without anybody's doing.
local Breaker = { __name = "lurcher.Breaker", __index = function(self, key)
  if key ~= "state" then return methods[key] end
  return self.current == "open" and now() >= self.open_until and "half_open" or self.current
end }

circuit.methods, circuit.metatable = methods, Breaker

-- ---- states ----

-- Goes into a state. Everything is in order before the script is told, because it may raise.
local function change(self, to, why, cause)
  local event = { name = self.name, from = self.current, to = to, why = why, cause = cause,
    wait = to == "open" and self.open_until - now() or nil }
  self.current, self.since, self.why = to, now(), why
  self.generation, self.probing, self.in_row = self.generation + 1, 0, 0
  self.fast = to == "closed" and not (self.counts or self.slow)
  self.good:clear()
  self.bad:clear()
  self.changed:set()
  self.changed = sync.event()
  if to == "open" and self.on_open then self.on_open() end
  if self.on_change then self.on_change(event) end
  return event
end

-- A failure as it is kept: the layers above go on writing into theirs.
local function kept(cause)
  return errors.is_error(cause) and errors.new(overlay(cause)) or cause
end

local function open(self, seconds, why, cause)
  self.opened, self.open_until, self.cause = self.opened + 1, now() + seconds, cause
  return change(self, "open", why, cause)
end

local function close(self, why)
  self.cooldown_now, self.cause = self.cooldown, nil
  return change(self, "closed", why)
end

local function reopen(self, cause)
  self.cooldown_now = math.min(self.max_cooldown, self.cooldown_now * self.cooldown_factor)
  return open(self, self.cooldown_now, "a probe failed", kept(cause))
end

-- Opens a closed circuit if there were too many failures.
local function judge(self, moment)
  if self.failures and self.in_row >= self.failures then
    return open(self, self.cooldown_now, ("%d failures in a row"):format(self.in_row), self.cause)
  end
  local bad = self.bad:count(moment)
  local all = bad + self.good:count(moment)
  if self.ratio and all >= self.min_requests and bad >= self.ratio * all then
    local why = ("%d of %d failed within %g s"):format(bad, all, self.window)
    return open(self, self.cooldown_now, why, self.cause)
  end
  if bad == 0 then self.cause, self.fast = nil, not (self.counts or self.slow) end
end

---Records a success of what was let through while the circuit was closed.
---@param self lurcher.Breaker
---@param generation integer
---@return lurcher.BreakerEvent? event when it opens all the same, for the share of failures
function circuit.record_success(self, generation)
  if generation ~= self.generation then return nil end
  self.in_row = 0
  local moment = now()
  self.good:add(moment)
  if not self.fast then return judge(self, moment) end
end

local function fail(self, cause)
  local moment = now()
  self.in_row, self.cause, self.fast = self.in_row + 1, kept(cause), false
  self.bad:add(moment)
  return judge(self, moment)
end

-- ---- admission ----

-- What a refusal says about the circuit, and in how many seconds the next probe is due, if that is known.
local function condition(self, moment)
  if self.current ~= "open" then
    return ("is half open, and %d of %d probes are under way"):format(self.probing, self.probes)
  end
  local what = ("has been open for %.1f s (%s); "):format(moment - self.since, self.why)
  local wait = self.open_until - moment
  if wait == huge then return what .. "it will be closed by hand" end
  wait = math.max(0, wait)
  return ("%sthe next probe is due in %.1f s"):format(what, wait), wait
end

---The error of what is refused.
---@param self lurcher.Breaker
---@return lurcher.Error
function circuit.refusal(self)
  self.refused = self.refused + 1
  local what, wait = condition(self, now())
  return errors.new { kind = "circuit_open", retry_after = wait,
    message = ("the circuit%s %s"):format(self.name and " of " .. self.name or "", what),
    cause = errors.is_error(self.cause) and self.cause or nil }
end

-- Asks to be let through: the generation for circuit.record, which must be called with it, or nil; and an
-- event.
local function admit(self)
  if self.current == "closed" then return self.generation end
  local event
  if self.current == "open" then
    if now() < self.open_until then return nil end
    event = change(self, "half_open", "the cooldown is over", self.cause)
  end
  if self.current ~= "half_open" or self.probing >= self.probes then return nil, event end
  self.probing = self.probing + 1
  return self.generation, event
end

---Records the result of what was let through.
---@param self lurcher.Breaker
---@param generation integer
---@param failed boolean? nil: neither a success nor a failure
---@param cause any the failure
---@return lurcher.BreakerEvent? event
function circuit.record(self, generation, failed, cause)
  if generation ~= self.generation then return nil end -- the circuit has changed since
  if self.current == "closed" then
    if failed then return fail(self, cause) end
    return failed == false and circuit.record_success(self, generation) or nil
  end
  if failed then return reopen(self, cause) end
  if failed == false then return close(self, "a probe succeeded") end
  self.probing = self.probing - 1 -- somebody else may probe
  self.changed:set()
  self.changed = sync.event()
end

-- Waits until the circuit changes, its cooldown is over or `give_up` is reached.
local function wait_for_change(self, give_up)
  local due = self.current == "open" and self.open_until or huge
  local seconds = math.min(due, give_up) - now()
  if seconds == huge then
    self.changed:wait()
  else
    scopes.timeout(math.max(0, seconds), self.changed.wait, self.changed)
  end
end

---Asks to be let through, and waits for it if the option says so: until the moment `give_up` at most.
---@param self lurcher.Breaker
---@param give_up? number
---@return integer? generation for circuit.record, which must be called with it; nil: refused
---@return lurcher.BreakerEvent? event
---@return number? waited seconds, if it waited
function circuit.enter(self, give_up)
  local generation, event = admit(self)
  if generation or not self.wait then return generation, event end
  local began = now()
  local longest = self.wait == true and huge or began + self.wait
  give_up = math.min(give_up or huge, longest)
  repeat
    wait_for_change(self, give_up)
    local further
    generation, further = admit(self)
    event = further or event
  until generation or now() >= give_up
  return generation, event, now() - began
end

-- ---- for the hands of scripts ----

---Opens the circuit by hand.
---@param seconds? number until the first probe; default: the cooldown; math.huge: until it is closed by hand
function methods:open(seconds)
  check.method(self, Breaker, "breaker:open")
  if seconds ~= huge then check.argument(seconds, "positive|nil", 1, "breaker:open") end
  self.cooldown_now = self.cooldown
  open(self, seconds or self.cooldown, "opened by hand")
end

---Closes the circuit by hand.
function methods:close()
  check.method(self, Breaker, "breaker:close")
  close(self, "closed by hand")
end

---Figures: state, since (seconds), why, failures_in_row, requests and failures in the window, opened and
---refused (times), probing, next_probe (seconds) and the last failure as cause.
---@return table
function methods:stats()
  check.method(self, Breaker, "breaker:stats")
  local moment = now()
  local bad = self.bad:count(moment)
  return { state = self.state, since = moment - self.since, why = self.why, failures_in_row = self.in_row,
    requests = bad + self.good:count(moment), failures = bad, opened = self.opened, refused = self.refused,
    probing = self.probing, cause = self.cause,
    next_probe = self.current == "open" and math.max(0, self.open_until - moment) or nil }
end

function Breaker:__tostring()
  return ("lurcher.Breaker%s (%s)"):format(self.name and " of " .. self.name or "", self.state)
end

---Makes one of options that have been checked; also `name`, how messages call it, and `on_open`, called each
---time it opens, before `on_change`.
---@param opts? lurcher.BreakerOptions
---@return lurcher.Breaker
function circuit.new(opts)
  local self = overlay(options.DEFAULT, opts)
  self.good, self.bad = rolling.new(self.window), rolling.new(self.window)
  self.current, self.since, self.why, self.fast = "closed", now(), "new", not (self.counts or self.slow)
  self.generation, self.probing, self.in_row, self.opened, self.refused = 1, 0, 0, 0, 0
  self.cooldown_now, self.open_until, self.changed = self.cooldown, 0, sync.event()
  return setmetatable(self, Breaker)
end

return circuit
