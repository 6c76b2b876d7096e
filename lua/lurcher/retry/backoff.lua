--- How long to wait before the next attempt: growing waits, and jitter, which keeps those who failed together
--- from coming back together.

local random = require "lurcher.base.random"

local min, max, unit = math.min, math.max, random.unit

local backoff = {}

-- A wait drawn from one of `ceiling` seconds.
local JITTERS = {
  none = function(ceiling) return ceiling end,
  full = function(ceiling) return unit() * ceiling end,
  equal = function(ceiling) return ceiling / 2 + unit() * ceiling / 2 end,
}

---The type spec of the names of jitters that draw from one wait.
backoff.DRAWN = "'full'|'equal'|'none'"
---The type specs of what a policy for growing waits has.
backoff.OPTIONS = { base = "seconds", factor = "positive", max_wait = "seconds|false",
  jitter = "'full'|'equal'|'decorrelated'|'none'" }
backoff.DEFAULT = { base = 0.25, factor = 2, max_wait = 20, jitter = "full" }

---@param ceiling number seconds
---@param jitter "full"|"equal"|"none" from 0 to all of it; from half to all of it; all of it
---@return number seconds
function backoff.drawn(ceiling, jitter)
  return JITTERS[jitter](ceiling)
end

---The wait after the n-th attempt: base * factor ^ (n - 1), at most max_wait, with jitter. "decorrelated"
---goes from the wait before instead: from `base` to three times that.
---@param policy { base: number, factor: number, max_wait: number|false, jitter: string }
---@param n integer 1 after the first attempt
---@param previous number? the wait before, in seconds
---@return number seconds
function backoff.exponential(policy, n, previous)
  local base, most = policy.base, policy.max_wait or math.huge
  if base == 0 then return 0 end -- 0 times a factor beyond all numbers is none
  if policy.jitter == "decorrelated" then
    return min(most, base + unit() * (3 * max(previous or base, base) - base))
  end
  return JITTERS[policy.jitter](min(most, base * policy.factor ^ (n - 1)))
end

return backoff
