--- Log lines for people or machines, on stderr or wherever the host of an embedded runtime wants them.
--- Logging never fails: odd values are shown as well as they can be, and a line stays one line.
---    log.warn("upload is slow", { url = url, seconds = 12.5 })

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local log_line = require "lurcher.base.log_line"
local native = require "lurcher.native.log"
local task = require "lurcher.task"

local LEVELS = { error = 1, warn = 2, info = 3, debug = 4 }
local LEVEL_NAMES = { "error", "warn", "info", "debug" }

local log = {}

---How lines look from now on: "text" (the default) or "json", one object a line.
---@param name "text"|"json"
function log.format(name)
  check.argument(name, "'text'|'json'", 1, "log.format")
  log_line.set_format(name)
end

---The most talkative level that is shown ("error", "warn", "info" or "debug"); with an argument, sets it.
---@param name? string
---@return string
function log.level(name)
  if name ~= nil then
    check.argument(name, "'error'|'warn'|'info'|'debug'", 1, "log.level")
    native.set_level(LEVELS[name])
  end
  return LEVEL_NAMES[native.level()]
end

local function write(level, message, fields)
  if message == log then errors.raise(("call it with a dot: log.%s(…)"):format(level)) end
  local number = LEVELS[level]
  if number > native.level() then return end
  local current = task.current()
  native.write(number, log_line.make(level, current and current.id, message, fields))
end

---Something failed.
---@param message any
---@param fields? table<string, any>|lurcher.Error
function log.error(message, fields) write("error", message, fields) end

---Something is not as it should be, but goes on.
---@param message any
---@param fields? table<string, any>|lurcher.Error
function log.warn(message, fields) write("warn", message, fields) end

---What happens.
---@param message any
---@param fields? table<string, any>|lurcher.Error
function log.info(message, fields) write("info", message, fields) end

---What happens inside.
---@param message any
---@param fields? table<string, any>|lurcher.Error
function log.debug(message, fields) write("debug", message, fields) end

return log
