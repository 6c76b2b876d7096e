--- The options of circuit breakers: of lurcher.breaker, and of the client option `breaker`.

local rows = require "lurcher.base.rows"

---@class lurcher.BreakerEvent
---@field name string? the origin, or the option `name`
---@field from "closed"|"open"|"half_open"
---@field to "closed"|"open"|"half_open"
---@field why string
---@field cause? any the failure that opened it
---@field wait? number seconds until the next probe, when it opened

local function share(value)
  if value == false or type(value) == "number" and value > 0 and value <= 1 then return nil end
  return "a share above 0 and at most 1, or false"
end

local function growth(value)
  if type(value) == "number" and value >= 1 and value < math.huge then return nil end
  return "a number of at least 1"
end

local ROWS = {
  { "failures", check = "count|false", default = 5, help = "so many in a row open the circuit",
    example = "breaker = { failures = 3 }",
    words = { threshold = "failures or ratio", failure_threshold = "failures or ratio",
      fail_max = "failures" } },
  { "window", check = "positive", default = 10,
    help = "seconds over which the share of failures is looked at",
    example = "breaker = { window = 60 }" },
  { "ratio", check = share, type = "number|false", default = 0.5,
    help = "that share of failures within `window` opens the circuit, too",
    example = "breaker = { ratio = 0.25 }" },
  { "min_requests", check = "count", default = 20,
    help = "but not with fewer requests than this in the window",
    example = "breaker = { min_requests = 50 }", words = { volume = "min_requests",
      volume_threshold = "min_requests" } },
  { "cooldown", check = "limit", default = 30, help = "seconds for which it stays open",
    example = "breaker = { cooldown = 10 }",
    words = { timeout = "cooldown", reset_timeout = "cooldown", recovery_timeout = "cooldown",
      ttl = "cooldown" } },
  { "cooldown_factor", check = growth, type = "number", default = 2,
    help = "so many times longer after each probe that failed",
    example = "breaker = { cooldown_factor = 1 }" },
  { "max_cooldown", check = "limit", default = 300,
    help = "seconds; it is never open for longer at a time",
    example = "breaker = { max_cooldown = 60 }" },
  { "probes", check = "count", default = 1,
    help = "requests at once after the cooldown: the first to succeed closes the circuit, the first to \z
      fail opens it again",
    example = "breaker = { probes = 3 }", words = { half_open = "probes" } },
  { "slow", check = "limit|false", default = false,
    help = "a success that took so many seconds counts as a failure",
    example = "breaker = { slow = 5 }", words = { slow_call = "slow" } },
  { "counts", check = "callable|false", type = "(fun(res: any, err: any): boolean|nil)|false",
    default = false,
    help = "decides what an outcome is: true a failure, false a success, nil neither; without it \z
      transport errors and statuses from 500 on are failures",
    example = "breaker = { counts = function(res, err) return err ~= nil or res.status == 429 end }",
    words = { exclude = "counts" } },
  { "on_change", check = "callable|false", type = "(fun(event: lurcher.BreakerEvent))|false", default = false,
    help = "is told when the circuit opens, is half open, or closes",
    example = "breaker = { on_change = function(event) print(event.name, event.to, event.why) end }" },
  { "wait", check = "limit|boolean", default = false,
    help = "wait until the circuit lets a request through, at most so many seconds, instead of being refused",
    example = "breaker = { wait = 60 }" },
}

return {
  ROWS = ROWS,
  ELSEWHERE = rows.hints(ROWS, "%s"),
  DEFAULT = rows.defaults(ROWS),
  KNOWN = rows.specs(ROWS),
}
