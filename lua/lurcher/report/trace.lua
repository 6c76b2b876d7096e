--- One line per request attempt, for `lurcher --trace` and hosts that ask for it.

local log = require "lurcher.native.log"
local native = require "lurcher.native.http"
local phases = require "lurcher.http.phases"
local redact = require "lurcher.base.redact"
local secret = require "lurcher.base.secret"
local text = require "lurcher.base.text"

local url_native = require "lurcher.native.url"

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

-- ---- what a request waited for before it started ----

local MIN_WAIT = 0.001

local reasons = {} -- why requests to an origin are held: { what, why }, by the URL's origin

-- The line about the wait of an attempt for the rate, a hold or a quota; nil: there was none to speak of.
local function wait_line(request, record)
  local waited = record and record.timings.rate or 0
  if waited < MIN_WAIT then return nil end
  local limits = request.settings.options.limits or {}
  local reason = reasons[url_native.origin(request.url)]
  local what, why = "rate", "limits.rate or a limiter"
  if reason then
    what, why = reason.what, reason.why
  elseif not (limits.rate or limits.limiter) then
    what, why = "quota", "what the server told of its limits (limits.learn)"
  end
  return trace.decision(request, what, { attempt = request.attempts, waited = waited, why = why })
end

-- ---- heads and bodies ----

local MAX_BODY = 4096

local _, detail = log.tracing()

local ALWAYS_SECRET = { ["set-cookie"] = true }

local function header_line(mark, name, value, hidden)
  local shown = (hidden[name:lower()] or ALWAYS_SECRET[name:lower()]) and "***" or secret.scrub(tostring(value))
  log.trace(("%s %s: %s"):format(mark, text.printable(name), text.printable(text.cut(shown, MAX_BODY))))
end

-- Whether a field of that name holds a secret, as a query parameter of that name does.
local function is_secret_field(name)
  local address = ("http://h/?%s=x"):format(name)
  return redact.url(address) ~= address
end

local function redacted(body)
  local function mask(name, colon)
    if is_secret_field(name) then return ('"%s"%s"***"'):format(name, colon) end
  end
  body = secret.scrub(body):gsub('\\"', "\\u0022") -- so that a quote ends a text
  body = body:gsub('"([%w_%-]+)"(%s?:%s?)"[^"]*"?', mask):gsub('"([%w_%-]+)"(%s?:%s?)[%w.+-]+', mask)
  return (body:gsub("([%w_%-]+)=[^&%s]*", function(name)
    if is_secret_field(name) then return name .. "=***" end
  end))
end

local function body_lines(mark, body)
  if type(body) == "table" then return log.trace(("%s (%s)"):format(mark, text.printable(tostring(body)))) end
  if type(body) ~= "string" or body == "" then return end
  local start = secret.excerpt(body, MAX_BODY)
  if #body > MAX_BODY and start:sub(-#text.CUT) == text.CUT then start = start:sub(1, -1 - #text.CUT) end -- said below
  if start:find("[%z\1-\8\14-\31\127]") then
    log.trace(("%s (%d bytes that are no text)"):format(mark, #body))
    return
  end
  for line in text.cut(redacted(start), MAX_BODY):gmatch("[^\n]+") do
    log.trace(mark .. " " .. text.printable((line:gsub("\r$", ""))))
  end
  if #body > MAX_BODY then log.trace(("%s … (%d bytes in all)"):format(mark, #body)) end
end

local function show_request(request, hidden)
  log.trace(("> %s %s"):format(request.method, text.printable(redact.url(request.url))))
  local flat = request:flat_headers()
  for i = 1, #flat, 2 do header_line(">", flat[i], flat[i + 1], hidden) end
  if request.content_type then header_line(">", "Content-Type", request.content_type, hidden) end
  if request.cookie then header_line(">", "Cookie", "", { cookie = true }) end
  if request.authorization then header_line(">", "Authorization", "", { authorization = true }) end
  if detail > 1 then body_lines(">", request.body) end
end

local function show_response(result, hidden, head, body)
  log.trace("< " .. result)
  for _, name, value in native.head_next, head, 0 do header_line("<", name, value, hidden) end
  if detail > 1 then body_lines("<", body) end
end

---Hands the line for one attempt to the host.
---@param request lurcher.Request
---@param result string
---@param info? userdata as native.perform gives it
---@param head? string of the response
---@param body? string
function trace.attempt(request, result, info, head, body)
  local record = info and native.info(info)
  local wait = wait_line(request, record)
  if wait then log.trace(wait) end
  log.trace(trace.line(request, result, record))
  if detail == 0 then return end
  local hidden = request.client:credential_headers()
  show_request(request, hidden)
  if head then show_response(result, hidden, head, body) end
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
  if not event.why then return end
  if what == "hold" then
    if event.why:find("quota", 1, true) then what = "quota" end
    reasons[url_native.origin(request.url)] = { what = what, why = event.why }
  end
  log.trace(trace.decision(request, what, event))
end

return trace
