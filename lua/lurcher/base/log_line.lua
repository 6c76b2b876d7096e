--- Log lines as text. Logging never fails: odd values are shown as well as they can be, and a line stays one
--- line.

local errors = require "lurcher.base.errors"
local secret = require "lurcher.base.secret"
local text_tools = require "lurcher.base.text"
local time = require("lurcher.native.task").time

local plain = text_tools.printable

local MAX_DEPTH = 4 -- nested tables, levels shown
local MAX_ENTRIES = 100 -- entries of a table shown
local MORE = "..."

local log_line = {}

-- ---- strings ----

local ESCAPES = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" }

local function escape_byte(c)
  return ("\\x%02x"):format(c:byte())
end

local function escape_json_byte(c)
  return ("\\u%04x"):format(c:byte())
end

local fix_text = text_tools.fixer(escape_byte)
local fix_json = text_tools.fixer(function(c) return c:byte() < 0xc0 and "" or "\\ufffd" end)

local function quoted(text, escape_control, fix)
  text = text:gsub('[%c"\\]', function(c) return ESCAPES[c] or escape_control(c) end)
  return '"' .. text:gsub("[\128-\255]+", fix) .. '"'
end

local function json_string(text)
  return quoted(text, escape_json_byte, fix_json)
end

-- A field's value, or its name: in quotes when it could be mistaken for something else.
local function word(text, is_name)
  if text == "" or text:find('[%s%c"\\]') or is_name and text:find("=", 1, true)
    or text:find("[\128-\255]") and plain(text) ~= text then
    return quoted(text, escape_byte, fix_text)
  end
  return text
end

-- ---- values ----

local function shown_number(value)
  if value % 1 == 0 and math.abs(value) < 2 ^ 53 then return ("%d"):format(value) end
  return ("%.14g"):format(value)
end

-- Anything that is not a plain table, as text.
local function shown(value)
  if type(value) == "string" then return secret.scrub(value) end
  if type(value) == "number" then return shown_number(value) end
  if secret.is(value) then return tostring(value) end
  local ok, text = pcall(tostring, value)
  if ok and type(text) == "string" then return secret.scrub(text) end
  return ("(%s that cannot be shown)"):format(type(value))
end

local function is_plain_table(value)
  if type(value) ~= "table" or secret.is(value) then return false end
  local metatable = debug.getmetatable(value)
  return not (metatable and rawget(metatable, "__tostring") and not rawget(metatable, "shown_as_table"))
end

-- { {text of key, value}, ... } sorted by key.
local function sorted(fields)
  local list = {}
  for key, value in next, fields do
    list[#list + 1] = { shown(key), value }
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

local function is_list(value)
  local count = 0
  for _ in next, value do count = count + 1 end
  return count > 0 and count == #value
end

local function json_value(value, depth)
  local kind = type(value)
  if kind == "boolean" then return tostring(value) end
  if kind == "number" and value - value == 0 then return shown_number(value) end
  if not is_plain_table(value) then return json_string(shown(value)) end
  if depth >= MAX_DEPTH then return json_string(MORE) end
  local out = {}
  if is_list(value) then
    for i = 1, math.min(#value, MAX_ENTRIES) do out[i] = json_value(value[i], depth + 1) end
    if #value > MAX_ENTRIES then out[MAX_ENTRIES + 1] = json_string(MORE) end
    return "[" .. table.concat(out, ",") .. "]"
  end
  for i, entry in ipairs(sorted(value)) do
    out[i] = json_string(entry[1]) .. ":" .. json_value(entry[2], depth + 1)
    if i == MAX_ENTRIES then
      out[i] = json_string(MORE) .. ":" .. json_string(MORE)
      break
    end
  end
  return "{" .. table.concat(out, ",") .. "}"
end

local function value_of(value)
  return word(is_plain_table(value) and json_value(value, 0) or shown(value))
end

-- ---- lines ----

local function timestamp()
  local now = time()
  return ("%s.%03dZ"):format(os.date("!%Y-%m-%dT%H:%M:%S", now), math.floor(now % 1 * 1000))
end

-- What was given as fields, as a table: an error, or whatever else, becomes a field of its own.
local function fields_of(fields)
  if fields == nil then return {} end
  if errors.is_error(fields) then return { error = fields } end
  return is_plain_table(fields) and fields or { value = fields }
end

local formats = {}

function formats.text(level, id, message, fields)
  local line = { timestamp(), ("%-5s"):format(level:upper()), plain(message) }
  for _, entry in ipairs(sorted(fields)) do
    line[#line + 1] = word(entry[1], true) .. "=" .. value_of(entry[2])
  end
  if id then line[#line + 1] = "task=" .. shown(id) end
  return table.concat(line, " ")
end

local OWN = { time = true, level = true, message = true, task = true }

function formats.json(level, id, message, fields)
  local line = {
    '"time":' .. json_string(timestamp()),
    '"level":' .. json_string(level),
    '"message":' .. json_string(message),
    id and '"task":' .. json_value(id, 0),
  }
  for _, entry in ipairs(sorted(fields)) do
    -- A field of the same name must not hide the line's own.
    local name = OWN[entry[1]] and "fields." .. entry[1] or entry[1]
    line[#line + 1] = json_string(name) .. ":" .. json_value(entry[2], 0)
  end
  return "{" .. table.concat(line, ",") .. "}"
end

local format = formats.text

---A value as JSON or, if it is no plain table, as text, no deeper and longer than is useful.
---@param value any
---@return string
function log_line.shown(value)
  return is_plain_table(value) and json_value(value, 0) or shown(value)
end

---How lines look from now on.
---@param name "text"|"json"
function log_line.set_format(name)
  format = formats[name]
end

---The same with a text of several lines: a field of the object, or below the line.
---@param level string
---@param id integer?
---@param message any
---@param fields table
---@param name string
---@param lines string
---@return string
function log_line.make_long(level, id, message, fields, name, lines)
  if format == formats.json then fields[name] = lines end
  local line = format(level, id, shown(message), fields)
  return format == formats.json and line or line .. "\n" .. lines
end

---@param level string
---@param id integer? of the task
---@param message any
---@param fields any a table, or an error
---@return string
function log_line.make(level, id, message, fields)
  return format(level, id, shown(message), fields_of(fields))
end

return log_line
