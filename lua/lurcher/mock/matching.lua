--- What of a request an entry asks for, and where they differ. A difference is { field, wanted, sent }, of texts.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local multipart = require "lurcher.mock.multipart"
local names = require "lurcher.url.names"
local secret = require "lurcher.base.secret"
local shown = require "lurcher.mock.shown"

local matching = {}

local function differ(list, field, wanted, sent)
  list[#list + 1] = { field, type(wanted) == "string" and wanted or shown.value(wanted), shown.value(sent) }
end

local function differ_hidden(list, field, wanted, sent)
  list[#list + 1] = { field, wanted, shown.hidden(sent) }
end

-- Scalars as they are written in a query or a header.
local function as_text(value)
  if type(value) == "number" and value % 1 == 0 and math.abs(value) < 2 ^ 53 then return ("%d"):format(value) end
  return type(value) == "string" and value or tostring(value)
end

local function same_list(wanted, sent)
  if type(sent) ~= "table" then sent = { sent } end
  if #wanted ~= #sent then return false end
  for i, value in ipairs(wanted) do
    if as_text(value) ~= sent[i] then return false end
  end
  return true
end

-- Whether one value of a map of texts is as wanted: a scalar, a list of them, true (any), false (none) or a function.
local function fits(wanted, sent)
  if wanted == true then return sent ~= nil end
  if wanted == false then return sent == nil end
  if type(wanted) == "function" then return sent ~= nil and wanted(sent) and true or false end
  if type(wanted) == "table" then return sent ~= nil and same_list(wanted, sent) end
  return sent == as_text(wanted)
end

-- What a map asks for, in words.
local function in_words(wanted, is_secret)
  if wanted == true then return "any" end
  if wanted == false then return "none" end
  if type(wanted) == "function" then return "what a function accepts" end
  if is_secret then return shown.hidden(wanted) end
  return shown.value(type(wanted) == "table" and wanted or as_text(wanted))
end

local function sorted_names(map)
  local list = {}
  for name in pairs(map) do list[#list + 1] = tostring(name) end
  table.sort(list)
  return list
end

local IS_SECRET = { params = names.is_parameter, form = names.is_parameter, multipart = names.is_parameter,
  headers = names.is_header }

local function differ_in_map(list, field, name, wanted, sent)
  if IS_SECRET[field](name:match "^[^.%[]*") then
    differ_hidden(list, field .. "." .. name, in_words(wanted, true), sent)
  else
    differ(list, field .. "." .. name, in_words(wanted), sent)
  end
end

-- Each wanted value of a map; with `whole`, nothing else either.
local function compare_map(list, field, wanted, sent, whole)
  for _, name in ipairs(sorted_names(wanted)) do
    if not fits(wanted[name], sent[name]) then differ_in_map(list, field, name, wanted[name], sent[name]) end
  end
  for _, name in ipairs(whole and sorted_names(sent) or {}) do
    if wanted[name] == nil then differ_in_map(list, field, name, false, sent[name]) end
  end
end

matching.compare_map = compare_map

local is_list = function(value) return #value > 0 or next(value) == nil end

-- The first places in which `sent` lacks something of `wanted`. Lists have to be equal in length.
local function compare_json(list, place, wanted, sent, is_secret)
  if secret.is(wanted) then wanted, is_secret = secret.reveal(wanted), true end
  if type(wanted) == "function" then
    if not wanted(sent) then differ(list, place, "what a function accepts", is_secret and secret.MASK or sent) end
  elseif type(wanted) ~= "table" or type(sent) ~= "table" then
    if wanted == sent then return end
    if is_secret then return differ_hidden(list, place, shown.hidden(wanted), sent) end
    differ(list, place, shown.value(wanted), sent)
  elseif is_list(wanted) and #wanted ~= #sent then
    differ(list, place, ("a list of %d"):format(#wanted), is_secret and secret.MASK or sent)
  else
    for name, value in pairs(wanted) do
      local is_index = type(name) == "number"
      compare_json(list, place .. (is_index and "[" .. name .. "]" or "." .. tostring(name)), value, sent[name],
        is_secret or not is_index and names.is_field(name))
    end
  end
end

-- A text, or a Lua pattern with both anchors.
local function text_fits(wanted, sent)
  if wanted:find "^%^" and wanted:find "%$$" then return sent:find(wanted) ~= nil end
  return wanted == sent
end

local compare = {
  params = function(list, wanted, req) compare_map(list, "params", wanted, req.query) end,
  headers = function(list, wanted, req) compare_map(list, "headers", wanted, req.headers) end,
  body = function(list, wanted, req)
    if type(wanted) == "function" then
      if not wanted(req.body) then list[#list + 1] = { "body", in_words(wanted), shown.text(req.body) } end
    elseif not text_fits(wanted, req.body) then
      list[#list + 1] = { "body", shown.texts(wanted, req.body) }
    end
  end,
  json = function(list, wanted, req)
    local sent, err = req:json()
    if err then
      differ_hidden(list, "json", shown.value(wanted), nil)
      list[#list][3] = shown.text(req.body)
    else
      compare_json(list, "json", wanted, sent)
    end
  end,
  form = function(list, wanted, req) compare_map(list, "form", wanted, req:form()) end,
  multipart = function(list, wanted, req)
    multipart.compare(wanted, req, fits, function(name, want, sent)
      differ_in_map(list, "multipart", name, want, sent)
    end)
  end,
}

local MATCH = { params = "table", headers = "table", body = "text|callable", json = true, form = "table",
  multipart = "table" }
local ORDER = { "params", "headers", "body", "json", "form", "multipart" }

-- A function in place of what can be called; the text of a secret, which is compared as any other.
local function plain(value)
  if secret.is(value) then return secret.reveal(value) end
  if type(value) == "table" and not check.mismatch(value, "callable") then
    return function(...) return value(...) end
  end
  return value
end

-- A map of names, also where it is given as a list of pairs.
local function as_map(given)
  local map = {}
  if type(given[1]) ~= "table" then
    for name, value in pairs(given) do map[name] = plain(value) end
    return map
  end
  for _, pair in ipairs(given) do
    local name, value = tostring(pair[1]), plain(pair[2])
    local before = map[name]
    if type(before) == "table" then before[#before + 1] = value else
      map[name] = before ~= nil and { before, value } or value
    end
  end
  return map
end

-- Header lines of the same name count as one.
local function as_headers(given)
  local lower = {}
  for name, value in pairs(as_map(given)) do
    if type(value) == "table" then
      local lines = {}
      for i, line in ipairs(value) do lines[i] = as_text(secret.reveal(line)) end
      value = table.concat(lines, ", ")
    end
    lower[tostring(name):lower()] = value
  end
  return lower
end

local MADE = { params = as_map, form = as_map, headers = as_headers, multipart = multipart.check, body = plain,
  json = plain }

local function check_body(body)
  if type(body) ~= "string" or not body:find "^%^" or not body:find "%$$" then return end
  local well, message = pcall(string.find, "", body)
  if not well then
    errors.raise(("mock:on: the pattern of the body does not compile: %s"):format(tostring(message)))
  end
end

---Checks the third argument of mock:on.
---@param match any
---@return any
function matching.check(match)
  if match == nil or type(match) == "function" then return match end
  check.argument(match, "table|callable", 4, "mock:on")
  match = plain(match)
  if type(match) == "function" then return match end
  local made = {}
  for field, value in pairs(check.options(match, MATCH, "mock:on")) do made[field] = MADE[field](value) end
  check_body(made.body)
  return made
end

---A function in place of what can be called.
---@param value any
---@return any
matching.plain = plain

---Adds where a request differs from what `match` asks for.
---@param list table[]
---@param match table|function|nil
---@param req lurcher.mock.Request
function matching.compare(list, match, req)
  if not match then return end
  if type(match) == "function" then
    if not match(req) then differ(list, "match", "what a function accepts", nil) end
    return
  end
  for _, field in ipairs(ORDER) do
    if match[field] ~= nil then compare[field](list, match[field], req) end
  end
end

return matching
