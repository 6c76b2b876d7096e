--- What the schemes have in common: those that give one header before a request, and those that see its answer,
--- too: objects with a method `layer(request, next)`, which the layer of authentication calls for each attempt
--- at each hop.

local body = require "lurcher.http.body"
local secret = require "lurcher.base.secret"

local scheme = {}

-- What schemes were made of, away from those who print them.
local held = setmetatable({}, { __mode = "k" })

---Makes the class of a scheme. Its objects hold nothing that could be printed.
---@param name string of the function in lurcher.http
---@return table class with `new(…)`, which is given that function's arguments
function scheme.class(name)
  local class = { __name = "lurcher.Auth" }
  class.__index = class
  function class.__tostring() return "http." .. name end
  function class.new(...)
    local self = setmetatable({}, class)
    held[self] = { name = name, ... }
    return self
  end
  return class
end

---What a scheme was made of, for those who write it down: `name`, of the function in lurcher.http, and that
---function's arguments as a list. Nil for what is no scheme of ours.
---@param value any
---@return table?
function scheme.described(value)
  return held[value]
end

-- Bytes from which on what is sent as a credential is a secret by itself: servers repeat it in what they say of a
-- refusal. Shorter ones stand in too many places by chance.
local MIN_HIDDEN = 8

---Marks what is sent as a credential; it is scrubbed from messages as long as somebody holds the mark.
---@param credential string
---@return lurcher.Secret? mark
function scheme.hidden(credential)
  return #credential >= MIN_HIDDEN and secret.new(credential) or nil
end

---A scheme that gives one header before each attempt. Marked secrets stay known as long as the scheme.
---@param name string of the function in lurcher.http
---@param header fun(request: lurcher.Request): string?, any
---@param ... any the arguments of that function, and what marks them
---@return table
function scheme.of_header(name, header, ...)
  local shown = function() return "http." .. name end
  local self = setmetatable({ header = header }, { __name = "lurcher.Auth", __tostring = shown })
  held[self] = { name = name, ... }
  return self
end

---Whether the request's body can be sent once more.
---@param request lurcher.Request
---@return boolean
function scheme.repeatable(request)
  return request:has_repeatable_body()
end

---Whether all of the request's body can be read before it is sent.
---@param request lurcher.Request
---@return boolean
function scheme.has_body_at_hand(request)
  return type(request.body) ~= "table" or body.at_hand(request.body)
end

---The URL as it goes over the wire.
---@param request lurcher.Request
---@param origin string
---@return string
function scheme.target(request, origin)
  local raw = request.options and request.options.raw_target
  return raw and raw:sub(1, 1) == "/" and origin .. raw or request.url
end

return scheme
