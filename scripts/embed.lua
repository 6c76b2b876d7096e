-- Writes what is linked into the library and the command as C files. Run from the top folder.
--
--   luajit embed.lua --lines|--no-lines OUT.c LUA_DIR MODULE.lua...   Lua modules, compiled to bytecode
--   luajit embed.lua --manual OUT.c LUA_DIR PAGE.md...   the pages of the manual
--
-- A module's chunk name is its path below LUA_DIR ("@lurcher/retry.lua"): tracebacks are the same on every
-- machine. --no-lines leaves the numbers of its lines and the names of its locals out: no report shows the
-- runtime's own lines, and they are a sixth of what a module takes, and two fifths of the time of loading it.
-- Pages are also laid out here at the commonest widths: it takes 10 million instructions a page.

local escapes = {}
for byte = 0, 255 do escapes[string.char(byte)] = ("\\%03o"):format(byte) end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local LONG_STRINGS = '#pragma GCC diagnostic ignored "-Woverlength-strings"\n\n'

-- As a string: a compiler takes a list of numbers for a quarter of a million expressions, a second an edit.
-- A line for every 24 bytes, so that none has a hundred thousand characters.
local function literal(bytes)
  local lines = {}
  for at = 1, #bytes, 24 do
    lines[#lines + 1] = '"' .. bytes:sub(at, at + 23):gsub(".", escapes) .. '"'
  end
  return table.concat(lines, "\n")
end

local function write(path, ...)
  local out = assert(io.open(path, "wb"))
  assert(out:write(...))
  out:close()
end

local function array(symbol, bytes)
  return ("const unsigned char %s[] =\n%s;\n"):format(symbol, literal(bytes))
end

-- Where the text that begins with a quote at `at` ends.
local function after_text(source, at)
  local quote, place = source:sub(at, at), at + 1
  while source:sub(place, place) ~= quote do
    place = place + (source:sub(place, place) == "\\" and 2 or 1)
  end
  return place + 1
end

-- A module's source without what only the manual says of options: a script that starts should not pay for
-- it. Lines stay where they are.
local function without_texts(source)
  if not source:find("base/rows", 1, true) and not source:find("lurcher.base.rows", 1, true) then
    return source
  end
  for _, field in ipairs { "help", "example", "shown" } do
    local at = 1
    while true do
      local first, quote = source:find("%f[%w]" .. field .. " = [\"']", at)
      if not first then break end
      local after = after_text(source, quote)
      local _, comma = source:find("^,", after)
      local lines = source:sub(first, after):gsub("[^\n]", "")
      source = source:sub(1, first - 1) .. lines .. source:sub((comma or after - 1) + 1)
      at = first
    end
  end
  return source
end

local function sorted(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local COMPILED_OPTIONS = "lurcher/http/options/compiled.lua"

-- Run from the top folder, as all that reads the tables.
local function compiled_options()
  require "scripts.tables.load"
  return require "scripts.tables.compiled_options"()
end

local function embed_modules(is_stripped, out, root, ...)
  local arrays, entries, paths = {}, {}, {}
  for _, path in ipairs { COMPILED_OPTIONS, ... } do
    paths[path:gsub("%.lua$", ""):gsub("/", ".")] = path
  end
  for i, name in ipairs(sorted(paths)) do
    local path = paths[name]
    local source = path == COMPILED_OPTIONS and compiled_options() or without_texts(read(root .. "/" .. path))
    -- The prelude gives the runtime's modules a require of their own, which may load what is in a folder.
    if path ~= "lurcher/task/prelude.lua" then source = "local _, require = ... " .. source end
    local bytecode = string.dump(assert(loadstring(source, "@" .. path)), is_stripped)
    local symbol = name:gsub("[^%w]", "_")
    arrays[i] = "static " .. array(symbol, bytecode)
    entries[i] = ('  {"%s", "@%s", %s, sizeof %s - 1},\n'):format(name, path, symbol, symbol)
  end
  write(out, '#include "script/runtime/embedded.h"\n\n', LONG_STRINGS, table.concat(arrays),
    "\nconst embedded_module embedded_modules[] = {\n", table.concat(entries), "};\n",
    ("const size_t embedded_modules_count = %d;\n"):format(#entries))
end

local function embed_manual(out, root, ...)
  package.path = root .. "/?.lua;" .. package.path
  local help = require "lurcher.command.help"
  local entries = {}
  for i, path in ipairs { ... } do
    local page, forms = read(path), {}
    for n, columns in ipairs(help.BUILT_COLUMNS) do forms[n] = literal(help.lay_out(page, columns)) end
    entries[i] = ('{"%s",\n%s,\n{%s}},\n'):format(path:match("([^/]+)%.md$"), literal(page), table.concat(forms, ",\n"))
  end
  write(out, '#include "manual_pages.h"\n\n', LONG_STRINGS,
    ("const int manual_columns[MANUAL_FORMS] = {%s};\n"):format(table.concat(help.BUILT_COLUMNS, ", ")),
    "const manual_page manual_pages[] = {\n", table.concat(entries), "};\n",
    ("const size_t manual_pages_count = %d;\n"):format(#entries))
end

if arg[1] == "--manual" then
  embed_manual(unpack(arg, 2))
else
  embed_modules(arg[1] == "--no-lines", unpack(arg, 2))
end
