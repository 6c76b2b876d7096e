--- What a mock does with a request that arrives below all layers.

local errors = require "lurcher.base.errors"
local exchange = require "lurcher.http.layer.exchange"
local native = require "lurcher.native.url"
local play = require "lurcher.mock.play"
local redact = require "lurcher.base.redact"
local secret = require "lurcher.base.secret"
local seen = require "lurcher.mock.seen"

local transport = {}

local MAX_KEPT = 1000     -- requests for `requests()`
local MAX_DIFFERENCES = 8 -- in a message

---A copy of the end of a list of requests.
---@param list lurcher.mock.Request[]
---@return lurcher.mock.Request[]
function transport.latest(list)
  local copy = {}
  for i = math.max(1, #list - MAX_KEPT + 1), #list do copy[#copy + 1] = list[i] end
  return copy
end

-- Where a request is not what an entry is for, in words.
local function describe(one, differences)
  local lines = { ("nearest is %s:"):format(tostring(one)) }
  for i = 1, math.min(#differences, MAX_DIFFERENCES) do
    local field, wanted, sent = unpack(differences[i])
    lines[#lines + 1] = ("  %s: wanted %s, got %s"):format(field, wanted, sent)
  end
  if #differences == 0 then lines[#lines + 1] = ("  it has answered as often as it may (%d)"):format(one.used) end
  return table.concat(lines, "\n")
end

local function miss(self, req, nearest, differences, why)
  local message = ("no entry of the mock is for %s %s"):format(req.method, redact.url(req.url))
  if why then
    message = why
  elseif nearest then
    message = message .. "; " .. describe(nearest, differences)
  else
    message = message .. "; it has no entries"
  end
  self.unexpected[#self.unexpected + 1] = req
  return secret.scrub(message)
end

-- What a difference weighs: a request to the same URL is nearer than one of the same method.
local WEIGHT = { url = 10, method = 4 }

local function distance(differences)
  local sum = 0
  for _, one in ipairs(differences) do sum = sum + (WEIGHT[one[1]] or 1) end
  return sum
end

local function find(self, request, body)
  local req = seen.of(request, body)
  local received = self.received
  received[#received + 1] = req
  if #received > 2 * MAX_KEPT then self.received = transport.latest(received) end
  local nearest, least, least_differences
  for _, one in ipairs(self.entries) do
    local differences = one:differences(req)
    local is_spent = one:is_spent()
    if #differences == 0 and not is_spent then
      req.entry = one
      return one:take(), req, "the mock's reply to " .. one.name
    end
    local far = distance(differences) + (is_spent and 0.5 or 0)
    if not least or far < least then nearest, least, least_differences = one, far, differences end
  end
  local why
  if self.source then
    local one, what = self.source:answer(req)
    if one then return one, req, what end
    why = what
  end
  return nil, miss(self, req, nearest, least_differences, why)
end

---The connection of a WebSocket.
---@param self lurcher.Mock
---@param request lurcher.Request
---@return table? feeder none
---@return table? connection as the native one
---@return lurcher.Error? err
function transport.websocket(self, request)
  local one, req, what = find(self, request, "")
  if not one then return nil, nil, errors.new { kind = "mock", message = req, retryable = false } end
  return nil, play.connection(one, req, what)
end

---Whether a request goes to the network.
---@param self lurcher.Mock
---@param request lurcher.Request
---@return boolean
function transport.passes(self, request)
  return self.origins[native.origin(request.url)] or false
end

-- Ends both companions of a call: what feeds the request's body, and what answers.
local function both(feeder, player)
  if not (feeder and player) then return feeder or player end
  return { stop = function()
    feeder:stop()
    player:stop()
  end }
end

---Answers a request below all layers.
---@param request lurcher.Request
---@param call function native.perform or native.open
---@param answer fun(request: lurcher.Request, body: string): table?, lurcher.mock.Request|string, string? as play.begin
---@return table? feeder
---@return integer? status, … as exchange.run
function transport.answered(request, call, answer)
  local player
  local function played(pool, profile, method, url, wire, content, deadline, expects, priority, name, undecided, meter)
    local side, err, info, head = call(pool, profile, method, url, wire, content, deadline, expects, priority, name,
      undecided, meter, true)
    if type(side) ~= "userdata" then return side, err, info, head end
    local ok, raised = pcall(function()
      player = play.begin(side, request, answer)
    end)
    if not ok then
      side:drop()
      error(raised, 0)
    end
    return play.take(side)
  end
  local own = request.settings
  local ok, feeder, status, body, head, info, flags = pcall(exchange.run, request, played, own.profile, nil,
    own.undecided)
  if ok then return both(feeder, player), status, body, head, info, flags end
  if player then player:stop() end
  error(feeder, 0)
end

---What the layer above a network calls.
---@param self lurcher.Mock
---@param request lurcher.Request
---@param call function native.perform or native.open
---@return table? feeder
---@return integer? status, … as exchange.run
function transport.exchange(self, request, call)
  return transport.answered(request, call, function(sent, body) return find(self, sent, body) end)
end

return transport
