--- The tables of --stats: what was counted by name and origin, as text for a terminal.

local metric_series = require "lurcher.metrics.series"
local metrics = require "lurcher.metrics"
local secret = require "lurcher.base.secret"
local text = require "lurcher.base.text"
local units = require "lurcher.base.units"

local stats = {}

local MAX_ROWS, MIN_KEY, MAX_KEY = 40, 24, 60
local DEFAULT_PORTS = { http = "80", https = "443" }

local function sum(map)
  local total = 0
  for _, count in pairs(map) do total = total + count end
  return total
end

-- ---- what is shown ----

-- Groups of columns that stay together: { title, { heading, function(series) … }, … }.
local function spread(title, field)
  local function quantile(name)
    return { name, function(series)
      return series[field].count > 0 and units.duration(series[field][name]) or "-"
    end }
  end
  return { title, quantile "p50", quantile "p95", quantile "p99" }
end

local function waited(heading, reason)
  return { heading, function(series)
    local seconds = series.waited[reason]
    return seconds > 0 and units.duration(seconds) or "-"
  end }
end

local function of_http2(heading, field)
  return { heading, function(series)
    return series.http2.streams > 0 and units.count(series.http2[field]) or "-"
  end }
end

local GROUPS = {
  { "", { "requests", function(series) return units.count(series.requests) end },
    { "errors", function(series) return units.count(sum(series.errors)) end },
    { "retries", function(series) return units.count(series.retries) end } },
  { "bytes", { "received", function(series) return units.size(series.bytes_received) end },
    { "sent", function(series) return units.size(series.bytes_sent) end } },
  spread("time in all", "duration"),
  spread("until the first byte", "first_byte"),
  { "connections", { "reused", function(series)
    local made, reused = series.connections.made, series.connections.reused
    return units.share(reused, made + reused)
  end } },
  { "HTTP/2", of_http2("connections", "connections"), of_http2("streams", "streams"), of_http2("at once", "most"),
    shown = function(series) return series.http2.streams > 0 end },
  { "waited in all for", waited("slot", "slot"), waited("rate", "rate"), waited("retry", "retry"),
    waited("breaker", "breaker") },
}

---A series' name and origin, fit for a terminal.
---@param series lurcher.Series
---@return string
function stats.key(series)
  local name = series.name ~= "" and series.name .. " " or ""
  local scheme, port = series.origin:match("^(%a+)://.*:(%d+)$")
  local origin = series.origin == "other" and "" or series.origin
  if scheme and DEFAULT_PORTS[scheme] == port then origin = origin:gsub(":%d+$", "") end
  return (text.printable(secret.scrub(name .. origin)):gsub(" $", ""))
end

-- ---- the series ----

local SUMS = { "requests", "retries", "bytes_received", "bytes_sent" }

-- All series as one.
local function total_of(list)
  local duration, first_byte = metric_series.distribution {}
  local all = { errors = {}, connections = { made = 0, reused = 0 }, duration = duration,
    first_byte = first_byte, waited = { slot = 0, rate = 0, retry = 0, breaker = 0 },
    http2 = { connections = 0, streams = 0, most = 0 } }
  for _, field in ipairs(SUMS) do all[field] = 0 end
  for _, series in ipairs(list) do
    for _, field in ipairs(SUMS) do all[field] = all[field] + series[field] end
    for _, field in ipairs { "errors", "connections", "waited" } do
      for key, value in pairs(series[field]) do all[field][key] = (all[field][key] or 0) + value end
    end
    for _, key in ipairs { "connections", "streams" } do all.http2[key] = all.http2[key] + series.http2[key] end
    all.http2.most = math.max(all.http2.most, series.http2.most)
  end
  return all
end

