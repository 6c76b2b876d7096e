--- How values are shown at the prompt: tables sorted and cut by depth, width and length, texts in quotes, responses
--- as their status line and the start of their body.

local json = require "lurcher.json"
local secret = require "lurcher.base.secret"
local text = require "lurcher.base.text"
local tokens = require "lurcher.command.repl.tokens"
local units = require "lurcher.base.units"

local show = {}

local MAX_DEPTH = 4
local MAX_ENTRIES = 40 -- of a table
local MAX_TOTAL = 200 -- of all tables of a value
local MAX_SORTED = 5000 -- keys: of a larger table some are shown, in no order
local MAX_TEXT = 500 -- bytes
local MAX_BODY = 64 * 1024 -- bytes of a body that are looked at
local MAX_BODY_LINES = 20
local STEP = "  "

---@class lurcher.repl.Style
---@field columns integer
---@field colours lurcher.Palette

-- ---- values without members ----

local function number(value)
  if value == 0 then return 1 / value < 0 and "-0" or "0" end
  if value % 1 == 0 and math.abs(value) < 2 ^ 53 then return ("%d"):format(value) end
  return ("%.14g"):format(value)
end

local function quoted(value)
  local whole = text.cut(value, MAX_TEXT)
  local shown = '"' .. text.printable((whole:gsub('[\\"]', "\\%0"))) .. '"'
  return #value > MAX_TEXT and ("%s (%s)"):format(shown, units.size(#value)) or shown
end

local function place_of(fn)
  local info = debug.getinfo(fn, "S")
  if info.what == "C" then return "function" end
  local source = text.printable(info.short_src)
  return source:find("^lurcher/") and "function" or ("function (%s:%d)"):format(source, info.linedefined)
end

-- tostring of what has a text of its own; nil: it has none.
local function own_text(value)
  local metatable = debug.getmetatable(value)
  if type(metatable) ~= "table" or rawget(metatable, "__tostring") == nil then return nil end
  local ok, shown = pcall(tostring, value)
  if not ok or type(shown) ~= "string" then return "(a value that cannot be shown)" end
  return text.line(text.cut(shown, MAX_TEXT))
end

local function plain(value, colours)
  local kind = type(value)
  if value == json.null then return colours.null .. "json.null" .. colours.off end
  if kind == "nil" then return colours.null .. "nil" .. colours.off end
  if kind == "string" then return colours.string .. quoted(value) .. colours.off end
  if kind == "number" then return colours.number .. number(value) .. colours.off end
  if kind == "boolean" then return colours.literal .. tostring(value) .. colours.off end
  if kind == "function" then return place_of(value) end
  return own_text(value) or text.line(tostring(value))
end

-- ---- tables ----

local ORDER = { number = 1, string = 2, boolean = 3 }

local function is_before(a, b)
  local kind_of_a, kind_of_b = type(a), type(b)
  if kind_of_a ~= kind_of_b then return (ORDER[kind_of_a] or 4) < (ORDER[kind_of_b] or 4) end
  if kind_of_a == "number" or kind_of_a == "string" then return a < b end
  return ("%p"):format(a) < ("%p"):format(b) -- whatever __tostring does
end

-- Keys beside the list, sorted; and how many there are.
local function keys_of(value, length)
  local keys, count = {}, 0
  for key in next, value do
    local is_item = type(key) == "number" and key % 1 == 0 and key >= 1 and key <= length
    if not is_item then
      count = count + 1
      if count <= MAX_SORTED then keys[count] = key end
    end
  end
  table.sort(keys, is_before)
  return keys, count
end

local function key_text(key, context)
  local colours = context.colours
  if type(key) == "string" and key:find("^[%a_][%w_]*$") and #key <= MAX_TEXT and not tokens.KEYWORDS[key] then
    return colours.key .. key .. colours.off
  end
  return "[" .. plain(key, context.plain_colours) .. "]"
end

local entry

