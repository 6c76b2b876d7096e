--- Dates as HTTP writes them, read as leniently as RFC 6265 section 5.1.1 asks for: the three formats of RFC
--- 9110 and what else servers send.

local date = {}

local MONTHS = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6,
  jul = 7, aug = 8, sep = 9, oct = 10, nov = 11, dec = 12 }
local MONTH_DAYS = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

---Days from 1970-01-01 to a day of the Gregorian calendar.
---@param year integer
---@param month integer 1 to 12
---@param day integer
---@return integer
function date.days(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = math.floor(year / 400)
  local year_of_era = year - era * 400
  local day_of_year = math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  local leap_days = math.floor(year_of_era / 4) - math.floor(year_of_era / 100)
  return era * 146097 + year_of_era * 365 + leap_days + day_of_year - 719468
end

-- Whatever is no delimiter of RFC 6265: digits, letters, ":", control characters and what is not ASCII.
local TOKEN = "[^\t\32-\47\59-\64\91-\96\123-\126]+"

-- The number that a token begins with, if it has so many digits; what follows does not matter.
local function leading_number(token, least, most)
  local digits = token:match("^%d+")
  return digits and #digits >= least and #digits <= most and tonumber(digits) or nil
end

local function clock_time(token)
  local hour, minute, second, more = token:match("^(%d%d?):(%d%d?):(%d%d?)(%d?)")
  if more ~= "" then return nil end
  return hour, minute, second
end

---Seconds since 1970 (UTC), or nil when the text is no date.
---@param text string
---@return integer?
function date.parse(text)
  local hour, minute, second, day, month, year
  for token in text:gmatch(TOKEN) do
    local is_time = not hour and clock_time(token)
    if is_time then
      hour, minute, second = clock_time(token)
    elseif not day and leading_number(token, 1, 2) then
      day = leading_number(token, 1, 2)
    elseif not month and MONTHS[token:sub(1, 3):lower()] then
      month = MONTHS[token:sub(1, 3):lower()]
    elseif not year and leading_number(token, 2, 4) then
      year = leading_number(token, 2, 4)
    end
  end
  if not (hour and day and month and year) then return nil end
  hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
  if year < 70 then year = year + 2000 elseif year < 100 then year = year + 1900 end
  if year < 1601 or day < 1 or day > MONTH_DAYS[month] then return nil end
  if hour > 23 or minute > 59 or second > 60 then return nil end
  return date.days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
end

return date
