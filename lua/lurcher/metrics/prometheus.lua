--- The metrics as Prometheus reads them: the text exposition format, version 0.0.4.

local sorted_keys = require("lurcher.base.tables").sorted_keys
local text = require "lurcher.base.text"

local prometheus = {}

local ESCAPES = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }

-- Values of labels are UTF-8; what is none must not make the whole text unreadable, nor steer a terminal.
local function escaped(value)
  local lines = {}
  for line in (value .. "\n"):gmatch("([^\n]*)\n") do lines[#lines + 1] = text.printable(line) end
  return (table.concat(lines, "\n"):gsub('[\\"\n]', ESCAPES))
end

-- Numbers without loss, and whole ones without a fraction.
local function shown(value)
  if value % 1 == 0 and math.abs(value) < 1e15 then return ("%.0f"):format(value) end
  return ("%.9g"):format(value)
end

local function labels(series, more)
  local all = ('name="%s",origin="%s"'):format(escaped(series.name), escaped(series.origin))
  for i = 1, #more, 2 do all = all .. (',%s="%s"'):format(more[i], escaped(more[i + 1])) end
  return "{" .. all .. "}"
end

-- One metric: `each(series, add)` calls add(value, { label, value, … }) for each of its samples.
local function metric(out, list, name, kind, help, each)
  out[#out + 1] = ("# HELP %s %s"):format(name, help)
  out[#out + 1] = ("# TYPE %s %s"):format(name, kind)
  for _, series in ipairs(list) do
    each(series, function(value, more, suffix)
      out[#out + 1] = ("%s%s%s %s"):format(name, suffix or "", labels(series, more or {}), shown(value))
    end)
  end
end

local function by_key(field, label)
  return function(series, add)
    for _, key in ipairs(sorted_keys(series[field])) do add(series[field][key], { label, key }) end
  end
end

local function plain(field)
  return function(series, add) add(series[field]) end
end

local function spread(field, bounds)
  return function(series, add)
    local its = series[field]
    for i, bound in ipairs(bounds) do add(its.at_most[i], { "le", shown(bound) }, "_bucket") end
    add(its.count, { "le", "+Inf" }, "_bucket")
    add(its.sum, nil, "_sum")
    add(its.count, nil, "_count")
  end
end

---The text, with a line at the end.
---@param list lurcher.Series[] with at_most for `bounds`
---@param bounds number[]
---@return string
function prometheus.text(list, bounds)
  local out = {}
  local function add(...) metric(out, list, ...) end
  add("lurcher_requests_total", "counter", "Attempts of requests that have ended, by status (or error).",
    function(series, sample)
      local failed = 0
      for _, count in pairs(series.errors) do failed = failed + count end
      by_key("statuses", "status")(series, sample)
      if failed > 0 then sample(failed, { "status", "error" }) end
    end)
  add("lurcher_request_errors_total", "counter", "Attempts that failed, by kind of error.",
    by_key("errors", "kind"))
  add("lurcher_request_retries_total", "counter", "Attempts that repeat a request.", plain "retries")
  add("lurcher_request_events_total", "counter", "What was decided about requests, by what.",
    by_key("events", "event"))
  add("lurcher_requests_in_flight", "gauge", "Attempts under way.", plain "in_flight")
  add("lurcher_requests_waiting", "gauge", "Attempts that wait for a slot or the rate.", plain "waiting")
  add("lurcher_received_bytes_total", "counter", "Bytes of heads and bodies received.",
    plain "bytes_received")
  add("lurcher_sent_bytes_total", "counter", "Bytes of heads and bodies sent.", plain "bytes_sent")
  add("lurcher_connection_uses_total", "counter", "Attempts by whether their connection had served before.",
    function(series, sample)
      sample(series.connections.made, { "reused", "false" })
      sample(series.connections.reused, { "reused", "true" })
    end)
  add("lurcher_wait_seconds_total", "counter", "Time that requests waited, by what for.",
    by_key("waited", "for"))
  add("lurcher_request_duration_seconds", "histogram",
    "Time of attempts from dispatch to the last byte, without cancelled ones.", spread("duration", bounds))
  add("lurcher_request_first_byte_seconds", "histogram", "Time of attempts from dispatch to the first byte.",
    spread("first_byte", bounds))
  return table.concat(out, "\n") .. "\n"
end

return prometheus
