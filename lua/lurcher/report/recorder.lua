--- Keeps what happened to calls, for --explain and --report: an observer, in bounded memory. The first calls,
--- those that failed first and the slowest ones are kept whole; the others are only counted. It does not
--- exist unless the host asked for it.

local native = require "lurcher.native.http"
local phases = require "lurcher.http.phases"
local redact = require "lurcher.base.redact"
local secret = require "lurcher.base.secret"

local recorder = {}

-- How many calls are kept of each sort, and how many rows of one call.
local FIRST, FAILED, SLOWEST = 100, 100, 200
local OPEN, ROWS = 100, 60

---@class lurcher.RecordedRow an attempt, or what a layer decided between two
---@field what string "attempt", "retry", "redirect", …
---@field began number seconds of the loop's clock
---@field ended number
---@field attempt? integer
---@field method? string
---@field url? string redacted
---@field result? string status, or kind of error and phase
---@field phases? table { slot, rate, dns, connect, tls, first_byte, body }: seconds, one after the other
---@field reused? boolean
---@field address? string
---@field received? integer
---@field sent? integer
---@field why? string

---@class lurcher.RecordedCall
---@field number integer
---@field method string
---@field url string redacted
---@field name string|false
---@field began number
---@field ended number|false false: it goes on
---@field result string|false
---@field failed boolean an error, or a status of 400 or more
---@field attempts integer
---@field rows lurcher.RecordedRow[]
---@field more integer rows that were left out

local started = native.now()
local counts = { begun = 0, ended = 0, failed = 0 }
local first, failed, slowest = {}, {}, {}
local open = {} -- a set of calls

-- ---- rows ----

local function add_row(call, row)
  if #call.rows < ROWS then call.rows[#call.rows + 1] = row else call.more = call.more + 1 end
end

-- Where an attempt was that got no first byte: the rest of its time belongs there.
local STUCK_IN = { dns = "dns", connect = "connect", tls = "tls", ["timeout/connect"] = "connect" }

-- The phases of an attempt, one after the other.
local function spans(times, result, streaming)
  local rate = times.rate or 0
  local its = { slot = math.max(0, times.queue - rate), rate = rate, dns = times.dns, connect = times.connect,
    tls = times.tls, first_byte = 0, body = 0 }
  local connected = times.dns + times.connect + times.tls
  if times.first_byte > 0 then
    its.first_byte = math.max(0, times.first_byte - connected)
    its.body = streaming and 0 or math.max(0, times.total - times.first_byte)
  else
    local stuck = STUCK_IN[result] or "first_byte"
    its[stuck] = its[stuck] + math.max(0, times.total - connected)
  end
  return its
end

-- What is known of an attempt that did not come to the network.
local function no_record()
  return { ended = native.now(), timings = phases.no_time() }
end

local function attempt_row(request, result, info)
  local record = info and native.info(info) or no_record()
  local times, ended = record.timings, record.ended
  return { what = "attempt", began = ended - times.total - times.queue, ended = ended,
    attempt = request.attempts, method = request.method, url = redact.url(request.url), result = result,
    phases = spans(times, result, request.stream), reused = record.reused, address = record.remote_address,
    received = record.bytes_received, sent = record.bytes_sent }
end

-- ---- which calls are kept ----

local function duration(call) return call.ended - call.began end

-- The place of the quickest call among the slowest ones.
local function quickest()
  local place = 1
  for i = 2, #slowest do
    if duration(slowest[i]) < duration(slowest[place]) then place = i end
  end
  return place
end

local quickest_place -- known while `slowest` is full and unchanged

