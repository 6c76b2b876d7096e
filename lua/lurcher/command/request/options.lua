--- What the options of a request mean.

local caret = require "lurcher.command.caret"
local http_options = require "lurcher.http.options"

local options = {}

-- The value of an option is not what it has to be.
local function refuse(option, message)
  local first = option.value ~= true and #option.argument - #option.value + 1 or 1
  caret.refuse(message, option.argument, first, math.max(first, #option.argument))
end

local function number(option, least, what)
  local value = option.value:find("^%d*%.?%d+$") and tonumber(option.value)
  if not value or value < least or value > 1e9 then refuse(option, what) end
  return value
end

local function whole(option, least, what)
  local value = number(option, least, what)
  if value % 1 ~= 0 then refuse(option, what) end
  return value
end

-- Those of a request, each with the value that lurcher.http takes.

local function set(name, value_of)
  return function(record, option) record.opts[name] = value_of(option) end
end

local function set_tls(name, value_of)
  return function(record, option)
    record.opts.tls = record.opts.tls or {}
    record.opts.tls[name] = value_of(option)
  end
end

local function text(option)
  if option.value == "" then refuse(option, "there is no value") end
  return option.value
end

-- A file that has to be there.
local function path(option)
  local inputs = require "lurcher.command.request.inputs"
  inputs.check(text(option), option.argument, #option.argument - #option.value + 1)
  return inputs.path(option.value)
end

local function credential(name)
  return function(record, option, typed)
    local others = { auth = "bearer", bearer = "auth" }
    if typed.options[others[name]] and record.opts.auth then
      refuse({ value = true, argument = option.argument }, ("--%s is given already"):format(others[name]))
    end
    record.opts.auth = require("lurcher.command.request.credentials")[name](option, record.variables)
  end
end

-- Of --resolve=HOST:PORT:ADDRESS, where a host may be an IPv6 address in brackets.
local function resolve(record, _, typed)
  record.opts.resolve = {}
  for _, option in ipairs(typed.resolve) do
    local host, port, place = option.value:match("^(%[[^%]]*%]):(%d+):(.+)$")
    if not host then host, port, place = option.value:match("^([^:]+):(%d+):(.+)$") end
    if not host then refuse(option, "--resolve is HOST:PORT:ADDRESS") end
    record.opts.resolve[host .. ":" .. port] = place
  end
end

local REQUEST = {
  timeout = set("timeout", function(option)
    return number(option, 0.001, "--timeout is a number of seconds above 0")
  end),
  retry = set("retry", function(option)
    local attempts = whole(option, 0, "--retry is a whole number of attempts")
    return attempts > 0 and attempts or false
  end),
  redirects = set("redirects", function(option)
    return whole(option, 0, "--redirects is a whole number, 0 for none")
  end),
  http = set("http_version", function(option)
    if option.value ~= "1.1" and option.value ~= "2" then refuse(option, "--http is 1.1 or 2") end
    return option.value
  end),
  proxy = set("proxy", text),
  unix_socket = set("unix_socket", text),
  insecure = set_tls("verify", function() return false end),
  cacert = set_tls("ca", path),
  cert = set_tls("cert", path),
  key = set_tls("key", path),
  rate = function(record, option)
    record.client = record.client or {}
    record.client.limits = { rate = number(option, 1e-6, "--rate is a number of requests a second, above 0") }
  end,
  auth = credential "auth",
  bearer = credential "bearer",
  netrc = function(record, _, typed)
    if not (typed.options.auth or typed.options.bearer) then record.opts.auth = require("lurcher.http").netrc() end
  end,
  resolve = resolve,
}

-- Those that say what is done with it.
local SETTINGS = {
  concurrency = function(option) return whole(option, 1, "--concurrency is a whole number of at least 1") end,
  pretty = function(option)
    local is_known = option.value == "auto" or option.value == "all" or option.value == "none"
    return is_known and option.value or refuse(option, "--pretty is auto, all or none")
  end,
}

-- lurcher.http knows what may not be; here it gets its caret.
local function check(record, option)
  local ok, message = pcall(http_options.check_request, record.opts, "")
  if not ok then refuse(option, message:match("option '.*$")) end
end

-- Options of which one would be without effect: the first of each goes with none of the others.
local ALONE = {
  { "each", "pages", "download", "include", "verbose", "headers", "lua" },
  { "pages", "download", "include", "verbose", "headers", "curl" },
  { "download", "output", "pick" },
}

local function spelled(name) return "--" .. name:gsub("_", "-") end

local function check_together(typed)
  for _, names in ipairs(ALONE) do
    for i = 2, typed.options[names[1]] and #names or 1 do
      local other = typed.options[names[i]]
      if other then
        refuse({ value = true, argument = other.argument },
          ("%s does not go with %s"):format(spelled(names[i]), spelled(names[1])))
      end
    end
  end
  if typed.options.items and not typed.options.pages then
    refuse({ value = true, argument = typed.options.items.argument }, "--items is for --pages")
  end
end

---What a command line says beside URL and items; raises wrong usage.
---@param typed lurcher.command.Typed
---@return table record with `opts` and `client`
---@return table settings by name: the value of an option, or true
function options.apply(typed)
  local record, settings = { opts = {}, variables = {} }, {}
  for _, name in ipairs(typed.order) do
    local option = typed.options[name]
    if REQUEST[name] then
      REQUEST[name](record, option, typed)
      check(record, option)
    else
      settings[name] = SETTINGS[name] and SETTINGS[name](option) or option.value
    end
  end
  check_together(typed)
  return record, settings
end

return options
