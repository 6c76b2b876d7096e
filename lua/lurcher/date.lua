--- Dates: what servers and people write, to seconds since 1970 (UTC) and back.
---
---    date.parse "Sun, 06 Nov 1994 08:49:37 GMT"     --> 784111777
---    date.parse "1994-11-06T09:49:37.5+01:00"       --> 784111777.5
---    date.format(784111777)                         --> "1994-11-06T08:49:37Z"

local base = require "lurcher.base.date"
local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local printable = require("lurcher.base.text").printable
local secret = require "lurcher.base.secret"
local time = require("lurcher.native.task").time

local date = {}

local MAX_LENGTH = 64 -- of a text that may be a date
local DAY = 86400
local MIN_SECONDS, MAX_SECONDS = -62167219200, 253402300799 -- the years 0000 to 9999

local MONTHS = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9, oct = 10,
  nov = 11, dec = 12 }
local MONTH_NAMES = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }
local DAY_NAMES = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local DAYS_OF_MONTH = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

-- ---- checks ----

local function is_leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

-- Seconds since 1970 to midnight of that day, or nil when the calendar has no such day.
local function day_start(year, month, day)
  local days = DAYS_OF_MONTH[month]
  if not days then return nil end
  if month == 2 and is_leap(year) then days = 29 end
  if day < 1 or day > days then return nil end
  return base.days(year, month, day) * DAY
end

-- Seconds since midnight; a leap second counts as the next one, 24:00 as the next day's 0:00.
local function time_of_day(hour, minute, second)
  if minute > 59 or second >= 61 then return nil end
  if hour > 23 and not (hour == 24 and minute == 0 and second == 0) then return nil end
  return hour * 3600 + minute * 60 + second
end

-- Seconds east of Greenwich, of "Z", "+01:00", "-0530", "+01", "GMT"; nil: no zone.
local function zone_offset(zone)
  local upper = zone:upper()
  if upper == "Z" or upper == "GMT" or upper == "UTC" or upper == "UT" then return 0 end
  local sign, hours, minutes = zone:match("^([+-])(%d%d):?(%d%d)$")
  if not sign then sign, hours, minutes = zone:match("^([+-])(%d%d)$"), zone:match("^[+-](%d%d)$"), "00" end
  if not sign or tonumber(hours) > 23 or tonumber(minutes) > 59 then return nil end
  local seconds = tonumber(hours) * 3600 + tonumber(minutes) * 60
  return sign == "-" and -seconds or seconds
end

local function sum(midnight, seconds, zone)
  local offset = zone_offset(zone)
  return midnight and seconds and offset and midnight + seconds - offset or nil
end

-- ---- ISO 8601 ----

local function iso_day(text)
  local year, rest = text:match("^(%d%d%d%d)(.*)$")
  if not year then return nil end
  year = tonumber(year)
  local month, day = rest:match("^%-(%d%d)%-(%d%d)$")
  if not month then month, day = rest:match("^(%d%d)(%d%d)$") end
  if month then return day_start(year, tonumber(month), tonumber(day)) end
  month = rest:match("^%-(%d%d)$")
  if month then return day_start(year, tonumber(month), 1) end
  local ordinal = tonumber(rest:match("^%-?(%d%d%d)$"))
  if ordinal then
    return ordinal >= 1 and ordinal <= (is_leap(year) and 366 or 365) and base.days(year, 1, ordinal) * DAY or nil
  end
  local week, weekday = rest:match("^%-?W(%d%d)%-?([1-7]?)$")
  if not week or tonumber(week) < 1 or tonumber(week) > 53 then return nil end
  local fourth = base.days(year, 1, 4) -- the 4th of January is in week 1; day 0 was a Thursday
  local monday = fourth - (fourth + 3) % 7
  return (monday + (tonumber(week) - 1) * 7 + (tonumber(weekday) or 1) - 1) * DAY
end

local function iso_time(text)
  local hour, minute, second = text:match("^(%d%d):?(%d%d):?(%d?%d?[.,]?%d*)$")
  if not hour then return text:match("^%d%d$") and time_of_day(tonumber(text), 0, 0) end
  if second ~= "" and not second:find("^%d%d$") and not second:find("^%d%d[.,]%d+$") then return nil end
  return time_of_day(tonumber(hour), tonumber(minute), tonumber((second:gsub(",", "."))) or 0)
end

-- RFC 3339 and ISO 8601. Without a zone it is UTC.
local function parse_iso(text)
  local day, rest = text:match("^(%d[%dW%-]*)[Tt ](.+)$")
  if not day then
    if text:find("^%d+$") then return nil end
    return iso_day(text)
  end
  local clock, zone = rest:match("^([%d:.,]+) ?([+%-Zz]?.*)$")
  if not clock then return nil end
  return sum(iso_day(day), iso_time(clock), zone == "" and "Z" or zone)
end

-- ---- RFC 9110 ----

