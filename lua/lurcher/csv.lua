--- CSV (RFC 4180), row by row: files and responses of any size, with little in memory.
---
---    for row in csv.rows("people.csv") do print(row.name, row.age) end
---    for row in csv.rows(res:chunks(), { separator = ";", header = false }) do print(row[1]) end

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local fs = require "lurcher.fs"
local json = require "lurcher.json"
local parser = require "lurcher.csv.parser"
local secret = require "lurcher.base.secret"

local csv = {}

local PIECE = 256 * 1024

local function separator_mismatch(value)
  if type(value) == "string" and #value == 1 and not value:find('["\r\n]') then return nil end
  return "one character, neither a quote nor a line end"
end

local function names_mismatch(value)
  if type(value) ~= "table" or #value == 0 then return "a list of names" end
  for name, count in pairs(value) do
    if type(name) ~= "number" or type(count) ~= "string" then return "a list of names" end
  end
  return nil
end

-- Raises when a name occurs twice: a row is a map.
local function check_names(names, what)
  local seen = {}
  for _, name in ipairs(names) do
    if seen[name] then errors.raise(("%s: the column '%s' is there twice"):format(what, name)) end
    seen[name] = true
  end
end

-- ---- reading ----

local function header_mismatch(value)
  if type(value) == "boolean" or not names_mismatch(value) then return nil end
  return "true, false or a list of names"
end

local ROWS_OPTIONS = { header = header_mismatch, separator = separator_mismatch }

---@class lurcher.CsvRows
---@overload fun(): table?
local Rows = { __name = "lurcher.CsvRows" }
Rows.__index = Rows

local function raise_decode(self, line, message)
  self:close()
  local kind = self.parser.too_large and "too_large" or "decode"
  local err = errors.new { kind = kind, message = ("%sline %d %s"):format(self.prefix, line, message) }
  err.line = line
  error(err, 0)
end

local function open(self)
  local source = self.source
  if type(source) == "string" then
    local file, err = fs.open(source)
    if not file then error(err, 0) end
    self.file = file
    source = function() return file:read(PIECE) end
  end
  self.parser = parser.new(source, self.separator)
end

