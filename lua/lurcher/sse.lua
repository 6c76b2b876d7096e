--- Streams of server-sent events that outlive their connections.
---
---     local sse = require "lurcher.sse"
---     for event in sse.connect(api, "updates") do print(event.event, event.data) end
---
--- Connecting is a request with its retries. When a stream ends or breaks, the next request goes on behind the last
--- event, after the wait that the server or the retry policy wants.

local backoff = require "lurcher.retry.backoff"
local check = require "lurcher.base.check"
local client_module = require "lurcher.http.client"
local errors = require "lurcher.base.errors"
local event_stream = require "lurcher.http.event_stream"
local http = require "lurcher.http"
local now = require("lurcher.native.http").now
local options = require "lurcher.http.options"
local overlay = require("lurcher.base.tables").overlay
local random = require "lurcher.base.random"
local redact = require "lurcher.base.redact"
local request_module = require "lurcher.http.request"
local retry_policy = require "lurcher.http.retry_policy"
local secret = require "lurcher.base.secret"
local stream = require "lurcher.http.stream"
local task = require "lurcher.task"

local raise, raw_pcall = errors.raise, require("lurcher.native.task").raw_pcall

local sse = {}

local MAX_EVENT = 1024 * 1024
local MAX_ID = 8 * 1024 -- bytes of an id that a header may hold
local MAX_BASE = 24 * 3600 -- seconds that waits without a limit grow to
local OWN = { method = "string", last_event_id = "text", max = "count|huge" }
local REFUSED = {
  stream = "it is one", raw_target = "a URL stands for each connection", expect = "it is 200",
  progress = "an event stream has no end",
}
local HEADERS = { ["Accept"] = "text/event-stream", ["Cache-Control"] = "no-cache" }

---@class lurcher.SseOptions: lurcher.RequestOptions
---@field method? string default: "GET"; others are repeated as the option `retry` and `retryable` say
---@field last_event_id? string|lurcher.Secret where to go on: the id of an event that was seen
---@field max? integer bytes in one line, and in one event's data; default: 1 MiB

---@class lurcher.EventSource an iterator over events
---@field id string of the last event, "" without one
---@overload fun(): lurcher.ServerEvent?
---@field private settings table
---@field private options table of each request
---@field private headers table those of the script
---@field private response? lurcher.Response
---@field private events? fun(): lurcher.ServerEvent? of the connection at hand
---@field private parser? lurcher.EventStream
---@field private failures integer attempts in turn that brought nothing
---@field private waits integer in turn, since bytes came
---@field private given_id string|lurcher.Secret where it began; a mark lasts as long as it is held
---@field private is_read boolean a task waits for the next event
---@field private wait? number seconds before a reconnection, as the server said
---@field private ended lurcher.Event somebody closed it
local Source = { __name = "lurcher.EventSource" }
Source.__index = Source

-- ---- options ----

local function check_client(value)
  if value == http then return http.default() end
  if client_module.is(value) then return value end
  raise("bad argument #1 to 'sse.connect' (a client expected, as http.client(…) makes, got "
    .. check.shown(value) .. ")")
end

-- Our own options, and those of each request.
local function split(opts)
  if type(opts) ~= "table" then raise("sse.connect: options must be a table, got " .. check.shown(opts)) end
  local own, rest = {}, {}
  for name, value in pairs(opts) do
    if OWN[name] then
      check.option(name, value, OWN, "sse.connect")
      own[name] = value
    elseif REFUSED[name] then
      raise(("sse.connect: option '%s' cannot be given: %s"):format(name, REFUSED[name]))
    else
      rest[name] = value
    end
  end
  options.check_request(rest, "sse.connect", OWN)
  return own, rest
end

-- A stream may last: `timeout.total` holds where it was given, to the client or here.
local function timeout_of(client, given)
  local above = client.settings.options.timeout
  if type(given) == "number" or given == false then return given end
  if given and given.total ~= nil or above and above.total ~= nil then return given end
  return overlay(given, { total = false })
end

-- The script's headers without the id to begin behind, and that.
local function headers_of(given)
  local kept, id = {}, nil
  for name, value in pairs(given or {}) do
    if type(name) == "string" and name:lower() == "last-event-id" then
      id = value
    else
      kept[name] = value
    end
  end
  for name, value in pairs(HEADERS) do
    local is_given = false
    for other in pairs(kept) do is_given = is_given or tostring(other):lower() == name:lower() end
    if not is_given then kept[name] = value end
  end
  return kept, not check.mismatch(id, "text") and id or nil
