--- What responses say about the limits of their origin is kept by all requests of the client to it:
---
---   429 or 503 with Retry-After       none starts before then, and then they start slowly; a 403 that says
---                                     Retry-After, or that nothing remains, is one of these
---   RateLimit headers                 no more than remain start before the reset, and no more than the limit in
---                                     each window to come
---   429 without any hint              the rate is cut, and grows again; several in turn are a hold of our own: see
---                                     throttle_slow_down and throttle_hold_unasked in runtime/net/flow/throttle.h;
---                                     but not for a script that has one request at a time: it waits anyway
---
--- Nobody waits for longer than the client's `retry.max_retry_after`: such a hold is not kept at all, and the
--- server has to answer again. A 503 without a hint is a failure and no limit: where one request in twenty
--- meets one, a rate that is cut for each would soon be next to nothing. `limits = { learn = false }` does
--- without all this. The pool, which starts requests, keeps the limits; here is decided what they are.

local rate_limit_headers = require "lurcher.http.rate_limit_headers"
local native = require "lurcher.native.http"

local server_limits = {}

-- How long a hold may be when the client does not say.
local PATIENCE = 60
-- How often a request may be refused without a hint and not count that as an attempt: of fan-outs of 64 to 4,000
-- against limits of every kind, none was refused more than 7 times.
local MAX_UNASKED = 10

-- The request's own wait is over, though sums of seconds may say that it ends just now.
local ROUNDING = 1e-3

-- Until when a request of that pool waits to be sent again, after a refusal: it is one of the others meanwhile.
local paused_until = setmetatable({}, { __mode = "k" })

local function patience_of(policy)
  if not policy or policy.max_retry_after == nil then return PATIENCE end
  return policy.max_retry_after or math.huge
end

-- `retry_after = false` means that Retry-After does not count.
local function honours(policy)
  return not policy or policy.retry_after ~= false
end

local function is_learning(settings)
  local limits = settings.options.limits
  return not limits or limits.learn ~= false
end

local function announce(request, status, wait, why)
  request:announce("hold", { method = request.method, url = request.url, status = status, wait = wait,
    why = why })
end

-- The server asks that everybody waits.
local function hold(request, info, status, wait, why, patience)
  if wait > patience then return end
  local age = math.max(0, native.now() - native.info(info).dispatched)
  if not request.client.pool:hold(request.url, wait, why, age) then return end
  announce(request, status, wait, ("status %d, and %s asks all to wait"):format(status, why))
end

-- RateLimit headers: so many, and no more, in this window and in those to come.
local function keep_quota(request, status, said, patience)
  local remaining = said.remaining or 0
  local waits = request.client.pool:quota(request.url, patience, remaining, said.reset, said.limit or 0,
    said.window or 0)
  if not waits or remaining > 0 then return end
  announce(request, status, said.reset, "the server's quota is used up until its reset")
end

local function slow_down(request, age)
  local pool = request.client.pool
  local flow = pool:flow(request.url)
  if flow.in_flight + flow.waiting == 0 then return end
  if not pool:slow_down(request.url, age) then return end
  local why = "status 429 without a hint: %.3g requests/s at first from now on"
  announce(request, 429, nil, why:format(pool:flow(request.url).learned_rate))
end

-- Where 429 is repeated, those that are refused wait as they would for a server that asks for it: nothing is gained
-- by more refusals.
local function heed_silence(request, info, patience)
  local policy, age = request.settings.retry, math.max(0, native.now() - native.info(info).dispatched)
  local waits = policy and policy.statuses[429] and policy.retry_after and patience >= 1
  local pool, wait, all, is_new = request.client.pool, nil, nil, nil
  if waits and request.holds < MAX_UNASKED then
    local one_pauses = (paused_until[pool] or 0) > native.now() + ROUNDING
    wait, all, is_new = pool:hold_unasked(request.url, age, patience, one_pauses)
  end
  request.unasked_wait = wait
  if is_new then announce(request, 429, wait, "status 429 without a hint, several in turn: all wait") end
  if not all then slow_down(request, age) end
end

---A request that was refused waits for so long to be sent again.
---@param request lurcher.Request
---@param wait number
function server_limits.note_pause(request, wait)
  local pool = request.client.pool
  paused_until[pool] = math.max(paused_until[pool] or 0, native.now() + wait)
end

---Looks at a response that speaks of limits, or refuses.
---@param request lurcher.Request
---@param status integer
---@param head string
---@param info userdata
function server_limits.apply(request, status, head, info)
  if not is_learning(request.settings) then return end
  local policy, said = request.settings.options.retry, rate_limit_headers.read(head)
  local refused, patience = rate_limit_headers.refuses(status, said), patience_of(policy)
  if said.reset and (said.remaining or refused) then
    keep_quota(request, status, said, patience + rate_limit_headers.error_of(said, "reset"))
  end
  local asked, inexact
  if refused and honours(policy) then asked, inexact = rate_limit_headers.asked(said) end
  if asked then
    local why = said.retry_after and "Retry-After" or "the server's quota"
    hold(request, info, status, asked, why, patience + inexact)
  elseif status == 429 and not said.retry_after and not said.reset then
    heed_silence(request, info, patience)
  end
end

return server_limits
