--- Files as bodies of requests: `http.file(path)`. They are read while they are sent, never as a whole.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local rows = require "lurcher.base.rows"

local function whole(value)
  if type(value) == "number" and value >= 0 and value % 1 == 0 and value < 2 ^ 53 then return nil end
  return "a whole number of at least 0"
end

local function whole_or_false(value)
  return value ~= false and whole(value) or nil
end

local OPTIONS = rows.of("http.file", "lurcher.FileOptions", {
  { "offset", check = whole, type = "integer", default = 0, help = "bytes to leave out at the start",
    example = "offset = 1024" },
  { "length", check = whole_or_false, type = "integer|false", help = "bytes to send; without it all that follow",
    example = "length = 10 * 1024 * 1024" },
  { "type", check = "string|false", help = "the header Content-Type, unless that is given",
    example = 'type = "image/png"' },
})

local file = {}

---@class lurcher.File
---@field path string
---@field offset integer
---@field length integer|false
---@field type string|false
local File = { __name = "lurcher.File" }
File.__index = File

function File:__tostring() return ("http.file(%q)"):format(self.path) end

---@param value any
---@return boolean
function file.is(value)
  return type(value) == "table" and getmetatable(value) == File
end

---A file, or a part of it, as a body.
---@param path string
---@param opts? lurcher.FileOptions
---@return lurcher.File
function file.new(path, opts)
  check.argument(path, "string", 1, "http.file")
  if path:find("%z") then errors.raise("http.file: a path cannot contain a NUL byte") end
  opts = check.options(opts, OPTIONS, "http.file") or {}
  return setmetatable({ path = path, offset = opts.offset or 0, length = opts.length or false,
    type = opts.type or false }, File)
end

return file
