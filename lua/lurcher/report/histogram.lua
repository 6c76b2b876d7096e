--- The histogram of a report: how long requests took, as SVG with a logarithmic axis.

local metric_series = require "lurcher.metrics.series"
local units = require "lurcher.base.units"

local histogram = {}

local WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 1200, 250, 52, 26, 28, 30
local STEPS_PER_DECADE, LABEL_ROOM = 16, 90
local LOWEST, HIGHEST = 1e-6, 1e4 -- seconds

local function bounds_between(from, to)
  local list = {}
  local first = math.floor(math.log10(math.max(from, LOWEST)) * STEPS_PER_DECADE)
  local last = math.ceil(math.log10(math.max(to, LOWEST)) * STEPS_PER_DECADE)
  for i = first, math.max(last, first + 1) do list[#list + 1] = 10 ^ (i / STEPS_PER_DECADE) end
  return list
end

-- Counts between neighbouring bounds.
local function differences(at_most)
  local counts = {}
  for i = 2, #at_most do counts[i - 1] = at_most[i] - at_most[i - 1] end
  if counts[1] then counts[1] = counts[1] + at_most[1] end
  return counts
end

local function x_scale(bounds)
  local from, to = math.log10(bounds[1]), math.log10(bounds[#bounds])
  return function(seconds)
    return LEFT + (math.log10(math.max(seconds, bounds[1])) - from) / (to - from) * (WIDTH - LEFT - RIGHT)
  end
end

-- Round durations within the axis: 1, 2 and 5, or powers of ten only when there are many.
local function ticks(bounds)
  local from, to = bounds[1], bounds[#bounds]
  local steps = to / from > 10000 and { 1 } or { 1, 2, 5 }
  local list = {}
  for exponent = math.floor(math.log10(LOWEST)), math.floor(math.log10(HIGHEST)) do
    for _, step in ipairs(steps) do
      local value = step * 10 ^ exponent
      if value >= from * 0.999 and value <= to * 1.001 then list[#list + 1] = value end
    end
  end
  return list
end

local function tick_text(seconds)
  if seconds < 0.00099 then return ("%g µs"):format(seconds * 1e6) end
  if seconds < 0.99 then return ("%g ms"):format(seconds * 1e3) end
  return ("%g s"):format(seconds)
end

local function add(out, format, ...)
  out[#out + 1] = format:format(...)
end

local function add_axis(out, bounds, x)
  local floor = HEIGHT - BOTTOM
  for _, value in ipairs(ticks(bounds)) do
    add(out, '<line class="axis" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>', x(value), x(value), TOP, floor)
    add(out, '<text x="%.1f" y="%d" text-anchor="middle">%s</text>', x(value), HEIGHT - 10, tick_text(value))
  end
  add(out, '<line class="axis" x1="%d" x2="%d" y1="%d" y2="%d"/>', LEFT, WIDTH - RIGHT, floor, floor)
end

-- A line for each quantile; those that are too close share their text.
local function add_marks(out, spread, x)
  local texts = {}
  for _, name in ipairs { "p50", "p95", "p99" } do
    local place, value = x(spread[name]), name .. " " .. units.duration(spread[name])
    local last = texts[#texts]
    add(out, '<line class="mark" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>', place, place, TOP - 6,
      HEIGHT - BOTTOM)
    if last and place - last.place < LABEL_ROOM then
      last.value = last.value .. ", " .. value
    else
      texts[#texts + 1] = { place = place, value = value }
    end
  end
  for _, entry in ipairs(texts) do
    local anchor = entry.place > WIDTH / 2 and "end" or "start"
    add(out, '<text x="%.1f" y="%d" text-anchor="%s">%s</text>', entry.place, TOP - 12, anchor, entry.value)
  end
end

---The SVG element; nil when no attempt has ended.
---@return string?
function histogram.svg()
  local whole = metric_series.distribution {}
  if whole.count == 0 then return nil end
  local bounds = bounds_between(whole.min, whole.max)
  local duration, first_byte = metric_series.distribution(bounds)
  local counts, first_counts = differences(duration.at_most), differences(first_byte.at_most)
  local most = 1
  for i = 1, #counts do most = math.max(most, counts[i], first_counts[i]) end
  local x, floor = x_scale(bounds), HEIGHT - BOTTOM
  local function y(count) return floor - count / most * (floor - TOP - 8) end

  local out = { ('<svg viewBox="0 0 %d %d" role="img" aria-label="Histogram of how long requests took">')
    :format(WIDTH, HEIGHT) }
  add_axis(out, bounds, x)
  add(out, '<text x="%d" y="%.1f" text-anchor="end">%s</text>', LEFT - 6, y(most) + 4, units.count(most))
  for i, count in ipairs(counts) do
    if count > 0 then
      add(out, '<rect class="bar" x="%.1f" y="%.1f" width="%.1f" height="%.1f">'
        .. "<title>%s to %s: %s</title></rect>", x(bounds[i]), y(count),
        math.max(1, x(bounds[i + 1]) - x(bounds[i]) - 1), floor - y(count),
        units.duration(bounds[i]), units.duration(bounds[i + 1]), units.count(count))
    end
  end
  if first_byte.count > 0 then
    local points = { ("M%.1f %.1f"):format(x(bounds[1]), floor) }
    for i, count in ipairs(first_counts) do
      points[#points + 1] = ("L%.1f %.1fH%.1f"):format(x(bounds[i]), y(count), x(bounds[i + 1]))
    end
    add(out, '<path class="outline" d="%sV%.1f"/>', table.concat(points), floor)
  end
  add_marks(out, whole, x)
  out[#out + 1] = "</svg>"
  return table.concat(out, "\n")
end

return histogram
