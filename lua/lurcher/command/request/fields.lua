--- The items that are no part of the body: headers and query parameters.

local caret = require "lurcher.command.caret"
local headers = require "lurcher.http.headers"
local inputs = require "lurcher.command.request.inputs"
local items = require "lurcher.command.request.items"

local fields = {}

-- The text of a file, whose last line end is none of a header's or parameter's.
local function content_of(item)
  local text = inputs.read(item.value, item.argument, item.value_at)
  return (text:gsub("\r?\n$", "", 1))
end

-- What a header must not be is known to lurcher.http; here it gets its caret.
local function check_header(item, value)
  local ok, message = pcall(headers.merge, {}, { [item.name] = value })
  if ok then return end
  local is_value = message:find("the value of header", 1, true)
  caret.refuse(message:gsub("^[^:]*:%d+: ", ""), item.argument, is_value and item.value_at or 1,
    is_value and #item.argument or math.max(1, #item.raw_name))
end

-- The spelling in which a header is there already.
local function known_name(given, name)
  for known in pairs(given) do
    if known:lower() == name:lower() then return known end
  end
  return name
end

local function add_header(given, item, value)
  check_header(item, value)
  local name = known_name(given, item.name)
  local before = given[name]
  if not (before and value) then
    given[name] = value
  elseif type(before) == "table" then
    before[#before + 1] = value
  else
    given[name] = { before, value }
  end
end

local function plain(item, fill)
  return fill and fill(item.value, "text") or item.value
end

-- What each separator does: gets the options to set, and the item.
local SET = {
  [":"] = function(opts, item, fill)
    opts.headers = opts.headers or {}
    add_header(opts.headers, item, item.value ~= "" and plain(item, fill))
  end,
  [":@"] = function(opts, item)
    opts.headers = opts.headers or {}
    add_header(opts.headers, item, content_of(item))
  end,
  [";"] = function(opts, item)
    opts.headers = opts.headers or {}
    add_header(opts.headers, item, "")
  end,
  ["=="] = function(opts, item, fill)
    opts.params = opts.params or {}
    table.insert(opts.params, { item.name, plain(item, fill) })
  end,
  ["==@"] = function(opts, item)
    opts.params = opts.params or {}
    table.insert(opts.params, { item.name, content_of(item) })
  end,
}

---Sets headers and params in `opts`. Raises wrong usage.
---@param opts table
---@param arguments string[]
---@param fill? lurcher.command.Fill
---@return lurcher.command.Item[] data the items that are the body's
function fields.set(opts, arguments, fill)
  local data = {}
  for _, argument in ipairs(arguments) do
    local item = items.parse(argument)
    local set = SET[item.separator]
    if set then set(opts, item, fill) else data[#data + 1] = item end
  end
  return data
end

return fields
