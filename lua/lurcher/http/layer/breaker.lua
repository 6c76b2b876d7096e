--- The circuit breakers of a client, one per origin, and the layer that asks them. It stands below the
--- retries: every attempt at every hop passes it and is recorded.

local circuit = require "lurcher.breaker.circuit"
local classify = require "lurcher.breaker.classify"
local errors = require "lurcher.base.errors"
local metrics = require "lurcher.native.metrics"
local native = require "lurcher.native.task"
local redact = require "lurcher.base.redact"
local resubmit = require "lurcher.http.layer.resubmit"
local origin_of = require("lurcher.native.url").origin
local overlay = require("lurcher.base.tables").overlay

local now = native.shared_now
local xpcall, trace = native.raw_xpcall, native.trace

local breaker_layer = {}

-- Beyond this many origins, breakers that are closed and have no failures are dropped.
local MAX_ORIGINS = 10000

---@class lurcher.Breakers
local Breakers = {}
Breakers.__index = Breakers

---@param opts lurcher.BreakerOptions|true the client option `breaker`
---@param pool userdata
---@return lurcher.Breakers
function breaker_layer.new(opts, pool)
  return setmetatable({ options = opts == true and {} or opts, pool = pool, by_origin = {}, count = 0,
    last_address = false, last = false }, Breakers)
end

local function forget_idle(self)
  local moment = now()
  for origin, one in pairs(self.by_origin) do
    if one.current == "closed" and one.bad:count(moment) == 0 then
      self.by_origin[origin], self.count = nil, self.count - 1
    end
  end
end

-- The breaker of an origin. When it opens, requests that wait for a slot there need not wait any longer: they
-- are refused, or wait for the circuit.
local function new_breaker(self, origin)
  local why = "the circuit of " .. origin .. " opened"
  return circuit.new(overlay(self.options, { name = origin, on_open = function()
    self.pool:refuse_waiting(origin .. "/", "circuit_open", why)
  end }))
end

---The breaker of a URL's origin.
---@param address string canonical
---@return lurcher.Breaker
function Breakers:of(address)
  if address == self.last_address then return self.last end
  local origin = origin_of(address)
  local one = self.by_origin[origin]
  if not one then
    if self.count >= MAX_ORIGINS then forget_idle(self) end
    one = new_breaker(self, origin)
    self.by_origin[origin], self.count = one, self.count + 1
  end
  self.last_address, self.last = address, one
  return one
end

---Why a repetition after so many seconds would be refused, or nil: it need not be waited for.
---@param address string canonical
---@param seconds number
---@return string?
function Breakers:obstacle(address, seconds)
  local one = self:of(address)
  if one.wait or one.current ~= "open" or one.open_until - now() <= seconds then return nil end
  return ("not repeated: the circuit of %s is open (%s)"):format(one.name, one.why)
end

local function tell(request, event)
  if not event then return end
  request:announce("breaker", { name = event.name, from = event.from, to = event.to, cause = event.cause,
    wait = event.wait, why = ("%s to %s: %s"):format(event.from, event.to, event.why) })
end

local function tell_of_wait(request, one, waited)
  request:announce("breaker_wait", { waited = waited, why = ("the circuit of %s was open"):format(one.name) })
end

local function refuse(request, one)
  local err = circuit.refusal(one)
  metrics.refused(request.url, request.settings.name or nil, err.kind)
  err.method, err.url = request.method, redact.url(request.url)
  err.attempts, err.elapsed = request.attempts - 1, request:elapsed()
  request:announce("refused", { attempt = request.attempts, why = err.message, err = err,
    method = request.method, url = request.url })
  return nil, err
end

-- Credentials could not be had elsewhere, from a token server: this origin was not asked.
local function is_of_another(request, err)
  local about = errors.is_error(err) and rawget(err, "url")
  return about and origin_of(about) ~= origin_of(request.url)
end

-- Records the result of an attempt.
local function count(request, one, generation, began, res, err)
  if is_of_another(request, err) then return tell(request, circuit.record(one, generation, nil)) end
  local seconds = one.slow and res and (res.elapsed > 0 and res.elapsed or now() - began)
  local failed, cause = classify(one, res, err, seconds)
  tell(request, circuit.record(one, generation, failed, cause))
end

-- What was raised instead of a result does not count; the place of a probe is given back.
local function give_back(one, generation, res, raised)
  circuit.record(one, generation, nil)
  if res then res:close() end
  error(raised, 0)
end

---Lets a request through, or refuses it.
function breaker_layer.layer(request, next)
  local one = request.client.breakers:of(request.url)
  local generation = request.early_result and request.early_result.generation
  while true do
    if not generation then
      local event, waited
      generation, event, waited = circuit.enter(one, request.deadline or nil)
      if waited then tell_of_wait(request, one, waited) end
      tell(request, event)
      if not generation then return refuse(request, one) end
    end
    local began = now()
    local ok, res, err = xpcall(next, trace, request)
    if not ok then give_back(one, generation, nil, res) end
    local counted, raised = xpcall(count, trace, request, one, generation, began, res, err)
    if not counted then give_back(one, generation, res, raised) end
    if res or not resubmit.is_due(err) then return res, err end
    generation = nil -- this circuit opened while it waited for a slot, or that of another client of the pool
  end
end

return breaker_layer
