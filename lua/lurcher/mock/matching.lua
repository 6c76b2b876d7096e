--- What of a request an entry asks for, and where they differ. A difference is { field, wanted, sent }, of texts.

local check = require "lurcher.base.check"
local json = require "lurcher.json"

local matching = {}

local MAX_SHOWN = 200

-- A value as a message shows it.
local function shown(value)
  if value == nil then return "none" end
  if type(value) == "table" then
    local text = json.encode(value)
    if text then return #text > MAX_SHOWN and text:sub(1, MAX_SHOWN) .. "…" or text end
  end
  return check.shown(value)
end

local function differ(list, field, wanted, sent)
  list[#list + 1] = { field, type(wanted) == "string" and wanted or shown(wanted), shown(sent) }
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

local function in_words(wanted)
  if wanted == true then return "any" end
  if wanted == false then return "none" end
  if type(wanted) == "function" then return "what a function accepts" end
  return shown(type(wanted) == "table" and wanted or as_text(wanted))
end

local function sorted_names(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return names
end

-- Each wanted value of a map; with `whole`, nothing else either.
local function compare_map(list, field, wanted, sent, whole)
  for _, name in ipairs(sorted_names(wanted)) do
    if not fits(wanted[name], sent[name]) then
      differ(list, field .. "." .. name, in_words(wanted[name]), sent[name])
    end
  end
  for _, name in ipairs(whole and sorted_names(sent) or {}) do
    if wanted[name] == nil then differ(list, field .. "." .. name, "none", sent[name]) end
  end
end

matching.compare_map = compare_map

local is_list = function(value) return #value > 0 or next(value) == nil end

-- The first places in which `sent` lacks something of `wanted`. Lists have to be equal in length.
local function compare_json(list, place, wanted, sent)
  if type(wanted) == "function" then
    if not wanted(sent) then differ(list, place, "what a function accepts", sent) end
  elseif type(wanted) ~= "table" or type(sent) ~= "table" then
    if wanted ~= sent then differ(list, place, shown(wanted), sent) end
  elseif is_list(wanted) and #wanted ~= #sent then
    differ(list, place, ("a list of %d"):format(#wanted), sent)
  else
    for name, value in pairs(wanted) do
      compare_json(list, place .. (type(name) == "number" and "[" .. name .. "]" or "." .. tostring(name)), value,
        sent[name])
    end
  end
end

-- A text, or a Lua pattern with both anchors.
local function text_fits(wanted, sent)
  if wanted:find "^%^" and wanted:find "%$$" then return sent:find(wanted) ~= nil end
  return wanted == sent
end

-- The fields of a multipart body: name → content, or { content, filename }.
local function parse_multipart(self)
  local boundary = (self.headers["content-type"] or ""):match 'boundary="?([^";]+)'
  local parts, at = {}, 1
  if not boundary then return parts end
  while true do
    local _, head_start = self.body:find("--" .. boundary .. "\r\n", at, true)
    local _, head_end = self.body:find("\r\n\r\n", head_start or at, true)
    local last = head_end and self.body:find("\r\n--" .. boundary, head_end - 1, true)
    if not (head_start and last) then return parts end
    local name = self.body:sub(head_start + 1, head_end):match '[; ]name="([^"]*)"'
    if name then parts[name] = self.body:sub(head_end + 1, last - 1) end
    at = last + 2
  end
end

local compare = {
  params = function(list, wanted, req) compare_map(list, "params", wanted, req.query) end,
  headers = function(list, wanted, req)
    local lower = {}
    for name, value in pairs(wanted) do lower[name:lower()] = value end
    compare_map(list, "headers", lower, req.headers)
  end,
  body = function(list, wanted, req)
    local well
    if type(wanted) == "function" then well = wanted(req.body) else well = text_fits(wanted, req.body) end
    if not well then differ(list, "body", in_words(wanted), req.body) end
  end,
  json = function(list, wanted, req)
    local sent, err = req:json()
    if err then
      differ(list, "json", shown(wanted), req.body)
    else
      compare_json(list, "json", wanted, sent)
    end
  end,
  form = function(list, wanted, req) compare_map(list, "form", wanted, req:form()) end,
  multipart = function(list, wanted, req) compare_map(list, "multipart", wanted, parse_multipart(req)) end,
}

local MATCH = { params = "table", headers = "table", body = "string|callable", json = true, form = "table",
  multipart = "table" }
local ORDER = { "params", "headers", "body", "json", "form", "multipart" }

---Checks the third argument of mock:on.
---@param match any
---@return any
function matching.check(match)
  if match == nil or type(match) == "function" then return match end
  check.argument(match, "table|callable", 4, "mock:on")
  return check.options(match, MATCH, "mock:on")
end

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
