--- What a converter does not understand: raised deep inside, and handed to the caller as `nil, err`.

local errors = require "lurcher.base.errors"
local native = require "lurcher.native.task"

local refusal = {}

local raw_pcall = native.raw_pcall

local Refusal = {}

---Ends the conversion.
---@param message string what is not understood, and what to do instead
---@param at? integer the byte of the text where it stands
---@param kind? lurcher.ErrorKind default "decode"
function refusal.raise(message, at, kind)
  error(setmetatable({ message = message, at = at, kind = kind or "decode" }, Refusal), 0)
end

-- Line and column, in bytes, of a place.
local function position_of(text, at)
  local line, from = 1, 1
  for stop in text:sub(1, at - 1):gmatch("()\n") do
    line, from = line + 1, stop + 1
  end
  return line, at - from + 1
end

local function error_of(raised, text)
  local fields = { kind = raised.kind, message = raised.message }
  if raised.at and text then
    fields.line, fields.column = position_of(text, raised.at)
    fields.message = ("line %d, column %d: %s"):format(fields.line, fields.column, raised.message)
  end
  return errors.new(fields)
end

local function answer(text, ok, ...)
  if ok then return ... end
  local raised = ...
  if getmetatable(raised) ~= Refusal then error(raised, 0) end
  return nil, error_of(raised, text)
end

---Calls a function; a refusal in it becomes `nil, err`.
---@param text string|nil what places in the message refer to
---@param fn function
---@param ... any its arguments
---@return any ... what it returned
function refusal.catch(text, fn, ...)
  return answer(text, raw_pcall(fn, ...))
end

return refusal