-- The members of a table as texts, and what was left out.
local function members(value, context, depth)
  local out, length = {}, #value
  local function has_room()
    return #out < MAX_ENTRIES and context.left > 0
  end
  local keys, count = keys_of(value, length)
  local shown = 0
  while shown < length and has_room() do
    shown = shown + 1
    out[#out + 1] = entry(rawget(value, shown), context, depth + 1)
  end
  local named = 0
  while named < #keys and has_room() do
    named = named + 1
    out[#out + 1] = key_text(keys[named], context) .. " = " .. entry(rawget(value, keys[named]), context, depth + 1)
  end
  local more = length - shown + count - named
  if more > 0 then out[#out + 1] = ("… %s more"):format(units.count(more)) end
  return out
end

local CODE = "\27%[[%d;]*m"

local function laid_out(out, context, depth)
  local line = "{ " .. table.concat(out, ", ") .. " }"
  local room = context.columns - #STEP * (depth + 2)
  if not line:find("\n", 1, true) and units.width((line:gsub(CODE, ""))) <= room then return line end
  local indent = "\n" .. STEP:rep(depth + 1)
  return "{" .. indent .. table.concat(out, "," .. indent) .. "\n" .. STEP:rep(depth) .. "}"
end

function entry(value, context, depth)
  if type(value) ~= "table" then return plain(value, context.colours) end
  local own = own_text(value)
  if own then return own end
  if context.above[value] then return "(a table that holds this one)" end
  if next(value) == nil then return "{}" end
  if depth >= MAX_DEPTH then return "{…}" end
  context.left = context.left - 1
  context.above[value] = true
  local out = members(value, context, depth)
  context.above[value] = nil
  return laid_out(out, context, depth)
end

-- ---- responses ----

local function is_response(value) return require("lurcher.base.tables").is_a(value, "lurcher.Response") end

-- The first lines of a text, each cut at the width; and whether that is not all of it.
local function first_lines(body, columns)
  local lines, rest = {}, nil
  for line, after in (body .. "\n"):gmatch("([^\n]*)\n()") do
    if #lines == MAX_BODY_LINES then
      rest = true
      break
    end
    lines[#lines + 1], rest = line, after <= #body
  end
  for i, line in ipairs(lines) do
    if not line:find("\27", 1, true) and units.width(line) > columns then lines[i] = text.cut(line, columns) end
  end
  return lines, rest
end

local function body_text(res, style)
  local body = secret.scrub(res.body)
  local start = text.cut(body, MAX_BODY)
  if (res:header("Content-Type") or ""):find("json", 1, true) or body:find("^%s*[{%[]") then
    local painter = require("lurcher.command.show.json").painter(style)
    painter:feed(start)
    if painter.ok then return painter:take() end
  end
  if start:find("[%z\1-\8\14-\26\28-\31]") then
    return ("(%s that are no text)"):format(units.size(#res.body))
  end
  return (start:gsub("\r", ""):gsub("[^\t\n]+", text.printable))
end

local function response(res, style)
  local colours = style.colours
  local palette = require "lurcher.command.show.palette"
  local parts = { ("HTTP/%s %s%d%s%s"):format(res.http_version or "1.1", colours[palette.of_status(res.status)],
    res.status, (res.reason or "") ~= "" and " " .. text.printable(res.reason) or "", colours.off) }
  parts[#parts + 1] = units.duration(res.elapsed or 0)
  local kind = (res:header("Content-Type") or ""):match("^[^;]*")
  if kind ~= "" then parts[#parts + 1] = text.printable(text.cut(kind, 60)) end
  if rawget(res, "open_streams") then
    parts[#parts + 1] = "a stream: res:read_all(), res:lines(), res:chunks()"
    return table.concat(parts, "  ")
  end
  parts[#parts + 1] = units.size(#(res.body or ""))
  local head = table.concat(parts, "  ")
  if (res.body or "") == "" then return head end
  local lines, is_cut = first_lines(body_text(res, style), style.columns)
  if is_cut or #res.body > MAX_BODY then
    lines[#lines + 1] = colours.dim .. "… its body has more" .. colours.off
  end
  return head .. "\n" .. table.concat(lines, "\n")
end

---The text that shows a value, without the last newline.
---@param value any
---@param style lurcher.repl.Style
---@return string
function show.value(value, style)
  if is_response(value) then return response(value, style) end
  local context = { columns = style.columns, colours = style.colours, above = {}, left = MAX_TOTAL,
    plain_colours = require("lurcher.command.show.palette").plain }
  return secret.scrub(entry(value, context, 0))
end

---What was raised, as one line: of a text at the prompt the place is left away.
---@param err any
---@param is_long boolean the entry has several lines
---@return string
function show.failure(err, is_long)
  local words = require("lurcher.base.uncaught").text(err)
  local place, rest = words:match("^prompt:(%d+): (.*)$")
  if place then words = is_long and ("line %s: %s"):format(place, rest) or rest end
  return (text.line(words))
end

return show
