--- Puts back what a spec replaced in Lua's own libraries (os.time, string.format, the metatable of strings): the specs
--- behind it, and busted itself, need them. Globals that it adds stay until the end of its file, as busted has it.

local libraries = {}

local next, rawset, rawget = next, rawset, rawget
local debug_getmetatable, debug_setmetatable = debug.getmetatable, debug.setmetatable

local NAMES = { "string", "table", "math", "os", "io", "coroutine", "debug", "bit" }
local GLOBALS = {}
for name in ("assert bit collectgarbage coroutine debug dofile error getfenv getmetatable io ipairs load loadfile "
  .. "loadstring math next os pairs pcall print rawequal rawget rawset require select setfenv setmetatable string "
  .. "table tonumber tostring type unpack xpcall"):gmatch "%a+" do
  GLOBALS[#GLOBALS + 1] = name
end

local function copy(map)
  local all = {}
  for key, value in next, map do all[key] = value end
  return all
end

---What they are now.
---@return table
function libraries.now()
  local strings = debug_getmetatable ""
  local state = { globals = {}, tables = {}, strings = strings }
  for i = 1, #GLOBALS do state.globals[GLOBALS[i]] = rawget(_G, GLOBALS[i]) end
  for i = 1, #NAMES do
    local map = rawget(_G, NAMES[i])
    if map then state.tables[map] = copy(map) end
  end
  if strings then state.tables[strings] = copy(strings) end
  return state
end

-- Only what is not as it was; what was added stays, since a module that did so is not loaded again.
local function put_back(map, was)
  for key, value in next, was do
    if rawget(map, key) ~= value then rawset(map, key, value) end
  end
end

---Makes them so again.
---@param state table
function libraries.restore(state)
  for name, value in next, state.globals do
    if rawget(_G, name) ~= value then rawset(_G, name, value) end
  end
  for map, was in next, state.tables do put_back(map, was) end
  if debug_getmetatable "" ~= state.strings then debug_setmetatable("", state.strings) end
end

return libraries
