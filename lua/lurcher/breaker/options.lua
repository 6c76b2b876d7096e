--- The options of circuit breakers: of lurcher.breaker, and of the client option `breaker`.

---@class lurcher.BreakerOptions
---@field failures? integer|false it opens after so many in a row; default 5
---@field window? number seconds over which the share of failures is looked at; default 10
---@field ratio? number|false it opens at that share of failures; default 0.5
---@field min_requests? integer but not with less in the window; default 20
---@field cooldown? number seconds it stays open; default 30
---@field cooldown_factor? number so much longer each time the probes fail; default 2
---@field max_cooldown? number seconds; default 300
---@field probes? integer requests at once while it is half open; default 1
---@field slow? number|false a success that took so many seconds counts as a failure
---@field counts? (fun(res: any, err: any): boolean|nil)|false true: a failure; false: none; nil: neither
---@field on_change? fun(event: lurcher.BreakerEvent)|false
---@field wait? number|boolean wait, up to so many seconds, instead of being refused

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

return {
  -- What other libraries call them, and how they are written here.
  ELSEWHERE = {
    threshold = "failures or ratio", fail_max = "failures", failure_threshold = "failures or ratio",
    timeout = "cooldown", reset_timeout = "cooldown", recovery_timeout = "cooldown", ttl = "cooldown",
    volume = "min_requests", volume_threshold = "min_requests", exclude = "counts", half_open = "probes",
    slow_call = "slow",
  },
  DEFAULT = {
    failures = 5, window = 10, ratio = 0.5, min_requests = 20, cooldown = 30, cooldown_factor = 2,
    max_cooldown = 300, probes = 1, slow = false, counts = false, on_change = false, wait = false,
  },
  KNOWN = {
    failures = "count|false", window = "positive", ratio = share, min_requests = "count",
    cooldown = "positive", cooldown_factor = growth, max_cooldown = "positive", probes = "count",
    slow = "positive|false", counts = "callable|false", on_change = "callable|false",
    wait = "positive|boolean",
  },
}
