--- What the report of a script that failed says besides the traceback: what was raised, as text for a
--- terminal, and a line that helps with the mistakes that newcomers make.

local errors = require "lurcher.base.errors"
local log_line = require "lurcher.base.log_line"
local log = require "lurcher.native.log"
local modules = require "lurcher.native.modules"
local native = require "lurcher.native.task"
local secret = require "lurcher.base.secret"
local text = require "lurcher.base.text"

local uncaught = {}

local MAX_MESSAGE = 4096
local MAX_LINE = 1000 -- of source that is searched for a mistake

-- ---- what was raised ----

---The text without what would steer a terminal; its lines and tabs stay.
---@param value string
---@return string
function uncaught.clean(value)
  if not value:find("[^\t\n\32-\126]") then return value end
  return (value:gsub("[^\t\n]+", text.printable))
end

local function has_text(value)
  local metatable = debug.getmetatable(value)
  return type(metatable) == "table" and rawget(metatable, "__tostring") ~= nil
end

-- Its __tostring raised, or gave something else.
local function raised_without_text(value)
  return ("(the error is a %s value)"):format(type(value))
end

---What was raised, as text.
---@param value any
---@return string
function uncaught.text(value)
  local words = value
  if type(value) == "table" and not has_text(value) then
    words = "the script raised a table: " .. log_line.shown(value)
  elseif type(value) ~= "string" then
    local made, shown = pcall(tostring, value)
    if not made or type(shown) ~= "string" then return raised_without_text(value) end
    words = type(value) == "table" and shown or ("the script raised a %s value: %s"):format(type(value), shown)
  end
  return uncaught.clean(text.cut(secret.scrub(words), MAX_MESSAGE))
end

-- ---- what nobody is told otherwise ----

local LEVELS = { error = 1, warn = 2 } -- of lurcher.native.log

---Warns of a task that held the loop.
---@param id integer
---@param seconds number
---@param at string where it came to; "": not known
---@param spawned string where it was spawned; "": it is a script's main task, or no Lua code did it
---@return string
function uncaught.busy(id, seconds, at, spawned)
  local message = ("a task held the loop for %.1f s%s%s: nothing else could run meanwhile; task.yield() in long work "
    .. "lets others go on"):format(seconds, at ~= "" and ", until " .. at or "",
    spawned ~= "" and " (spawned at " .. spawned .. ")" or "")
  log.write(LEVELS.warn, log_line.make("warn", id, message))
  return ""
end

---Logs a failure, and below it the Lua lines that led there.
---@param level "error"|"warn"
---@param id integer of the task
---@param message string
---@param what string the text of what was raised
---@param traceback string
function uncaught.log(level, id, message, what, traceback)
  if LEVELS[level] > log.level() then return end
  local lines = "stack traceback:\n" .. traceback
  log.write(LEVELS[level], log_line.make_long(level, id, message, { error = what }, "traceback", lines))
end

---Logs what a task raised while it was being cancelled.
---@param failed lurcher.Task
---@return string
function uncaught.tell(failed)
  local report = native.report(failed)
  local what, traceback = report:match("^(.-)\nstack traceback:\n(.*)$")
  what = what or report
  if not what:find("^canceled") then
    uncaught.log("warn", failed.id, "a task failed while it was being cancelled", what, traceback or "")
  end
  return ""
end

