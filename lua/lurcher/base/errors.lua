--- Errors that are values: what a call returns as `nil, err` when the world failed. A mistake in the program
--- raises instead, as a string that starts with the caller's position.

local kinds = require "lurcher.base.kinds"
local secret = require "lurcher.base.secret"

local getinfo = debug.getinfo
local errors = {}

---@class lurcher.Error
---@field kind lurcher.ErrorKind what went wrong
---@field message string what happened and what can be done, without method and URL
---@field phase? string where in a request: "queue", "connect", "write", "read", "total", "task"
---@field method? string
---@field url? string credentials and secret query values are replaced by ***
---@field attempts? integer
---@field elapsed? number seconds
---@field retryable boolean trying again is safe and may help
---@field retry_safe? boolean it is certain that the peer did not process the request
---@field code? string the libcurl code's or the errno's name
---@field cause? lurcher.Error
---@field response? lurcher.Response kind "status" only
---@field limit? number
---@field observed? number
local Error = {}
Error.__index = Error
Error.__name = "lurcher.Error"

---Tests the kind. One that does not exist raises: a misspelt kind would be false for ever.
---@param kind lurcher.ErrorKind
---@return boolean
function Error:is(kind)
  if self.kind == kind then return true end
  if not kinds.get(kind) then
    local check = require "lurcher.base.check" -- which needs this module
    errors.raise("err:is: " .. check.unknown(kind, kinds.names(), "kind"))
  end
  return false
end

-- "attempt 3 of 3" matters only when there was more than one or could have been.
local function attempt_note(err)
  local made, allowed = err.attempts, err.attempts_allowed
  if not made or made < 1 or (allowed or 1) <= 1 and made <= 1 then return "" end
  if allowed and allowed >= made then return (" (attempt %d of %d)"):format(made, allowed) end
  return (" (after %d attempts)"):format(made)
end

---One line: the request, the kind, what happened, how often it was tried.
function Error:__tostring()
  local text = tostring(self.message or "")
  local kind = tostring(self.kind)
  if text:sub(1, #kind) ~= kind then text = text == "" and kind or kind .. ": " .. text end
  if self.url then text = ("%s %s: %s"):format(self.method or "GET", self.url, text) end
  text = text .. attempt_note(self)
  if self.cause then text = text .. "; cause: " .. tostring(self.cause) end
  return (secret.scrub(text):gsub("[\r\n]+", " "))
end

-- Lets `"failed: " .. err` work, as it does with a string.
function Error.__concat(left, right)
  return tostring(left) .. tostring(right)
end

errors.metatable = Error

---Makes an error object of `fields`, which is used, not copied. `kind` and `message` are wanted.
---@param fields table
---@return lurcher.Error
function errors.new(fields)
  if fields.retryable == nil then fields.retryable = false end
  if fields.message then fields.message = secret.scrub(fields.message) end
  return setmetatable(fields, Error)
end

---@param value any
---@return boolean
function errors.is_error(value)
  return type(value) == "table" and getmetatable(value) == Error
end

---The position, as in "script.lua:12: ", of the first function on the stack that is not part of the runtime.
---@return string
function errors.position()
  local level = 2
  while true do
    local info = getinfo(level, "Sl")
    if not info then return "" end
    if info.currentline > 0 and info.source:sub(1, 9) ~= "@lurcher/" then
      return ("%s:%d: "):format(info.short_src, info.currentline)
    end
    level = level + 1
  end
end

---Raises a mistake of the program, with the caller's position.
---@param message string
function errors.raise(message)
  error(errors.position() .. message, 0)
end

return errors
