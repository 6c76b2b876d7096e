--- Server-sent events as a handler gives them: `return { events = { "one", { event = "paid", data = { id = 7 } } } }`.

local check = require "lurcher.base.check"
local json = require "lurcher.json"

local events = {}

local FIELDS = { event = true, data = true, id = true, retry = true, comment = true }

-- One line; a line end within would begin another field.
local function line(lines, name, value)
  value = tostring(value)
  if value:find("[%z\r\n]") then error(("an event's %s is one line, got %q"):format(name, value), 0) end
  lines[#lines + 1] = name .. ": " .. value .. "\n"
end

local function data_lines(lines, name, text)
  text = text:gsub("\r\n?", "\n")
  for one in (text .. "\n"):gmatch("([^\n]*)\n") do lines[#lines + 1] = name .. ": " .. one .. "\n" end
end

-- As the field has it, of seconds.
local function milliseconds(seconds)
  if check.mismatch(seconds, "seconds") then
    error("an event's retry is a number of seconds, got " .. check.shown(seconds), 0)
  end
  return ("%d"):format(seconds * 1000)
end

---The text of one event.
---@param event string|table its data, or `event`, `data` (a string, or what becomes JSON), `id`, `retry` (seconds),
---  `comment`
---@return string
function events.text(event)
  if type(event) == "string" then event = { data = event } end
  if type(event) ~= "table" then error("an event is a string or a table, got " .. check.shown(event), 0) end
  local lines = {}
  for key in pairs(event) do
    if not FIELDS[key] then error(check.unknown(key, FIELDS, "field of an event"), 0) end
  end
  if event.comment ~= nil then data_lines(lines, "", tostring(event.comment)) end
  if event.event ~= nil then line(lines, "event", event.event) end
  if event.id ~= nil then line(lines, "id", event.id) end
  if event.retry ~= nil then line(lines, "retry", milliseconds(event.retry)) end
  if event.data ~= nil then
    data_lines(lines, "data", type(event.data) == "string" and event.data or json.encode(event.data))
  end
  return table.concat(lines) .. "\n"
end

-- The next of a list, or of an iterator, which may fail.
local function following(list)
  if type(list) == "function" then
    return function()
      local event, failure = list()
      if event == nil and failure ~= nil then error(failure, 0) end
      return event
    end
  end
  local at = 0
  return function()
    at = at + 1
    return list[at]
  end
end

---A body of events.
---@param list table|fun(): string|table|nil
---@return fun(): string?
function events.body(list)
  if type(list) ~= "function" and type(list) ~= "table" then
    error("the response's events must be a list or an iterator function, got " .. check.shown(list), 0)
  end
  local next_event = following(list)
  return function()
    local event = next_event()
    return event ~= nil and events.text(event) or nil
  end
end

return events