-- RFC 9110, section 5.6.7: two digits that would be more than 50 years ahead are of the century before.
local function full_year(year)
  if #year == 4 then return tonumber(year) end
  local this_year = 1970 + math.floor(time() / (365.2425 * DAY))
  local full = this_year - this_year % 100 + tonumber(year)
  return full > this_year + 50 and full - 100 or full
end

local function parse_clock(text)
  local hour, minute, second = text:match("^(%d%d?):(%d%d):?(%d?%d?)$")
  return hour and time_of_day(tonumber(hour), tonumber(minute), tonumber(second) or 0)
end

-- "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", and e-mail's
-- numeric zones.
local function parse_http(text)
  local day, month, year, clock, zone = text:match("^%a*,?%s*(%d%d?)[ %-](%a%a%a)[ %-](%d%d%d?%d?) ([%d:]+) ?(%S*)$")
  if not day then
    month, day, clock, year = text:match("^%a+ (%a%a%a)%s+(%d%d?) ([%d:]+) (%d%d%d%d)$")
    zone = ""
  end
  if not day or #year == 3 then return nil end
  local number = MONTHS[month:lower()]
  return number and sum(day_start(full_year(year), number, tonumber(day)), parse_clock(clock),
    zone == "" and "GMT" or zone)
end

-- ---- Unix time ----

local UNITS = { { 1e17, 1e9 }, { 1e14, 1e6 }, { 1e11, 1e3 } } -- from which size it is in parts of a second

-- "20200131", as ISO 8601 writes dates without separators, from the year on in which the calendar begins.
local function parse_compact(text)
  local year, month, day = text:match("^(%d%d%d%d)(%d%d)(%d%d)$")
  return year and tonumber(year) >= 1583 and day_start(tonumber(year), tonumber(month), tonumber(day))
end

local function parse_unix(text)
  if not text:find("^%-?%d+%.?%d*$") then return nil end
  local value = tonumber(text)
  for _, unit in ipairs(UNITS) do
    if math.abs(value) >= unit[1] then return value / unit[2] end
  end
  return value
end

---Reads a date: HTTP's three forms (RFC 9110), RFC 3339 and ISO 8601 (calendar, week and ordinal dates; UTC without
---a zone), or Unix time in seconds or, above 10^11, in ms, µs or ns. A text of eight digits is a day where the
---calendar has it ("20200131"); a number never is.
---@param text string|number
---@return number? seconds since 1970
---@return lurcher.Error? err kind "decode"
function date.parse(text)
  check.argument(text, "string|number", 1, "date.parse")
  local is_number = type(text) == "number"
  local given = is_number and ("%.17g"):format(text) or text
  local seconds
  if #given <= MAX_LENGTH then
    given = given:match("^%s*(.-)%s*$")
    seconds = not is_number and parse_compact(given) or parse_unix(given) or parse_iso(given) or parse_http(given)
  end
  if seconds and seconds >= MIN_SECONDS and seconds <= MAX_SECONDS + 1 then return seconds end
  local shown = printable(secret.excerpt(given, MAX_LENGTH))
  return nil, errors.new { kind = "decode", message = ("'%s' is no date"):format(shown) }
end

-- ---- writing ----

local function format_iso(seconds)
  local whole = math.floor(seconds)
  local milliseconds = math.floor((seconds - whole) * 1000 + 0.5)
  if milliseconds == 1000 then whole, milliseconds = whole + 1, 0 end
  local text = os.date("!%Y-%m-%dT%H:%M:%S", whole)
  if #text < 19 then text = ("0"):rep(19 - #text) .. text end
  return text .. (milliseconds > 0 and (".%03d"):format(milliseconds) or "") .. "Z"
end

local function format_http(seconds)
  local t = os.date("!*t", math.floor(seconds))
  return ("%s, %02d %s %04d %02d:%02d:%02d GMT"):format(DAY_NAMES[t.wday], t.day, MONTH_NAMES[t.month], t.year,
    t.hour, t.min, t.sec)
end

---Writes a date, in UTC.
---@param seconds number since 1970
---@param form? "iso"|"http"|string default "iso" (RFC 3339, with milliseconds where there are any); "http": for
---headers; else a pattern for strftime ("%d.%m.%Y")
---@return string
function date.format(seconds, form)
  check.argument(seconds, "number", 1, "date.format")
  check.argument(form, "nil|string", 2, "date.format")
  if not (seconds >= MIN_SECONDS and seconds < MAX_SECONDS + 1) then
    errors.raise("date.format: the date must be in the years 0 to 9999")
  end
  if form == nil or form == "iso" then return format_iso(seconds) end
  if form == "http" then return format_http(seconds) end
  if form:find("^%*t") then errors.raise("date.format: '*t' gives no text; os.date has it") end
  if form == "" then return "" end
  return os.date("!" .. form, math.floor(seconds))
end

---The time of day: seconds since 1970, with fractions. In `clock.virtual`, the virtual clock's.
---@type fun(): number
date.now = time

return date
