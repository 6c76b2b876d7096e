--- The line that shows how far something is: of `lurcher.progress`, and of the option `progress` of what goes
--- over many items.
---
--- Only what happens redraws the line, at most ten times a second: nothing runs by itself.

local check = require "lurcher.base.check"
local native_log = require "lurcher.native.log"
local clock = require("lurcher.native.task").now
local scopes = require "lurcher.task.scope"
local secret = require "lurcher.base.secret"
local text = require "lurcher.base.text"
local units = require "lurcher.base.units"

local shorten, width = units.shorten, units.width

local REDRAW = 0.1 -- seconds
local SMOOTHING = 5 -- seconds: how fast the rate shown forgets
local COLUMNS, MIN_COLUMNS = 80, 20 -- when they are not known; less is not drawn for
local MAX_BAR, MIN_BAR = 40, 8 -- of the bar itself
local MIN_SHARE = 45 -- of a bar beside others

local progress_bar = {}

---@class lurcher.ProgressBar
---@field total? number may be set when it becomes known
---@field count number
local Bar = {}
Bar.__index = Bar

local bars = {} -- those that are shown, first made first
local drawn = -math.huge -- when
local columns = COLUMNS

-- ---- text ----

local function duration(seconds)
  seconds = math.floor(seconds + 0.5)
  local hours, minutes = math.floor(seconds / 3600), math.floor(seconds / 60) % 60
  if hours > 0 then return ("%d:%02d:%02d"):format(hours, minutes, seconds % 60) end
  return ("%d:%02d"):format(minutes, seconds % 60)
end

local function rate_text(rate)
  if rate >= 1e6 then return ("%.1fM/s"):format(rate / 1e6) end
  if rate >= 1e4 then return ("%.1fk/s"):format(rate / 1e3) end
  return (rate >= 9.95 and "%.0f/s" or "%.1f/s"):format(rate)
end

local function share(bar)
  return math.min(1, bar.total > 0 and bar.count / bar.total or 1)
end

local function percent(bar)
  return ("%3d%%"):format(math.floor(share(bar) * 100))
end

-- "450/1000", "120/s", "ETA 0:04", the most important first.
local function figures(bar, now, final)
  local list, elapsed = {}, now - bar.started
  list[1] = bar.total and ("%.0f/%.0f"):format(bar.count, bar.total) or ("%.0f"):format(bar.count)
  local rate = final and elapsed > 0 and (bar.count - bar.base) / elapsed or bar.rate
  if rate and rate > 0 then list[2] = rate_text(rate) end
  if final or not bar.total then
    list[#list + 1] = duration(elapsed)
  elseif rate and rate > 0 and bar.total >= bar.count then
    list[#list + 1] = "ETA " .. duration(math.min((bar.total - bar.count) / rate, 359999))
  end
  return list
end

-- The whole line for one bar: label, share, bar, figures, as many as fit.
local function whole_line(bar, now, room, final)
  local list = figures(bar, now, final)
  local head = bar.label ~= "" and shorten(bar.label, math.max(8, math.floor(room / 3))) .. " " or ""
  if bar.total then head = head .. percent(bar) .. " " end
  local tail = table.concat(list, " ")
  while width(head) + width(tail) > room and list[bar.total and 1 or 2] do
    list[#list] = nil
    tail = table.concat(list, " ")
  end
  local free = math.min(MAX_BAR, room - width(head) - width(tail) - 3)
  if bar.total and free >= MIN_BAR then
    local filled = math.floor(share(bar) * free)
    head = ("%s[%s%s] "):format(head, ("#"):rep(filled), ("."):rep(free - filled))
  end
  return shorten(head .. tail, room)
end

-- Several bars: each whole where there is room for that, else a few words of each.
local function shared_line(now, room)
  local parts, share_of_room = {}, math.floor((room - 3 * (#bars - 1)) / #bars)
  if share_of_room >= MIN_SHARE then
    for i, bar in ipairs(bars) do parts[i] = whole_line(bar, now, share_of_room) end
    return table.concat(parts, " | ")
  end
  for i, bar in ipairs(bars) do
    local label = bar.label ~= "" and shorten(bar.label, 20) .. " " or ""
    parts[i] = label .. (bar.total and percent(bar):gsub("^ +", "") or ("%.0f"):format(bar.count))
  end
  return shorten(table.concat(parts, " | "), room)
end

-- ---- drawing ----

-- False when nobody wants to see it.
local function show(line)
  local told = native_log.progress(line)
  if told then columns = math.max(MIN_COLUMNS, told == 0 and COLUMNS or told) end
  return told ~= nil
end

local function measure(bar, now)
  local passed = now - bar.measured
  if passed <= 0 then return end
  local current = (bar.count - bar.measured_count) / passed
  -- In the beginning, the mean of all there was.
  local weight = math.max(1 - math.exp(-passed / SMOOTHING), passed / (now - bar.started))
  bar.rate = bar.rate and bar.rate + weight * (current - bar.rate) or current
  bar.measured, bar.measured_count = now, bar.count
end

local function draw(now)
  drawn = now
  for _, bar in ipairs(bars) do measure(bar, now) end
  show(bars[2] and shared_line(now, columns - 1) or whole_line(bars[1], now, columns - 1))
end

-- ---- bars ----

---So many more are done.
---@param count? number default 1
function Bar:add(count)
  if getmetatable(self) ~= Bar then check.method(self, Bar, "bar:add") end
  if count ~= nil then check.argument(count, "size", 1, "bar:add") end
  self.count = self.count + (count or 1)
  if not self.shown then return end
  local now = clock()
  if now - drawn >= REDRAW or now < drawn then draw(now) end
end

---It is over: the line that tells how far it came stays. So it is at the end of the task (or scope) that made
---the bar.
function Bar:done()
  check.method(self, Bar, "bar:done")
  if not self.shown then return end
  self.shown = false
  for i = #bars, 1, -1 do
    if bars[i] == self then table.remove(bars, i) end
  end
  local now = clock()
  show(whole_line(self, now, columns - 1, true) .. "\n")
  if bars[1] then draw(now) end
end

-- As it is shown: on one line, without what would steer the terminal.
local function clean(label)
  return text.printable((secret.scrub(label):gsub("%c+", " ")))
end

---@param total number?
---@param label string?
---@return lurcher.ProgressBar
function progress_bar.new(total, label)
  local now = clock()
  local self = setmetatable({
    total = total, label = clean(label or ""), count = 0, base = 0, started = now, measured = now,
    measured_count = 0, shown = show "",
  }, Bar)
  if not self.shown then return self end
  bars[#bars + 1] = self
  draw(now)
  scopes.defer(function() self:done() end)
  return self
end

---Has a bar begin later, with what was done before it.
---@package
---@package
---@param count number
function Bar:skip(count)
  self.count, self.base, self.measured_count = count, count, count
end

---The bar for an option `progress`; nil when it is not wanted.
---@param option boolean|string|nil true or a label
---@param total? number
---@return lurcher.ProgressBar?
function progress_bar.of_option(option, total)
  if option then return progress_bar.new(total, option ~= true and option or nil) end
end

return progress_bar
