--- What each option of a curl command sets: one function an option, in the order of the command. What they gather
--- is made requests in curl_request.lua.

local curl_form = require "lurcher.convert.curl_form"
local curl_way = require "lurcher.convert.curl_way"
local data = require "lurcher.convert.data"
local date = require "lurcher.date"
local parameters = require "lurcher.convert.parameters"
local refusal = require "lurcher.convert.refusal"
local text = require "lurcher.base.text"

local curl_settings = {}

---@class lurcher.CurlSettings
---@field urls string[]
---@field uploads string[] the paths of -T
---@field data? (string|table)[] pieces
---@field unencoded? string the first of --data-urlencode with a variable, whose piece is a field { name, text }
---@field query_fields string[][] those of --url-query
---@field form? table[] parts
---@field headers string[][] { name, value }; value false: removed
---@field opts table options of the request
---@field shown { include?: boolean, verbose?: boolean }
---@field outputs string[] the paths of -o
---@field warnings string[]
---@field input? { text?: string, path?: string } what is standard input
local Settings = {}
Settings.__index = Settings

function Settings:warn(...) table.insert(self.warnings, (...):format(select(2, ...))) end

local set = setmetatable({}, { __index = curl_way })

-- ---- URL and method ----

function set.url(self, value) table.insert(self.urls, value) end
set["upload-file"] = function(self, value) table.insert(self.uploads, value) end
function set.request(self, value) self.method = value end
function set.get(self, on) self.is_get = on end
function set.head(self, on) self.is_head = on end
function set.globoff(self, on) self.is_plain_url = on end
set["path-as-is"] = function(self, on) self.keeps_dots = on end
set["request-target"] = function(self, value) self.opts.raw_target = value end
set["proto-default"] = function(self, value) self.scheme = value:lower() end

-- ---- data ----

-- What stands behind an "@": a piece of data.
local function file_piece(self, path, strips)
  local input = self.input
  if path == "-" then
    if input and input.text then return strips and input.text:gsub("[\r\n]+", "") or input.text end
    path = input and input.path or data.STDIN
  end
  return { path = path, strips = strips }
end

local function add_data(self, piece, is_json)
  self.data = self.data or {}
  if self.data[1] ~= nil and not is_json then table.insert(self.data, "&") end
  table.insert(self.data, piece)
end

-- What is encoded is read now.
local function file_text(self, path)
  local piece = file_piece(self, path, false)
  return type(piece) == "string" and piece or data.read(piece.path)
end

function set.data(self, value)
  add_data(self, value:sub(1, 1) == "@" and file_piece(self, value:sub(2), true) or value)
end
set["data-ascii"] = set.data
set["data-raw"] = function(self, value) add_data(self, value) end
set["data-binary"] = function(self, value)
  add_data(self, value:sub(1, 1) == "@" and file_piece(self, value:sub(2), false) or value)
end
function set.json(self, value)
  self.is_json = true
  add_data(self, value:sub(1, 1) == "@" and file_piece(self, value:sub(2), false) or value, true)
end

-- With "+" for a space. curl writes other digits into bodies than into URLs.
local DIGITS = { ["--data-urlencode"] = "%%%02X", ["--url-query"] = "%%%02x" }

local function encoded(content, digits)
  return (content:gsub("[^%w%-._~]", function(byte)
    return byte == " " and "+" or digits:format(byte:byte())
  end))
end

---Refuses a variable that would have to be encoded.
---@param value string
---@param flag string
function curl_settings.refuse_to_encode(value, flag)
  refusal.raise(("%s %s: the value of a variable would have to be encoded: write it, or encode it and use %s"):format(
    flag, parameters.shown(value), flag == "--url-query" and "--url-query +…" or "--data"))
end

-- The forms `text`, `=text`, `name=text`, `@file` and `name@file`. Where a variable stands in `name=text`, a field
-- { name, text }, which is encoded when it is sent.
local function urlencoded(self, value, flag)
  local name, mark, rest = value:match("^([^=@]*)([=@])(.*)$")
  if not name then name, mark, rest = "", "=", value end
  local content = mark == "@" and file_text(self, rest) or rest
  if parameters.is_in(value) then
    if name == "" or parameters.is_in(name) or mark == "@" then curl_settings.refuse_to_encode(value, flag) end
    return { name, content }
  end
  return (name ~= "" and name .. "=" or "") .. encoded(content, DIGITS[flag])
end

set["data-urlencode"] = function(self, value)
  local piece = urlencoded(self, value, "--data-urlencode")
  self.unencoded = self.unencoded or type(piece) == "table" and value or nil
  add_data(self, piece)
