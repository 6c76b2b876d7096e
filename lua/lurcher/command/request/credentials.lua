--- Credentials of the command line, which may be in variables: they need not be in the shell's history.

local caret = require "lurcher.command.caret"

local credentials = {}

-- The text, or the value of the variable that "env:NAME" names, which is noted.
local function resolve(option, text, first, variables)
  local name = text:match("^env:(.*)$")
  if not name then return text end
  local value = name ~= "" and os.getenv(name)
  if not value then
    local message = name == "" and "env: needs the name of a variable" or ("the variable %s is not set"):format(name)
    caret.refuse(message, option.argument, first, first + #text - 1)
  end
  variables[value] = name
  return value
end

local function place_of(option) return #option.argument - #option.value + 1 end

-- The scheme; what no header can carry is wrong usage.
local function check(option, name, ...)
  local ok, scheme = pcall(require("lurcher.http")[name], ...)
  if ok then return scheme end
  caret.refuse(scheme:gsub("^[^:]*:%d+: ", ""), option.argument, place_of(option), #option.argument)
end

---Of --auth=USER:PASSWORD; either may be "env:NAME", and so may both together.
---@param option lurcher.command.Option
---@param variables table<string, string> gets the names of variables by their values
---@return table
function credentials.auth(option, variables)
  local text, first = option.value, place_of(option)
  local is_whole = text:find("^env:[^:]*$") ~= nil
  if is_whole then text = resolve(option, text, first, {}) end
  local user, password = text:match("^(env:[^:]*):(.*)$")
  if is_whole or not user then user, password = text:match("^([^:]*):(.*)$") end
  if not user then
    caret.refuse("--auth is USER:PASSWORD, and either may be env:NAME", option.argument, first, #option.argument)
  end
  if not is_whole then
    user, password = resolve(option, user, first, variables),
      resolve(option, password, first + #user + 1, variables)
  end
  check(option, "basic", user, password)
  return { user, password }
end

---Of --bearer=TOKEN.
---@param option lurcher.command.Option
---@param variables table<string, string>
---@return table
function credentials.bearer(option, variables)
  local first = place_of(option)
  local token = resolve(option, option.value, first, variables)
  if token == "" then caret.refuse("the token is empty", option.argument, first) end
  return check(option, "bearer", token)
end

return credentials
