--- Lua's own functions that open, run or read something, made to ask the host first: lur_options.permit. Run
--- once by the prelude, where there is somebody to ask, before any other module sees them.

-- luacheck: globals loadfile dofile

local native = require "lurcher.native.permit"

-- What scripts do to their globals changes nothing here.
local ask, error, type, select, tostring, load = native.ask, error, type, select, tostring, load
local io, os, package, concat, gsub = io, os, package, table.concat, string.gsub
local TEMPORARY = "/tmp"

-- What a refusal of a function that raises is raised as.
local function insist(value, err, ...)
  if not value then error(err, 0) end
  return value, err, ...
end

-- Wraps a function: `check` gets its arguments, and returns true, or nil and an error.
local function asking(fn, check)
  return function(...)
    local ok, err = check(...)
    if not ok then return nil, err end
    return fn(...)
  end
end

-- ---- files ----

local raw_open = io.open

-- A file that was asked for by its own name, under one that leads to it and nowhere else.
local function with_pinned(path, mode, use)
  local name, fd, number = native.open(path, mode)
  if not name then return nil, fd, number end
  local value, message, code = use(name, mode)
  native.close(fd)
  if not value and type(message) == "string" then message = gsub(message, name, (gsub(path, "%%", "%%%%")), 1) end
  return value, message, code
end

local function open(path, mode)
  mode = mode == nil and "r" or mode
  if type(path) == "number" then path = tostring(path) end
  if type(path) ~= "string" or type(mode) ~= "string" or not mode:find("^[rwa]%+?b?$") then
    return raw_open(path, mode) -- which raises, or takes no such mode
  end
  return with_pinned(path, mode, raw_open)
end

local function closing_at_end(file, first, ...)
  if first == nil then file:close() end
  return first, ...
end

local function guard_io(library)
  local raw_lines, raw_input, raw_output = library.lines, library.input, library.output
  library.open = open

  function library.lines(path, ...)
    if path == nil then return raw_lines() end
    local file = insist(open(path))
    local read = file:lines(...)
    return function() return closing_at_end(file, read()) end
  end

  function library.input(file)
    if type(file) == "string" then file = insist(open(file)) end
    return raw_input(file)
  end

  function library.output(file)
    if type(file) == "string" then file = insist(open(file, "w")) end
    return raw_output(file)
  end

  library.popen = asking(library.popen, function() return ask("run", "sh") end)
  library.tmpfile = asking(library.tmpfile, function() return native.may_write(TEMPORARY) end)
end

-- ---- the rest of the system ----

local function guard_os(library)
  library.remove, library.rename = native.remove, native.rename
  library.tmpname = asking(library.tmpname, function() return native.may_write(TEMPORARY) end)

  local raw_getenv = library.getenv
  function library.getenv(name)
    if type(name) ~= "string" and type(name) ~= "number" then
      error(("bad argument #1 to 'getenv' (string expected, got %s)"):format(type(name)), 2)
    end
    local ok, err = ask("env", tostring(name))
    if not ok then return nil, err end
    return raw_getenv(name)
  end

  library.execute = asking(library.execute, function(command)
    if command == nil then return true end -- it is asked whether there is a shell
    return ask("run", "sh")
  end)
end

-- ---- code ----

local function read_all(name)
  local file, message = raw_open(name, "rb")
  if not file then return nil, message end
  local text = file:read("*a")
  file:close()
  return text or ""
end

-- A first line that begins with # is for the shell; its end stays, so that lines count right.
local function without_shebang(text)
  return text:sub(1, 1) == "#" and (text:match("\n.*") or "") or text
end

local function load_file(path, ...)
  local text, message = with_pinned(path or "/dev/stdin", "r", read_all)
  if not text then return nil, message end
  local name = path and "@" .. path or "=stdin"
  if select("#", ...) < 2 then return load(without_shebang(text), name, (...)) end
  return load(without_shebang(text), name, ...)
end

-- The first file of a module that there is and may be read; else the first refusal, or what was looked for.
local function search(name, path, use)
  local refused, tried = nil, {}
  for template in path:gmatch("[^;]+") do
    local candidate = gsub(template, "%?", (gsub(gsub(name, "%.", "/"), "%%", "%%%%")))
    local value, err, number = use(candidate)
    if value then return value end
    if number == nil then refused = refused or err end
    tried[#tried + 1] = "\n\tno file '" .. candidate .. "'"
  end
  if refused then error(refused, 0) end
  return concat(tried)
end

local function guard_package(library)
  local raw_loadlib, loaders, raw_ffi = library.loadlib, library.loaders, library.preload.ffi

  -- Native code may do anything, whatever file it comes from.
  local function load_native(file, entry)
    return with_pinned(file, "r", function()
      insist(ask("ffi", file))
      local fn, message = raw_loadlib(file, entry)
      if not fn then error(message, 0) end
      return fn
    end)
  end

  local function entry_of(name) return "luaopen_" .. gsub(gsub(name, "^.*%-", ""), "%.", "_") end

  loaders[2] = function(name)
    return search(name, library.path, function(candidate)
      local text, err, number = with_pinned(candidate, "r", read_all)
      if not text then return nil, err, number end
      local chunk, message = load(without_shebang(text), "@" .. candidate)
      if not chunk then
        error(("error loading module '%s' from file '%s':\n\t%s"):format(name, candidate, message), 0)
      end
      return chunk
    end)
  end
  loaders[3] = function(name)
    return search(name, library.cpath or "", function(candidate) return load_native(candidate, entry_of(name)) end)
  end
  loaders[4] = function(name)
    local root = name:match("^([^.]+)%.")
    if not root then return nil end
    return search(root, library.cpath or "", function(candidate) return load_native(candidate, entry_of(name)) end)
  end

  function library.loadlib(path, entry)
    local ok, err = ask("ffi", path)
    if not ok then return nil, err, "open" end
    return raw_loadlib(path, entry)
  end

  function library.searchpath(name, path, separator, replacement)
    if separator and separator ~= "" then name = gsub(name, "%" .. separator, replacement or "/") end
    local found = search(name, path, function(candidate)
      local known, err, number = with_pinned(candidate, "r", function() return true end)
      return known and { candidate }, err, number
    end)
    if type(found) == "table" then return found[1] end
    return nil, found
  end

  library.preload.ffi = function(...)
    insist(ask("ffi", "ffi"))
    return raw_ffi(...)
  end
end

-- What is there without being looked for.
local BUILT_IN = { ["string.buffer"] = true, ["table.new"] = true, ["table.clear"] = true, host = true }
for name in pairs(package.loaded) do BUILT_IN[name] = true end

local permissions = {}

---Makes the libraries ask.
function permissions.install()
  guard_io(io)
  guard_os(os)
  guard_package(package)
  loadfile = load_file

  function dofile(path)
    return insist(load_file(path))()
  end
end

---Raises unless a module may be used, whoever loaded it.
---@param name string
function permissions.ask_module(name)
  if name == "ffi" then
    insist(ask("ffi", name))
  elseif not BUILT_IN[name] and not name:find "^lurcher%." and not name:find "^jit%." then
    insist(ask("module", name))
  end
end

return permissions
