--- Makes a request of what was typed: method, URL and options as lurcher.http takes them.

local address = require "lurcher.command.request.address"
local caret = require "lurcher.command.caret"
local items = require "lurcher.command.request.items"
local options = require "lurcher.command.request.options"

local build = {}

---@class lurcher.command.Record
---@field method string
---@field url string
---@field opts table what lurcher.http takes for a request
---@field client? table what it takes for a client besides: limits, cookies
---@field parameters? string[] names of variables that stand for parts of it

local HEADER = { [":"] = true, [":@"] = true, [";"] = true }
local PARAMETER = { ["=="] = true, ["==@"] = true }

local function add_header(opts, item, value)
  opts.headers = opts.headers or {}
  local name = item.name
  for known in pairs(opts.headers) do
    if known:lower() == name:lower() then name = known end
  end
  local before = opts.headers[name]
  if value == false or not before then
    opts.headers[name] = value
  elseif type(before) == "table" then
    before[#before + 1] = value
  else
    opts.headers[name] = { before, value }
  end
end

---@param typed lurcher.command.Typed
---@return lurcher.command.Record record
---@return table settings what is to be shown, and how: the options that are no part of the request
function build.request(typed)
  local record, settings = options.apply(typed)
  local opts, data = record.opts, {}
  record.method, record.url = typed.method, address.complete(typed.url)
  for _, argument in ipairs(typed.items) do
    local item = items.parse(argument)
    if HEADER[item.separator] then
      add_header(opts, item, item.separator == ":" and item.value == "" and false or item.value)
    elseif PARAMETER[item.separator] then
      opts.params = opts.params or {}
      table.insert(opts.params, { item.name, item.value })
    else
      data[#data + 1] = item
    end
  end
  if data[1] then require("lurcher.command.request.data").add(opts, data, settings) end
  return record, settings
end

build.refuse = caret.refuse

return build
