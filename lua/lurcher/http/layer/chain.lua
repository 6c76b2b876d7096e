--- The layers of a client:
---
---   middleware → download → redirect → retry → breaker → cookies → auth → cookies → hooks → transport
---
--- A layer is `function(request, next)`. The chain is put together once per client.

local auth = require "lurcher.http.layer.auth"
local cookies = require "lurcher.http.layer.cookies"
local middleware = require "lurcher.http.layer.middleware"
local observe = require "lurcher.http.observe"
local redirect = require "lurcher.http.layer.redirect"
local resubmit = require "lurcher.http.layer.resubmit"
local retry = require "lurcher.http.layer.retry"
local transport = require "lurcher.http.layer.transport"

local chain = {}

local function bind(layer, next)
  return function(req)
    return layer(req, next)
  end
end

-- Loaded by the first download.
local function save_download(req, next)
  if not req.download then return next(req) end
  return require("lurcher.http.layer.download").layer(req, next)
end

---The layers of a client, outermost first, as one function.
---@param client lurcher.Client
---@param functions? function[] its middleware
---@return fun(request: lurcher.Request): lurcher.Response?, lurcher.Error?
function chain.new(client, functions)
  local layers, hooks = { observe.layer }, client.hooks
  if functions and functions[1] then
    layers[#layers + 1] = middleware.expose
    for _, fn in ipairs(functions) do layers[#layers + 1] = middleware.wrap(fn) end
    layers[#layers + 1] = middleware.enter
  end
  layers[#layers + 1] = save_download
  layers[#layers + 1] = redirect.layer
  layers[#layers + 1] = retry.layer
  layers[#layers + 1] = client.breakers and require("lurcher.http.layer.breaker").layer or resubmit.layer
  if client.cookies then layers[#layers + 1] = cookies.layer end
  layers[#layers + 1] = auth.layer
  if client.cookies then layers[#layers + 1] = cookies.keep end
  if hooks.request or hooks.response then layers[#layers + 1] = middleware.watch end
  local run = transport.send
  for i = #layers, 1, -1 do run = bind(layers[i], run) end
  return run
end

return chain