---A traceback of the running code without the runtime's own lines.
---@return string
function uncaught.traceback()
  local lines = {}
  for line in debug.traceback("", 3):gmatch("\t[^\n]*") do
    if not (line:find("^\tlurcher/") or line:find("^\t%[C%]")) then lines[#lines + 1] = line end
  end
  return uncaught.clean(table.concat(lines, "\n"))
end

-- ---- using nil ----

-- Globals of other languages, and what does their work here.
local ELSEWHERE = {
  console = "print(…) prints", printf = "print((\"%d\"):format(…)) prints",
  null = "it is nil; JSON's null is json.null", undefined = "it is nil", None = "it is nil",
  this = "it is self", len = "#list is the length", process = "arg has the arguments",
  sys = "arg has the arguments", Promise = "task.all and task.map run things at once",
  sleep = "task.sleep(seconds) waits", setTimeout = "task.spawn and task.sleep wait beside the rest",
  await = "calls wait by themselves, nothing has to be awaited", try = "pcall(fn, …) catches what is raised; calls "
    .. "that fail return nil and an error",
  fetch = "http.get(url) requests", requests = "http.get(url) requests", axios = "http.get(url) requests",
}

-- Functions that tables, strings and libraries have elsewhere.
local FUNCTIONS_ELSEWHERE = {
  unpack = "unpack(list) is a global here", pack = "{ n = select('#', …), … } does that here",
  split = 'for part in text:gmatch("[^,]+") do … end splits', trim = 'text:match("^%s*(.-)%s*$") trims',
  strip = 'text:match("^%s*(.-)%s*$") trims', replace = 'text:gsub("old", "new") replaces',
  startswith = "text:sub(1, #start) == start tells", startsWith = "text:sub(1, #start) == start tells",
  append = "list[#list + 1] = value appends", push = "list[#list + 1] = value appends",
  join = 'table.concat(list, ", ") joins', sleep = "task.sleep(seconds) waits",
}

local function hint_for_function(message)
  local name = message:match("attempt to call %a+ '([%w_]+)' %(a nil value%)")
  return name and FUNCTIONS_ELSEWHERE[name]
end

local function hint_for_global(name)
  if modules.names()["lurcher." .. name] then
    return ('a module is loaded before it is used: local %s = require "lurcher.%s"'):format(name, name)
  end
  return ELSEWHERE[name]
end

local function is_about_nil(message)
  return message:find("attempt to [^\n]*nil") or message:find("got nil)", 1, true)
end

-- Other mistakes of newcomers: { pattern of the message, what is written in Lua }.
local HABITS = {
  { "attempt to index %a+ '([%a_][%w_]*)' %(a function value%)",
    "it is called, with a colon if it is a method: res:%s()" },
  { "attempt to concatenate %a+ '([%a_][%w_]*)' %(a function value%)",
    "it is called, with a colon if it is a method: res:%s()" },
  { "attempt to perform arithmetic on[^\n]*string value", "texts are joined by .." },
}

local function hint_for_habit(message)
  for _, habit in ipairs(HABITS) do
    local first, _, name = message:find(habit[1])
    if first then return habit[2]:format(name) end
  end
end

---A line that helps, for the message of what was raised; nil: there is none.
---@param message string
---@param way lurcher.Task[] where it was raised, and through which tasks it went up
---@return string?
function uncaught.hint(message, way)
  local first = message:sub(1, MAX_LINE)
  if not is_about_nil(first) then
    local habit = hint_for_habit(first)
    return habit and "hint: " .. habit
  end
  local global = first:match("global '([%w_]+)' %(a nil value%)")
  local hint = global and hint_for_global(global) or hint_for_function(first)
  for i = 1, hint and 0 or #way do
    local err = errors.last(way[i])
    if err then
      hint = "the last call that failed in this task gave nil and this error, which assert(…) would have raised: "
        .. tostring(err)
      break
    end
  end
  return hint and "hint: " .. hint
end

-- ---- what does not compile ----

-- { pattern, what is written in Lua } of a line of code without its texts and comments.
local SLIPS = {
  { "//", "a comment begins with --, and the whole part of a / b is math.floor(a / b)" },
  { "/%*", "a comment over several lines is --[[ … ]]" },
  { "^%s*#", "a comment begins with --" },
  { "!=", "'not equal' is ~=" },
  { "<>", "'not equal' is ~=" },
  { "[%w_%]%)]%s*[%+%-%*/%%]=", "there is no += and the like: x = x + 1" },
  { "[%w_]%s*%.%.=", "there is no ..=: x = x .. y" },
  { "%+%+", "there is no ++: x = x + 1" },
  { "&&", "'and' is and" },
  { "||", "'or' is or" },
  { "!", "'not' is not" },
  { "%f[%w_]continue%f[^%w_]", "there is no continue: goto continue, and ::continue:: before the end of the loop" },
  { "%f[%w_]else%s+if%f[^%w_]", "'else if' needs an end of its own: elseif does not" },
  { "%f[%w_]elif%f[^%w_]", "it is elseif" },
  { "%f[%w_]elsif%f[^%w_]", "it is elseif" },
  { "%f[%w_]const%s+[%a_{]", "a variable is made with local" },
  { "%f[%w_]let%s+[%a_{]", "a variable is made with local" },
  { "%f[%w_]var%s+[%a_{]", "a variable is made with local" },
  { "=>", "a function is function(x) return x end" },
  { "%->", "a function is function(x) return x end" },
  { "%f[%w_]def%s+[%a_]", "a function is function name(x) … end" },
  { "%f[%w_]fn%s+[%a_]", "a function is function name(x) … end" },
  { "%f[%w_]func%s+[%a_]", "a function is function name(x) … end" },
  { "%f[%w_]try%f[^%w_]", "errors are caught by pcall(function() … end)" },
  { "%f[%w_]catch%f[^%w_]", "errors are caught by pcall(function() … end)" },
  { "%f[%w_]await%s", "nothing has to be awaited: calls wait by themselves" },
  { "%f[%w_]async%s", "nothing has to be async: calls wait by themselves" },
  { "%f[%w_]new%s+[%a_]", "there is no new: a function makes the object" },
  { "%f[%w_]import%s", 'a module is loaded by local name = require "name"' },
  { "%f[%w_]null%f[^%w_]", "it is nil; JSON's null is json.null" },
  { '""%s*:', 'a table is { name = 1, ["other-name"] = 2 }' },
  { "[{,]%s*[%a_][%w_]*%s*:%s", "a table is { name = 1 }" },
  { "%)%s*{%s*$", "a block begins with then or do and ends with end" },
  { "%f[%w_]else%s*{", "a block ends with end" },
  { "[^%[=]=%s*%[[^%[=]", "a list is { 1, 2 }" },
  { "%(%s*%[[^%[=]", "a list is { 1, 2 }" },
  { "%f[%w_]return%s*%[[^%[=]", "a list is { 1, 2 }" },
  { "`", "a text stands in \"…\", '…' or [[…]]" },
  { "%?", "a condition that gives a value is: test and yes or no" },
}

-- A line without what stands in quotes, and without its comment.
local function code_of(line)
  local bare = line:gsub("\\.", ""):gsub('"[^"]*"', '""'):gsub("'[^']*'", '""')
  return (bare:gsub("%-%-.*", ""))
end

local function slip_in(line)
  local code = code_of(line:sub(1, MAX_LINE))
  for _, slip in ipairs(SLIPS) do
    if code:find(slip[1]) then return slip[2] end
  end
end

local function lines_of(source)
  local lines = {}
  for line in (source .. "\n"):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

-- The last line that holds more than blanks and comments, above line `number`.
local function line_above(lines, number)
  for i = number - 1, 1, -1 do
    if lines[i]:find("%S") and not lines[i]:find("^%s*%-%-") then return lines[i] end
  end
  return ""
end

-- What Lua notices at the end of a file only.
local function missing_end(lines)
  for _, line in ipairs(lines) do
    if code_of(line:sub(1, MAX_LINE)):find("%f[%w_]else%s+if%f[^%w_]") then return slip_in(line) end
  end
end

---The message for a script that does not compile, with a line that helps if the mistake is a common one.
---@param message string
---@param source string
---@return string
function uncaught.syntax(message, source)
  local number = tonumber(message:match("^[^\n]-:(%d+): "))
  local lines = lines_of(source)
  local hint = number and lines[number] and (slip_in(lines[number]) or slip_in(line_above(lines, number)))
  if not hint and message:find("<eof>", 1, true) then hint = missing_end(lines) end
  return uncaught.clean(text.cut(secret.scrub(message), MAX_MESSAGE)) .. (hint and "\nhint: in Lua " .. hint or "")
end

---The line of the only call at whose end a function ends ("return f()").
---@param main function
---@param open_util fun(): table gives jit.util
---@return integer? line nil: there are several, or none
function uncaught.tail_line(main, open_util)
  return require("lurcher.base.tail_calls").line(main, open_util())
end

return uncaught