end
set["url-query"] = function(self, value)
  local part = value:match("^%+(.*)$") or urlencoded(self, value, "--url-query")
  if type(part) == "table" then
    table.insert(self.query_fields, part)
    return
  end
  if self.query_fields[1] then refusal.raise "--url-query with a variable: give it behind those without" end
  self.query = self.query and self.query .. "&" .. part or part
end

local function add_part(self, part)
  self.form = self.form or {}
  table.insert(self.form, part)
end

function set.form(self, value) add_part(self, curl_form.part(value, self.input)) end
set["form-string"] = function(self, value) add_part(self, curl_form.string(value)) end
set["form-escape"] = function(self, on)
  if on then self:warn "--form-escape is left out: names of parts are written as browsers do" end
end

-- ---- headers ----

local function add_header(self, line)
  local colon = line:find(":", 1, true)
  local name, value
  if colon then
    name = line:sub(1, colon - 1)
    local from = line:find("%S", colon + 1)
    value = from and line:sub(from) -- with nothing behind it: removed
  else
    name, value = text.trim(line):match("^([^;]*);$"), ""
    if not name then return self:warn("the header '%s' has no colon: curl leaves it out, too", line) end
  end
  name = text.trim(name)
  if name == "" then return self:warn("the header '%s' has no name: left out", line) end
  table.insert(self.headers, { name, value or false })
end

function set.header(self, value)
  if value:sub(1, 1) ~= "@" then return add_header(self, value) end
  for line in (file_text(self, value:sub(2)) .. "\n"):gmatch("([^\n]*)\n") do
    line = line:gsub("\r$", "")
    if line ~= "" and line:sub(1, 1) ~= "#" then add_header(self, line) end
  end
end

set["user-agent"] = function(self, value) self.user_agent = value end

function set.referer(self, value)
  local address = value:gsub(";auto$", "")
  if address ~= value then self:warn "--referer …;auto: redirects do not change the referer" end
  self.referer = address
end

function set.range(self, value)
  self.range = value:find("^%d+$") and value .. "-" or value
end

set["continue-at"] = function(self, value)
  if value == "-" then return self:warn "--continue-at - is left out: http.download goes on from what is there" end
  if not value:find("^%d+$") then refusal.raise(("--continue-at %s: no number of bytes"):format(value)) end
  self.range = value .. "-"
end

set["time-cond"] = function(self, value)
  local sign, written = value:match("^([+%-=]?)(.*)$")
  local seconds = date.parse(written)
  if sign == "=" or not seconds then refusal.raise(("--time-cond %s: no date that is understood"):format(value)) end
  local name = sign == "-" and "If-Unmodified-Since" or "If-Modified-Since"
  table.insert(self.headers, { name, date.format(seconds, "http") })
end

function set.cookie(self, value)
  value = value:gsub("^@", "")
  if value:find("=", 1, true) or parameters.is_in(value) then
    self.cookies = self.cookies and self.cookies .. ";" .. value or value
  elseif value ~= "" then
    self.cookie_file = value
  end
end

set["cookie-jar"] = function(self, value)
  self.cookie_jar = value
  self:warn('--cookie-jar %s is left out: http.client { cookies = "%s" } keeps cookies', value, value)
end

-- ---- what is shown ----

-- A request has none of it; whoever sends one at once takes it from `shown`.
function set.include(self, on) self.shown.include = on end
function set.verbose(self, on) self.shown.verbose = on end
function set.output(self, value) table.insert(self.outputs, value) end

-- ---- reading ----

local function apply(self, argument)
  local option, value = argument.option, argument.value
  if option.role == "used" then
    set[option.name](self, value)
  elseif option.role == "noted" and value then
    local flag = option.takes_value and ("--%s %s"):format(option.name, value) or "--" .. option.name
    self:warn("%s is left out: %s", flag, option.why)
  elseif option.role == "refused" and value then
    refusal.raise(("--%s is not understood: %s"):format(option.name, option.why))
  end
end

---What the options of a block set.
---@param arguments lurcher.CurlArgument[]
---@param input? { text?: string, path?: string }
---@param warnings string[]
---@return lurcher.CurlSettings
function curl_settings.read(arguments, input, warnings)
  local self = setmetatable({ urls = {}, uploads = {}, headers = {}, opts = {}, warnings = warnings, input = input,
    shown = {}, outputs = {}, auth = {}, proxy_tls = {}, resolve = {},
    query_fields = {} }, Settings)
  for _, argument in ipairs(arguments) do apply(self, argument) end
  return self
end

return curl_settings
