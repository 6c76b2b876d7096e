--- Repeating what failed for a passing reason: the layer, and what it may repeat.

local date = require "lurcher.date"
local native = require "lurcher.native.http"
local options = require "lurcher.options"
local random = require "lurcher.random"
local task = require "lurcher.task"
local time = require("lurcher.native.task").time

local retry = {}

local DEFAULT = {
  attempts = 3, base = 0.25, factor = 2, max_wait = 20, retry_after = true, max_retry_after = 60,
  methods = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" },
  statuses = { 408, 425, 429, 500, 502, 503, 504 },
}
-- What may be gone the next time. "protocol" only when the peer certainly did nothing (HTTP/2 refused or
-- GOAWAY).
local PASSING = { timeout = true, dns = true, connect = true, closed = true, truncated = true }
-- Limits of our own, not troubles of the network.
local OWN_LIMITS = { total = true, queue = true, task = true }

local function set(list)
  local members = {}
  for _, member in ipairs(list) do members[member] = true end
  return members
end

---A value of the option `retry`, as options.merge leaves it.
---@param value table|false|nil
---@return table|false
function retry.compile(value)
  if value == false then return false end
  local policy = options.overlay(DEFAULT, value)
  policy.statuses = set(policy.statuses or {})
  local methods = {}
  for i, method in ipairs(policy.methods or {}) do methods[i] = method:upper() end
  policy.methods = set(methods)
  return policy.attempts > 1 and policy
end

local IDEMPOTENT = set(DEFAULT.methods)

-- Doing it twice does no harm.
local function repeatable(request)
  if request.retryable then return true end
  local policy = request.plan.retry
  return (policy and policy.methods or IDEMPOTENT)[request.method] or false
end

---True when trying again is safe and may help: `err.retryable`.
function retry.is_retryable(request, err)
  if err.kind == "timeout" and OWN_LIMITS[err.phase] then return false end
  if not PASSING[err.kind] and not (err.kind == "protocol" and err.retry_safe) then return false end
  return err.retry_safe or repeatable(request)
end

-- Seconds a response asks to wait, or nil.
local function asked_wait(res)
  local value = res:header("Retry-After")
  if not value then return nil end
  if value:find("^%s*%d+%s*$") then return tonumber(value) end
  local moment = date.parse(value)
  return moment and math.max(0, moment - time())
end

-- How long to wait before the next attempt, or nil when there is to be none.
local function wait_before_next(policy, request, res)
  if request.attempts >= policy.attempts then return nil end
  local asked = res and policy.retry_after and asked_wait(res)
  local wait
  if asked then
    if policy.max_retry_after and asked > policy.max_retry_after then return nil end
    wait = asked
  else
    local ceiling = policy.base * policy.factor ^ (request.attempts - 1)
    wait = random.unit() * math.min(ceiling, policy.max_wait or ceiling) -- "full jitter"
  end
  if request.deadline and native.now() + wait >= request.deadline then return nil end
  return wait
end

---Sends the request until it succeeds, fails for good, or the attempts or the time are used up; then the last
---response or error is the result.
function retry.layer(request, next)
  local policy = request.plan.retry
  while true do
    local res, err = next(request)
    if res then
      if not policy or not policy.statuses[res.status] or not repeatable(request) then return res end
    else
      if not policy or not retry.is_retryable(request, err) then return nil, err end
      err.attempts_allowed = policy.attempts
    end
    request:start_clock(res or err)
    local wait = wait_before_next(policy, request, res)
    if not wait then return res, err end
    if res then res:discard() end
    request:announce("retry", { attempt = request.attempts, wait = wait, method = request.method,
      url = request.url, status = res and res.status, response = res, err = err })
    task.sleep(wait)
    request.attempts = request.attempts + 1
  end
end

return retry
