--- What a server says about its limits: Retry-After, RateLimit (and its older form of three headers), and the
--- X-RateLimit-* and X-Rate-Limit-* that came before. Nothing a server sends is an error here: what cannot be
--- understood is not there.

local date = require "lurcher.base.date"
local native = require "lurcher.native.http"
local time = require("lurcher.native.task").time

local head_next = native.head_next

local rate_limit_headers = {}

-- Ten years: what is longer means "never", and must stay a number that timers can take.
local MAX_WAIT = 315360000
-- A reset above this is no span of seconds but a moment of Unix time; above the second, in milliseconds.
local UNIX_TIME, UNIX_MILLISECONDS = 1e9, 1e11

---@class lurcher.RateLimits
---@field retry_after? number seconds
---@field reset? number seconds until there are more requests to have
---@field remaining? integer how many may be sent until then
---@field limit? integer how many there are in all

local function capped(seconds)
  return math.max(0, math.min(MAX_WAIT, seconds))
end

-- A number at the start of a header's value; what may follow it is a list or parameters: "100, 100;w=60".
local function number(text)
  local digits = text:match("^%s*(%d+%.?%d*)%s*$") or text:match("^%s*(%d+%.?%d*)%s*[,;]")
  return digits and tonumber(digits)
end

local function whole(text)
  local value = number(text)
  return value and math.min(math.floor(value), 1e15)
end

local function seconds(text)
  local value = number(text)
  return value and capped(value)
end

local function retry_after(text)
  local digits = text:match("^%s*(%d+%.?%d*)%s*$")
  if digits then return capped(tonumber(digits)) end
  local moment = date.parse(text)
  return moment and capped(moment - time())
end

local function seconds_or_moment(text)
  local value = number(text)
  if not value then return nil end
  if value > UNIX_MILLISECONDS then value = value / 1000 end
  if value > UNIX_TIME then value = value - time() end
  return capped(value)
end

-- The parameters of each item of a structured list: `"a";r=5;t=10, "b";r=2`. Names are short and values are
-- numbers, so commas within quoted names are all there is to mind.
local function items(text)
  local list = {}
  text = text:gsub('"[^"]*"', "name")
  for item in text:gmatch("[^,]+") do
    local parameters = {}
    for key, value in item:gmatch("([%a*][%w_%-.*]*)%s*=%s*(%d+%.?%d*)") do
      parameters[key:lower()] = parameters[key:lower()] or tonumber(value)
    end
    list[#list + 1] = parameters
  end
  return list
end

-- `RateLimit: "default";r=50;t=30`, of several the one that is nearest to its end; or, as an earlier draft
-- had it, `limit=100, remaining=50, reset=30`.
local function rate_limit(found, text)
  local remaining, reset
  for _, item in ipairs(items(text)) do
    local left, wait = item.r, item.t and capped(item.t)
    if left and (not remaining or left < remaining or left == remaining and (wait or 0) > (reset or 0)) then
      remaining, reset = left, wait
    end
    found.limit = found.limit or item.limit
    found.remaining, found.reset = found.remaining or item.remaining, found.reset or item.reset
  end
  if remaining then found.remaining, found.reset = remaining, reset end
end

local function rate_limit_policy(found, text)
  for _, item in ipairs(items(text)) do
    if item.q and (not found.limit or item.q < found.limit) then found.limit = item.q end
  end
end

-- Headers by rank: what an earlier one says is not changed by a later one.
local RANKS = {
  { ["retry-after"] = { field = "retry_after", parse = retry_after } },
  { ratelimit = { all = rate_limit } },
  { ["ratelimit-limit"] = { field = "limit", parse = whole },
    ["ratelimit-remaining"] = { field = "remaining", parse = whole },
    ["ratelimit-reset"] = { field = "reset", parse = seconds },
    ["ratelimit-policy"] = { all = rate_limit_policy } },
  { ["x-ratelimit-limit"] = { field = "limit", parse = whole },
    ["x-ratelimit-remaining"] = { field = "remaining", parse = whole },
    ["x-ratelimit-reset"] = { field = "reset", parse = seconds_or_moment },
    ["x-rate-limit-limit"] = { field = "limit", parse = whole },
    ["x-rate-limit-remaining"] = { field = "remaining", parse = whole },
    ["x-rate-limit-reset"] = { field = "reset", parse = seconds_or_moment } },
}

-- name -> rank, reader
local READERS = {}
for rank, headers in ipairs(RANKS) do
  for name, reader in pairs(headers) do READERS[name] = { rank = rank, reader = reader } end
end

-- The values of those headers, by rank; of one that came several times the first that makes sense counts.
local function collect(head)
  local ranks = {}
  for _, name, value in head_next, head, 0 do
    local entry = READERS[name:lower()]
    if entry then
      local found = ranks[entry.rank] or {}
      ranks[entry.rank] = found
      local reader = entry.reader
      if reader.all then
        reader.all(found, value)
      else
        found[reader.field] = found[reader.field] or reader.parse(value)
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
    for field, value in pairs(ranks[rank] or {}) do
      if said[field] == nil then said[field] = value end
    end
  end
  return said
end

---Seconds that the server asks to wait before the request is repeated, or nil.
---@param head string
---@return number?
function rate_limit_headers.wait(head)
  local said = rate_limit_headers.read(head)
  if said.retry_after then return said.retry_after end
  return (said.remaining or 0) == 0 and said.reset or nil
end

return rate_limit_headers
