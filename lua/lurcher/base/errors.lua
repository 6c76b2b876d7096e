--- Errors that are values: what a call returns as `nil, err` when the world failed. A mistake in the program
--- raises instead, as a string that starts with the caller's position.

local kinds = require "lurcher.base.kinds"
local secret = require "lurcher.base.secret"
local text = require "lurcher.base.text"

local current = require("lurcher.native.task").current
local getinfo = debug.getinfo
local errors = {}

-- Bytes of a message; of a URL in it, which must not push out what happened.
local MAX_MESSAGE, MAX_URL = 4096, 2048

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

-- Fields that an error may have or not; those beyond the ones above belong to one kind, or to the policies.
local FIELDS = {}
for name in ([[kind message phase method url attempts elapsed retryable retry_safe code cause response limit
  observed result attempts_allowed budget_exhausted dispatched retry_after path line column position offset
  page cursor stdout stderr signal reason]]):gmatch("%S+") do
  FIELDS[name] = true
end

local ELSEWHERE = { status = 'err.response.status, of kind "status"', type = "err.kind", name = "err.kind",
  msg = "err.message", text = "err.message", body = 'err.response.body, of kind "status"' }

-- A misspelt field would be nil for ever.
setmetatable(Error, { __index = function(_, name)
  if FIELDS[name] then return nil end
  local strict = require "lurcher.base.strict" -- which needs this module
  if strict.is_name(name) then strict.refuse("an error has no field", name, FIELDS, ELSEWHERE) end
end })

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

---The curl command that makes the request of the call that failed, with the options of its client; secrets are
---`"$TOKEN"`, `"$PASSWORD"` and the like. Nil when no request led to the error.
---@param settings? { secrets?: boolean } true: secrets are written as they are
---@return string? command
function Error:curl(settings)
  local res, describe = self.response, rawget(self, "call")
  if res then return res:curl(settings) end
  return describe and describe(settings, "err:curl") or nil
end

-- What is written of it as JSON: not the call.
function Error:__tojson()
  local fields = {}
  for name, value in pairs(self) do fields[name] = value end
  fields.call = nil
  return fields
end

-- "attempt 3 of 3" matters only when there was more than one or could have been.
local function attempt_note(err)
  local made, allowed = err.attempts, err.attempts_allowed
  if not made or made < 1 or (allowed or 1) <= 1 and made <= 1 then return "" end
  if allowed and allowed >= made and allowed < math.huge then return (" (attempt %d of %d)"):format(made, allowed) end
  return (" (after %d attempts)"):format(made)
end

-- What a peer or a script put into it must neither steer a terminal nor fill the screen.
local function presentable(message)
  return text.cut(text.line(secret.scrub(message)), MAX_MESSAGE)
end

---One line: the request, the kind, what happened, how often it was tried.
function Error:__tostring()
  local line = tostring(self.message or "")
  local kind = tostring(self.kind)
  if line:sub(1, #kind) ~= kind then line = line == "" and kind or kind .. ": " .. line end
  local url = self.url
  if url then line = ("%s %s: %s"):format(self.method or "GET", secret.excerpt(tostring(url), MAX_URL), line) end
  line = line .. attempt_note(self)
  if self.cause then line = line .. "; cause: " .. tostring(self.cause) end
  return presentable(line)
end

-- Lets `"failed: " .. err` work, as it does with a string.
function Error.__concat(left, right)
  return tostring(left) .. tostring(right)
end

errors.metatable = Error

-- The last one that was made in each task.
local last = setmetatable({}, { __mode = "k" })

-- One without the response and the request, whose bodies would live as long as the task.
local function without_bodies(err)
  local response, copy = err.response, {}
  for name, value in pairs(err) do copy[name] = value end
  copy.response, copy.call = nil, nil
  if response then copy.method, copy.url = response.method, response.url end
  return setmetatable(copy, Error)
end

local function keep_last(err)
  local task = current()
  if task then last[task] = err.response and without_bodies(err) or err end
end

---The last error that was made in a task for its script.
---@param task lurcher.Task
---@return lurcher.Error?
function errors.last(task)
  return last[task]
end

---Has an error know the call that it is of, unless it does.
---@param err lurcher.Error
---@param describe fun(settings: table?, what: string): string? gives its curl command
function errors.note_call(err, describe)
  if rawget(err, "call") or err.response then return end
  local task = current()
  if task and last[task] == err then last[task] = without_bodies(err) end
  err.call = describe
end

---What failed in the running task was repeated with success: its script was not told.
function errors.forget_last()
  local task = current()
  if task then last[task] = nil end
end

---Makes an error object of `fields`, which is used, not copied. `kind` and `message` are wanted.
---@param fields table
---@return lurcher.Error
function errors.new(fields)
  if fields.retryable == nil then fields.retryable = false end
  if fields.message then fields.message = presentable(fields.message) end
  setmetatable(fields, Error)
  if fields.kind ~= "canceled" then keep_last(fields) end
  return fields
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

-- The message without what would steer a terminal; its lines and tabs stay.
local function safe(message)
  if not message:find("[^\t\n\32-\126]") then return message end
  return (message:gsub("[^\t\n]+", text.printable))
end

---Raises a mistake of the program, with the caller's position. The message may quote what the script gave.
---@param message string
function errors.raise(message)
  error(errors.position() .. safe(message), 0)
end

return errors
