--- A cassette at work below a client's layers: what answers, what is recorded, what is written at its end.

local clean = require "lurcher.cassette.clean"
local errors = require "lurcher.base.errors"
local exchange = require "lurcher.http.layer.exchange"
local fs = require "lurcher.fs"
local hook = require "lurcher.cassette.hook"
local log = require "lurcher.log"
local native = require "lurcher.native.http"
local play = require "lurcher.mock.play"
local recorder = require "lurcher.cassette.recorder"
local recording = require "lurcher.cassette.recording"
local redactor = require "lurcher.cassette.redactor"
local replay = require "lurcher.cassette.replay"
local secret = require "lurcher.base.secret"
local seen = require "lurcher.mock.seen"
local socket = require "lurcher.cassette.socket"
local transport = require "lurcher.mock.transport"

local session = {}

session.MATCH = { "method", "url", "body" }

local MAX_TOLD = 5 -- unused entries in a warning

---@class lurcher.Cassette
---@field path string
---@field recorded integer exchanges that were recorded
---@field replayed integer
local Cassette = { __name = "lurcher.Cassette" }
Cassette.__index = Cassette

---@param path string
---@param opts table checked
---@return lurcher.Cassette? cassette
---@return lurcher.Error? err
function session.open(path, opts)
  local exists, err = fs.exists(path)
  if exists == nil then return nil, err end
  local mode = opts.mode
  local plays = mode == "none" or mode == "new" and exists or mode == "once" and exists
  local self = setmetatable({ path = path, mode = mode, timing = opts.timing or false, recorded = 0,
    replayed = 0, with = opts.redact.with or false, unused_means = opts.unused or "warn",
    records = mode == "all" or mode == "new" or not plays, redactor = redactor.new(opts.redact), play = false,
    closed = false, is_over = false, sees_headers = opts.redact.with ~= nil }, Cassette)
  self.recorder = recorder.new(path, self.redactor, self.with, self.timing)
  for _, one in ipairs(opts.match) do
    self.sees_headers = self.sees_headers or type(one) == "function" or one == "headers"
  end
  if plays then
    self.play, err = replay.open(path, opts.match, opts.repeats or false)
    if not self.play then return nil, err end
  end
  return self
end

-- Whether a request goes to the network. One whose use is over may still be under a client.
function Cassette:passes() return self.is_over end

local function closed_error(self)
  return errors.new { kind = "mock", message = ("the cassette '%s' is closed"):format(self.path) }
end

-- Headers that tell how a body is to be read.
local IN_BODY = { ["content-type"] = true, ["content-encoding"] = true }

