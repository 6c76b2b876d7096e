--- JSON to Lua values and back, strictly by RFC 8259. Arrays are lists, objects are tables with string keys,
--- null is json.null. Whole numbers beyond 2^53, which Lua numbers cannot hold exactly, come as strings of
--- digits.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local native = require "lurcher.native.json"

local json = {}

---Stands for null in decoded values and in values to encode.
---@type userdata
json.null = native.null

local native_decode, native_encode = native.decode, native.encode
local array_mark, object_mark = native.array_mark, native.object_mark

local decode_options = { bigint = "'string'|'number'" }
local encode_options = { pretty = "boolean", sort = "boolean" }

local function by_text(a, b)
  return tostring(a) < tostring(b)
end

local function sort_keys(t)
  local keys, plain = {}, true
  for key in next, t do
    keys[#keys + 1] = key
    plain = plain and type(key) == "string"
  end
  table.sort(keys, not plain and by_text or nil)
  return keys
end

---The value of a JSON text; or nil and an error of kind "decode" with `line`, `column` (in characters) and
---`position` (in bytes) of the fault.
---@param text string
---@param opts? { bigint?: "string"|"number" } whole numbers beyond 2^53: as strings (default) or rounded
---@return any value
---@return lurcher.Error?
function json.decode(text, opts)
  if type(text) ~= "string" then check.argument(text, "string", 1, "json.decode") end
  if opts == nil then return native_decode(text) end
  check.options(opts, decode_options, "json.decode")
  return native_decode(text, opts.bigint == "number")
end

---The JSON text of a value. Raises on what JSON cannot hold, and says where it is.
---
---A table is an array if its keys are 1 to n, otherwise an object; the empty table is an object. `json.array`
---and `json.object` mark tables. A metatable's function `__tojson(value)` gives what to write instead.
---@param value any
---@param opts? { pretty?: boolean, sort?: boolean } indented by two spaces; keys in byte order
---@return string
function json.encode(value, opts)
  local text, problem
  if opts == nil then
    text, problem = native_encode(value)
  else
    check.options(opts, encode_options, "json.encode")
    text, problem = native_encode(value, opts.pretty, opts.sort and sort_keys)
  end
  if not text then errors.raise("json.encode: " .. problem) end
  return text
end

---The JSON text of a value that goes to a server: secrets are written.
---@package
---@param value any
---@return string
function json.body(value)
  local text, problem = native_encode(value, false, nil, true)
  if not text then errors.raise("json: " .. problem) end
  return text
end

local function mark(t, metatable, name)
  if t == nil then return setmetatable({}, metatable) end
  if type(t) ~= "table" then check.argument(t, "table", 1, name) end
  local present = getmetatable(t)
  if present ~= nil and present ~= array_mark and present ~= object_mark then
    errors.raise(name .. ": the table has a metatable already (its __tojson can give what to write)")
  end
  return setmetatable(t, metatable)
end

---Marks a table as an array, which matters while it is empty. Returns it; without one, a new one.
---@generic T: table
---@param t? T
---@return T
function json.array(t)
  return mark(t, array_mark, "json.array")
end

---Marks a table as an object: its whole-number keys are written as strings. Returns it; without one, a new
---one.
---@generic T: table
---@param t? T
---@return T
function json.object(t)
  return mark(t, object_mark, "json.object")
end

---Iterates over the values of a text with one JSON value per line (NDJSON): `for value, line in
---json.lines(text)`. Lines end with LF or CRLF; blank ones are skipped. A line that does not parse raises its
---error, which has the `line`.
---@param text string
---@param opts? { bigint?: "string"|"number" }
---@return fun(): any, integer?
function json.lines(text, opts)
  check.argument(text, "string", 1, "json.lines")
  check.options(opts, decode_options, "json.lines")
  local big_as_numbers = opts and opts.bigint == "number"
  local line, from = 0, text:sub(1, 3) == "\239\187\191" and 4 or 1 -- behind a byte order mark
  return function()
    while from <= #text do
      local first, to = from, text:find("\n", from, true) or #text + 1
      from, line = to + 1, line + 1
      local _, blank = text:find("^[ \t\r]*", first)
      if blank < to - 1 then
        local value, err = native_decode(text:sub(first, to - 1), big_as_numbers)
        if err then
          err.message = ("line %d: %s"):format(line, (err.message:gsub("at line 1 column", "at column")))
          err.line, err.position = line, first - 1 + err.position
          error(err, 0)
        end
        return value, line
      end
    end
    return nil
  end
end

return json
