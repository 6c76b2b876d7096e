--- One line per request attempt, for `lurcher --trace` and hosts that ask for it.

local log = require "lurcher.native.log"
local native = require "lurcher.native.http"
local phases = require "lurcher.http.phases"
local redact = require "lurcher.base.redact"
local secret = require "lurcher.base.secret"
local text = require "lurcher.base.text"

local trace = {}

local function milliseconds(name, seconds)
  return ("%s=%.1fms"):format(name, seconds * 1000)
end

---The line for one attempt: `GET https://h/x 200 attempt=1 queue=0.0ms dns=… connect=… tls=… first_byte=…
---body=…`.
---@param request lurcher.Request
---@param result string the status, or the error's kind and phase
---@param record table? as native.info gives it
---@return string
function trace.line(request, result, record)
  local url = redact.url(request.url)
  local parts = { ("%s %s %s attempt=%d"):format(request.method, text.printable(url), result, request.attempts) }
  if request.settings.name then parts[#parts + 1] = "name=" .. text.printable(request.settings.name) end
  local times = record and record.timings
  if times then
    for _, step in ipairs(phases.TRACED) do parts[#parts + 1] = milliseconds(step, times[step]) end
    if not request.stream and tonumber(result) then
      parts[#parts + 1] = milliseconds("body", math.max(0, times.total - times.first_byte))
    end
    if record.reused then parts[#parts + 1] = "reused" end
  end
  return table.concat(parts, " ")
end

---Hands the line for one attempt to the host.
---@param request lurcher.Request
---@param result string
---@param info? userdata as native.perform gives it
function trace.attempt(request, result, info)
  log.trace(trace.line(request, result, info and native.info(info)))
end

---The line for what a layer decided: `GET https://h/x retry attempt=1 wait=250.0ms: status 503`.
---@param request lurcher.Request
---@param what string
---@param event table
---@return string
function trace.decision(request, what, event)
  local parts = { ("%s %s %s"):format(request.method, text.printable(redact.url(request.url)), what) }
  if event.attempt then parts[#parts + 1] = "attempt=" .. event.attempt end
  if request.settings.name then parts[#parts + 1] = "name=" .. text.printable(request.settings.name) end
  if event.wait then parts[#parts + 1] = milliseconds("wait", event.wait) end
  if event.waited then parts[#parts + 1] = milliseconds("waited", event.waited) end
  return table.concat(parts, " ") .. ": " .. text.printable(secret.scrub(event.why))
end

---Hands the line for a decision to the host, if it has a reason to give.
---@param request lurcher.Request
---@param what string
---@param event table
function trace.event(request, what, event)
  if event.why then log.trace(trace.decision(request, what, event)) end
end

return trace
