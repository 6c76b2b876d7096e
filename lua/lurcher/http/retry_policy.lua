--- The option `retry`: its defaults, and which requests and failures it is about.

local options = require "lurcher.http.options"
local overlay = require("lurcher.base.tables").overlay

local retry_policy = {}

local DEFAULT = options.DEFAULT.retry

-- Limits of our own, not troubles of the network.
local OWN_LIMITS = { total = true, queue = true, task = true }

local function set(list)
  local members = {}
  for _, member in ipairs(list or {}) do members[member] = true end
  return members
end

---A value of the option `retry`, as options.merge leaves it.
---@param value table|false|nil
---@return table|false
function retry_policy.compile(value)
  if value == false then return false end
  local policy = overlay(DEFAULT, value)
  policy.statuses, policy.kinds = set(policy.statuses), set(policy.kinds)
  local methods = {}
  for i, method in ipairs(policy.methods or {}) do methods[i] = method:upper() end
  policy.methods = set(methods)
  policy.budget = policy.budget ~= false and overlay(DEFAULT.budget, policy.budget)
  return policy.attempts > 1 and policy
end

local IDEMPOTENT, PASSING = set(DEFAULT.methods), set(DEFAULT.kinds)

---True when doing it twice does no harm.
---@param request lurcher.Request
---@return boolean
function retry_policy.repeatable(request)
  if request.retryable then return true end
  local policy = request.settings.retry
  return (policy and policy.methods or IDEMPOTENT)[request.method] or false
end

---True when what failed may be gone the next time. "protocol" only when the peer certainly did nothing
---(HTTP/2 refused or GOAWAY).
---@param request lurcher.Request
---@param err lurcher.Error
---@return boolean
function retry_policy.is_passing(request, err)
  if err.kind == "timeout" and OWN_LIMITS[err.phase] then return false end
  if err.kind == "protocol" and not err.retry_safe then return false end
  local policy = request.settings.retry
  return (policy and policy.kinds or PASSING)[err.kind] or false
end

---True when trying again is safe and may help: `err.retryable`.
---@param request lurcher.Request
---@param err lurcher.Error
---@return boolean
function retry_policy.is_retryable(request, err)
  return retry_policy.is_passing(request, err) and request:has_repeatable_body()
    and (err.retry_safe or retry_policy.repeatable(request))
end

return retry_policy