end

-- ---- one connection ----

-- What a header cannot hold is not sent.
local function sendable(id)
  return id ~= "" and #id <= MAX_ID and not id:find("[%z\1-\31\127]") and id
end

-- Seconds that the server wants between connections, if that counts.
local function asked_wait(self, policy)
  return policy.retry_after and self.wait and math.min(self.wait, policy.max_retry_after or math.huge) or nil
end

-- The policy's `on`, and that no wait is shorter than what the server said.
local function on_of(self, policy)
  local least = asked_wait(self, policy)
  if not least then return policy.on end
  return function(attempt)
    if attempt.wait and attempt.wait < least then
      attempt.wait, attempt.why = least, attempt.why .. ", the server asks for the wait"
    end
    local answer
    if policy.on then answer = policy.on(attempt) end
    if answer ~= nil and (answer ~= true or not attempt.wait) then return answer end
    return attempt.wait, attempt.why
  end
end

-- The retries of the next request: what the attempts and waits since bytes came last have left of the policy's.
local function retry_option(self)
  local policy, given = self.request.settings.retry, self.options.retry
  if not policy then return given end
  local base = policy.base
  if base > 0 and policy.jitter ~= "decorrelated" then
    base = math.min(base * policy.factor ^ self.waits, math.max(base, policy.max_wait or MAX_BASE))
  end
  return overlay(type(given) == "table" and given or nil, { base = base, on = on_of(self, policy),
    attempts = math.max(1, policy.attempts - self.failures) })
end

local function request_options(self)
  local headers = overlay(self.headers, { ["Last-Event-ID"] = sendable(self.id) or nil })
  return overlay(self.options, { headers = headers, retry = retry_option(self) })
end

local function is_event_stream(res)
  local given = (res:header("Content-Type") or ""):match("^[^;]*"):lower()
  return given:match("^%s*(.-)%s*$") == "text/event-stream"
end

local function no_stream(res)
  local given = res:header("Content-Type")
  res:close()
  error(errors.new { kind = "decode", method = res.method, url = redact.url(res.url), attempts = res.attempts,
    elapsed = res.elapsed, message = ("the answer is no event stream: its Content-Type is %s, not text/event-stream")
      :format(given and ("'%s'"):format(given) or "missing") }, 0)
end

-- Opens the stream; false: the server wants no reader any more (204).
local function open(self)
  local res, err = client_module.request(self.client, self.method, self.url, request_options(self), "sse.connect")
  if not res then error(err, 0) end
  if self.ended.happened or res.status == 204 then
    res:close()
    return false
  end
  if not is_event_stream(res) then no_stream(res) end
  self.parser = event_stream.new(self.max, self.id)
  self.response, self.events = res, stream.events(res, self.parser)
  return true
end

-- ---- from one connection to the next ----

-- Whether another request would help and do no harm.
local function may_reconnect(self, err)
  local request = self.request
  if not request.settings.retry or not retry_policy.repeatable(request) then return false end
  if type(self.options.body) == "function" then return false end -- it gave all it had
  return not err or retry_policy.is_passing(request, err)
end

-- The server's wait holds as its Retry-After does; what fails again and again waits longer.
local function next_wait(self, policy)
  local growing = backoff.exponential(policy, self.waits + 1, self.waited)
  local asked = asked_wait(self, policy)
  if not asked then return growing end
  return self.failures > 1 and math.max(asked, growing) or asked
end

local function event(self, err, wait)
  local request = self.request
  return { attempt = math.max(1, self.failures), wait = wait, why = err and err.kind or "the stream ended",
    method = request.method, url = request.url, err = err, elapsed = now() - self.began }
end

-- What the policy's `on` makes of the wait; false: no more.
local function decided(self, policy, err, wait)
  if not policy.on then return wait end
  local answer = policy.on(event(self, err, wait))
  if answer == nil or answer == true then return wait end
  if answer == false or not check.mismatch(answer, "seconds") then return answer end
  raise("retry.on must return true, false, a number of seconds or nil, got " .. check.shown(answer))
