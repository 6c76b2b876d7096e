--- Variables of a shell in texts, whose values are not known. While a command is read one is a name between two
--- NUL bytes, which no word of a shell can hold; in the end it is `$NAME` again, or `${NAME}` where letters follow.

local refusal = require "lurcher.convert.refusal"

local parameters = {}

local MARK = "%z([^%z]+)%z()"

---The mark that stands for a variable.
---@param name string
---@return string
function parameters.mark(name)
  return "\0" .. name .. "\0"
end

---@param text string
---@return boolean
function parameters.is_in(text)
  return text:find("\0", 1, true) ~= nil
end

---A text as it is shown: marks as a shell writes them.
---@param text string
---@return string
function parameters.shown(text)
  if not parameters.is_in(text) then return text end
  return (text:gsub(MARK, function(name, after)
    return text:find("^[%w_]", after) and "${" .. name .. "}" or "$" .. name
  end))
end

-- Calls `change` for all strings in a tree of tables, and puts what it returns in their places.
local function map_strings(tree, change)
  local changed = {}
  for key, value in pairs(tree) do
    local new_key = type(key) == "string" and change(key) or key
    if type(value) == "string" then
      changed[#changed + 1] = { key, new_key, change(value) }
    elseif type(value) == "table" then
      map_strings(value, change)
      if new_key ~= key then changed[#changed + 1] = { key, new_key, value } end
    elseif new_key ~= key then
      changed[#changed + 1] = { key, new_key, value }
    end
  end
  for _, change_of in ipairs(changed) do tree[change_of[1]] = nil end
  for _, change_of in ipairs(changed) do rawset(tree, change_of[2], change_of[3]) end
end

-- The texts of a tree, and the variables in it by their first use.
local function scan(tree)
  local texts, names, seen = {}, {}, {}
  map_strings(tree, function(text)
    texts[#texts + 1] = text
    for name in text:gmatch(MARK) do
      if not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
    end
    return text
  end)
  table.sort(names)
  return texts, names
end

-- The same spelling may not be a variable here and plain text there.
local function refuse_ambiguous(texts, names)
  for _, name in ipairs(names) do
    for _, text in ipairs(texts) do
      local plain = text:find("$", 1, true) and text:gsub(MARK, "")
      if plain and (plain:find("%$" .. name .. "%f[^%w_]") or plain:find("${" .. name .. "}", 1, true)) then
        refusal.raise(("$%s is a variable in one place and plain text in another: rename the variable"):format(name))
      end
    end
  end
end

---Makes `$NAME` of the marks in a request.
---@param request table
---@return string[] names
function parameters.settle(request)
  local texts, names = scan(request)
  if #names == 0 then return names end
  refuse_ambiguous(texts, names)
  map_strings(request, parameters.shown)
  return names
end

---The pieces of a text with variables: strings, and `{ name = "NAME" }` for those of `names`.
---@param text string
---@param names string[]
---@return (string|{ name: string })[]
function parameters.pieces(text, names)
  local known, pieces, from = {}, {}, 1
  for _, name in ipairs(names) do known[name] = true end
  local at = 1
  while true do
    local start = text:find("$", at, true)
    if not start then break end
    local _, stop, name = text:find("^{([%a_][%w_]*)}", start + 1)
    if not stop then _, stop, name = text:find("^([%a_][%w_]*)", start + 1) end
    if stop and known[name] then
      if start > from then pieces[#pieces + 1] = text:sub(from, start - 1) end
      pieces[#pieces + 1] = { name = name }
      from = stop + 1
    end
    at = (stop or start) + 1
  end
  if from <= #text or #pieces == 0 then pieces[#pieces + 1] = text:sub(from) end
  return pieces
end

return parameters