---The rows of the tables: { key, series } by falling number of requests, then all together.
---@param most integer
---@return table[] rows
---@return integer left_out
function stats.rows(most)
  local list = metrics.snapshot()
  local total = total_of(list)
  local rows = {}
  for i, series in ipairs(list) do rows[i] = { stats.key(series), series } end
  table.sort(rows, function(a, b)
    if a[2].requests ~= b[2].requests then return a[2].requests > b[2].requests end
    return a[1] < b[1]
  end)
  local left_out = math.max(0, #rows - most)
  for i = #rows, most + 1, -1 do rows[i] = nil end
  if #list > 1 then rows[#rows + 1] = { "all", total } end
  return rows, left_out
end

---The columns, for other forms of the tables.
stats.GROUPS = GROUPS

-- ---- layout ----

-- A group with its cells, and how wide each column is.
local function measured(group, rows)
  local its = { title = group[1], columns = {}, width = 0 }
  for i = 2, #group do
    local column = { heading = group[i][1], cells = {}, width = units.width(group[i][1]) }
    for row, entry in ipairs(rows) do
      column.cells[row] = group[i][2](entry[2])
      column.width = math.max(column.width, units.width(column.cells[row]))
    end
    its.columns[i - 1] = column
    its.width = its.width + 2 + column.width
  end
  local title = units.width(its.title) + 2
  if its.width < title then
    its.columns[1].width = its.columns[1].width + title - its.width
    its.width = title
  end
  return its
end

-- Some groups are only for those whom they concern.
local function is_shown(group, rows)
  for _, entry in ipairs(rows) do
    if not group.shown or group.shown(entry[2]) then return true end
  end
  return false
end

-- One table: the keys and some groups.
local function add_table(out, keys, key_width, groups)
  local title, heading = (" "):rep(key_width), (" "):rep(key_width)
  for _, group in ipairs(groups) do
    title = title .. "  " .. units.pad(group.title, group.width - 2)
    for _, column in ipairs(group.columns) do
      heading = heading .. "  " .. units.pad(column.heading, column.width, true)
    end
  end
  if title:find("%S") then out[#out + 1] = title end
  out[#out + 1] = heading
  for row, key in ipairs(keys) do
    local line = units.pad(key, key_width)
    for _, group in ipairs(groups) do
      for _, column in ipairs(group.columns) do
        line = line .. "  " .. units.pad(column.cells[row], column.width, true)
      end
    end
    out[#out + 1] = line
  end
end

-- "timeout 3, connect 9", the most frequent first.
local function list_counts(counts)
  local words = {}
  for key, count in pairs(counts) do words[#words + 1] = { key, count } end
  table.sort(words, function(a, b)
    if a[2] ~= b[2] then return a[2] > b[2] end
    return a[1] < b[1]
  end)
  for i, word in ipairs(words) do words[i] = word[1] .. " " .. units.count(word[2]) end
  return table.concat(words, ", ")
end
stats.list_counts = list_counts

-- A key and its list, on as many lines as it takes.
local function add_list(lines, key, list, key_width, columns)
  for i, words in ipairs(units.wrap(list, columns - key_width - 2)) do
    lines[#lines + 1] = units.pad(i == 1 and key or "", key_width) .. "  " .. words
  end
end

local function add_counts(out, title, field, rows, keys, key_width, columns)
  local lines = {}
  for row, entry in ipairs(rows) do
    local list = list_counts(entry[2][field] or {})
    if list ~= "" then add_list(lines, keys[row], list, key_width, columns) end
  end
  if #lines == 0 then return end
  out[#out + 1] = ""
  out[#out + 1] = title
  for _, line in ipairs(lines) do out[#out + 1] = line end
end

-- The groups as lists that fit beside keys of that width.
local function packed(groups, key_width, columns)
  local tables, width = {}, columns
  for _, group in ipairs(groups) do
    if width + group.width > columns then
      tables[#tables + 1], width = {}, key_width
    end
    table.insert(tables[#tables], group)
    width = width + group.width
  end
  return tables
end

-- Fewest tables first; then keys as wide as possible.
local function arrange(groups, key_width, columns)
  local best, best_width
  for width = MIN_KEY, math.max(MIN_KEY, math.min(key_width, MAX_KEY)) do
    local tables = packed(groups, width, columns)
    if not best or #tables <= #best then best, best_width = tables, width end
  end
  return best, best_width
end

---The tables as text, each at most `columns` wide.
---@param columns integer
---@return string
function stats.text(columns)
  local rows, left_out = stats.rows(MAX_ROWS)
  if #rows == 0 then return "no requests were made\n" end
  local key_width, keys = 0, {}
  for i, row in ipairs(rows) do
    key_width = math.max(key_width, units.width(row[1]))
    keys[i] = row[1]
  end
  local groups = {}
  for _, group in ipairs(GROUPS) do
    if is_shown(group, rows) then groups[#groups + 1] = measured(group, rows) end
  end
  local tables
  tables, key_width = arrange(groups, key_width, columns)
  for i, key in ipairs(keys) do keys[i] = units.shorten(key, key_width) end

  local out = {}
  for i, together in ipairs(tables) do
    if i > 1 then out[#out + 1] = "" end
    add_table(out, keys, key_width, together)
  end
  add_counts(out, "statuses", "statuses", rows, keys, key_width, columns)
  add_counts(out, "errors", "errors", rows, keys, key_width, columns)
  if left_out > 0 then
    out[#out + 1] = ("and %s more names and origins, which count in \"all\""):format(units.count(left_out))
  end
  for i, line in ipairs(out) do out[i] = line:gsub(" +$", "") end
  return table.concat(out, "\n") .. "\n"
end

return stats
