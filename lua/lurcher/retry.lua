--- Trying again, for any function that raises or returns nil and an error:
---
---     local retry = require "lurcher.retry"
---     local rows = assert(retry.call(query, { attempts = 5, base = 0.1 }, "select …"))
---
---     local patient = retry.policy {
---       stop = retry.stop.any(retry.stop.before(60), retry.stop.attempts(20)),
---       wait = retry.wait.jitter(retry.wait.fibonacci(0.5, 10)),
---       when = retry.when.kind("timeout", "connect"),
---     }
---     local get = patient:wrap(fetch)
---
--- Requests have a policy of their own, the option `retry`; this is for what is made of several of them, and
--- for everything else.

local arguments = require "lurcher.retry.arguments"
local backoff = require "lurcher.retry.backoff"
local check = require "lurcher.base.check"
local conditions = require "lurcher.retry.conditions"
local errors = require "lurcher.base.errors"
local kinds = require "lurcher.base.kinds"
local native = require "lurcher.native.task"
local settings = require "lurcher.retry.options"
local stops = require "lurcher.retry.stops"
local task = require "lurcher.task"
local waits = require "lurcher.retry.waits"

local now, raise_if_stopping = native.now, native.raise_if_stopping
local xpcall, trace, error = native.raw_xpcall, native.trace, error

local retry = { stop = stops, wait = waits, when = conditions }

---@class lurcher.RetryCall what stops, waits, conditions and callbacks get; the statistics of one call
---@field attempts integer made so far
---@field elapsed number seconds since the call
---@field waited number seconds of that between attempts
---@field wait? number seconds: the last wait, or the one to come
---@field failed boolean the last attempt raised, or returned nil and an error
---@field raised boolean
---@field err any of the last attempt, if it failed
---@field result any the first result of the last attempt
---@field results table all of them, `n` many
---@field outcome "running"|"succeeded"|"failed"|"gave_up"|"interrupted" "failed": with what is not repeated;
---  "interrupted": by a cancellation, or by what a callback raised

local function passing(call)
  return call.failed and not kinds.is(arguments.kind_of(call.err), "final")
end

local function exclusive(opts, name, others)
  if opts[name] == nil then return end
  for _, other in ipairs(others) do
    if opts[other] ~= nil then
      errors.raise(("retry.policy: '%s' and '%s' exclude each other"):format(name, other))
    end
  end
end

local function never() return false end

