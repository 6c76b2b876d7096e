--- What a server says about its limits: Retry-After, RateLimit (and its older form of three headers), and the
--- X-RateLimit-* and X-Rate-Limit-* that came before. Nothing a server sends is an error here: what cannot be
--- understood is not there.

local lenient_date = require "lurcher.base.date"
local native = require "lurcher.native.http"
local time = require("lurcher.native.task").time

local head_next = native.head_next

local rate_limit_headers = {}

-- Ten years: what is longer means "never", and must stay a number that timers can take.
local MAX_WAIT = 315360000
-- A number above this is no span of seconds but a moment of Unix time …
local UNIX_TIME = 1e9
-- … in seconds, or beyond these in milliseconds, microseconds or nanoseconds.
local UNIX_UNITS = { { 1e17, 1e9 }, { 1e14, 1e6 }, { 1e11, 1e3 } }
-- Moments come in whole seconds, and so does the server's own time.
local MOMENT_ERROR = 1
-- Bytes of a value that are looked at.
local MAX_VALUE = 1000

---@class lurcher.RateLimits
---@field retry_after? number seconds, more than 0
---@field reset? number seconds until there are more requests to have, more than 0
---@field remaining? integer how many may be sent until then
---@field limit? integer how many there are in a window
---@field window? number its length, seconds
---@field inexact? table<string, number> by so much a wait that was said as a moment may be too long

-- What is over says nothing.
local function wait(seconds)
  if seconds > 0 then return math.min(MAX_WAIT, seconds) end
end

-- A number at the start of a header's value; what may follow it is a list or parameters: "100, 100;w=60".
local function number(text)
  local digits, rest = text:sub(1, MAX_VALUE):match("^%s*(%d+%.?%d*)(.*)$")
  if digits and (rest:find("^%s*[,;]") or not rest:find("%S")) then return tonumber(digits) end
end

local function whole(text)
  local value = number(text)
  return value and math.min(math.floor(value), 1e15)
end

local UNITS = { d = 86400, h = 3600, m = 60, s = 1, ms = 0.001, us = 1e-6, ns = 1e-9 }

-- "6m0s", "1h2m3.5s", "250ms".
local function span(text)
  local at, seconds = 1, 0
  while at <= #text do
    local digits, unit, after = text:match("^(%d+%.?%d*)(%l+)()", at)
    if not digits or not UNITS[unit] then return nil end
    seconds, at = seconds + tonumber(digits) * UNITS[unit], after
  end
  return at > 1 and seconds or nil
end

local function moment_of(text) return (require("lurcher.date").parse(text)) or lenient_date.parse(text) end

-- A moment by the server's clock, if it tells that, is so far off; and how much less it may be.
local function until_moment(moment, server_time)
  local seconds = moment and wait(moment - (server_time or time()))
  return seconds, seconds and MOMENT_ERROR
end

local function retry_after(text, server_time)
  if #text > MAX_VALUE then return nil end
  local digits, rest = text:match("^%s*(%d+%.?%d*)(.*)$")
  if digits and not rest:find("%S") then return wait(tonumber(digits)) end
  return until_moment(moment_of(text), server_time)
end

local function milliseconds(text)
  local value = number(text)
  return value and wait(value / 1000)
end

-- Seconds, a span of time, or a moment.
local function reset(text, server_time)
  local value = number(text)
  if not value then
    if #text > MAX_VALUE then return nil end
    local seconds = span(text)
    if seconds then return wait(seconds) end
    return until_moment(moment_of(text), server_time)
  end
  if value <= UNIX_TIME then return wait(value) end
  for _, unit in ipairs(UNIX_UNITS) do
    if value > unit[1] then return until_moment(value / unit[2], server_time) end
  end
  return until_moment(value, server_time)
end

