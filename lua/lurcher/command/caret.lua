--- Wrong usage: a message, the argument that is wrong, and a caret below the part of it. It is raised, and
--- whoever runs the command shows it and ends with status 2.

---@class lurcher.command.Usage
---@field message string
---@field argument? string
---@field first? integer the bytes of the argument that the caret points to
---@field last? integer
local Usage = { __name = "lurcher.command.Usage" }
Usage.__index = Usage

local caret = {}

local line = require("lurcher.base.text").line

local MAX_BEFORE, MAX_AFTER = 60, 30 -- bytes of the argument that are shown around the caret

---Raises wrong usage.
---@param message string
---@param argument? string
---@param first? integer default: the whole argument
---@param last? integer
function caret.refuse(message, argument, first, last)
  error(setmetatable({ message = message, argument = argument, first = first or 1,
    last = last or first or argument and #argument }, Usage), 0)
end

---Whether a value that was raised is wrong usage.
---@param value any
---@return boolean
function caret.is(value)
  return type(value) == "table" and getmetatable(value) == Usage
end

local function is_inside_of_character(text, at)
  return (text:byte(at) or 0) >= 0x80 and text:byte(at) < 0xC0
end

-- What is shown of an argument: control characters, and what is no UTF-8, take one column each.
local function visible(text)
  return (require("lurcher.base.utf8").valid(text):gsub("%c", "?"):gsub("\194[\128-\159]", "?"))
end

-- The argument, cut, and where in it the caret's bytes are.
local function excerpt(argument, first, last)
  local from, to = math.max(1, first - MAX_BEFORE), math.min(#argument, math.max(last, first) + MAX_AFTER)
  if last - first > MAX_BEFORE then to = first + MAX_BEFORE end
  while from > 1 and is_inside_of_character(argument, from) do from = from - 1 end
  while to < #argument and is_inside_of_character(argument, to + 1) do to = to + 1 end
  last = math.min(last, to)
  return (from > 1 and "…" or "") .. visible(argument:sub(from, first - 1)), visible(argument:sub(first, last)),
    visible(argument:sub(last + 1, to)) .. (to < #argument and "…" or "")
end

---The lines that tell the user.
---@param self lurcher.command.Usage
---@return string
function Usage:__tostring()
  local units = require "lurcher.base.units"
  if not self.argument then return ("lurcher: %s\n"):format(line(self.message)) end
  local before, marked, after = excerpt(self.argument, self.first, self.last)
  return ("lurcher: %s\n  %s%s%s\n  %s%s\n"):format(line(self.message), before, marked, after,
    (" "):rep(units.width(before)), ("^"):rep(math.max(1, units.width(marked))))
end

return caret
