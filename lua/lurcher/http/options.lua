--- The options of clients and requests: which there are, what they may be, and how a request's are laid over
--- its client's.

---@class lurcher.Timeout seconds
---@field connect? number|false
---@field read? number|false
---@field write? number|false
---@field total? number|false
---@field queue? number|false

---@class lurcher.RetryOptions
---@field attempts? integer
---@field methods? string[]|false which may be repeated whatever became of the attempt
---@field statuses? integer[]|false
---@field kinds? string[]|false kinds of errors
---@field base? number seconds
---@field factor? number
---@field max_wait? number|false seconds
---@field jitter? "full"|"equal"|"decorrelated"|"none"
---@field retry_after? boolean obey what the server asks for
---@field max_retry_after? number|false seconds; a longer one: no more attempts
---@field budget? { ratio?: number, min_per_second?: number }|false retries as a share of the calls
---@field on? (fun(attempt: lurcher.RetryEvent): boolean|number|nil)|false decides; nil: the policy does

---@class lurcher.RetryEvent
---@field attempt integer the one that is over: 1, 2, …
---@field wait? number seconds until the next one; nil when the policy would make none
---@field why? string
---@field method string
---@field url string
---@field status? integer
---@field response? lurcher.Response
---@field err? lurcher.Error
---@field elapsed number seconds since the call

---@class lurcher.TlsOptions
---@field verify? boolean
---@field min? "1.0"|"1.1"|"1.2"|"1.3"|false
---@field ca? string|false
---@field cert? string|false
---@field key? string|false
---@field key_password? string|lurcher.Secret|false
---@field server_name? string|false
---@field pins? string|string[]|false

---@class lurcher.Limits
---@field inflight? integer|false
---@field per_origin? integer|"auto"|false
---@field idle? integer|false
---@field idle_timeout? number|false
---@field rate? number|false
---@field burst? integer
---@field limiter? lurcher.Limiter|false
---@field learn? boolean

---@class lurcher.Hooks
---@field request? fun(request: lurcher.Request)[]
---@field response? fun(res: lurcher.Response)[]
---@field retry? fun(event: table)[]
---@field redirect? fun(event: table)[]
---@field error? fun(err: lurcher.Error)[]

---@alias lurcher.Layer fun(request: lurcher.Request, next: function): lurcher.Response?, lurcher.Error?

---@class lurcher.SharedOptions what clients and requests may be given; false switches an option off
---@field headers? table<string, any>|false merged by name; false removes, a list means several lines
---@field params? table|false merged by key; a list of pairs keeps its order
---@field auth? table|lurcher.Layer|false {"user", "password"}, http.basic, http.bearer, or a function
---@field timeout? lurcher.Timeout|number|false
---@field redirects? integer|false how many to follow
---@field retry? lurcher.RetryOptions|integer|boolean
---@field http_version? "auto"|"1.1"|"2"|"2-prior-knowledge"
---@field decompress? boolean
---@field max_body? integer|false bytes after decompression
---@field max_headers? integer|false bytes
---@field tls? lurcher.TlsOptions
---@field unix_socket? string|false
---@field local_address? string|false
---@field resolve? table<string, string|false>|false "host:port" to address
---@field ip? "4"|"6"|false
---@field user_agent? string|lurcher.Secret|false
---@field secret_headers? string[]|false
---@field allow_downgrade? boolean
---@field name? string|false
---@field priority? integer -8 to 7

---@class lurcher.ClientOptions: lurcher.SharedOptions
---@field base_url? string|false
---@field limits? lurcher.Limits
---@field cookies? boolean
---@field breaker? lurcher.BreakerOptions|boolean one circuit breaker per origin
---@field middleware? lurcher.Layer[]|false
---@field hooks? lurcher.Hooks|false

---@class lurcher.RequestOptions: lurcher.SharedOptions
---@field body? string|lurcher.Secret|false
---@field json? any
---@field form? table|false
---@field stream? boolean
---@field expect? integer|string|table|false
---@field retryable? boolean
---@field idempotency_key? boolean|string|lurcher.Secret
---@field raw_target? string|false
---@field expect_continue? boolean

local backoff = require "lurcher.retry.backoff"
local breaker_options = require "lurcher.breaker.options"
local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local retry_arguments = require "lurcher.retry.arguments"
local secret = require "lurcher.base.secret"
local sync = require "lurcher.task.sync"

