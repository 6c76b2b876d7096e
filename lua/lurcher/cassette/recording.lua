--- One exchange that is recorded: what went over the wire, without secrets, as an entry.

local native = require "lurcher.native.http"
local secret = require "lurcher.base.secret"

local recording = {}

local MAX_BODY = 64 * 1024 * 1024
local VERSIONS = { [10] = "1.0", [11] = "1.1", [20] = "2" }

---@class lurcher.cassette.Recording
local Recording = {}
Recording.__index = Recording

---@param sent lurcher.mock.Request
---@param is_stream boolean
---@return lurcher.cassette.Recording
function recording.new(sent, is_stream)
  local lines = {}
  for i, text in ipairs(sent.lines) do lines[i] = secret.reveal(text) end
  return setmetatable({ method = sent.method, url = sent.url, lines = lines, body = sent.body,
    is_stream = is_stream,
    pending = true, tape = false, failure = false, has_result = false, entry = false }, Recording)
end

---What perform and open are called with, and what went on is noted.
---@param call function native.perform or native.open
---@return function
function Recording:wrap(call)
  return function(pool, profile, method, url, wire, content, deadline, expects, priority, name, undecided, meter)
    self.tape = native.tape(MAX_BODY)
    return call(pool, profile, method, url, wire, content, deadline, expects, priority, name, undecided, meter,
      false, self.tape)
  end
end

---Notes what the call gave.
---@param status? integer
---@param body any
function Recording:note(status, body)
  self.has_result = true
  if not status then self.failure = { kind = body.kind, phase = body.phase, message = body.message,
    safe = body.retry_safe } end
end

local function flat_headers(block)
  local flat = {}
  for name, value in block:gmatch "([^:\r\n]+):[ \t]*([^\r\n]*)\r\n" do
    flat[#flat + 1], flat[#flat + 2] = name, value
  end
  return flat
end

local function without(flat, unwanted)
  local kept = {}
  for i = 1, #flat, 2 do
    if flat[i]:lower() ~= unwanted then kept[#kept + 1], kept[#kept + 2] = flat[i], flat[i + 1] end
  end
  return kept
end

-- Where the pieces end, and when they came.
local function pieces_of(list)
  local ends, at, sum = {}, {}, 0
  for i = 1, #list, 2 do
    sum = sum + list[i]
    ends[#ends + 1], at[#at + 1] = sum, math.floor(list[i + 1] * 1000 + 0.5) / 1000
  end
  return ends, at
end

local function response_of(self, played, timing)
  if played.status == 0 then return nil end
  local headers = flat_headers(played.head)
  if played.decoded then headers = without(headers, "content-encoding") end
  local ends, at = pieces_of(played.pieces)
  local has_pieces = self.is_stream and #ends > 1
  return { status = played.status, version = VERSIONS[played.version] or "1.1", reason = played.reason,
    headers = headers, body = played.received, ends = has_pieces and ends or nil,
    at = timing and at[1] and (has_pieces and at or { at[#at] }) or nil }
end

---Whether nothing more comes.
---@return boolean
function Recording:is_over()
  return self.has_result and (not self.is_stream or self.tape and self.tape:ended())
end

-- A response that the script, or its cancellation, left before its end goes on to be open.
local function is_open(self, played)
  if self.failure then return false end
  if played.status == 0 then return true end
  return self.is_stream and not played.whole
end

---The entry, still with its secrets; nil and why there is none. What was not permitted never reached the server,
---and another run may be allowed to.
---@param timing boolean
---@return table? entry
---@return string? why
function Recording:harvest(timing)
  if self.failure and self.failure.kind == "denied" then return nil end
  local played = self.tape and self.tape:play() or { status = 0, sent = "" }
  if played.incomplete then
    return nil, ("%s: a body of more than %d MiB is not recorded"):format(self.method, MAX_BODY / 1024 / 1024)
  end
  local failure = played.failure
  if not self.failure and failure and failure.kind ~= "canceled" then
    self.failure = { kind = failure.kind, phase = failure.phase, message = failure.message, safe = failure.retry_safe }
  elseif self.failure and self.failure.kind == "canceled" then
    self.failure = false
  end
  return {
    request = { method = self.method, url = self.url, headers = self.lines,
      body = self.body ~= "" and self.body or played.sent },
    response = response_of(self, played, timing), failure = self.failure or nil,
    open = is_open(self, played) or nil,
  }
end

return recording
