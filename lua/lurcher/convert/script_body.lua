--- Bodies that are text, as the options that are read best: `json` and `form` where they give the same bytes.

local json = require "lurcher.json"
local overlay = require("lurcher.base.tables").overlay
local query = require "lurcher.url.query"
local url_native = require "lurcher.native.url"

local script_body = {}

-- Bytes of a body that is looked into.
local MAX_TEXT = 256 * 1024

-- Whether a value is written in one way only: the order of an object's keys is nobody's.
local function has_one_order(value)
  if type(value) ~= "table" then return true end
  local is_object = #value == 0
  local count = 0
  for _, item in next, value do
    count = count + 1
    if is_object and count > 1 or not has_one_order(item) then return false end
  end
  return true
end

local function as_json(text)
  local value, err = json.decode(text)
  if err or type(value) ~= "table" or not has_one_order(value) then return nil end
  local ok, again = pcall(json.body, value)
  return ok and again == text and value or nil
end

local function decoded(text)
  return (url_native.decode((text:gsub("%+", " "))))
end

-- The pairs of a form, and whether a map would give the same.
local function fields_of(text)
  local list, map, is_map = {}, {}, true
  for field in text:gmatch("[^&]+") do
    local name, value = field:match("^([^=]*)=(.*)$")
    if not name then return nil end
    name, value = decoded(name), decoded(value)
    if not name or not value then return nil end
    is_map = is_map and map[name] == nil
    list[#list + 1], map[name] = { name, value }, value
  end
  return list, is_map and map
end

local function as_form(text)
  local list, map = fields_of(text)
  if not list or not list[1] then return nil end
  if map and query.encode({ map }, "+", "form field") == text then return map end
  return query.encode({ list }, "+", "form field") == text and list or nil
end

---The fields of a text, in their order; nil where they would give other bytes.
---@param text string
---@return string[][]?
function script_body.fields(text)
  local list = fields_of(text)
  return list and list[1] and query.encode({ list }, "+", "form field") == text and list or nil
end

local READERS = {
  ["application/json"] = { "json", as_json }, ["application/x-www-form-urlencoded"] = { "form", as_form },
}

-- The name of the header, when it has one plain value.
local function content_type(headers)
  for name, value in pairs(headers) do
    if type(name) == "string" and name:lower() == "content-type" then
      return name, type(value) == "string" and value or nil
    end
  end
end

---The options, with a body of text as `json` or `form` where that is the same.
---@param opts table
---@return table
function script_body.readable(opts)
  local body, headers = opts.body, opts.headers
  if type(body) ~= "string" or type(headers) ~= "table" or #body > MAX_TEXT then return opts end
  local name, given = content_type(headers)
  local reader = READERS[given]
  local value = reader and reader[2](body)
  if not value then return opts end
  local changed = overlay(opts)
  changed.body, changed.headers = nil, overlay(headers)
  changed.headers[name] = nil
  if next(changed.headers) == nil then changed.headers = nil end
  changed[reader[1]] = value
  return changed
end

return script_body
