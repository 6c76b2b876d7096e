--- Credentials of the command line, which may be in variables: they need not be in the shell's history.

local caret = require "lurcher.command.caret"

local credentials = {}

-- The text, or the value of the variable that "env:NAME" names.
local function resolve(option, text, first)
  local name = text:match("^env:(.*)$")
  if not name then return text end
  local value = name ~= "" and os.getenv(name)
  if not value then
    caret.refuse(("the variable %s is not set"):format(name), option.argument, first, first + #text - 1)
  end
  return value
end

local function value_at(option) return #option.argument - #option.value + 1 end

---@param record table
---@param option { value: string, argument: string } --auth=USER:PASSWORD
function credentials.auth(record, option)
  local text, first = option.value, value_at(option)
  if text:find("^env:[^:]*$") then text = resolve(option, text, first) end
  local user, password = text:match("^(.-):(.*)$")
  if not user then
    caret.refuse("--auth is USER:PASSWORD, and either may be env:NAME", option.argument, first, #option.argument)
  end
  record.opts.auth = { user, text == option.value and resolve(option, password, first + #user + 1) or password }
end

---@param record table
---@param option { value: string, argument: string } --bearer=TOKEN
function credentials.bearer(record, option)
  record.opts.auth = require("lurcher.http").bearer(resolve(option, option.value, value_at(option)))
end

return credentials
