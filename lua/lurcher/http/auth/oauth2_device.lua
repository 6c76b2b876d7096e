--- The device flow (RFC 8628): a person allows this program on another screen, and it asks until that is done.

local errors = require "lurcher.base.errors"
local now = require("lurcher.native.http").now
local secret = require "lurcher.base.secret"
local task = require "lurcher.task"
local token_request = require "lurcher.http.auth.token_request"

local GRANT = "urn:ietf:params:oauth:grant-type:device_code"
local LIFETIME = 900 -- seconds, where the server says nothing
local INTERVAL, SLOWER, MAX_INTERVAL = 5, 5, 300
local MAX_LIFETIME = 24 * 3600

local function number(value, default, max)
  local seconds = (type(value) == "number" or type(value) == "string") and tonumber(value)
  return seconds and seconds >= 0 and math.min(seconds, max) or default
end

-- What the server wants the person to do.
local function begin(client, options)
  local fields = token_request.common_fields(options)
  local res, err = token_request.post(client, options, options.device_url, fields)
  if not res then return nil, err end
  local answer
  answer, err = token_request.answer(res)
  if not answer then return nil, err end
  local text_of = token_request.text_of
  local page = text_of(answer, "verification_uri") or text_of(answer, "verification_url") -- as Google has it
  local code, user_code = text_of(answer, "device_code"), text_of(answer, "user_code")
  if not (page and page:find "^https?://" and code and user_code) then
    return token_request.failure(res, "the answer lacks device_code, user_code or verification_uri")
  end
  local complete = text_of(answer, "verification_uri_complete")
  return { code = secret.new(code), user_code = user_code, verification_uri = page, response = res,
    url = complete and complete:find "^https?://" and complete or page,
    ends_at = now() + number(answer.expires_in, LIFETIME, MAX_LIFETIME),
    interval = math.max(1, number(answer.interval, INTERVAL, MAX_INTERVAL)) }
end

local function expired(device)
  return token_request.failure(device.response, "expired_token: nobody answered in time", "expired_token")
end

-- Failures of a server that may be back before the person is done.
local PASSING = { timeout = true, dns = true, connect = true, closed = true, truncated = true }

-- Whether to go on asking after a refusal, and how much later.
local function slower_by(err)
  if PASSING[err.kind] then return SLOWER end
  if err.kind ~= "status" then return nil end
  if err.code == "authorization_pending" then return 0 end
  local is_busy = err.response.status >= 500 or err.response.status == 429
  return (err.code == "slow_down" or is_busy and not err.code) and SLOWER or nil
end

---Has a person allow it, and gives what the server answers then.
---@param client lurcher.Client
---@param options lurcher.OAuth2Options
---@return table? answer as token_request.send gives it
---@return lurcher.Error? err
return function(client, options)
  local device, err = begin(client, options)
  if not device then return nil, err end
  options.show { url = device.url, user_code = device.user_code, verification_uri = device.verification_uri }
  local fields = { grant_type = GRANT, device_code = device.code }
  while true do
    if now() + device.interval >= device.ends_at then
      task.sleep(math.max(0, device.ends_at - now()))
      return expired(device)
    end
    task.sleep(device.interval)
    local answer
    answer, err = token_request.ask(client, options, fields)
    if answer then return answer end
    local more = slower_by(err)
    if not more then return nil, err end
    device.interval = math.min(device.interval + more, MAX_INTERVAL)
    errors.forget_last()
  end
end
