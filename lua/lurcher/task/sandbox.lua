--- The globals of scripts that are confined: what is named here, made anew for each script. What is not named
--- is not there.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local modules = require "lurcher.native.modules"
local permit = require "lurcher.native.permit"
local strict = require "lurcher.base.strict"

local sandbox = {}

-- ---- what there is ----

local FUNCTIONS = [[assert error ipairs next pairs pcall print rawequal rawget rawset select tonumber tostring type
  unpack xpcall]]

local LIBRARIES = {
  string = "byte char find format gmatch gsub len lower match rep reverse sub upper",
  table = "concat insert maxn move remove sort",
  math = [[abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min modf pi pow
    rad sin sinh sqrt tan tanh]],
  coroutine = "create isyieldable resume running status wrap yield",
  bit = "arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex",
  os = "clock date difftime time",
}

-- What lur_options.libraries gives more: whole libraries of Lua, as globals.
local GIVEN = { [1] = "io", [2] = "os", [8] = "debug", [16] = "jit", [32] = "package" }
local LIB_FFI, LIB_PACKAGE, LIB_BYTECODE = 4, 32, 64

local own = getfenv(1) -- what the runtime's own modules see
local globals = own._G -- what a script that is not confined does
local own_load, own_require = load, require
local raw_getmetatable, raw_setmetatable = debug.getmetatable, setmetatable

local function pick(from, names)
  local picked = {}
  for name in names:gmatch "%S+" do picked[name] = from[name] end
  return picked
end

local function has(libraries, which)
  return bit.band(libraries, which) ~= 0
end

-- ---- metatables: a script sees those that it set itself ----

local function add_metatables(env)
  local set = raw_setmetatable({}, { __mode = "k" })

  function env.getmetatable(value)
    local metatable = raw_getmetatable(value)
    if metatable == nil then return nil end
    if not set[metatable] then return false end
    local shown = rawget(metatable, "__metatable")
    if shown ~= nil then return shown end
    return metatable
  end

  function env.setmetatable(...)
    local t, metatable = ...
    if type(t) ~= "table" then
      errors.raise(("bad argument #1 to 'setmetatable' (table expected, got %s)"):format(type(t)))
    elseif select("#", ...) < 2 or (metatable ~= nil and type(metatable) ~= "table") then
      errors.raise "bad argument #2 to 'setmetatable' (nil or table expected)"
    end
    local before = raw_getmetatable(t)
    if before and (not set[before] or rawget(before, "__metatable") ~= nil) then
      errors.raise "cannot change a protected metatable"
    end
    if metatable then set[metatable] = true end
    debug.setmetatable(t, metatable)
    return t
  end
end

-- ---- chance: seeded by one script, it is none for the others ----

local function add_random(library)
  local seed

  local function unit()
    if not seed then return math.random() end
    seed = seed * 16807 % 2147483647
    return seed / 2147483647
  end

  function library.randomseed(value)
    if type(value) ~= "number" then errors.raise("bad argument #1 to 'randomseed' (number expected)") end
    seed = math.floor(math.abs(value)) % 2147483646 + 1
    if seed ~= seed then seed = 1 end
    unit()
  end

  function library.random(first, last)
    if first == nil then return unit() end
    if last == nil then first, last = 1, first end
    if type(first) ~= "number" or type(last) ~= "number" then
      errors.raise("bad argument to 'random' (number expected)")
    end
    if first > last then errors.raise("bad argument to 'random' (interval is empty)") end
    return math.floor(unit() * (last - first + 1)) + first
  end
end

-- ---- loading ----