local options = {}

---Lays one table over another by key; false stays as a value.
---@param below table?
---@param above table?
---@return table
function options.overlay(below, above)
  local merged = {}
  for key, value in pairs(below or {}) do merged[key] = value end
  for key, value in pairs(above or {}) do merged[key] = value end
  return merged
end

local raise = errors.raise

-- A string, or a secret that stands for one.
local function text(value)
  if type(value) == "string" or secret.is(value) then return nil end
  return "a string"
end

local function text_or_false(value)
  if value == false then return nil end
  return text(value)
end

local function text_list(value)
  if type(value) ~= "table" then return "a list of strings" end
  for i = 1, #value do
    if type(value[i]) ~= "string" then return "a list of strings" end
  end
  return nil
end

local function text_list_or_false(value)
  if value == false then return nil end
  return text_list(value)
end

local function whole_or_false(value)
  if value == false or type(value) == "number" and value >= 0 and value % 1 == 0 then return nil end
  return "a whole number or false"
end

local function limiter_or_false(value)
  if value == false or sync.is_limiter(value) then return nil end
  return "what task.limiter gave, or false"
end

local function priority(value)
  if type(value) == "number" and value % 1 == 0 and value >= -8 and value <= 7 then return nil end
  return "a whole number from -8 to 7"
end

local function function_list(value)
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

local function auth(value)
  if value == false or not check.mismatch(value, "callable") then return nil end
  if type(value) == "table" and (value.header or value[1] ~= nil and value[2] ~= nil) then return nil end
  return '{"user", "password"}, http.basic(…), http.bearer(…), a function or false'
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

local method_list = list_of("methods", function(item)
  return type(item) == "string" and item:find("^[%w!#$%%&'*+%-.^_`|~]+$")
end)

local status_list = list_of("statuses (100 to 599)", function(item)
  return type(item) == "number" and item % 1 == 0 and item >= 100 and item <= 599
end)

-- The kinds of errors that may be gone the next time.
local REPEATABLE = { "timeout", "dns", "connect", "tls", "proxy", "closed", "truncated", "protocol",
  "decode" }
local is_kind_list = list_of("kinds", function(item) return type(item) == "string" end)

local function kind_list(value)
  if value == false or is_kind_list(value) then return is_kind_list(value) end
  local known = {}
  for _, kind in ipairs(REPEATABLE) do known[kind] = true end
  for _, kind in ipairs(value) do
    if not known[kind] then
      local near = check.suggest(kind, REPEATABLE)
      return ("kinds of errors that can be repeated (%s), and '%s' is none of them%s"):format(
        table.concat(REPEATABLE, ", "), kind, near and ("; did you mean '%s'?"):format(near) or "")
    end
  end
  return nil
end

local BUDGET = { ratio = true, min_per_second = true }

local function budget(value)
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
local function resolve_map(value)
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

