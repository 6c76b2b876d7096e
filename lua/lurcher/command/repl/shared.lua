--- Locals of what is saved. At the prompt a name of the top level is one variable, whoever uses it and whenever it is
--- declared: in a script the second `local` would make another one, and what came before the first would see none.

local chunk = require "lurcher.command.repl.chunk"
local modules = require "lurcher.native.modules"
local sorted_keys = require("lurcher.base.tables").sorted_keys
local tokens = require "lurcher.command.repl.tokens"

local shared = {}

local DEPTH = { ["{"] = 1, ["}"] = -1 }
local BEFORE_KEY = { ["{"] = true, [","] = true, [";"] = true }

-- Globals of Lua.
local OF_LUA = {}
for name in ([[arg assert bit collectgarbage coroutine debug error getfenv getmetatable io ipairs jit load loadfile
  loadstring math next os package pairs pcall print rawequal rawget rawset require select setfenv setmetatable string
  table tonumber tostring type unpack xpcall _G _VERSION]]):gmatch("%S+") do
  OF_LUA[name] = true
end

-- Names that a text uses as variables, as fn(name, place).
local function each_variable(text, fn)
  local list, depth = tokens.of(text), 0
  for i, token in ipairs(list) do
    local before, after = list[i - 1] and list[i - 1].text, list[i + 1] and list[i + 1].text
    depth = depth + (DEPTH[token.text] or 0)
    local is_key = depth > 0 and after == "=" and BEFORE_KEY[before]
    if token.kind == "name" and before ~= "." and before ~= ":" and not is_key then fn(token.text, token.from) end
  end
end

-- What a text uses behind its first function without a name: that may see what the text declares around it.
local function mark_functions(text, seen)
  local made = text:find("function%s*%(")
  if not made then return end
  each_variable(text, function(name, place) if place > made then seen[name] = true end end)
end

-- Names that are used before an entry declares them.
local function used_before(entries, declared)
  local seen, early, known = {}, {}, {}
  for i, text in ipairs(entries) do
    local found = declared[i]
    if found[1] then mark_functions(text, seen) end
    local has_label = text:find("::", 1, true) -- the text becomes a block
    for _, declaration in ipairs(found) do
      for _, name in ipairs(declaration.names) do
        if not known[name] and (seen[name] or has_label) then early[name] = true end
        known[name] = true
      end
    end
    each_variable(text, function(name) seen[name] = true end)
  end
  return early
end

-- How many of these names are in a set.
local function count(names, set)
  local found = 0
  for _, name in ipairs(names) do found = found + (set[name] and 1 or 0) end
  return found
end

-- One pass: which declarations stay; false: `early` has grown.
local function choose(declared, early)
  local known, kept = setmetatable({}, { __index = early }), {}
  for _, found in ipairs(declared) do
    for _, declaration in ipairs(found) do
      local names = declaration.names
      local old = count(names, known)
      if old > 0 and old < #names then
        for _, name in ipairs(names) do early[name] = early[name] or not known[name] or nil end
        return false
      end
      kept[declaration] = old == 0
      for _, name in ipairs(names) do known[name] = true end
    end
  end
  return kept
end

-- Lines that declare names before the first entry; a global of that name is seen until it is set.
local function heads(early)
  local lines = {}
  for _, name in ipairs(sorted_keys(early)) do
    if not modules.names()["lurcher." .. name] then
      lines[#lines + 1] = OF_LUA[name] and ("local %s = %s"):format(name, name) or "local " .. name
    end
  end
  return lines
end

---The texts with each name declared once, where all that use it see it.
---@param texts string[]
---@param has_none boolean there are too many for locals: all become globals
---@return string[] texts
---@return string[] lines to stand before them
function shared.declare(texts, has_none)
  local declared, out = {}, {}
  for i, text in ipairs(texts) do declared[i] = chunk.declarations(text) end
  local early, kept = has_none and {} or used_before(texts, declared), has_none and {}
  while not kept do kept = choose(declared, early) end
  for i, text in ipairs(texts) do
    local dropped = {}
    for _, declaration in ipairs(declared[i]) do
      if not kept[declaration] then dropped[#dropped + 1] = declaration end
    end
    out[i] = chunk.without_locals(text, dropped, true)
  end
  return out, heads(early)
end

return shared
