--- The last layer: one attempt at one hop, over the network.

local native = require "lurcher.native.http"
local redact = require "lurcher.redact"
local response = require "lurcher.response"
local retry = require "lurcher.retry"
local stream = require "lurcher.stream"
local trace = require "lurcher.trace"

local perform, open, setmetatable = native.perform, native.open, setmetatable
local Response = response.metatable

local transport = {}

-- When an attempt left the queue, or nil when it did not.
local function dispatched(info)
  local moment = info and native.info(info).dispatched
  return moment and moment > 0 and moment or nil
end

local function failed(request, err, info)
  err.method, err.url = request.method, redact.url(request.url)
  err.attempts, err.elapsed = request.attempts, request:elapsed()
  err.retryable = retry.is_retryable(request, err)
  err.dispatched = dispatched(info)
  if trace.enabled then trace.attempt(request, err.kind .. (err.phase and "/" .. err.phase or ""), info) end
  return nil, err
end

---Sends the request once.
---@param request lurcher.Request
---@return lurcher.Response? res
---@return lurcher.Error? err
function transport.send(request)
  if request.stream then return transport.open(request) end
  local method, url = request.method, request.url
  local status, body, head, info = perform(request.client.pool, request.plan.profile, method, url,
    request:wire(), request.body or nil, request.deadline or nil, request.expect_continue)
  if not status then return failed(request, body, head) end
  if trace.enabled then trace.attempt(request, tostring(status), info) end
  return setmetatable({
    status = status, ok = status >= 200 and status < 300, body = body, head = head, info = info,
    method = method, url = url .. request.fragment, attempts = request.attempts,
  }, Response)
end

---Sends the request once; the response's body is still to come.
---@param request lurcher.Request
---@return lurcher.Response? res
---@return lurcher.Error? err
function transport.open(request)
  local method, url = request.method, request.url
  local status, body, head, info = open(request.client.pool, request.plan.profile, method, url,
    request:wire(), request.body or nil, request.deadline or nil, request.expect_continue)
  if not status then return failed(request, body, head) end
  if trace.enabled then trace.attempt(request, tostring(status), info) end
  return stream.response {
    status = status, ok = status >= 200 and status < 300, stream = body, head = head,
    method = method, url = url .. request.fragment, attempts = request.attempts,
  }
end

return transport