-- The next list of fields and its line; nothing at the end.
local function next_fields(self)
  if not self.parser then open(self) end
  local fields, line, problem = self.parser:row()
  if problem then raise_decode(self, line, problem) end
  if not fields then
    self:close()
    return nil
  end
  local wanted = self.columns or self.count
  if wanted and #fields ~= wanted then
    raise_decode(self, line, ("has %d field%s, not %d"):format(#fields, #fields == 1 and "" or "s", wanted))
  end
  self.count = #fields
  return fields, line
end

local function read_header(self)
  local names, line = next_fields(self)
  if not names then return end
  local seen = {}
  for _, name in ipairs(names) do
    if seen[name] then raise_decode(self, line, ("names the column '%s' twice"):format(name)) end
    seen[name] = true
  end
  self.names = names
end

-- The iterator itself.
function Rows:__call()
  if self.closed then return nil end
  if self.has_header and not self.names then
    read_header(self)
    if self.closed then return nil end
  end
  local fields = next_fields(self)
  if not fields or not self.names then return fields end
  local row = {}
  for i, name in ipairs(self.names) do row[name] = fields[i] end
  return row
end

---The iteration is over. Only needed for a loop left early in a task that goes on for long.
function Rows:close()
  self.closed = true
  if self.file then self.file:close() end
end

---Iterates over rows: maps by the names of the first one, or lists of fields. All are strings. Blank lines are left
---out. A row with more or fewer fields than the first, or quotes that do not fit, raise kind "decode" with `err.line`.
---@param source string|fun(): string? a path, or an iterator of pieces (`res:chunks()`)
---@param opts? { header?: boolean|string[], separator?: string } `header`: true (the default): the first row has the
---names; false: rows are lists; or the names, for a file without. `separator`: default ","
---@return lurcher.CsvRows iterator
function csv.rows(source, opts)
  check.argument(source, "string|callable", 1, "csv.rows")
  opts = check.options(opts, ROWS_OPTIONS, "csv.rows") or {}
  local names = type(opts.header) == "table" and opts.header or nil
  if names then check_names(names, "csv.rows") end
  return setmetatable({
    source = source, separator = opts.separator or ",", names = names, columns = names and #names,
    has_header = opts.header ~= false, prefix = type(source) == "string" and source .. ": " or "",
  }, Rows)
end

-- ---- writing ----

local WRITER_OPTIONS = { columns = names_mismatch, separator = separator_mismatch }

---@class lurcher.CsvWriter
local Writer = { __name = "lurcher.CsvWriter" }
Writer.__index = Writer

local function text_of(value, place)
  local kind = type(value)
  if kind == "string" then return value end
  if value == nil or value == json.null then return "" end
  if kind == "boolean" then return tostring(value) end
  if kind == "number" then
    local short = ("%.14g"):format(value)
    return tonumber(short) == value and short or ("%.17g"):format(value)
  end
  local what = secret.is(value) and "a secret, which is not written" or "a " .. kind
  errors.raise(("csv: field %s is %s"):format(place, what))
end

local function quoted(self, text, alone)
  if not text:find(self.special) and not (alone and text == "") then return text end
  return '"' .. text:gsub('"', '""') .. '"'
end

local function line_of(self, row, count)
  local fields = {}
  for i = 1, count do fields[i] = quoted(self, text_of(row[i], i), count == 1) end
  return table.concat(fields, self.separator) .. "\r\n"
end

-- A map as a list, in the order of the columns.
local function arranged(self, row)
  local list = {}
  for i, name in ipairs(self.columns) do list[i] = text_of(row[name], "'" .. name .. "'") end
  for name in pairs(row) do
    if not self.known[name] then errors.raise("csv: " .. check.unknown(name, self.known, "column")) end
  end
  return list
end

local function is_list(row)
  for key in pairs(row) do
    if type(key) ~= "number" then return false end
  end
  return true
end

---Writes a row: a list of fields, or, when the writer has columns, a map; what a map lacks is empty. Strings, numbers
---and booleans; nil and json.null are empty. A list that is longer than the first row raises.
---@param row table
---@return true? ok
---@return lurcher.Error? err kind "file"
function Writer:write(row)
  check.method(self, Writer, "writer:write")
  check.argument(row, "table", 1, "writer:write")
  local count = self.count or table.maxn(row)
  if self.columns and next(row) ~= nil and not is_list(row) then
    row = arranged(self, row)
  elseif not is_list(row) then
    errors.raise("csv: a row with names needs the option 'columns', which says their order")
  elseif table.maxn(row) > count or count == 0 then
    errors.raise(("csv: a row of %d fields, not %d"):format(table.maxn(row), self.count or 1))
  end
  self.count = count
  return self.file:write(line_of(self, row, count))
end

---Writes what is left and closes the file.
---@return true? ok
---@return lurcher.Error? err kind "file"
function Writer:close()
  check.method(self, Writer, "writer:close")
  return self.file:close()
end

---Begins a file, with a first line of the columns' names if they are given.
---@param path string
---@param opts? { columns?: string[], separator?: string } `separator`: default ","
---@return lurcher.CsvWriter? writer closed at the latest when the task that opened it ends
---@return lurcher.Error? err kind "file"
function csv.writer(path, opts)
  check.argument(path, "string", 1, "csv.writer")
  opts = check.options(opts, WRITER_OPTIONS, "csv.writer") or {}
  local columns, known = opts.columns, {}
  if columns then check_names(columns, "csv.writer") end
  for i, name in ipairs(columns or {}) do known[name] = i end
  local file, err = fs.writer(path)
  if not file then return nil, err end
  local separator = opts.separator or ","
  local self = setmetatable({
    file = file, separator = separator, count = columns and #columns,
    special = '["\r\n' .. separator:gsub("%W", "%%%0") .. "]", columns = columns, known = known,
  }, Writer)
  if columns then
    local ok, failure = file:write(line_of(self, columns, #columns))
    if not ok then return nil, failure end
  end
  return self
end

return csv