local function stop_of(opts)
  local list = { opts.stop }
  local attempts = opts.attempts
  if attempts == nil and not (opts.stop or opts.time or opts.event) then attempts = 3 end
  if attempts then list[#list + 1] = stops.attempts(attempts) end
  if opts.time then list[#list + 1] = stops.before(opts.time) end
  if opts.event then list[#list + 1] = stops.event(opts.event) end
  return list[1] and stops.any(unpack(list)) or never
end

local function wait_of(opts)
  if opts.wait then return arguments.wait(opts.wait, 1, "retry.policy") end
  local growing = {}
  for name in pairs(backoff.OPTIONS) do growing[name] = opts[name] end
  return waits.exponential(growing)
end

---@class lurcher.RetryPolicy
local Policy = {}
Policy.__index = Policy

---@param opts? lurcher.RetryPolicyOptions
---@return lurcher.RetryPolicy
function retry.policy(opts)
  opts = check.options(opts, settings.KNOWN, "retry.policy", settings.ELSEWHERE) or {}
  exclusive(opts, "wait", { "base", "factor", "max_wait", "jitter" })
  exclusive(opts, "when", { "kinds" })
  return setmetatable({
    stop = stop_of(opts), event = opts.event or false,
    wait = wait_of(opts),
    when = opts.when or opts.kinds and conditions.kind(unpack(opts.kinds)) or passing,
    callbacks = opts,
    totals = { calls = 0, attempts = 0, succeeded = 0, failed = 0, gave_up = 0, interrupted = 0, waited = 0 },
  }, Policy)
end

local function tell(self, what, call)
  call.elapsed = now() - call.started
  local callback = self.callbacks[what]
  if callback then callback(call) end
end

-- Takes over how an attempt ended.
local function note(call, ok, ...)
  local first, second = ...
  call.raised = not ok
  call.failed = not ok or first == nil and second ~= nil
  if ok then
    call.results, call.result = { n = select("#", ...), ... }, first
    call.err = call.failed and second or nil
  else
    call.results, call.result, call.err = { n = 0 }, nil, first
  end
end

local function attempt(self, call, fn, ...)
  call.attempts = call.attempts + 1
  tell(self, "before", call)
  note(call, xpcall(fn, trace, ...))
  if call.raised then raise_if_stopping() end
  tell(self, "after", call)
end

-- The wait the policy wants before the next attempt.
local function next_wait(self, call)
  local seconds = self.wait(call)
  if check.mismatch(seconds, "seconds") then
    errors.raise("the wait of a retry policy must be a number of seconds, got " .. check.shown(seconds))
  end
  return seconds
end

local function sleep(self, call)
  local began = now()
  if self.event then
    task.timeout(call.wait, self.event.wait, self.event)
  else
    task.sleep(call.wait)
  end
  call.waited = call.waited + now() - began
  return not (self.event and self.event.happened)
end

-- True when another attempt is to follow, once the wait before it is over.
local function goes_on(self, call)
  if arguments.kind_of(call.err) == "canceled" or not self.when(call) then
    call.outcome = call.failed and "failed" or "succeeded"
    return false
  end
  call.wait = next_wait(self, call)
  call.elapsed = now() - call.started
  if not self.stop(call) then
    tell(self, "before_sleep", call)
    if sleep(self, call) then return true end
  end
  call.outcome = "gave_up"
  tell(self, "on_giving_up", call)
  return false
end

local function run(self, call, fn, ...)
  repeat attempt(self, call, fn, ...) until not goes_on(self, call)
end

-- Adds up a call that is over, whoever ended it.
local function count(self, call)
  if call.outcome == "running" then call.outcome = "interrupted" end
  call.elapsed = now() - call.started
  local totals = self.totals
  totals.calls, totals.attempts = totals.calls + 1, totals.attempts + call.attempts
  totals[call.outcome], totals.waited = totals[call.outcome] + 1, totals.waited + call.waited
  totals.last = call
end

-- The policy gave up on a result, which is no error by itself.
local function not_accepted(call)
  local why = call.time_is_up and "the time is up" or "no attempts are left"
  return errors.new { kind = call.time_is_up and "timeout" or "limit", phase = call.time_is_up and "total" or nil,
    message = ("gave up after %d attempt%s in %.3g s: %s, and the last result is none that `when` accepts (err.result)")
      :format(call.attempts, call.attempts == 1 and "" or "s", call.elapsed, why),
    attempts = call.attempts, elapsed = call.elapsed, result = call.result }
end

---Calls `fn` with the arguments until it succeeds, fails with what is not repeated, or the policy gives up.
---Returns what it returned last, or raises what it raised last; an error object has the number of `attempts`.
---When it gives up on a result that `when` does not accept: nil and an error of kind "limit" or, when the time
---was up, "timeout", with that result in `err.result`.
---@param fn function
---@param ... any its arguments
---@return any ... of fn
function Policy:call(fn, ...)
  check.method(self, Policy, "policy:call")
  check.argument(fn, "callable", 1, "policy:call")
  local call = { attempts = 0, elapsed = 0, waited = 0, failed = false, raised = false, outcome = "running",
    started = now() }
  local ok, failure = xpcall(run, trace, self, call, fn, ...)
  count(self, call)
  if not ok then error(failure, 0) end
  local err = call.err
  if errors.is_error(err) and call.attempts > 1 then err.attempts = call.attempts end
  if call.raised then error(err, 0) end
  if call.outcome == "gave_up" and not call.failed then return nil, not_accepted(call) end
  return unpack(call.results, 1, call.results.n)
end

---A function that calls `fn` in this way.
---@param fn function
---@return function
function Policy:wrap(fn)
  check.method(self, Policy, "policy:wrap")
  check.argument(fn, "callable", 1, "policy:wrap")
  return function(...) return self:call(fn, ...) end
end

---Counts of all calls so far, and the statistics of the one that ended last.
---@return table stats calls, attempts, succeeded, failed, gave_up, interrupted, waited, last
function Policy:stats()
  check.method(self, Policy, "policy:stats")
  local copy = {}
  for key, value in pairs(self.totals) do copy[key] = value end
  return copy
end

---Calls `fn` by a policy, which may be given as its options or a number of attempts.
---@param fn function
---@param policy? lurcher.RetryPolicy|lurcher.RetryPolicyOptions|integer
---@param ... any arguments of fn
---@return any ... of fn
function retry.call(fn, policy, ...)
  check.argument(fn, "callable", 1, "retry.call")
  if type(policy) == "number" then policy = { attempts = policy } end
  if getmetatable(policy) ~= Policy then
    check.argument(policy, "table|count|nil", 2, "retry.call")
    policy = retry.policy(policy)
  end
  return policy:call(fn, ...)
end

return retry
