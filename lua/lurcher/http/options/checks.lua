--- Checks of option values that no type spec of base/check.lua can express. Each returns nil when the value
--- is fine, and otherwise what it should have been.

local lazy = require "lurcher.base.lazy"
local secret = require "lurcher.base.secret"

local check = lazy "lurcher.base.check"
local kinds = lazy "lurcher.base.kinds"

local checks = {}

-- A string, or a secret that stands for one.
function checks.text(value)
  if type(value) == "string" or secret.is(value) then return nil end
  return "a string"
end

-- Fields, and where somebody has them as a text, what that is given as.
local function fields(as_text)
  return function(value)
    if value == false or type(value) == "table" then return nil end
    return "a table or false" .. (type(value) == "string" and " (" .. as_text .. ")" or "")
  end
end
checks.params = fields "a query that is a text is written into the URL, behind a ?"
checks.form = fields "a text is given as body = …"

function checks.text_or_false(value)
  if value == false then return nil end
  return checks.text(value)
end

-- A body: text, what http.file gave, or an iterator.
function checks.body(value)
  if value == false or not checks.text(value) or not check.mismatch(value, "callable") then return nil end
  if type(value) == "table" and (getmetatable(value) or value).__name == "lurcher.File" then return nil end
  return "a string, http.file(path), an iterator function or false"
end

function checks.progress(value)
  if type(value) == "boolean" or type(value) == "string" or not check.mismatch(value, "callable") then return nil end
  return "true, a label, a function or false"
end

-- A list; its parts are checked where they are encoded.
function checks.parts(value)
  if value == false then return nil end
  if type(value) ~= "table" then return 'a list of parts such as { name = "a", value = "b" }, or false' end
  for key in pairs(value) do
    if type(key) ~= "number" then return 'a list of parts such as { name = "a", value = "b" }, or false' end
  end
  return nil
end

function checks.text_list_or_false(value)
  if value == false then return nil end
  if type(value) ~= "table" then return "a list of strings" end
  for i = 1, #value do
    if type(value[i]) ~= "string" then return "a list of strings" end
  end
  return nil
end

function checks.whole_or_false(value)
  if value == false or type(value) == "number" and value >= 0 and value % 1 == 0 then return nil end
  return "a whole number or false"
end

function checks.limiter_or_false(value)
  if value == false or require("lurcher.task.sync").is_limiter(value) then return nil end
  return "what task.limiter gave, or false"
end

function checks.priority(value)
  if type(value) == "number" and value % 1 == 0 and value >= -8 and value <= 7 then return nil end
  return "a whole number from -8 to 7"
end

function checks.function_list(value)
  if value == false then return nil end
  if type(value) ~= "table" then return "a list of functions" end
  for i = 1, #value do
    if check.mismatch(value[i], "callable") then return "a list of functions" end
  end
  for key in pairs(value) do
    if type(key) ~= "number" then return "a list of functions" end
  end
  return nil
end

function checks.auth(value)
  if value == false or not check.mismatch(value, "callable") then return nil end
  if type(value) == "table" and (value.header or value.layer or value[1] ~= nil and value[2] ~= nil) then
    return nil
  end
  return '{"user", "password"}, http.basic(…), http.bearer(…) or another scheme, a function or false'
end

function checks.base_url(value)
  if value == false then return nil end
  if type(value) == "string" and value:lower():find("^https?://[^/?#]") then return nil end
  return "an absolute http or https URL"
end

-- A list (or false) of what the function `fits` says yes to.
local function list_of(noun, fits)
  local wanted = "a list of " .. noun
  return function(value)
    if value == false then return nil end
    if type(value) ~= "table" then return wanted end
    for key, item in pairs(value) do
      if type(key) ~= "number" or not fits(item) then return wanted end
    end
    return nil
  end
end

checks.method_list = list_of("methods", function(item)
  return type(item) == "string" and item:find("^[%w!#$%%&'*+%-.^_`|~]+$")
end)

checks.status_list = list_of("statuses (100 to 599)", function(item)
  return type(item) == "number" and item % 1 == 0 and item >= 100 and item <= 599
end)

local is_kind_list = list_of("kinds", function(item) return type(item) == "string" end)

