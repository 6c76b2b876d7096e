--- Makes a request of what was typed: method, URL and options as lurcher.http takes them.

local address = require "lurcher.command.request.address"
local options = require "lurcher.command.request.options"

local build = {}

---@class lurcher.command.Record
---@field method string
---@field url string
---@field opts table what lurcher.http takes for a request
---@field client? table what it takes for a client besides: limits, cookies
---@field variables table<string, string> names of environment variables by their values: where credentials are from

-- Puts what a line of --each holds in place of `{}` and `{name}`. A "url" is percent-encoded, "json" is the text
-- of a value.
---@alias lurcher.command.Fill fun(text: string, how: "url"|"json"|"text"): string

-- The URL, which is raw where a line is all of it.
local function url_of(typed, fill)
  local base = typed.options.session and require("lurcher.command.request.session").base_url(typed)
  if not fill then return address.check(typed.url, base) end
  return address.complete(typed.url == "{}" and fill("{}", "text") or fill(typed.url, "url"), base)
end

---The request of one command line; raises wrong usage.
---@param typed lurcher.command.Typed
---@param fill? lurcher.command.Fill
---@return lurcher.command.Record record
---@return table settings what is to be shown, and how: the options that are no part of the request
function build.request(typed, fill)
  local record, settings = options.apply(typed)
  record.method, record.url = typed.method, url_of(typed, fill)
  if typed.items[1] then
    local data = require("lurcher.command.request.fields").set(record.opts, typed.items, fill)
    require("lurcher.command.request.data").set(record.opts, typed, data, fill)
  elseif typed.options.body or typed.options.json then
    require("lurcher.command.request.data").set(record.opts, typed, {}, fill)
  end
  if typed.options.session then require("lurcher.command.request.session").apply(typed, record) end
  return record, settings
end

return build
