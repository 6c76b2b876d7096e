--- The body of a request: of items, or of --body and --json.

local caret = require "lurcher.command.caret"
local inputs = require "lurcher.command.request.inputs"
local items = require "lurcher.command.request.items"
local json = require "lurcher.json"
local json_text = require "lurcher.command.json_text"
local utf8 = require "lurcher.base.utf8"

local data = {}

-- ---- values ----

-- Where in a text that is no UTF-8 the first fault is.
local function fault_in(text)
  local mended, at = utf8.valid(text), 1
  while text:byte(at) == mended:byte(at) do at = at + 1 end
  return math.min(at, #text)
end

local function check_utf8(text, argument, at)
  if utf8.is_valid(text) then return end
  caret.refuse("JSON is UTF-8, and that is none", argument, at + fault_in(text) - 1)
end

-- Raises wrong usage for a text that is no JSON. `at` is where in the argument it begins; nil: it is in a file.
local function check_json(text, argument, at, item, name)
  local _, err = json.decode(text)
  if not err then return end
  local message = err.message:gsub("^JSON", at and "the JSON" or ("the JSON of '%s'"):format(name))
  if not at then caret.refuse(message, argument, item and item.value_at or #argument - #name + 1, #argument) end
  local place = math.min(err.position or 1, #text + 1)
  if item then place = items.typed_place(item, place) end
  caret.refuse(message, argument, at + place - 1)
end

-- The text of a value: typed, or of a file.
local function text_of(item)
  if item.separator:sub(-1) ~= "@" then return item.value end
  return inputs.read(item.value, item.argument, item.value_at)
end

local IS_JSON = { [":="] = true, [":=@"] = true }

-- The JSON of a value.
local function json_of(item, fill)
  local in_file = item.separator:sub(-1) == "@"
  local text = text_of(item)
  if IS_JSON[item.separator] then
    if fill and not in_file then text = fill(text, "json") end
    check_json(text, item.argument, not in_file and item.value_at or nil, not fill and item or nil, item.value)
    return json_text.compact(text)
  end
  if not in_file then
    check_utf8(item.value, item.argument, item.value_at)
    text = fill and fill(text, "text") or text
  elseif not utf8.is_valid(text) then
    caret.refuse(("JSON is UTF-8, and '%s' is none"):format(item.value), item.argument, item.value_at, #item.argument)
  end
  return json.encode(text)
end

-- The text of a value in a form, which knows neither lists nor objects.
local function plain_of(item, fill)
  if not IS_JSON[item.separator] then
    local text = text_of(item)
    return fill and item.separator == "=" and fill(text, "text") or text
  end
  local text = json_of(item, fill)
  local kind = json_text.kind(text)
  if kind == "object" or kind == "array" then
    caret.refuse(("a form has no place for an %s: send it as JSON, or as text by ="):format(kind), item.argument,
      item.value_at, #item.argument)
  end
  return kind == "string" and json.decode(text) or text
end

-- ---- bodies ----

local function has_header(opts, name)
  for key in pairs(opts.headers or {}) do
    if key:lower() == name then return true end
  end
  return false
end

local function set_json(opts, text)
  opts.body = text
  if has_header(opts, "content-type") then return end
  opts.headers = opts.headers or {}
  opts.headers["Content-Type"] = "application/json"
end

-- name@path;type=…
local function file_part(item)
  local path, content_type, type_at = items.split_type(item)
  if item.name == "" then caret.refuse("a file needs a name: name@path", item.argument, 1) end
  inputs.check(path, item.argument, item.value_at, type_at and type_at - 1)
  local part = { name = item.name, type = content_type }
  if path == "-" then
    part.value, part.filename = inputs.read(path, item.argument, item.value_at), "-"
  else
    part.file = inputs.path(path)
  end
  return part
end

local function multipart(opts, list, fill)
  opts.multipart = {}
  for i, item in ipairs(list) do
    opts.multipart[i] = item.separator == "@" and file_part(item)
      or { name = item.name, value = plain_of(item, fill) }
  end
end

local function form(opts, list, fill)
  opts.form = {}
  for i, item in ipairs(list) do opts.form[i] = { item.name, plain_of(item, fill) } end
end

local function json_object(opts, list, fill)
  local json_body = require "lurcher.command.request.json_body"
  local root
  for _, item in ipairs(list) do
    check_utf8(item.raw_name, item.argument, 1)
    root = json_body.set(root, item, json_of(item, fill))
  end
  set_json(opts, json_body.encode(root))
end

local function has_files(list)
  for _, item in ipairs(list) do
    if item.separator == "@" then return true end
  end
  return false
end

-- ---- options ----

-- What --body=TEXT|@PATH|- or --json=… gives: text, or the path of a file; and where in the argument that is.
local function given(option)
  local value, at = option.value, #option.argument - #option.value + 1
  if value == "-" then return inputs.read("-", option.argument, at), nil, at end
  if value:find("^@") then
    inputs.check(value:sub(2), option.argument, at + 1)
    return nil, value:sub(2), at + 1
  end
  return (value:gsub("^\\([@-])", "%1")), nil, at
end

local function text_body(opts, option, fill)
  local text, path = given(option)
  if path then
    opts.body = path == "-" and inputs.read("-", option.argument) or require("lurcher.http").file(inputs.path(path))
  else
    opts.body = fill and fill(text, "text") or text
  end
end

local function json_option(opts, option, fill)
  local text, path, at = given(option)
  if path then
    text = inputs.read(path, option.argument, at)
    check_json(text, option.argument, nil, nil, path)
  else
    local typed = text
    text = fill and fill(text, "json") or text
    local is_typed = option.value ~= "-" and text == typed
    check_json(text, option.argument, is_typed and at or nil, nil, option.value)
  end
  set_json(opts, text)
end

-- Two bodies, of which the second is named.
local function check_single(typed, list)
  local first
  for _, name in ipairs { "body", "json", "form", "multipart" } do
    local option = typed.options[name]
    if option and first and not (first == "form" and name == "multipart") then
      caret.refuse(("two bodies: --%s is one already"):format(first), option.argument)
    end
    if option then first = name end
  end
  if list[1] and (first == "body" or first == "json") then
    caret.refuse(("two bodies: --%s is one already"):format(first), list[1].argument)
  end
end

---Sets the body in `opts`. Raises wrong usage.
---@param opts table
---@param typed lurcher.command.Typed
---@param list lurcher.command.Item[] those that are data
---@param fill? fun(text: string, how: "text"|"json"): string
function data.set(opts, typed, list, fill)
  local options = typed.options
  check_single(typed, list)
  if options.body then return text_body(opts, options.body, fill) end
  if options.json then return json_option(opts, options.json, fill) end
  if not list[1] then return end
  if options.multipart or has_files(list) then return multipart(opts, list, fill) end
  if options.form then return form(opts, list, fill) end
  return json_object(opts, list, fill)
end

return data
