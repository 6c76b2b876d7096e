-- Compiles Lua modules to bytecode, written as one C file: luajit embed.lua OUT.c LUA_DIR MODULE.lua...
-- The chunk name is the path below LUA_DIR ("@lurcher/retry.lua"): tracebacks are the same on every machine.

local out_path, root = arg[1], arg[2]

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local arrays, entries = {}, {}
for i = 3, #arg do
  local path = arg[i]
  local bytecode = string.dump(assert(loadstring(read(root .. "/" .. path), "@" .. path)))
  local name = path:gsub("%.lua$", ""):gsub("/", ".")
  local symbol = name:gsub("[^%w]", "_")
  -- A line for every 24 bytes: no compiler has to take a line of a hundred thousand characters.
  local lines = {}
  for at = 1, #bytecode, 24 do lines[#lines + 1] = table.concat({ bytecode:byte(at, at + 23) }, ",") end
  arrays[#arrays + 1] = ("static const unsigned char %s[] = {\n%s};\n"):format(symbol,
    table.concat(lines, ",\n"))
  entries[#entries + 1] = ('  {"%s", %s, sizeof %s},\n'):format(name, symbol, symbol)
end

local out = assert(io.open(out_path, "wb"))
out:write('#include "script/runtime/embedded.h"\n\n', table.concat(arrays),
  "\nconst embedded_module embedded_modules[] = {\n", table.concat(entries), "  {0, 0, 0},\n};\n")
out:close()
