--- The page of --report: the waterfalls of calls, a histogram and the tables by name and origin, as one HTML
--- text that needs no other file. What servers and scripts said is escaped; what is too much is counted.

local explain = require "lurcher.report.explain"
local histogram = require "lurcher.report.histogram"
local page = require "lurcher.report.page"
local phases = require "lurcher.http.phases"
local secret = require "lurcher.base.secret"
local stats = require "lurcher.report.stats"
local text = require "lurcher.base.text"
local units = require "lurcher.base.units"
local version = require "lurcher.native.version"

local report = {}

local MAX_SERIES, MAX_ROWS, MAX_TEXT = 200, 4000, 500

local WAITS = { retry = "wait before a retry", breaker_wait = "wait for the breaker" }

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

-- Any text, as it may stand in an element or an attribute.
local function escaped(value)
  value = units.shorten(text.printable(secret.scrub(value)), MAX_TEXT)
  return (value:gsub("[&<>\"']", ENTITIES))
end

local function add(out, format, ...)
  out[#out + 1] = select("#", ...) > 0 and format:format(...) or format
end

local function share(part, whole)
  return whole > 0 and math.max(0, math.min(100, part / whole * 100)) or 0
end

-- ---- the head ----

local function add_cards(out, recording, rows)
  local all = rows[#rows] and rows[#rows][2]
  local cards = { { units.count(recording.total), "calls" }, { units.count(recording.failed), "failed",
    recording.failed > 0 }, { units.duration(recording.ended - recording.began), "in all" } }
  if recording.open > 0 then table.insert(cards, 3, { units.count(recording.open), "not over", true }) end
  if all then
    cards[#cards + 1] = { units.count(all.requests), "requests" }
    cards[#cards + 1] = { units.count(all.retries), "retries" }
    cards[#cards + 1] = { units.duration(all.duration.p50), "median time" }
    cards[#cards + 1] = { units.duration(all.duration.p99), "p99 of times" }
    cards[#cards + 1] = { units.size(all.bytes_received), "received" }
  end
  add(out, '<div class="cards">')
  for _, card in ipairs(cards) do
    add(out, '<div><b%s>%s</b><span>%s</span></div>', card[3] and ' class="bad"' or "", card[1], card[2])
  end
  add(out, "</div>")
end

-- ---- the tables ----

-- Cells of one row: `cell` makes those of a group from its columns; the first one of a group is set apart.
local function cells_of(groups, cell)
  local out = {}
  for _, group in ipairs(groups) do
    for i = 2, #group do out[#out + 1] = cell(group[i], i == 2 and ' class="g"' or "") end
  end
  return table.concat(out)
end

local function add_table(out, rows, groups, lists)
  local titles, headings = "<th></th>", "<th>name and origin</th>"
  for _, group in ipairs(groups) do
    titles = titles .. ('<th class="g" colspan="%d">%s</th>'):format(#group - 1, group[1])
  end
  headings = headings .. cells_of(groups, function(column, class)
    return ("<th%s>%s</th>"):format(class, column[1])
  end)
  for _, list in ipairs(lists) do
    titles, headings = titles .. '<th class="g"></th>', headings .. '<th class="g list">' .. list .. "</th>"
  end
  add(out, '<div class="wide"><table>')
  add(out, "<thead><tr>%s</tr><tr>%s</tr></thead><tbody>", titles, headings)
  for _, row in ipairs(rows) do
    local series, key = row[2], escaped(row[1])
    local cells = cells_of(groups, function(column, class)
      return ("<td%s>%s</td>"):format(class, column[2](series))
    end)
    for _, list in ipairs(lists) do
      cells = cells .. '<td class="g list">' .. escaped(stats.list_counts(series[list] or {})) .. "</td>"
    end
    add(out, '<tr%s><td title="%s">%s</td>%s</tr>', series.origin and "" or ' class="all"', key, key, cells)
  end
  add(out, "</tbody></table></div>")
end

-- Two tables, since one would be too wide: what was done in which time; what was waited for and came out.
local function add_tables(out, rows, left_out)
  local done, waited = {}, {}
  for i, group in ipairs(stats.GROUPS) do
    local half = i <= 4 and done or waited
    half[#half + 1] = group
  end
  add(out, "<h2>By name and origin</h2>")
  add_table(out, rows, done, {})
  add_table(out, rows, waited, { "statuses", "errors" })
  if left_out > 0 then
    add(out, "<p>%s more names and origins were left out; they count in “all”.</p>", units.count(left_out))
  end
end

-- ---- the waterfalls ----

-- Coloured pieces of some rows, on a lane from `began` to `ended`.
local function pieces(rows, began, ended)
  local out = {}
  for _, row in ipairs(rows) do
    for _, span in ipairs(explain.spans(row)) do
      out[#out + 1] = ('<i class="p-%s" style="left:%.2f%%;width:%.2f%%"></i>'):format(span[1],
        share(span[2] - began, ended - began), share(span[3] - span[2], ended - began))
    end
  end
  return table.concat(out)
end

local function row_title(row)
  if row.what == "attempt" then return ("attempt %d"):format(row.attempt), row.result end
  return WAITS[row.what] or row.what, ""
end

local function add_row(out, row, began, ended)
  local title, result = row_title(row)
  local facts = explain.details(row)
  if row.address and row.address ~= "" then facts = facts .. ", " .. row.address end
  if row.received then facts = facts .. ", " .. units.size(row.received) .. " received" end
  add(out, '<div class="row"><span>%s</span><span class="status">%s</span><span class="took">%s</span>'
    .. '<div class="lane">%s</div></div><div class="more">%s%s</div>', escaped(title), escaped(result),
    row.ended > row.began and units.duration(row.ended - row.began) or "", pieces({ row }, began, ended),
    row.what == "attempt" and "<code>" .. escaped(row.method .. " " .. row.url) .. "</code> — " or "",
    escaped(facts))
end

local function add_call(out, call, recording, rows)
  local ended = call.ended or recording.ended
  local whole = recording.ended - recording.began
  local good = call.ended and not call.failed
  local url = escaped(call.url)
  add(out, '<details class="call" data-number="%d" data-took="%.6f"%s><summary><span class="url" title="%s">'
    .. '<b>%s</b> %s%s%s</span><span class="status %s">%s</span><span class="took">%s</span>', call.number,
    ended - call.began, good and "" or ' data-failed="1"', url, escaped(call.method), url,
    call.name and "<em>" .. escaped(call.name) .. "</em>" or "",
    call.attempts > 1 and "<em>" .. call.attempts .. " attempts</em>" or "", good and "good" or "bad",
    escaped(call.result or "goes on"), units.duration(ended - call.began))
  add(out, '<div class="lane"><div class="span" style="--left:%.3f%%;--width:%.3f%%">%s</div></div>'
    .. "</summary>", share(call.began - recording.began, whole), share(ended - call.began, whole),
    pieces(rows, call.began, ended))
  add(out, '<div class="rows">')
  add(out, '<div class="more">began %s after the start</div>',
    units.duration(math.max(0, call.began - recording.began)))
  for _, row in ipairs(rows) do add_row(out, row, call.began, ended) end
  local more = call.more + #call.rows - #rows
  if more > 0 then add(out, '<div class="more">… and %s rows more</div>', units.count(more)) end
  add(out, "</div></details>")
end

-- Calls are seen best on the scale of the run, unless they are tiny beside it.
local function are_tiny(recording)
  local lengths = {}
  for i, call in ipairs(recording.calls) do lengths[i] = (call.ended or recording.ended) - call.began end
  table.sort(lengths)
  return lengths[1] and lengths[math.ceil(#lengths / 2)] < (recording.ended - recording.began) / 100
end

local TOOLS = [[
<div class="tools" hidden>
<input type="search" id="search" placeholder="method, URL, status, name" aria-label="Search">
<label><input type="checkbox" id="failed"> only failed</label>
<label>order <select id="order"><option value="number">as they began</option>
<option value="took">slowest first</option></select></label>
<label>scale <select id="scale"><option value="run">of the run</option>
<option value="own">of each call</option></select></label>
<span id="shown"></span>
</div>]]

local function add_legend(out)
  local words = {}
  for i, phase in ipairs(phases) do
    words[i] = ('<span><i class="p-%s"></i>%s</span>'):format(phase[1], phase.title)
  end
  add(out, '<div class="legend">%s</div>', table.concat(words))
end

local function add_calls(out, recording)
  add(out, "<h2>Calls</h2>")
  if #recording.calls == 0 then
    add(out, "<p>No requests were made.</p>")
    return
  end
  local left_out = recording.total - #recording.calls
  if left_out > 0 then
    add(out, "<p>%s of %s calls are shown: the first ones, those that failed first, and the slowest. "
      .. "The other %s count in the tables and the histogram.</p>", units.count(#recording.calls),
      units.count(recording.total), units.count(left_out))
  end
  add_legend(out)
  add(out, TOOLS)
  add(out, '<div class="calls%s">', are_tiny(recording) and " own" or "")
  local room = MAX_ROWS
  for _, call in ipairs(recording.calls) do
    local rows = call.rows
    if #rows > room then rows = { unpack(rows, 1, math.max(room, 1)) } end
    room = room - #rows
    add_call(out, call, recording, rows)
  end
  add(out, "</div>")
end

-- ---- the page ----

---The page.
---@param recording lurcher.Recording
---@return string
function report.html(recording)
  local rows, left_out = stats.rows(MAX_SERIES)
  local out = { '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">' }
  -- Should an escape ever be missing, nothing is loaded and nothing is sent.
  add(out, '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src '
    .. "'unsafe-inline'; script-src 'unsafe-inline'\">")
  add(out, '<meta name="viewport" content="width=device-width, initial-scale=1">')
  out[#out + 1] = "<title>Lurcher report</title><style>" .. page.STYLE .. "</style></head><body>"
  add(out, "<h1>Lurcher report</h1><p>%s · lurcher %s</p>", os.date("%Y-%m-%d %H:%M:%S"), version)
  add_cards(out, recording, rows)
  local svg = histogram.svg()
  if svg then
    add(out, "<h2>How long requests took</h2>")
    add(out, '<div class="legend"><span><i class="p-first_byte"></i>in all</span>'
      .. '<span><i class="p-body"></i>until the first byte</span></div>')
    out[#out + 1] = svg
  end
  if #rows > 0 then add_tables(out, rows, left_out) end
  add_calls(out, recording)
  out[#out + 1] = "<script>" .. page.SCRIPT .. "</script></body></html>"
  return table.concat(out, "\n") .. "\n"
end

return report
