--- A JSON body that is put together from items: its keys keep the order in which they were typed, and what was
--- typed as JSON stays as it was, but for blanks between its tokens.
---
--- A node is a JSON text (a string), or { kind="object", keys={}, values={} by key }, or { kind="array",
--- count=, values={} by index from 0 on }, in which what is missing is null.

local caret = require "lurcher.command.caret"
local json = require "lurcher.json"
local json_path = require "lurcher.command.request.json_path"
local json_text = require "lurcher.command.json_text"

local json_body = {}

local MEANING = { key = "a name is a key of an object", index = "a number is a place in an array",
  append = "'[]' appends to an array" }
local WANTED = { key = "object", index = "array", append = "array" }

local function new(kind)
  return { kind = kind, keys = kind == "object" and {} or nil, count = 0, values = {} }
end

local function put(node, key, value)
  if node.kind == "object" and node.values[key] == nil then node.keys[#node.keys + 1] = key end
  if node.kind == "array" and key >= node.count then node.count = key + 1 end
  node.values[key] = value
end

-- The node of a text that more is put into.
local function opened(text)
  local kind = json_text.kind(text)
  if kind ~= "object" and kind ~= "array" then return { kind = kind } end
  local node = new(kind)
  for value, key in json_text.members(text) do put(node, key and json.decode(key) or node.count, value) end
  return node
end

local function path_until(steps, last, argument)
  return last == 0 and "the body" or ("'%s'"):format(argument:sub(1, steps[last].last))
end

local function check_kind(node, steps, at, argument)
  if node.kind == WANTED[steps[at].kind] then return end
  caret.refuse(("%s, but %s is %s %s"):format(MEANING[steps[at].kind], path_until(steps, at - 1, argument),
    node.kind:find("^[ao]") and "an" or "a", node.kind), argument, steps[at].first, steps[at].last)
end

local function key_of(node, step)
  return step.kind == "append" and node.count or step.key or step.index
end

-- The node that a step leads to, made where there is none; a text becomes a node, as more is put into it.
local function descend(node, step, following)
  local key = key_of(node, step)
  local inner = node.values[key]
  if inner == nil or inner == "null" and node.kind == "array" then
    inner = new(WANTED[following.kind])
  elseif type(inner) == "string" then
    inner = opened(inner)
  end
  put(node, key, inner)
  return inner
end

---Puts a value where an item's name says. Raises wrong usage.
---@param root table? the body so far
---@param item lurcher.command.Item
---@param text string the value's JSON
---@return table root
function json_body.set(root, item, text)
  local steps = json_path.parse(item.raw_name, item.argument)
  root = root or new(WANTED[steps[1].kind])
  local node = root
  for at = 1, #steps do
    check_kind(node, steps, at, item.argument)
    if at < #steps then node = descend(node, steps[at], steps[at + 1]) end
  end
  put(node, key_of(node, steps[#steps]), text)
  return root
end

---The JSON text of a body.
---@param node table|string
---@return string
function json_body.encode(node)
  if type(node) == "string" then return node end
  local parts = {}
  if node.kind == "object" then
    for i, key in ipairs(node.keys) do
      parts[i] = json.encode(key) .. ":" .. json_body.encode(node.values[key])
    end
    return "{" .. table.concat(parts, ",") .. "}"
  end
  for i = 0, node.count - 1 do parts[i + 1] = json_body.encode(node.values[i] or "null") end
  return "[" .. table.concat(parts, ",") .. "]"
end

return json_body
