--- The last layer: one attempt at one hop, over the network.

local lazy = require "lurcher.base.lazy"
local native = require "lurcher.native.http"
local observe = require "lurcher.http.observe"
local response_class = require "lurcher.http.response_class"
local secret = require "lurcher.base.secret"

local exchange = lazy "lurcher.http.layer.exchange"
local redact = lazy "lurcher.base.redact"
local retry_policy = lazy "lurcher.http.retry_policy"
local stream = lazy "lurcher.http.stream"

local record_success -- loaded with the first breaker

local perform, open = native.perform, native.open
local new_response = response_class.new

local transport = {}

-- The response of a call's only attempt. `call`: the request, or the settings of one that has nothing else.
local function respond(status, body, head, info, method, url, call)
  if secret.any then url = redact.held(url) end
  return new_response(status, body, head, info, method, url, call)
end

-- The URL as the response has it.
local function with_fragment(request)
  local fragment = request.fragment
  return fragment == "" and request.url or request.url .. fragment
end

-- When an attempt left the queue, or nil when it did not.
local function dispatched(info)
  local moment = info and native.info(info).dispatched
  return moment and moment > 0 and moment or nil
end

-- The response of one attempt of several that there may be.
local function respond_to(request, status, body, head, info)
  local res = respond(status, body, head, info, request.method, with_fragment(request), request)
  res.attempts, res.started = request.attempts, request.started
  return res
end

-- What to do about a time limit.
local ADVICE = {
  queue = "raise timeout.queue or the limits of the client",
  connect = "raise timeout.connect or check the network",
  write = "raise timeout.write if the peer may be slower",
  read = "raise timeout.read if the server may take longer",
  total = "raise timeout.total if the whole may take longer",
}

-- A hold that would outlast the call ends it in the queue, but it is timeout.total that is too short.
local function advice_on(err)
  local outlasts = err.phase == "queue" and err.message:find("timeout.total", 1, true)
  return ADVICE[outlasts and "total" or err.phase]
end

local function failed(request, err, info)
  err.method, err.url = request.method, redact.url(request.url)
  err.attempts, err.elapsed = request.attempts, request:elapsed()
  err.retryable = retry_policy.is_retryable(request, err)
  err.dispatched = dispatched(info)
  local advice = err.kind == "timeout" and advice_on(err)
  if advice then err.message = err.message .. "; " .. advice end
  if observe.enabled then observe.attempt(request, advice and "timeout/" .. err.phase or err.kind, info) end
  return nil, err
end

-- A response whose head is there, which tells whether its body is for the script: it is then gathered, else discarded.
local function undecided(request, status, body, head, info)
  local res = respond_to(request, status, nil, head, nil)
  res.stream, res.dispatched = body, dispatched(info)
  res.undecided = { request = request, failed = failed }
  return stream.keep(res)
end

-- Whether others that go to the same origin should know about this response.
local function speaks_of_limits(status, head_flags)
  return head_flags >= 2 or status == 429 or status == 503 or status == 403
end

-- Looks at what a response says about limits.
local function heed_limits(request, status, head, info, head_flags)
  if not speaks_of_limits(status, head_flags) then return end
  require("lurcher.http.layer.server_limits").apply(request, status, head, info)
end

-- The results of an exchange with the server, perhaps through a proxy.
local function exchanged(request, call)
  local own = request.settings
  local other = own.transport
  if other and not other:passes(request) then return other:exchange(request, call) end
  if own.proxies then return require("lurcher.http.layer.proxied").send(request, call) end
  return exchange.run(request, call, own.profile, nil, own.undecided)
end

---Sends the request once.
---@param request lurcher.Request
---@return lurcher.Response? res
---@return lurcher.Error? err
function transport.send(request)
  if request.stream then return transport.open(request) end
  local early_result = request.early_result
  local feeder, status, body, head, info, head_flags
  if early_result then
    request.early_result = false
    status, body, head, info, head_flags = unpack(early_result, 1, 5)
  else
    feeder, status, body, head, info, head_flags = exchanged(request, perform)
    if feeder then exchange.stop(feeder, body) end
  end
  if not status then return failed(request, body, head) end
  heed_limits(request, status, head, info, head_flags)
  if type(body) == "userdata" then return undecided(request, status, body, head, info) end
  if observe.enabled then observe.attempt(request, tostring(status), info, head, body) end
  return respond_to(request, status, body, head, info)
end

---The usual case at little cost: a first attempt past the layers, because none has anything to do before it,
---and a response that none would do anything about. Else nil and what came instead, for the layers to go on
---from there.
---@param client lurcher.Client
---@param own table settings of the client, or of the request
---@param circuit lurcher.Breaker|false a closed one
---@param method string
---@param address string canonical
---@param wire userdata headers
---@param body? string
---@param expect_continue? boolean
---@param call? lurcher.Request
---@return lurcher.Response? res
---@return table? early_result
function transport.direct(client, own, circuit, method, address, wire, body, expect_continue, call)
  local generation = circuit and circuit.generation
  local status, content, head, info, head_flags = perform(client.pool, own.profile, method, address, wire,
    body, nil, expect_continue, own.priority, own.name, own.undecided)
  local heeded = own.heeded
  if head_flags == 0 and heeded and status >= 200 and status < 300 and not heeded[status] then
    if circuit then
      record_success = record_success or require("lurcher.breaker.circuit").record_success
      record_success(circuit, generation)
    end
    return respond(status, content, head, info, method, address, call or own)
  end
  return nil, { status, content, head, info, head_flags, generation = generation }
end

---Sends the request once; the response's body is still to come.
---@param request lurcher.Request
---@return lurcher.Response? res
---@return lurcher.Error? err
function transport.open(request)
  local own = request.settings
  local feeder, status, body, head, info, head_flags = exchanged(request, open)
  if feeder and (not status or status >= 300) then -- nobody wants the rest
    exchange.stop(feeder, body)
    feeder = nil
  end
  if not status then return failed(request, body, head) end
  if observe.enabled then observe.attempt(request, tostring(status), info, head) end
  heed_limits(request, status, head, info, head_flags)
  local res = respond_to(request, status, nil, head, nil)
  res.stream, res.max_body, res.observed = body, own.max_body, observe.enabled and request or nil
  res.feeder, res.source = feeder, feeder and request.body
  return stream.keep(res)
end

return transport