local function keep(call)
  if #first < FIRST then
    first[#first + 1] = call
  elseif call.failed and #failed < FAILED then
    failed[#failed + 1] = call
  elseif #slowest < SLOWEST then
    slowest[#slowest + 1] = call
    quickest_place = nil
  else
    quickest_place = quickest_place or quickest()
    if duration(call) <= duration(slowest[quickest_place]) then return end
    slowest[quickest_place], quickest_place = call, nil
  end
end

local function close(call, ended)
  open[call] = nil
  call.ended = math.max(ended, call.began)
  counts.ended = counts.ended + 1
  if call.failed then counts.failed = counts.failed + 1 end
  keep(call)
end

-- What was interrupted before its end was told.
local function add_rest(call, now)
  local last = call.rows[#call.rows]
  local began = last and last.ended or call.began
  if now > began then add_row(call, { what = "unfinished", began = began, ended = now }) end
end

-- ---- the observer ----

function recorder.begin(request)
  counts.begun = counts.begun + 1
  local call = { number = counts.begun, method = request.method, url = request.url,
    name = request.settings.name,
    began = request.started, ended = false, result = false, failed = false, attempts = 0, rows = {},
    more = 0 }
  request.observed, open[call] = call, true
end

function recorder.attempt(request, result, info)
  local call = request.observed
  call.attempts = call.attempts + 1
  if #call.rows >= ROWS then
    call.more = call.more + 1
    return
  end
  local row, last = attempt_row(request, result, info), call.rows[#call.rows]
  -- How long was really waited, which no timer does to the microsecond.
  if last and last.what == "retry" then last.ended = math.max(last.began, row.began) end
  add_row(call, row)
end

function recorder.event(request, what, event)
  local call, now = request.observed, native.now()
  local address = event.to or event.url or request.url
  add_row(call, { what = what, began = now - (event.waited or 0), method = event.method,
    ended = now + (what == "retry" and event.wait or 0), url = redact.url(address),
    why = event.why and secret.scrub(event.why) })
end

local function is_failure(status) return status >= 400 end

local function result_of(err)
  if type(err) ~= "table" or not err.kind then return "error" end
  return err.phase and err.kind == "timeout" and err.kind .. "/" .. err.phase or err.kind
end

function recorder.finish(request, res, err)
  local call, now = request.observed, native.now()
  call.url = redact.url(call.url)
  call.result = res and tostring(res.status) or result_of(err)
  call.failed = not res or is_failure(res.status)
  if res and rawget(res, "stream") and res.observed then return end
  if call.result == "canceled" or call.result == "error" then add_rest(call, now) end
  close(call, now)
end

-- The last attempt of a streamed call goes on until here, where more is known about it.
function recorder.body(request, record, failure)
  local call = request.observed
  if call.ended then return end
  local row = call.rows[#call.rows]
  if row and row.what == "attempt" and call.more == 0 then
    row.ended, row.received = math.max(row.ended, record.ended), record.bytes_received
    row.sent, row.reused = record.bytes_sent, record.reused
    row.phases = spans(record.timings, row.result, false)
  end
  if failure then call.result, call.failed = result_of(failure), true end
  if call.result then close(call, record.ended) end
end

-- ---- what was kept ----

---@class lurcher.Recording
---@field calls lurcher.RecordedCall[] by the time they began
---@field total integer all calls, kept or not
---@field open integer those of them that go on; only the oldest of these are among `calls`
---@field failed integer
---@field began number
---@field ended number

local function by_number(a, b) return a.number < b.number end

local function sorted(set)
  local list = {}
  for call in pairs(set) do list[#list + 1] = call end
  table.sort(list, by_number)
  return list
end

---What was kept so far.
---@return lurcher.Recording
function recorder.recording()
  local calls = {}
  for _, list in ipairs { first, failed, slowest } do
    for _, call in ipairs(list) do calls[#calls + 1] = call end
  end
  for i, call in ipairs(sorted(open)) do
    call.url = redact.url(call.url)
    calls[#calls + 1] = call
    if i == OPEN then break end
  end
  table.sort(calls, by_number)
  local began, ended = started, native.now()
  for _, call in ipairs(calls) do -- a virtual clock may be elsewhere
    began, ended = math.min(began, call.began), math.max(ended, call.ended or 0)
  end
  return { calls = calls, total = counts.begun, open = counts.begun - counts.ended, failed = counts.failed,
    began = began, ended = ended }
end

return recorder