end

local function gave_up(self)
  return errors.new { kind = "closed", method = self.request.method, url = redact.url(self.request.url),
    attempts = self.failures, elapsed = now() - self.began,
    message = ("the server ended the event stream without sending anything, and %d attempts in turn brought nothing")
      :format(self.failures) }
end

-- The wait before the next connection; nil: there is to be none, and the error, if that is the reason.
local function wait_for_next(self, err)
  local policy = self.request.settings.retry
  if not may_reconnect(self, err) then return nil, err end
  if self.failures >= policy.attempts then return nil, err or gave_up(self) end
  local wait = decided(self, policy, err, next_wait(self, policy))
  if not wait then return nil, err end
  if err and policy.budget and not self.client.budget:take(policy.budget) then
    err.budget_exhausted = true
    return nil, err
  end
  return wait
end

-- Lets go of a connection that ended (or broke, with `err`), and waits for the next; false: it was the last.
local function reconnect(self, err)
  local parser, attempts = self.parser, self.response.attempts
  self.id, self.wait = parser.id, parser.retry or self.wait
  self.failures = parser.is_fed and 0 or self.failures + attempts
  self.waits = parser.is_fed and 0 or self.waits + attempts - 1
  self.events, self.parser = nil, nil
  local wait, failure = wait_for_next(self, err)
  if failure then error(failure, 0) end
  if not wait then return false end
  self.request:announce("retry", event(self, err, wait))
  self.waited, self.waits = wait, self.waits + 1
  if wait > 0 then task.timeout(wait, self.ended.wait, self.ended) end
  return true
end

-- The next event of the connection; nil: it is over, perhaps with an error.
local function read(self)
  local ok, got = pcall(self.events)
  if ok then return got end
  if not errors.is_error(got) then error(got, 0) end
  return nil, got
end

local function next_event(self)
  while not self.ended.happened do
    if not self.events and not open(self) then return nil end
    local one, err = read(self)
    if self.ended.happened then return nil end
    if one then
      self.id = one.id
      return one
    end
    if not reconnect(self, err) then return nil end
  end
end

function Source:__call()
  if self.is_read then raise("another task waits for the next event of this stream: one task reads it") end
  self.is_read = true
  local ok, one = raw_pcall(next_event, self)
  self.is_read = false
  if ok and one then return one end
  if errors.is_error(one) and one.kind == "canceled" then error(one, 0) end -- another task may go on with it
  self:close()
  if not ok then error(one, 0) end
  return nil
end

---Ends the stream: the loop over it, in whatever task, ends. May be called more than once.
function Source:close()
  check.method(self, Source, "events:close")
  self.ended:set()
  if self.response then self.response:close() end
end

function Source:__tostring()
  return "lurcher.EventSource of " .. redact.url(self.request.url)
end

---Follows a stream of server-sent events, over as many connections as it takes: `for event in sse.connect(…) do`. It
---connects when the first event is asked for. 204 ends it; what cannot be helped is raised: another status than 200
---(kind "status"), another Content-Type (kind "decode"), what the retry policy gives up.
---@param client lurcher.Client|table a client, or lurcher.http itself
---@param url string
---@param opts? lurcher.SseOptions
---@return lurcher.EventSource
function sse.connect(client, url, opts)
  client = check_client(client)
  if type(url) ~= "string" and not secret.is(url) then
    raise(("bad argument #2 to 'sse.connect' (string expected, got %s)"):format(check.shown(url)))
  end
  local own, rest = split(opts == nil and {} or opts)
  local headers, id = headers_of(rest.headers or nil)
  local method = request_module.method(own.method or "GET")
  if rest.idempotency_key == true then rest.idempotency_key = random.uuid() end
  rest.stream, rest.expect, rest.timeout = true, { 200, 204 }, timeout_of(client, rest.timeout)
  id = own.last_event_id or id or ""
  local request, err = request_module.new(client, method, url, rest, "sse.connect")
  if not request then error(err, 0) end
  return setmetatable({ client = client, url = url, method = method, options = rest, headers = headers,
    request = request, id = secret.reveal(id), given_id = id, max = own.max or MAX_EVENT, failures = 0,
    waits = 0, is_read = false, ended = task.event(), began = now() }, Source)
end

return sse
