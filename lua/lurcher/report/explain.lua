--- The waterfalls of --explain, as text for a terminal: each call, and under it a row for each attempt and
--- for what was waited for between two.

local phases = require "lurcher.http.phases"
local secret = require "lurcher.base.secret"
local text = require "lurcher.base.text"
local units = require "lurcher.base.units"

local explain = {}

-- Calls shown in full: the first ones and the slowest ones.
local FIRST, SLOWEST = 10, 30
local MIN_URL = 20
local LABEL, MIN_BAR, MAX_BAR, TIME, NARROW = 16, 20, 100, 9, 160

-- How a phase is drawn, named, and coloured: by its name.
local LOOKS = { unknown = { cell = "?", colour = "31" } }
local legend = {}
for i, phase in ipairs(phases) do
  LOOKS[phase[1]], legend[i] = phase, phase.cell .. " " .. phase.title
end
local LEGEND = table.concat(legend, ", ")
local WAITS = { retry = true, breaker_wait = true }

local function clean(value)
  return text.printable(secret.scrub(value))
end

local function coloured(value, colour, colours)
  return colours and value ~= "" and ("\27[%sm%s\27[0m"):format(colour, value) or value
end

-- ---- bars ----

-- { { phase, began, ended }, … } of a row, in seconds.
local function spans(row)
  if row.what == "unfinished" then return { { "unknown", row.began, row.ended } } end
  if row.what == "breaker_wait" then return { { "breaker", row.began, row.ended } } end
  if row.what ~= "attempt" then return { { "retry", row.began, row.ended } } end
  local list, at = {}, row.began
  for _, phase in ipairs(phases.OF_ATTEMPT) do
    local length = row.phases[phase]
    if length > 0 then list[#list + 1] = { phase, at, at + length } end
    at = at + length
  end
  return list
end
explain.spans = spans

-- The phase that takes most of the time from `from` to `to`.
local function phase_in(list, from, to)
  local best, most = nil, 0
  for _, span in ipairs(list) do
    local shared = math.min(span[3], to) - math.max(span[2], from)
    if shared > most then best, most = span[1], shared end
  end
  return best
end

-- The bar of a row in a call from `began` to `ended`. What is too short for a cell has one all the same.
local function bar(row, began, ended, cells, colours)
  local list, width = spans(row), (ended - began) / cells
  local out, shown = {}, false
  for i = 1, cells do
    local phase = width > 0 and phase_in(list, began + (i - 1) * width, began + i * width)
    local look = phase and LOOKS[phase]
    shown = shown or look
    out[i] = look and coloured(look.cell, look.colour, colours) or " "
  end
  if not shown then
    local place = width > 0 and math.floor((row.began - began) / width) + 1 or 1
    out[math.max(1, math.min(cells, place))] = "╵"
  end
  return table.concat(out)
end

-- ---- rows ----

local function label(row)
  if row.what == "attempt" then return ("%d  %s"):format(row.attempt, row.result) end
  return WAITS[row.what] and "   wait" or "   " .. row.what
end

-- "slot 1.2 ms, dns 3 ms, …"
local function details(row)
  local words = {}
  if row.what == "attempt" then
    for _, phase in ipairs(phases.OF_ATTEMPT) do
      local length = row.phases[phase]
      if length > 0 then words[#words + 1] = LOOKS[phase].short .. " " .. units.duration(length) end
    end
    if row.reused then words[#words + 1] = "reused" end
  elseif row.what == "redirect" then
    words[1] = "to " .. row.url
  elseif row.what == "unfinished" then
    words[1] = "it did not end"
  end
  if row.why then words[#words + 1] = row.why end
  return clean(table.concat(words, ", "))
end
explain.details = details

local function add_row(out, row, call, ended, columns, colours)
  local narrow = columns < NARROW
  local cells = math.max(MIN_BAR, math.min(MAX_BAR, columns - LABEL - TIME - 4))
  if not narrow then cells = math.min(cells, math.floor((columns - LABEL - TIME - 4) / 2)) end
  local head = units.pad(units.shorten(clean(label(row)), LABEL), LABEL)
  local took = units.pad(units.duration(row.ended - row.began), TIME, true)
  local line = "  " .. head .. bar(row, call.began, ended, cells, colours) .. " " .. took
  local more = details(row)
  if narrow then
    out[#out + 1] = line
    for _, words in ipairs(units.wrap(units.shorten(more, 200), columns - LABEL - 2)) do
      out[#out + 1] = (" "):rep(LABEL + 2) .. coloured(words, "2", colours)
    end
  else
    local room = columns - LABEL - cells - TIME - 5
    out[#out + 1] = line .. "  " .. coloured(units.shorten(more, room), "2", colours)
  end
end

local function is_good(call) return call.ended and not call.failed end

-- How long, when, how often and under which name; the last of these go first when there is no room for them.
local function facts_of(call, recording, room)
  local words = { units.duration((call.ended or recording.ended) - call.began),
    "at " .. units.duration(call.began - recording.began) }
  if call.attempts > 1 then words[#words + 1] = call.attempts .. " attempts" end
  if call.name then words[#words + 1] = units.shorten(clean(call.name), 20) end
  local facts = ""
  for _, word in ipairs(words) do
    if units.width(facts .. word) + 2 > room then break end
    facts = facts .. "  " .. word
  end
  return facts
end

local function add_call(out, call, recording, columns, colours)
  local ended = call.ended or recording.ended
  local result = call.result or "goes on"
  local room = columns - #call.method - #result - 3
  local facts = facts_of(call, recording, room - MIN_URL)
  local url = units.shorten(clean(call.url), room - units.width(facts))
  out[#out + 1] = ("%s %s  %s%s"):format(call.method, url,
    coloured(result, is_good(call) and "32" or "31", colours), coloured(facts, "2", colours))
  for _, row in ipairs(call.rows) do add_row(out, row, call, ended, columns, colours) end
  if call.more > 0 then out[#out + 1] = ("  … and %s rows more"):format(units.count(call.more)) end
  out[#out + 1] = ""
end

-- ---- which calls ----

local function chosen(recording)
  local function length(call) return (call.ended or recording.ended) - call.began end
  local by_length, wanted, list = {}, {}, {}
  for i, call in ipairs(recording.calls) do
    if i <= FIRST then wanted[call] = true else by_length[#by_length + 1] = call end
  end
  table.sort(by_length, function(a, b)
    if length(a) ~= length(b) then return length(a) > length(b) end
    return a.number < b.number
  end)
  for i = 1, math.min(SLOWEST, #by_length) do wanted[by_length[i]] = true end
  for _, call in ipairs(recording.calls) do
    if wanted[call] then list[#list + 1] = call end
  end
  return list
end

---The waterfalls as text, at most `columns` wide.
---@param recording lurcher.Recording
---@param columns integer
---@param colours boolean
---@return string
function explain.text(recording, columns, colours)
  if recording.total == 0 then return "no requests were made\n" end
  local calls = chosen(recording)
  local out = {}
  for i, line in ipairs(units.wrap(LEGEND, columns)) do out[i] = coloured(line, "2", colours) end
  out[#out + 1] = ""
  for _, call in ipairs(calls) do add_call(out, call, recording, columns, colours) end
  local left_out = recording.total - #calls
  out[#out + 1] = ("%s, %s failed%s, in %s%s"):format(units.plural(recording.total, "call"),
    units.count(recording.failed),
    recording.open > 0 and (", %s not over"):format(units.count(recording.open)) or "",
    units.duration(recording.ended - recording.began),
    left_out > 0 and ("; shown are the first %d and the slowest of the others"):format(FIRST) or "")
  for i, line in ipairs(out) do out[i] = line:gsub(" +$", "") end
  return table.concat(out, "\n") .. "\n"
end

return explain