-- A request as it is compared, and as it would be recorded.
local function comparable(self, sent)
  local lines = {}
  for i = 1, #sent.lines, 2 do
    if self.sees_headers or IN_BODY[sent.lines[i]:lower()] then
      lines[#lines + 1], lines[#lines + 2] = sent.lines[i], secret.reveal(sent.lines[i + 1])
    end
  end
  local request = clean.request(self.redactor, { method = sent.method, url = sent.url, headers = lines,
    body = sent.body })
  if self.with then request = hook.request(self.with, request) end
  return request
end

-- What compares the messages that a script sends over a WebSocket; nil: bodies are not compared.
local function expected(self)
  local compares = false
  for _, one in ipairs(self.play.match) do compares = compares or one == "body" end
  if not compares then return nil end
  return function(count, recorded, bytes, kind)
    local name = kind == "text" and "sent" or "bytes"
    local got = clean.message(self.redactor, { [name] = bytes })[name]
    return self.play:message_problem(count, recorded, got, kind)
  end
end

local function answer_of(self, entry)
  local one = replay.answer(entry, self.timing)
  if entry.messages then one.talks = socket.speaker(entry.messages, expected(self)) end
  return one
end

local FAILED = {}  -- the field of what is raised where the file cannot be read
local NETWORK = {} -- raised where a request is to go on to the network

local function take(self, sent)
  local request = comparable(self, sent)
  local number, err = self.play:take(request)
  if err then error({ [FAILED] = err }, 0) end
  if not number then return nil, request end
  local entry
  entry, err = self.play:entry(number, "answer")
  if not entry then error({ [FAILED] = err }, 0) end
  return replay.answer(entry, self.timing), request
end

-- Answers a request; or raises NETWORK, the request's body being read.
local function find(self, request, body, read)
  local sent = seen.of(request, body)
  local one, compared = take(self, sent)
  if one then
    self.replayed = self.replayed + 1
    return one, sent, "the cassette's answer"
  end
  if not self.records then return nil, self.play:miss(compared) end
  read.body = body
  error(NETWORK, 0)
end

-- ---- recording ----

local function send(request, call)
  local own = request.settings
  if own.proxies then return require("lurcher.http.layer.proxied").send(request, call) end
  return exchange.run(request, call, own.profile, nil, own.undecided)
end

local function noted(self, one, feeder, status, body, ...)
  one:note(status, body)
  if type(body) ~= "userdata" then self.recorder:keep(one) end
  return feeder, status, body, ...
end

local function add(self, one)
  self.recorder:add(one)
  self.recorded = self.recorded + 1
end

local function record(self, request, call)
  local body = request.body
  local sent = seen.of(request, type(body) == "string" and body or "")
  local one = recording.new(sent, call == native.open)
  add(self, one)
  return noted(self, one, send(request, one:wrap(call)))
end

---What the layer above a network calls.
---@param request lurcher.Request
---@param call function native.perform or native.open
---@return table? feeder
---@return integer? status, … as exchange.run
function Cassette:exchange(request, call)
  if self.closed then return nil, nil, closed_error(self) end
  if not self.play then return record(self, request, call) end
  local read = {}
  local function answer(sent, body) return find(self, sent, body, read) end
  local results = { pcall(transport.answered, request, call, answer) }
  if results[1] then return unpack(results, 2, 7) end
  local raised = results[2]
  if type(raised) == "table" and rawget(raised, FAILED) then return nil, nil, raised[FAILED] end
  if not rawequal(raised, NETWORK) then error(raised, 0) end
  if type(request.body) == "table" then request.body = read.body end -- it cannot be had again
  return record(self, request, call)
end

local function noted_connection(one, feeder, connection, err, ...)
  if not connection then
    one.failure = { kind = err.kind, phase = err.phase, message = err.message, safe = err.retry_safe }
    return feeder, nil, err, ...
  end
  one.native = connection
  return feeder, one, err, ...
end

---The connection of a WebSocket: as it was recorded, or the network's, which is recorded.
---@param request lurcher.Request
---@param connect fun(): table?, userdata?, any
---@return table? feeder
---@return table? connection as the native one
---@return lurcher.Error? err
function Cassette:websocket(request, connect)
  if self.closed then return nil, nil, closed_error(self) end
  local sent = seen.of(request, "")
  if self.play then
    local compared = comparable(self, sent)
    local number, err = self.play:take(compared)
    local entry
    if number then entry, err = self.play:entry(number, "answer") end
    if err then return nil, nil, err end
    if entry then
      self.replayed = self.replayed + 1
      return nil, play.connection(answer_of(self, entry), sent, "the cassette's answer")
    end
    if not self.records then
      return nil, nil, errors.new { kind = "mock", message = self.play:miss(compared), retryable = false }
    end
  end
  local one = socket.recorded(sent)
  add(self, one)
  return noted_connection(one, connect())
end

-- ---- the end ----

---What it answers to a request that was seen; nil and why it answers nothing.
---@param sent lurcher.mock.Request
---@return table? answer
---@return string? why
function Cassette:answer(sent)
  local compared = comparable(self, sent)
  local number, err = self.play:take(compared)
  local entry
  if number then entry, err = self.play:entry(number, "answer") end
  if entry then
    return answer_of(self, entry)
  end
  return nil, err and tostring(err) or self.play:miss(compared)
end

---What was not asked for: "GET https://…".
---@return string[]
function Cassette:unused()
  return self.play and self.play:unused(math.huge) or {}
end

local function report_unused(self)
  local left = self.play and not self.play.repeats and self.play.count - self.play.used_count or 0
  if left == 0 or self.unused_means == "ignore" then return true end
  local list = self.play:unused(MAX_TOLD)
  local message = ("%d of the %d entries of the cassette '%s' were not used: %s%s"):format(left, self.play.count,
    self.path, table.concat(list, ", "), left > #list and ", …" or "")
  if self.unused_means == "error" then
    return nil, errors.new { kind = "mock", message = message, retryable = false }
  end
  log.warn(message)
  return true
end

---Ends it: writes what was recorded, tells what was not used.
---@param failed? boolean the script failed: what it did not use says nothing
---@return true? ok
---@return lurcher.Error? err
function Cassette:close(failed)
  if self.closed then return true end
  self.closed = true
  local ok, err = true, nil
  if self.records and self.recorded > 0 then ok, err = self.recorder:write(self.play) end
  if ok and not failed then ok, err = report_unused(self) end
  if self.play then self.play:close() end
  self.recorder:forget()
  return ok, err
end

---Forgets what was recorded.
function Cassette:discard()
  self.records = false
  self:close(true)
end

return session
