--- What the options of a request mean.

local caret = require "lurcher.command.caret"

local options = {}

-- Where the value of --name=value begins.
local function refuse(option, message)
  local at = option.argument:find("=", 1, true)
  caret.refuse(message, option.argument, (at or 0) + 1, #option.argument)
end

local function number(option, least, what)
  local value = option.value:find("^%d*%.?%d+$") and tonumber(option.value)
  if not value or value < least then refuse(option, what) end
  return value
end

local function whole(option, least, what)
  local value = number(option, least, what)
  if value % 1 ~= 0 then refuse(option, what) end
  return value
end

local function tls(record)
  record.opts.tls = record.opts.tls or {}
  return record.opts.tls
end

-- Those that are part of the request, in the order in which they are looked at.
local REQUEST = {
  timeout = function(record, option)
    record.opts.timeout = number(option, 0.001, "--timeout is a number of seconds above 0")
  end,
  retry = function(record, option)
    local attempts = whole(option, 0, "--retry is a whole number of attempts")
    record.opts.retry = attempts > 0 and attempts or false
  end,
  rate = function(record, option)
    record.client = record.client or {}
    record.client.limits = { rate = number(option, 1e-6, "--rate is a number of requests a second") }
  end,
  redirects = function(record, option)
    record.opts.redirects = whole(option, 0, "--redirects is a whole number")
  end,
  http = function(record, option)
    if option.value ~= "1.1" and option.value ~= "2" then refuse(option, "--http is 1.1 or 2") end
    record.opts.http_version = option.value
  end,
  proxy = function(record, option) record.opts.proxy = option.value end,
  insecure = function(record) tls(record).verify = false end,
  cacert = function(record, option) tls(record).ca = option.value end,
  cert = function(record, option) tls(record).cert = option.value end,
  key = function(record, option) tls(record).key = option.value end,
  unix_socket = function(record, option) record.opts.unix_socket = option.value end,
  auth = function(record, option) require("lurcher.command.request.credentials").auth(record, option) end,
  bearer = function(record, option) require("lurcher.command.request.credentials").bearer(record, option) end,
  netrc = function(record) record.opts.auth = require("lurcher.http").netrc() end,
  resolve = function(record, _, typed)
    record.opts.resolve = {}
    for _, argument in ipairs(typed.resolve) do
      local text = argument:match("=(.*)$")
      local host, port, place = text:match("^(%[[^%]]*%]):(%d+):(.+)$")
      if not host then host, port, place = text:match("^([^:]+):(%d+):(.+)$") end
      if not host then caret.refuse("--resolve is HOST:PORT:ADDRESS", argument, #argument - #text + 1, #argument) end
      record.opts.resolve[host .. ":" .. port] = place
    end
  end,
}

-- Those that say what is done with it.
local SETTINGS = {
  concurrency = function(option) return whole(option, 1, "--concurrency is a whole number of at least 1") end,
  pretty = function(option)
    local is_known = option.value == "auto" or option.value == "all" or option.value == "none"
    return is_known and option.value or refuse(option, "--pretty is auto, all or none")
  end,
}

---@param typed lurcher.command.Typed
---@return table record with `opts` and `client`
---@return table settings
function options.apply(typed)
  local record, settings = { opts = {} }, { show_secrets = false }
  for name, option in pairs(typed.options) do
    if REQUEST[name] then
      REQUEST[name](record, option, typed)
    else
      settings[name] = SETTINGS[name] and SETTINGS[name](option) or option.value
    end
  end
  return record, settings
end

return options
