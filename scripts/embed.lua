-- Compiles Lua modules to bytecode, written as one C file: luajit embed.lua OUT.c LUA_DIR MODULE.lua...
-- The chunk name is the path below LUA_DIR ("@lurcher/retry.lua"): tracebacks are the same on every machine.

local out_path, root = arg[1], arg[2]

local escapes = {}
for byte = 0, 255 do escapes[string.char(byte)] = ("\\%03o"):format(byte) end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- As a string: a compiler takes a list of numbers for a quarter of a million expressions, a second an edit.
-- A line for every 24 bytes, so that none has a hundred thousand characters.
local function literal(bytes)
  local lines = {}
  for at = 1, #bytes, 24 do
    lines[#lines + 1] = '"' .. bytes:sub(at, at + 23):gsub(".", escapes) .. '"'
  end
  return table.concat(lines, "\n")
end

local arrays, entries = {}, {}
for i = 3, #arg do
  local path = arg[i]
  local bytecode = string.dump(assert(loadstring(read(root .. "/" .. path), "@" .. path)))
  local name = path:gsub("%.lua$", ""):gsub("/", ".")
  local symbol = name:gsub("[^%w]", "_")
  arrays[#arrays + 1] = ("static const unsigned char %s[] =\n%s;\n"):format(symbol, literal(bytecode))
  entries[#entries + 1] = ('  {"%s", %s, sizeof %s - 1},\n'):format(name, symbol, symbol)
end

local out = assert(io.open(out_path, "wb"))
out:write('#include "script/runtime/embedded.h"\n\n',
  '#pragma GCC diagnostic ignored "-Woverlength-strings"\n\n', table.concat(arrays),
  "\nconst embedded_module embedded_modules[] = {\n", table.concat(entries), "  {0, 0, 0},\n};\n")
out:close()