-- The items of a structured list, `"a";r=5;t=10, "b";r=2`, each as its parameters; a number before them is `[1]`. Names
-- are short and values are numbers, so commas within quoted names are all there is to mind.
local function items(text)
  local list = {}
  text = text:sub(1, MAX_VALUE):gsub('"[^"]*"', "name")
  for item in text:gmatch("[^,]+") do
    local parameters = { tonumber(item:match("^%s*(%d+)")) }
    for part in item:gmatch("[^;]+") do
      local key, value = part:match("^%s*([%a*][%w_%-.*]*)%s*=%s*(%d+%.?%d*)")
      if key then parameters[key:lower()] = parameters[key:lower()] or tonumber(value) end
    end
    list[#list + 1] = parameters
  end
  return list
end

-- `RateLimit: "default";r=50;t=30`, of several the one that is nearest to its end; or, as an earlier draft
-- had it, `limit=100, remaining=50, reset=30`.
local function rate_limit(found, text)
  local remaining, left_time
  for _, item in ipairs(items(text)) do
    local left, seconds = item.r, item.t and wait(item.t)
    if left and (not remaining or left < remaining
      or left == remaining and (seconds or 0) > (left_time or 0)) then
      remaining, left_time = left, seconds
    end
    found.limit = found.limit or item.limit
    found.remaining, found.reset = found.remaining or item.remaining, found.reset or item.reset and wait(item.reset)
  end
  if remaining then found.remaining, found.reset = remaining, left_time end
end

-- The window of a limit that is known, or the narrowest limit with its window.
local function rate_limit_policy(found, text)
  for _, item in ipairs(items(text)) do
    local quota = item.q or item[1]
    if quota and (not found.limit or quota < found.limit or quota == found.limit and not found.window) then
      found.limit, found.window = quota, item.w
    end
  end
end

-- `100`, or with policies behind it: `100, 100;w=60`.
local function rate_limit_limit(found, text)
  found.limit = found.limit or whole(text)
  for _, item in ipairs(items(text)) do
    if item.w and item[1] == found.limit then found.window = found.window or item.w end
  end
end

-- Headers by rank: what an earlier one says is not changed by a later one.
local RANKS = {
  { ["retry-after-ms"] = { field = "retry_after", parse = milliseconds } },
  { ["retry-after"] = { field = "retry_after", parse = retry_after } },
  { ratelimit = { all = rate_limit } },
  { ["ratelimit-limit"] = { all = rate_limit_limit },
    ["ratelimit-remaining"] = { field = "remaining", parse = whole },
    ["ratelimit-reset"] = { field = "reset", parse = reset } },
  { ["ratelimit-policy"] = { all = rate_limit_policy } },
  { ["x-ratelimit-reset-after"] = { field = "reset", parse = reset },
    ["x-ratelimit-limit-requests"] = { field = "limit", parse = whole },
    ["x-ratelimit-remaining-requests"] = { field = "remaining", parse = whole },
    ["x-ratelimit-reset-requests"] = { field = "reset", parse = reset } },
  { ["x-ratelimit-limit"] = { all = rate_limit_limit },
    ["x-ratelimit-remaining"] = { field = "remaining", parse = whole },
    ["x-ratelimit-reset"] = { field = "reset", parse = reset },
    ["x-rate-limit-limit"] = { all = rate_limit_limit },
    ["x-rate-limit-remaining"] = { field = "remaining", parse = whole },
    ["x-rate-limit-reset"] = { field = "reset", parse = reset } },
}

-- name -> rank, reader
local READERS = {}
for rank, headers in ipairs(RANKS) do
  for name, reader in pairs(headers) do READERS[name] = { rank = rank, reader = reader } end
end

local function server_time_of(head)
  for _, name, value in head_next, head, 0 do
    if #name == 4 and name:lower() == "date" and #value <= MAX_VALUE then return moment_of(value) end
  end
end

local function keep(found, field, value, inexact)
  if found[field] or not value then return end
  found[field] = value
  if inexact then found.inexact = { [field] = inexact } end
end

-- The values of those headers, by rank; of one that came several times the first that makes sense counts.
local function collect(head)
  local ranks, server_time = {}, nil
  for _, name, value in head_next, head, 0 do
    local entry = READERS[name:lower()]
    if entry then
      local found = ranks[entry.rank] or {}
      ranks[entry.rank] = found
      local reader = entry.reader
      if reader.all then
        reader.all(found, value)
      else
        if server_time == nil then server_time = server_time_of(head) or false end
        keep(found, reader.field, reader.parse(value, server_time or nil))
      end
    end
  end
  return ranks
end

---What a response's head says about limits.
---@param head string the header block, as native.perform gives it
---@return lurcher.RateLimits
function rate_limit_headers.read(head)
  local said, ranks = {}, collect(head)
  for rank = 1, #RANKS do
    local found = ranks[rank] or {}
    if found.window and found.limit == (said.limit or found.limit) then said.window = said.window or found.window end
    for field, value in pairs(found) do
      if said[field] == nil and field ~= "window" then said[field] = value end
    end
  end
  return said
end

---Whether a status asks for fewer requests: 429 and 503 do; 403 does when it is said of a limit.
---@param status integer
---@param said lurcher.RateLimits
---@return boolean
function rate_limit_headers.refuses(status, said)
  return status == 429 or status == 503
    or status == 403 and (said.retry_after ~= nil or said.remaining == 0)
end

---How much shorter the wait may be that a field says.
---@param said lurcher.RateLimits
---@param field string
---@return number
function rate_limit_headers.error_of(said, field) return said.inexact and said.inexact[field] or 0 end

---Seconds that the server asks to wait before the request is repeated, or nil; and how much less it may be.
---@param said lurcher.RateLimits
---@return number? seconds
---@return number? inexact
function rate_limit_headers.asked(said)
  local field = said.retry_after and "retry_after" or "reset"
  if field == "reset" and (said.remaining or 0) > 0 then return nil end
  return said[field], rate_limit_headers.error_of(said, field)
end

---The same, of a response's head.
---@param head string
---@return number?
function rate_limit_headers.wait(head)
  return (rate_limit_headers.asked(rate_limit_headers.read(head)))
end

return rate_limit_headers
