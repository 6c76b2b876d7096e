--- The layer that repeats what failed for a passing reason.

local backoff = require "lurcher.retry.backoff"
local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local native = require "lurcher.native.http"
local redirect = require "lurcher.http.layer.redirect"
local rate_limit_headers = require "lurcher.http.rate_limit_headers"
local retry_policy = require "lurcher.http.retry_policy"
local stream = require "lurcher.http.stream"

local sleep = require("lurcher.native.task").sleep

local retry_layer = {}

-- A response that asks to wait:
--   asked     so many seconds
--   refused   whether it is a refusal, which says nothing of this request; a 403 may be one, and then is what a 429 is
--   inexact   how much shorter the wait may be
--   guessed   the server said nothing of it, but a fan-out has to wait all the same: see server_limits
local function wait_of(policy, request, res)
  local guess = request.unasked_wait
  request.unasked_wait = nil
  if not res or not policy.retry_after then return {} end
  local said = rate_limit_headers.read(res.head)
  local asked, inexact = rate_limit_headers.asked(said)
  return { asked = asked or guess, refused = rate_limit_headers.refuses(res.status, said), inexact = inexact,
    guessed = not asked }
end

-- What happened, in a few words, if the policy is about it.
local function occasion(policy, request, res, err, refused)
  if res then
    local counts = policy.statuses[res.status] or refused and policy.statuses[429]
    return counts and "status " .. res.status
  end
  if not retry_policy.is_passing(request, err) then return nil end
  return err.kind == "timeout" and "timeout/" .. err.phase or err.kind
end

local function why_not_repeatable(policy, request, err)
  if not request:has_repeatable_body() then
    return "not repeated: the body cannot be sent again, since it came from an iterator or a pipe"
  end
  if err and err.retry_safe or retry_policy.repeatable(request) then return nil end
  if policy.methods.POST or not (request.method == "POST" or request.method == "PATCH") then
    return request.method .. " is not repeated: it is not among retry.methods"
  end
  return request.method
    .. " is not repeated: it may have been processed; retryable=true or idempotency_key allows it"
end

-- The attempts that count.
local function counted(request)
  return math.max(1, request.attempts - request.holds)
end

-- What the policy would do: the wait before the next attempt and why; or nil and, if there was an occasion,
-- why there is to be none.
local function proposal(policy, request, res, err, previous, said)
  local asked, why = said.asked, occasion(policy, request, res, err, said.refused)
  if not why then return nil end
  local refusal = why_not_repeatable(policy, request, err)
  if refusal then return nil, refusal end
  if not asked then return backoff.exponential(policy, counted(request), previous), why end
  local most = policy.max_retry_after
  if most and asked - (said.inexact or 0) > most then
    local too_long = "not repeated: the server asks to wait %g s, longer than max_retry_after=%g"
    return nil, too_long:format(asked, most)
  end
  return asked, why .. (said.guessed and " without a hint, as others" or ", the server asks for the wait")
end

-- What is told to `on`, to hooks and to observers.
local function event(request, res, err, wait, why)
  return { attempt = request.attempts, wait = wait, why = why, method = request.method, url = request.url,
    status = res and res.status, response = res, err = err, elapsed = request:elapsed() }
end

-- What the script's `on` makes of the proposal. What it raises is raised on. One of our own tells why, too.
local function decided(policy, request, res, err, previous, wait, why)
  local ok, answer, reason = pcall(policy.on, event(request, res, err, wait, why))
  if ok and answer == nil then return wait, why end
  if ok and answer == false then return nil end
  if ok and answer == true then
    return wait or backoff.exponential(policy, counted(request), previous), wait and why or "retry.on says so"
  end
  if ok and not check.mismatch(answer, "seconds") then
    return answer, type(reason) == "string" and reason or "retry.on says so"
  end
  if res then res:close() end
  if not ok then error(answer, 0) end
  errors.raise("retry.on must return true, false, a number of seconds or nil, got " .. check.shown(answer))
end

-- Why what is decided cannot be done after all.
local function obstacle(request, wait)
  local left = request.deadline and request.deadline - native.now()
  if left and wait >= left then
    return ("not repeated: the wait of %.3g s would pass timeout.total"):format(wait)
  end
  local breakers = request.client.breakers
  return breakers and breakers:obstacle(request.url, wait)
end

-- Tells why there is no further attempt although there was an occasion for one.
local function refuse(request, res, err, why)
  request:announce("refused", event(request, res, err, nil, why))
end

-- The wait before the next attempt and why, or nil when there is to be none. An attempt that a server ended with a hold
-- was none: it is not counted while timeout.total limits how often that goes on, and takes nothing from the budget.
local function next_wait(policy, request, res, err, previous)
  local said = wait_of(policy, request, res)
  local held = said.refused and said.asked and request.settings.total and true or false
  if held then request.holds = request.holds + 1 end
  if err and err.retryable then err.attempts_allowed = policy.attempts end
  if request.attempts - request.holds >= policy.attempts then return nil end
  local wait, why = proposal(policy, request, res, err, previous, said)
  if policy.on then wait, why = decided(policy, request, res, err, previous, wait, why) end
  if wait then
    request:start_clock(res or err)
    local problem = obstacle(request, wait)
    if problem then wait, why = nil, problem end
  end
  if wait and not held and policy.budget and not request.client.budget:take(policy.budget) then
    (res or err).budget_exhausted = true
    return refuse(request, res, err, "not repeated: the retry budget of the client is used up")
  end
  if not wait and why then
    if err then err.message = err.message .. "; " .. why end
    return refuse(request, res, err, why)
  end
  return wait, why
end

-- Waits, and counts the next attempt.
local function pause(request, res, err, wait, why)
  request:announce("retry", event(request, res, err, wait, why))
  if res and res.status == 429 then require("lurcher.http.layer.server_limits").note_pause(request, wait) end
  sleep(wait)
  request.attempts = request.attempts + 1
end

-- The response as the script gets it, its body gathered; one that is followed is left as it is.
local function for_the_script(request, res, err)
  if not res or redirect.follows(request, res) then return res, err end
  return stream.gather(res)
end

---Sends the request until it succeeds, fails for good, or the attempts, the time or the budget are used up;
---then the last response or error is the result.
function retry_layer.layer(request, next)
  local policy, previous = request.settings.retry, nil
  while true do
    local res, err = next(request)
    if not policy then return for_the_script(request, res, err) end
    local wait, why = next_wait(policy, request, res, err, previous)
    if not wait and res then
      res, err = for_the_script(request, res)
      if not res then wait, why = next_wait(policy, request, res, err, previous) end
    end
    if not wait then
      if res and request.attempts > 1 then errors.forget_last() end
      return res, err
    end
    previous = wait
    if res then res:discard() end
    pause(request, res, err, wait, why)
  end
end

---What the policy does about a body that failed while it was received: waits, and makes the request fit for
---the next attempt.
---@param request lurcher.Request
---@param err lurcher.Error
---@param previous? number the wait before
---@return number? wait nil: there is to be no other attempt
function retry_layer.after_body(request, err, previous)
  local policy = request.settings.retry
  if not policy then return nil end
  local wait, why = next_wait(policy, request, nil, err, previous)
  if wait then pause(request, nil, err, wait, why) end
  return wait
end

return retry_layer
