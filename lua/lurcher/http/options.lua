--- The options of clients and requests: their checks, and how a request's are laid over its client's. Which
--- there are is told by options/rows.lua and options/parts.lua.

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

---@alias lurcher.Layer fun(request: lurcher.Request, next: function): lurcher.Response?, lurcher.Error?

local lazy = require "lurcher.base.lazy"
local compiled = require "lurcher.http.options.compiled"

local check = lazy "lurcher.base.check"
local checks = lazy "lurcher.http.options.checks"
local errors = lazy "lurcher.base.errors"
local overlay = require("lurcher.base.tables").overlay
local text = lazy "lurcher.base.text"

local options = {}

-- Whom an option may be given to; type specs of the keys of options that are tables.
local CLIENT, REQUEST, ENTRIES = compiled.client, compiled.request, compiled.parts
local CLIENT_ONLY, REQUEST_ONLY = compiled.client_only, compiled.request_only

---What a request that gives an option changes of its client's settings: a set of names for each of
---"transfer", "headers", "policies".
options.CHANGES = compiled.changes

---What holds when nothing is given, by name of the option; the same for the keys of those that are tables.
options.DEFAULT = compiled.default

local function raise(message)
  errors.raise(message)
end

-- Names of other libraries, and what is written here: made when they are asked for, which they never are in a script
-- without mistakes.
local function later(fill)
  return setmetatable({}, { __index = function(hints, name)
    setmetatable(hints, nil)
    fill(hints, require "lurcher.base.rows", require "lurcher.http.options.parts")
    return hints[name]
  end })
end

-- What others call the keys of an option that is a table.
local ENTRIES_ELSEWHERE = {}
for name in pairs(ENTRIES) do
  ENTRIES_ELSEWHERE[name] = later(function(hints, rows, parts)
    for other, written in pairs(rows.all_hints(parts[name], "%s")) do hints[other] = written end
  end)
end

-- What other libraries call it, or where it is not an option of its own: how it is written here.
local ELSEWHERE = later(function(hints, rows, parts)
  local all = require "lurcher.http.options.rows"
  local function add(name, written)
    if not (CLIENT[name] or REQUEST[name] or hints[name]) then hints[name] = written end
  end
  add("method", "http.request(method, url)")
  add("insecure", "tls = { verify = false }")
  for _, part in ipairs { "timeout", "limits", "tls", "retry" } do
    local pattern = part .. " = { %s = … }"
    for _, row in ipairs(parts[part]) do
      if row.alone ~= false then add(row[1], pattern:format(row[1])) end
    end
    for name, written in pairs(rows.all_hints(parts[part], pattern)) do
      if written:find("=", 1, true) then add(name, written) end
    end
  end
  for name, written in pairs(rows.all_hints(all)) do add(name, written) end
  for name, written in pairs(require "lurcher.http.options.foreign") do add(name, written) end
end)

local EQUALS = ("="):byte()

-- The check of one row, which has a function of its own.
local function own_check(part, name)
  for _, row in ipairs(require("lurcher.http.options.parts")[part]) do
    if row[1] == name then return row.check end
  end
end

-- Has `known[name]` be the function that it names: "=text" stands for checks.text.
local function resolve(known, name, part)
  local spec = known[name]
  if type(spec) ~= "string" or spec:byte() ~= EQUALS then return end
  known[name] = spec ~= "=" and checks[spec:sub(2)] or own_check(part, name)
end

-- Raises for options of which at least one is no option at all: data, perhaps, that was given as options.
local function refuse_data(opts, what)
  local unknown = {}
  for name in pairs(opts) do
    if REQUEST[name] == nil and not (CLIENT[name] or ELSEWHERE[name]) then unknown[#unknown + 1] = name end
  end
  local first = unknown[1]
  if not first or not unknown[2] and (check.suggest(first, REQUEST) or #tostring(first) >= 40) then return end
  table.sort(unknown, function(x, y) return tostring(x) < tostring(y) end)
  for i, name in ipairs(unknown) do unknown[i] = ("'%s'"):format(text.cut(tostring(name), 40)) end
  local complaint = "unknown option" .. (unknown[2] and "s " or " ")
    .. table.concat(unknown, ", ", 1, math.min(#unknown, 5))
  if type(first) == "number" then complaint = ("options are given by name, not as [%d]"):format(first) end
  raise(("%s: %s; if that is data: a body is given as json = { … } or form = { … }, query parameters as \z
    params = { … }"):format(what, complaint))
end

local function check_option(name, value, known, what, others)
  resolve(known, name)
  if known[name] == nil and others and not ELSEWHERE[name] then
    local accepted = overlay(known, others)
    local advice = type(name) == "string" and not check.suggest(name, accepted)
      and "; if it is a query parameter, it is given as params = { … }" or ""
    raise(("%s: %s%s"):format(what, check.unknown(name, accepted), advice))
  end
  check.option(name, value, known, what, ELSEWHERE)
end

-- Checks the entries of an option that is a table with fixed keys.
local function check_entries(name, entries, what)
  local known = ENTRIES[name]
  if known and type(entries) == "table" then
    for key in pairs(entries) do resolve(known, key, name) end
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

---Whether a request has an option of that name.
---@param name any
---@return boolean
function options.is_request_option(name)
  return REQUEST[name] ~= nil
end

---Whether a client has an option of that name.
---@param name any
---@return boolean
function options.is_client_option(name)
  return CLIENT[name] ~= nil
end

---The names of a client's options, as keys.
---@return table<string, any>
function options.client_options()
  return CLIENT
end

local IS_BODY = { body = true, json = true, form = true, multipart = true }

---Checks the options of a request.
---@param opts table
---@param what string
---@param others? table<string, any> further options of `what`, which may have been meant by an unknown one
function options.check_request(opts, what, others)
  if type(opts) == "string" then
    raise(("%s: options must be a table, got %s; a body is given as { body = … }"):format(what, check.shown(opts)))
  end
  if type(opts) ~= "table" then check.options(opts, REQUEST, what) end
  local body
  for name, value in pairs(opts) do
    if CLIENT_ONLY[name] ~= nil then
      raise(("%s: option '%s' belongs to the client: give it to http.client or client:extend")
        :format(what, name))
    end
    if REQUEST[name] == nil and not others then refuse_data(opts, what) end
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
  local merged = overlay(below, above)
  for name in pairs(MERGED) do
    if type(above[name]) == "table" and type(below[name]) == "table" then
      merged[name] = overlay(below[name], above[name])
    end
  end
  if above.timeout ~= nil then
    merged.timeout = overlay(below.timeout, timeout_table(above.timeout))
  end
  if above.retry ~= nil then
    local policy = retry_table(above.retry)
    local under = below.retry or {}
    merged.retry = policy and overlay(under, policy)
    if policy and policy.budget then
      merged.retry.budget = overlay(under.budget or nil, policy.budget)
    end
  end
  merged.headers, merged.params = below.headers or {}, below.params or {}
  if above.headers == false then
    merged.headers = {}
  elseif above.headers then
    merged.headers = overlay(merged.headers)
    table.insert(merged.headers, overlay(above.headers))
  end
  if above.params == false then
    merged.params = {}
  elseif above.params and next(above.params) ~= nil then
    merged.params = overlay(merged.params)
    table.insert(merged.params, overlay(above.params))
  end
  return merged
end

return options