-- A list (or false) of the kinds of errors that may be gone the next time.
function checks.kind_list(value)
  if value == false or is_kind_list(value) then return is_kind_list(value) end
  for _, kind in ipairs(value) do
    if not kinds.is(kind, "repeatable") then
      local repeatable = kinds.repeatable()
      local near = check.suggest(kind, repeatable)
      return ("kinds of errors that can be repeated (%s), and '%s' is none of them%s"):format(
        table.concat(repeatable, ", "), kind, near and ("; did you mean '%s'?"):format(near) or "")
    end
  end
  return nil
end

local BUDGET = { ratio = true, min_per_second = true }

function checks.retry_budget(value)
  if value == false then return nil end
  if type(value) ~= "table" then return "a table such as { ratio = 0.2, min_per_second = 10 }, or false" end
  for key, number in pairs(value) do
    if not BUDGET[key] then return "a table of ratio and min_per_second: " .. check.unknown(key, BUDGET) end
    if check.mismatch(number, "size") then return "a table whose " .. key .. " is a number of at least 0" end
  end
  return nil
end

local function is_address(word)
  return word:find("^%d+%.%d+%.%d+%.%d+$") ~= nil or word:find("^%[?%x*:[%x:.]+%%?%w*%]?$") ~= nil
end

-- { ["host:port"] = "address" }, or several addresses with commas between them.
function checks.resolve_map(value)
  if value == false then return nil end
  local wanted = 'a map of "host:port" to an IP address'
  if type(value) ~= "table" then return wanted end
  for key, addresses in pairs(value) do
    local port = type(key) == "string" and tonumber(key:match("^[^%s,]+:(%d+)$"))
    if not port or port > 65535 or addresses ~= false and type(addresses) ~= "string" then return wanted end
    for address in (addresses and addresses .. "," or ""):gmatch("([^,]*),") do
      if not is_address(address) then return wanted end
    end
  end
  return nil
end

local TRANSPORTS = { ["lurcher.Mock"] = true, ["lurcher.Cassette"] = true }

-- What mock.new or cassette.open made.
function checks.transport(value)
  if value == false then return nil end
  if type(value) == "table" and TRANSPORTS[(getmetatable(value) or value).__name] then return nil end
  return "a mock (lurcher.mock), a cassette (lurcher.cassette) or false"
end

-- What is in it is checked where it is read: a message must not show what may be a password.
function checks.proxy(value)
  if value == false or type(value) == "string" or type(value) == "table" then return nil end
  return 'a URL, a table { url = …, tls = { … } }, a map of these, "env" or false'
end

function checks.no_proxy(value)
  if value == false or type(value) == "string" then return nil end
  return checks.text_list_or_false(value)
end

function checks.pin_list(value)
  if value == false then return nil end
  local list = type(value) == "table" and value or { value }
  for i = 1, math.max(1, #list) do
    if type(list[i]) ~= "string" or not list[i]:find("^sha256//[%w+/=;]+$") then
      return '"sha256//…", or a list of these'
    end
  end
  return nil
end

function checks.expected(value)
  if type(value) == "table" and #value > 0 then
    for i = 1, #value do
      local wanted = checks.expected(value[i])
      if wanted then return wanted end
    end
    return nil
  end
  if type(value) == "number" and value % 1 == 0 and value >= 100 and value <= 999 then return nil end
  if type(value) == "string" and value:find("^[1-5]xx$") then return nil end
  return 'a status, "2xx", or a list of these'
end

function checks.expected_or_false(value)
  if value == false then return nil end
  return checks.expected(value)
end

function checks.idempotency_key(value)
  if type(value) == "boolean" then return nil end
  return checks.text(value) and "true or a string"
end

function checks.raw_target(value)
  if value == false or type(value) == "string" and value:find("^[^%z\1-\32\127]+$") then return nil end
  return "a request target without blanks and control characters"
end

---@param value any
---@return string? mismatch
function checks.cookies(value)
  if type(value) == "boolean" then return nil end
  if type(value) == "string" and value ~= "" and not value:find("%z") then return nil end
  return 'true, false, or the path of a cookie file (headers = { Cookie = "a=b" } sends one)'
end

return checks