local function pin_list(value)
  if value == false then return nil end
  local list = type(value) == "table" and value or { value }
  for i = 1, math.max(1, #list) do
    if type(list[i]) ~= "string" or not list[i]:find("^sha256//[%w+/=;]+$") then
      return '"sha256//…", or a list of these'
    end
  end
  return nil
end

-- Tables with fixed keys. Their entries are checked when they are given, and merged by key.
local TABLES = {
  timeout = { connect = "positive|false", read = "positive|false", write = "positive|false",
    total = "positive|false", queue = "positive|false" },
  limits = { inflight = "count|false", per_origin = "count|'auto'|false", idle = whole_or_false,
    idle_timeout = "seconds|false", rate = "positive|false", burst = "count",
    limiter = limiter_or_false, learn = "boolean" },
  retry = { attempts = "count", methods = method_list, statuses = status_list, kinds = kind_list,
    base = backoff.OPTIONS.base, factor = backoff.OPTIONS.factor, max_wait = backoff.OPTIONS.max_wait,
    jitter = backoff.OPTIONS.jitter, retry_after = "boolean", max_retry_after = "seconds|false",
    budget = budget, on = "callable|false" },
  tls = { verify = "boolean", min = "'1.0'|'1.1'|'1.2'|'1.3'|false", ca = "string|false",
    cert = "string|false", key = "string|false", key_password = text_or_false, server_name = "string|false",
    pins = pin_list },
  breaker = breaker_options.KNOWN,
  hooks = { request = function_list, response = function_list, retry = function_list,
    redirect = function_list, error = function_list },
}

-- Options that a client has, and a request may have too.
local SHARED = {
  headers = "table|false", params = "table|false", auth = auth,
  timeout = "positive|table|false", redirects = whole_or_false, retry = "count|table|boolean",
  http_version = "'auto'|'1.1'|'2'|'2-prior-knowledge'", decompress = "boolean",
  max_body = "size|false", max_headers = "size|false", tls = "table",
  unix_socket = "string|false", local_address = "string|false", resolve = resolve_map, ip = "'4'|'6'|false",
  user_agent = text_or_false, secret_headers = text_list_or_false, allow_downgrade = "boolean",
  name = "string|false", priority = priority,
}

local CLIENT_ONLY = {
  base_url = function(value)
    if value == false then return nil end
    if type(value) == "string" and value:lower():find("^https?://[^/?#]") then return nil end
    return "an absolute http or https URL"
  end,
  limits = "table", cookies = "boolean", breaker = "table|boolean", middleware = function_list,
  hooks = "table|false",
}

local REQUEST_ONLY = {
  body = text_or_false, json = true, form = "table|false", stream = "boolean",
  expect = function(value)
    if value == false then return nil end
    return options.expect_mismatch(value)
  end,
  retryable = "boolean", idempotency_key = function(value)
    if type(value) == "boolean" then return nil end
    return text(value) and "true or a string"
  end,
  raw_target = function(value)
    if value == false or type(value) == "string" and value:find("^[^%z\1-\32\127]+$") then return nil end
    return "a request target without blanks and control characters"
  end,
  expect_continue = "boolean",
}

local CLIENT, REQUEST = {}, {}
for name, spec in pairs(SHARED) do CLIENT[name], REQUEST[name] = spec, spec end
for name, spec in pairs(CLIENT_ONLY) do CLIENT[name] = spec end
for name, spec in pairs(REQUEST_ONLY) do REQUEST[name] = spec end

-- What the connection and transfer below need to know: a request that gives one of these needs a profile of
-- its own.
options.IN_PROFILE = {
  timeout = true, http_version = true, decompress = true, max_body = true, max_headers = true, tls = true,
  unix_socket = true, local_address = true, resolve = true, ip = true, raw_target = true,
}

options.DEFAULT_TIMEOUT = { connect = 10, read = 30, write = 30, total = 300, queue = false }
options.DEFAULT_LIMITS = { inflight = 256, per_origin = 64, idle = 100, idle_timeout = 15, rate = false,
  burst = 1 }
options.DEFAULT_TLS = { verify = true, min = "1.2" }

---What a value of `expect` should have been, or nil.
function options.expect_mismatch(value)
  if type(value) == "table" and #value > 0 then
    for i = 1, #value do
      local wanted = options.expect_mismatch(value[i])
      if wanted then return wanted end
    end
    return nil
  end
  if type(value) == "number" and value % 1 == 0 and value >= 100 and value <= 999 then return nil end
  if type(value) == "string" and value:find("^[1-5]xx$") then return nil end
  return 'a status, "2xx", or a list of these'
end

-- What other libraries call it, or where it is not an option of its own: how it is written here.
local ELSEWHERE = {
  data = "body = … or form = { … }", query = "params = { … }", qs = "params = { … }",
  follow_redirects = "redirects = 10 or false", allow_redirects = "redirects = 10 or false",
  max_redirects = "redirects = 10", connect_timeout = "timeout = { connect = … }",
  read_timeout = "timeout = { read = … }", verify = "tls = { verify = … }", ca = "tls = { ca = … }",
  cert = "tls = { cert = … }", insecure = "tls = { verify = false }", method = "http.request(method, url)",
  inflight = "limits = { inflight = … }", concurrency = "limits = { inflight = … }",
  per_origin = "limits = { per_origin = … }", rate = "limits = { rate = … }",
  burst = "limits = { burst = … }", limiter = "limits = { limiter = … }", learn = "limits = { learn = … }",
  connect = "timeout = { connect = … }", read = "timeout = { read = … }",
  total = "timeout = { total = … }", attempts = "retry = { attempts = … }",
  token = "auth = http.bearer(…)", bearer = "auth = http.bearer(…)",
  username = 'auth = { "user", "password" }', password = 'auth = { "user", "password" }',
}

local function check_option(name, value, known, what, others)
  if known[name] == nil and others and not ELSEWHERE[name] then
    raise(("%s: %s"):format(what, check.unknown(name, options.overlay(known, others))))
  end
  check.option(name, value, known, what, ELSEWHERE)
end

local ENTRIES_ELSEWHERE = {
  breaker = breaker_options.ELSEWHERE,
  retry = options.overlay(retry_arguments.ELSEWHERE, { codes = "statuses", status_codes = "statuses",
    retry_on = "statuses, kinds or on", timeout = "timeout = { total = … }, beside retry" }),
}

-- Checks the entries of an option that is a table with fixed keys.
local function check_entries(name, entries, what)
  local known = TABLES[name]
  if known and type(entries) == "table" then
    check.options(entries, known, ("%s: %s"):format(what, name), ENTRIES_ELSEWHERE[name])
  end
end

---Checks the options of a client.
---@param opts table?
---@param what string
---@return table opts
function options.check_client(opts, what)
  if opts == nil then return {} end
  if type(opts) ~= "table" then check.options(opts, CLIENT, what) end
  for name, value in pairs(opts) do
    if REQUEST_ONLY[name] ~= nil then
      raise(("%s: option '%s' belongs to a request, not to a client"):format(what, name))
    end
    check_option(name, value, CLIENT, what)
    check_entries(name, value, what)
  end
  return opts
end

local IS_BODY = { body = true, json = true, form = true }

---Checks the options of a request.
---@param opts table
---@param what string
---@param others? table<string, any> further options of `what`, which may have been meant by an unknown one
function options.check_request(opts, what, others)
  if type(opts) ~= "table" then check.options(opts, REQUEST, what) end
  local body
  for name, value in pairs(opts) do
    if CLIENT_ONLY[name] ~= nil then
      raise(("%s: option '%s' belongs to the client: give it to http.client or client:extend")
        :format(what, name))
    end
    check_option(name, value, REQUEST, what, others)
    check_entries(name, value, what)
    if IS_BODY[name] and value ~= false then
      if body then raise(("%s: '%s' and '%s' exclude each other: give one body"):format(what, body, name)) end
      body = name
    end
  end
end

local NO_TIMEOUT = { connect = false, read = false, write = false, total = false, queue = false }

-- timeout = 5 stands for {total = 5}; false for no limit of any kind.
local function timeout_table(value)
  if type(value) == "number" then return { total = value } end
  return value or NO_TIMEOUT
end

-- retry = 5 stands for {attempts = 5}, true for the default.
local function retry_table(value)
  if type(value) == "number" then return { attempts = value } end
  if value == true then return {} end
  return value
end

local MERGED = { breaker = true, tls = true, resolve = true, hooks = true, limits = true }

---The options that hold when `above` is given on top of `below`. Headers and params are kept as lists of
---layers, because theirs are merged by rules of their own.
---@param below table as this function made it, or {}
---@param above table checked options
---@return table
function options.merge(below, above)
  local merged = options.overlay(below, above)
  for name in pairs(MERGED) do
    if type(above[name]) == "table" and type(below[name]) == "table" then
      merged[name] = options.overlay(below[name], above[name])
    end
  end
  if above.timeout ~= nil then
    merged.timeout = options.overlay(below.timeout, timeout_table(above.timeout))
  end
  if above.retry ~= nil then
    local policy = retry_table(above.retry)
    local under = below.retry or {}
    merged.retry = policy and options.overlay(under, policy)
    if policy and policy.budget then
      merged.retry.budget = options.overlay(under.budget or nil, policy.budget)
    end
  end
  merged.headers, merged.params = below.headers or {}, below.params or {}
  if above.headers == false then
    merged.headers = {}
  elseif above.headers then
    merged.headers = options.overlay(merged.headers)
    table.insert(merged.headers, options.overlay(above.headers))
  end
  if above.params == false then
    merged.params = {}
  elseif above.params and next(above.params) ~= nil then
    merged.params = options.overlay(merged.params)
    table.insert(merged.params, options.overlay(above.params))
  end
  return merged
end

return options