local function text_of(chunk)
  local pieces = {}
  while true do
    local piece = chunk()
    if piece == nil or piece == "" then return table.concat(pieces) end
    if type(piece) ~= "string" then return nil, "reader function must return a string" end
    pieces[#pieces + 1] = piece
  end
end

-- What is named as the runtime's own code would not be interrupted. Own code may name chunks so.
local function load_as_script(text, name, mode, env)
  if type(name) == "string" and name:sub(1, 9) == "@lurcher/" then name = "@./" .. name:sub(2) end
  return own_load(text, name, mode, env)
end

local function add_load(env, libraries)
  local modes = has(libraries, LIB_BYTECODE) and "bt" or "t"

  function env.load(chunk, name, mode, ...)
    local text, message = chunk, nil
    if type(chunk) == "function" then text, message = text_of(chunk) end
    if message then return nil, message end
    if type(text) ~= "string" then
      errors.raise(("bad argument #1 to 'load' (string expected, got %s)"):format(type(text)))
    end
    if name ~= nil and type(name) ~= "string" then
      errors.raise(("bad argument #2 to 'load' (string expected, got %s)"):format(type(name)))
    end
    mode = mode == nil and modes or tostring(mode)
    if modes == "t" and not mode:find("t", 1, true) then
      return nil, "attempt to load chunk with wrong mode: the sandbox takes text only"
    end
    local theirs = select("#", ...) > 0
    if theirs then return load_as_script(text, name or text, modes == "t" and "t" or mode, (...)) end
    return load_as_script(text, name or text, modes == "t" and "t" or mode, env)
  end
end

-- ---- modules: each script has tables of its own ----

local function copied(value, done)
  if type(value) ~= "table" or raw_getmetatable(value) then return value end
  if done[value] then return done[value] end
  local copy = {}
  done[value] = copy
  for key, member in next, value do copy[key] = copied(member, done) end
  return copy
end

-- The module's metatable is for misspelt names.
local function copy_module(name, value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, member in next, value do copy[key] = copied(member, { [value] = copy }) end
  strict.guard(copy, name:match "^lurcher%.([^.]+)$" or name)
  return copy
end

-- Nothing that would be looked for in files: what they hold would run with the globals of no sandbox.
local function is_public(name)
  if name == "host" then return globals.package.loaded.host ~= nil end
  return (name:match "^lurcher%.[%w_]+$" and modules.has(name)) or false
end

-- Files are opened by a function that asks the host.
local function read_module(name)
  for template in globals.package.path:gmatch "[^;]+" do
    local path = template:gsub("%?", (name:gsub("%.", "/"):gsub("%%", "%%%%")))
    local file = io.open(path, "rb")
    if file then
      local source = file:read "*a"
      file:close()
      return source, "@" .. path
    end
  end
end

local function refuse(name)
  local names = {}
  for module in next, modules.names() do names[#names + 1] = module:match "^lurcher%.([^.]+)$" end
  table.sort(names)
  local near = check.suggest(name:match "^lurcher%.(.*)$" or name, names)
  errors.raise(("module '%s' not found: a sandboxed script has lurcher.%s%s"):format(name,
    table.concat(names, ", lurcher."), near and ("; did you mean 'lurcher.%s'?"):format(near) or ""))
end

-- What the host has is loaded for each script, with its globals. Without anybody to ask, what the host has for
-- scripts is meant for them.
local function find_offered(name, env)
  if permit.has_host() then require("lurcher.task.permissions").ask_module(name) end
  local source, chunk_name, mode = modules.offered(name)
  if not source and modules.has_path() then source, chunk_name = read_module(name) end
  if not source then return nil end
  local loader, message = load_as_script(source, chunk_name, mode or "t", env)
  if not loader then errors.raise(("error loading module '%s':\n\t%s"):format(name, message)) end
  return loader
end

local function add_require(env, libraries)
  local loaded, loading = { _G = env }, {}
  for name in next, LIBRARIES do loaded[name] = env[name] end
  for which, name in next, GIVEN do
    if has(libraries, which) then loaded[name] = env[name] end
  end

  function env.require(name)
    if type(name) ~= "string" then
      errors.raise(("bad argument #1 to 'require' (string expected, got %s)"):format(type(name)))
    end
    if loaded[name] ~= nil then return loaded[name] end
    if is_public(name) then
      loaded[name] = copy_module(name, own_require(name))
      return loaded[name]
    end
    if loading[name] then errors.raise(("loop or previous error loading module '%s'"):format(name)) end
    local loader = find_offered(name, env)
    if loader then
      loading[name] = true
      local ok, value = pcall(loader, name)
      loading[name] = nil
      if not ok then error(value, 0) end
      if value == nil then value = true end
      loaded[name] = value
    elseif has(libraries, LIB_PACKAGE) or (has(libraries, LIB_FFI) and name == "ffi") then
      loaded[name] = globals.require(name)
    else
      refuse(name)
    end
    return loaded[name]
  end
end

-- A text given by -e has the public modules as globals.
local function add_names(env)
  raw_setmetatable(env, { __index = function(_, name)
    if type(name) ~= "string" or not is_public("lurcher." .. name) then return nil end
    local module = env.require("lurcher." .. name)
    rawset(env, name, module)
    return module
  end })
end

-- ---- the whole ----

local function add_given(env, libraries)
  for which, name in next, GIVEN do
    if has(libraries, which) then env[name] = copied(globals[name], {}) end
  end
  if has(libraries, LIB_BYTECODE) then env.string.dump = string.dump end
end

---Makes the globals of a script.
---@param libraries integer lur_options.libraries
---@return table
function sandbox.globals(libraries)
  local env = pick(own, FUNCTIONS)
  for name, members in next, LIBRARIES do env[name] = pick(own[name], members) end
  env._G, env._VERSION, env.arg = env, _VERSION, copied(globals.arg, {})
  env.os.exit, env.os.getenv = os.exit, os.getenv -- which asks the host
  add_given(env, libraries)
  add_metatables(env)
  add_random(env.math)
  add_load(env, libraries)
  add_require(env, libraries)

  function env.collectgarbage(what)
    if what ~= "count" then errors.raise "collectgarbage: a sandboxed script may only ask for 'count'" end
    return collectgarbage "count"
  end
  if globals.arg and globals.arg[0] == "-e" then add_names(env) end
  return env
end

return sandbox
