--- What a command line takes from elsewhere: files, and standard input when it is asked for.

local caret = require "lurcher.command.caret"

local inputs = {}

local standard_input -- it can be read once

-- All that is left of standard input.
local function read_standard_input(argument, first, last)
  local text, err = require("lurcher.fs").read("/dev/stdin", { max = math.huge })
  if text then return text end
  caret.refuse("cannot read standard input: " .. err.code, argument, first, last or #argument)
end

---A path as it was typed: "~/" is the home folder, which a shell does not see behind an "@".
---@param path string
---@return string
function inputs.path(path)
  local home = path:find("^~/") and os.getenv "HOME"
  return home and home .. path:sub(2) or path
end

-- Why a file cannot be read; nil: it can.
local function problem_of(path)
  if path == "" then return "no path" end
  if path:find("%z") then return "a path cannot contain a NUL byte" end
  local file, message = io.open(inputs.path(path), "rb")
  if not file then return (message:gsub("^.*: ", "")) end
  local _, failure = file:read(0)
  file:close()
  return failure
end

---Raises wrong usage if a file cannot be read.
---@param path string
---@param argument string
---@param first integer where in the argument the path is
---@param last? integer
function inputs.check(path, argument, first, last)
  local problem = path ~= "-" and problem_of(path)
  if problem then
    caret.refuse(("cannot read '%s': %s"):format(path, problem), argument, first, last or #argument)
  end
end

---Whether an argument has taken all of standard input.
---@return boolean
function inputs.has_read_all() return standard_input ~= nil end

---The content of a file, or of standard input for "-". Raises wrong usage when it cannot be read.
---@param path string
---@param argument string
---@param first integer
---@param last? integer
---@return string
function inputs.read(path, argument, first, last)
  if path == "-" then
    standard_input = standard_input or read_standard_input(argument, first, last)
    return standard_input
  end
  inputs.check(path, argument, first, last)
  local file = assert(io.open(inputs.path(path), "rb"))
  local content, problem = file:read "*a"
  file:close()
  if not content then caret.refuse(("cannot read '%s': %s"):format(path, problem), argument, first, last) end
  return content
end

return inputs
