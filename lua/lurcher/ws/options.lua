--- The options of ws.connect: its own, and those of requests that make sense for it.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local http_options = require "lurcher.http.options"
local overlay = require("lurcher.base.tables").overlay
local rows = require "lurcher.base.rows"

local options = {}

local MIB = 1024 * 1024

-- Headers that belong to the handshake.
local OWN = { upgrade = true, connection = true, ["sec-websocket-key"] = true, ["sec-websocket-version"] = true,
  ["sec-websocket-protocol"] = true, ["sec-websocket-extensions"] = true }

---@class lurcher.ws.Compression
---@field client_no_context_takeover? boolean default true: nothing is kept between two messages that are sent
---@field server_no_context_takeover? boolean default false: the server keeps nothing between its messages
---@field client_max_window_bits? integer 9 to 15
---@field server_max_window_bits? integer 8 to 15

local function protocols_mismatch(value)
  if value == false then return nil end
  local list, seen = type(value) == "string" and { value } or value, {}
  if type(list) ~= "table" then return "a list of names" end
  for _, name in ipairs(list) do
    if type(name) ~= "string" or name == "" or name:find("[^%w!#$%%&'*+%-.^_`|~]") then
      return "a list of names (tokens)"
    end
    if seen[name] then return "a list that names each only once" end
    seen[name] = true
  end
end

local function bits_mismatch(least)
  return function(value)
    local fits = type(value) == "number" and value % 1 == 0 and value >= least and value <= 15
    return not fits and ("a whole number from %d to 15"):format(least) or nil
  end
end

local COMPRESSION = {
  client_no_context_takeover = "boolean", server_no_context_takeover = "boolean",
  client_max_window_bits = bits_mismatch(9), server_max_window_bits = bits_mismatch(8),
}

local SPECS, DEFAULT = rows.of("ws.connect", "lurcher.ws.Options", {
  { "protocols", check = protocols_mismatch, type = "string[]|string|false",
    help = "subprotocols that are offered, the preferred one first; `c.protocol` is the server's choice",
    example = 'protocols = { "graphql-transport-ws" }' },
  { "max_message", check = "size|huge|false", default = 16 * MIB, shown = "16 MiB",
    help = "bytes of a message, decompressed; more is kind `too_large`", example = "max_message = 1e6" },
  { "ping", check = "limit|false", default = 20,
    help = "seconds of silence after which a ping is sent; as long again without an answer is kind `timeout`",
    example = "ping = 5" },
  { "compress", check = "boolean|table", type = "boolean|lurcher.ws.Compression", default = false,
    help = "offer permessage-deflate; a table for its parameters", example = "compress = true" },
})

-- Options of requests that are fine here.
local SHARED = {}
for name in ([[headers params auth timeout max_headers proxy no_proxy tls unix_socket local_address resolve ip
  user_agent secret_headers name]]):gmatch("%S+") do
  SHARED[name] = true
end

local ELSEWHERE = { subprotocols = "protocols = { … }", max_size = "max_message = …", ping_interval = "ping = seconds",
  heartbeat = "ping = seconds", compression = "compress = true", origin = 'headers = { Origin = "…" }',
  open_timeout = "timeout = { total = … }" }

local function all_names()
  local names = overlay(SPECS)
  for name in pairs(SHARED) do names[name] = true end
  return names
end

local function check_headers(given)
  if type(given) ~= "table" then return end
  for name in pairs(given) do
    if type(name) == "string" and OWN[name:lower()] then
      errors.raise(("ws.connect: the header '%s' belongs to the handshake"):format(name))
    end
  end
end

---Checks the options, and parts them.
---@param opts? table
---@return table own with the defaults
---@return table rest for the request
function options.split(opts)
  if opts ~= nil and type(opts) ~= "table" then check.options(opts, SPECS, "ws.connect") end
  local own, rest = overlay(DEFAULT), {}
  for name, value in pairs(opts or {}) do
    if SHARED[name] then
      rest[name] = value
    elseif SPECS[name] == nil then
      if ELSEWHERE[name] then check.option(name, value, SPECS, "ws.connect", ELSEWHERE) end
      errors.raise("ws.connect: " .. check.unknown(name, all_names()))
    else
      check.option(name, value, SPECS, "ws.connect")
      own[name] = value
    end
  end
  check_headers(rest.headers)
  if type(own.protocols) == "string" then own.protocols = { own.protocols } end
  if type(own.compress) == "table" then check.options(own.compress, COMPRESSION, "ws.connect: compress") end
  if own.compress == true then own.compress = {} end
  http_options.check_request(rest, "ws.connect")
  return own, rest
end

return options
