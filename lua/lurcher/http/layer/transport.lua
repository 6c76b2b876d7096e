--- The last layer: one attempt at one hop, over the network.

local learned = require "lurcher.http.layer.server_limits"
local native = require "lurcher.native.http"
local observe = require "lurcher.http.observe"
local redact = require "lurcher.base.redact"
local response = require "lurcher.http.response"
local retry_policy = require "lurcher.http.retry_policy"
local stream = require "lurcher.http.stream"
local succeed = require("lurcher.breaker.circuit").succeed

local perform, open, setmetatable = native.perform, native.open, setmetatable
local Response = response.metatable

local transport = {}

local function with_fragment(url, fragment)
  return fragment == "" and url or url .. fragment
end

-- When an attempt left the queue, or nil when it did not.
local function dispatched(info)
  local moment = info and native.info(info).dispatched
  return moment and moment > 0 and moment or nil
end

-- What to do about a time limit.
local ADVICE = {
  queue = "raise timeout.queue or the limits of the client",
  connect = "raise timeout.connect or check the network",
  write = "raise timeout.write if the peer may be slower",
  read = "raise timeout.read if the server may take longer",
  total = "raise timeout.total if the whole may take longer",
}

local function failed(request, err, info)
  err.method, err.url = request.method, redact.url(request.url)
  err.attempts, err.elapsed = request.attempts, request:elapsed()
  err.retryable = retry_policy.is_retryable(request, err)
  err.dispatched = dispatched(info)
  local advice = err.kind == "timeout" and ADVICE[err.phase]
  if advice then err.message = err.message .. "; " .. advice end
  if observe.enabled then observe.attempt(request, advice and "timeout/" .. err.phase or err.kind, info) end
  return nil, err
end

-- Whether others that go to the same origin should know about this response.
local function speaks_of_limits(status, notes)
  return notes >= 2 or status == 429 or status == 503
end

---Sends the request once.
---@param request lurcher.Request
---@return lurcher.Response? res
---@return lurcher.Error? err
function transport.send(request)
  if request.stream then return transport.open(request) end
  local method, url, outcome = request.method, request.url, request.outcome
  local status, body, head, info, notes
  if outcome then
    request.outcome = false
    status, body, head, info, notes = unpack(outcome, 1, 5)
  else
    local plan = request.plan
    status, body, head, info, notes = perform(request.client.pool, plan.profile, method, url, request:wire(),
      request.body or nil, request.deadline or nil, request.expect_continue, plan.priority, plan.name)
  end
  if not status then return failed(request, body, head) end
  if observe.enabled then observe.attempt(request, tostring(status), info) end
  if speaks_of_limits(status, notes) then learned.heed(request, status, head, info) end
  return setmetatable({
    status = status, ok = status >= 200 and status < 300, body = body, head = head, info = info,
    method = method, url = with_fragment(url, request.fragment), attempts = request.attempts,
  }, Response)
end

---The usual case at little cost: a first attempt past the layers, because none has anything to do before it,
---and a response that none would do anything about. Else nil and what came instead, for them to go on from
---there. This one is for a request without options, which is not even made then.
---@param client lurcher.Client
---@param method string
---@param address string canonical
---@param circuit lurcher.Breaker|false a closed one
---@return lurcher.Response? res
---@return table? outcome
function transport.direct(client, method, address, circuit)
  local plan, ticket = client.plan, circuit and circuit.generation
  local status, body, head, info, notes = perform(client.pool, plan.profile, method, address, plan.wire,
    nil, nil, nil, plan.priority, plan.name)
  if notes == 0 and plan.quiet[status] then
    if circuit then succeed(circuit, ticket) end
    return setmetatable({
      status = status, ok = true, body = body, head = head, info = info, method = method, url = address,
      attempts = 1,
    }, Response)
  end
  return nil, { status, body, head, info, notes, ticket = ticket }
end

---A first attempt of a request past the layers. Nil: they are to go on from its outcome, which is in the
---request.
---@param request lurcher.Request
---@param circuit lurcher.Breaker|false a closed one
---@return lurcher.Response? res
function transport.first(request, circuit)
  local plan, client, ticket = request.plan, request.client, circuit and circuit.generation
  local status, body, head, info, notes = perform(client.pool, plan.profile, request.method, request.url,
    request:wire(), request.body or nil, nil, request.expect_continue, plan.priority, plan.name)
  if notes == 0 and plan.quiet[status] then
    if circuit then succeed(circuit, ticket) end
    return setmetatable({
      status = status, ok = true, body = body, head = head, info = info, method = request.method,
      url = with_fragment(request.url, request.fragment), attempts = 1,
    }, Response)
  end
  request.outcome = { status, body, head, info, notes, ticket = ticket }
  return nil
end

---Sends the request once; the response's body is still to come.
---@param request lurcher.Request
---@return lurcher.Response? res
---@return lurcher.Error? err
function transport.open(request)
  local method, url, plan = request.method, request.url, request.plan
  local status, body, head, info, notes = open(request.client.pool, plan.profile, method, url, request:wire(),
    request.body or nil, request.deadline or nil, request.expect_continue, plan.priority, plan.name)
  if not status then return failed(request, body, head) end
  if observe.enabled then observe.attempt(request, tostring(status), info) end
  if speaks_of_limits(status, notes) then learned.heed(request, status, head, info) end
  return stream.response {
    status = status, ok = status >= 200 and status < 300, stream = body, head = head,
    method = method, url = with_fragment(url, request.fragment), attempts = request.attempts,
    max_body = plan.max_body, observed = observe.enabled and request or nil,
  }
end

return transport
