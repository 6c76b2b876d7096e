--- One line per request attempt for the host, if it asked for them: `lurcher --trace`.

local native = require "lurcher.native.http"
local native_log = require "lurcher.native.log"
local redact = require "lurcher.redact"

local trace = { enabled = native_log.tracing() }

-- The parts of the time line, in order: label, field of timings.
local PARTS = { { "queue", "queue" }, { "dns", "dns" }, { "connect", "connect" }, { "tls", "tls" },
  { "first_byte", "first_byte" } }

local function milliseconds(seconds)
  return ("%.1fms"):format(seconds * 1000)
end

---The line for one attempt.
---@param request lurcher.Request
---@param outcome string the status or the error kind
---@param record table? as native.info gives it
---@return string
function trace.line(request, outcome, record)
  local url = redact.url(request.url)
  local parts = { ("%s %s %s attempt=%d"):format(request.method, url, outcome, request.attempts) }
  if request.plan.name then parts[#parts + 1] = "name=" .. request.plan.name end
  local times = record and record.timings
  if times then
    for _, part in ipairs(PARTS) do
      parts[#parts + 1] = part[1] .. "=" .. milliseconds(times[part[2]] or 0)
    end
    if not request.stream then
      parts[#parts + 1] = "body=" .. milliseconds(math.max(0, (times.total or 0) - (times.first_byte or 0)))
    end
    if record.reused then parts[#parts + 1] = "reused" end
  end
  return table.concat(parts, " ")
end

---Hands on the line for one attempt.
---@param info? userdata as native.perform gives it
function trace.attempt(request, outcome, info)
  native_log.trace(trace.line(request, outcome, info and native.info(info)))
end

return trace
