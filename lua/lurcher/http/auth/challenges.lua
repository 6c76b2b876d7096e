--- Challenges of WWW-Authenticate (RFC 9110, section 11), one or several in a line. Each step takes what it has
--- looked at, so that the time is in proportion to the length, whatever a server sends.

local challenges = {}

local MAX_CHALLENGES = 64
local TOKEN = "^([%w!#$%%&'*+%-.^_`|~]+)()"

---@class lurcher.Challenge
---@field scheme string in lower case
---@field values table<string, string> parameters by name in lower case, without quotes and escapes
---@field raw table<string, string> the same, between their quotes as they came

-- The text between quotes that begin before `at`, as it came and without escapes, and the place behind it; nil:
-- there is no end.
local function quoted(line, at)
  local first, parts = at, {}
  while true do
    local stop = line:find('["\\]', at)
    if not stop then return nil end
    parts[#parts + 1] = line:sub(at, stop - 1)
    if line:byte(stop) == 34 then return line:sub(first, stop - 1), table.concat(parts), stop + 1 end
    parts[#parts + 1] = line:sub(stop + 1, stop + 1)
    at = stop + 2
  end
end

-- A parameter's value as it came and as it is meant, and the place behind it; nil: it is broken.
local function value_at(line, at)
  if line:byte(at) == 34 then return quoted(line, at + 1) end
  local token, behind = line:match("^([^%s,\"]+)()", at)
  return token, token, behind
end

local function begin(list, name)
  local challenge = { scheme = name:lower(), values = {}, raw = {} }
  list[#list + 1] = challenge
  return challenge
end

-- The place behind what is no parameter but credentials in base 64, as of Negotiate.
local function skip_token68(line, at)
  local behind = line:match("^[%w%-._~+/]+=*[ \t]*()", at)
  if behind and (behind > #line or line:byte(behind) == 44) then return behind end
  return at
end

local function parse_line(list, line)
  local at, challenge = 1, nil
  while true do
    at = line:match("^[%s,]*()", at)
    local name, behind = line:match(TOKEN, at)
    if not name then return end
    local value_from = challenge and line:match("^[ \t]*=[ \t]*()", behind)
    if value_from then
      local raw, value, stop = value_at(line, value_from)
      if not raw then return end
      name = name:lower()
      if not challenge.values[name] then challenge.values[name], challenge.raw[name] = value, raw end
      at = stop
    else
      if #list >= MAX_CHALLENGES then return end
      challenge = begin(list, name)
      at = skip_token68(line, line:match("^[ \t]*()", behind))
    end
  end
end

---The challenges in some lines. What is broken ends its line; what came before counts.
---@param lines string[]
---@return lurcher.Challenge[]
function challenges.parse(lines)
  local list = {}
  for _, line in ipairs(lines) do parse_line(list, line) end
  return list
end

return challenges
