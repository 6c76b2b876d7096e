--- The retry budget of a client. When a server is down, every request fails, and three attempts each would
--- triple the load on it just then. So retries may be a share of the calls only:
---
---   retries of the last 10 s  <=  ratio * calls of the last 10 s  +  10 s * min_per_second
---
--- Calls are what scripts asked for; attempts after the first are retries. Clients made by client:extend
--- count with the one they share a pool with.

local now = require("lurcher.native.task").shared_now
local rolling = require "lurcher.base.rolling"

local SPAN = 10 -- seconds
local ROUNDING = 1e-9 -- 0.29 * 100 is a little less than 29

local retry_budget = {}

---@class lurcher.RetryBudget
local Budget = {}
Budget.__index = Budget

---@return lurcher.RetryBudget
function retry_budget.new()
  return setmetatable({ calls = rolling.new(SPAN), retries = rolling.new(SPAN) }, Budget)
end

---Counts a call, or several that were just now.
---@param count? integer
function Budget:note_call(count)
  self.calls:add(now(), count)
end

---Counts a retry, or returns false when the budget does not allow one more.
---@param rule { ratio: number, min_per_second: number }
---@return boolean
function Budget:take(rule)
  local moment = now()
  local allowed = rule.ratio * self.calls:count(moment) + rule.min_per_second * SPAN
  if self.retries:count(moment) + 1 > allowed + ROUNDING then return false end
  self.retries:add(moment)
  return true
end

return retry_budget
