--- How long to wait before the next attempt: growing waits, and jitter, which keeps those who failed together
--- from coming back together.

local random = require "lurcher.base.random"
local rows = require "lurcher.base.rows"

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
---What others call the number of attempts.
backoff.ATTEMPTS_ELSEWHERE = {
  max_attempts = "attempts", max = "attempts", count = "attempts", times = "attempts",
  total = "attempts", max_tries = "attempts", tries = "attempts", limit = "attempts",
  retries = "attempts, which counts the first one too", max_retries = "attempts, which counts the first too",
}

---The options of policies for growing waits.
backoff.ROWS = {
  { "base", alone = false, check = "seconds", default = 0.25,
    help = "seconds: the wait after attempt n is `base * factor^(n-1)`", example = "retry = { base = 1 }",
    words = { delay = "base", initial = "base", min = "base", backoff = "base, factor and max_wait" },
    elsewhere = { requests = "Retry(backoff_factor)", curl = "--retry-delay" } },
  { "factor", check = "positive", default = 2,
    help = "how fast the waits grow",
    example = "retry = { factor = 1 }",
    words = { multiplier = "factor" } },
  { "max_wait", check = "duration|false", default = 20, help = "seconds: no wait is longer",
    example = "retry = { max_wait = 5 }", words = { max_delay = "max_wait" },
    elsewhere = { requests = "Retry(backoff_max)", got = "retry.backoffLimit" } },
  { "jitter", check = "'full'|'equal'|'decorrelated'|'none'", default = "full",
    help = "`full` draws the wait from 0 to all of it, `equal` from half of it, `decorrelated` from \z
      `base` to three times the wait before; `none`: all of it",
    example = 'retry = { jitter = "equal" }', elsewhere = { requests = "Retry(backoff_jitter)",
      got = "retry.noise" } },
}
---The type specs of what a policy for growing waits has.
backoff.OPTIONS = rows.specs(backoff.ROWS)
backoff.DEFAULT = rows.defaults(backoff.ROWS)

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
