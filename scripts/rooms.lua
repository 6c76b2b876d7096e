-- The order of the code, checked by its text: who may use whom, that a header declares what its own .c
-- defines, that no two C files have one name, and no two of a room a static, constant or type of one name. Prints every
-- finding; its status is 1 when there are any.
-- Run from the top folder: luajit scripts/rooms.lua

-- Each room of runtime/, in order: it may use itself, the rooms before it that it names, and these
-- libraries' headers (beyond those of C and POSIX). A name ending in "/" stands for all rooms below it.
local C_ROOMS = {
  { "core" },
  { "core/loop", uses = "core", libraries = "uv" },
  { "core/file", uses = "core core/loop", libraries = "uv openssl" },
  { "core/process", uses = "core core/loop core/file", libraries = "uv" },
  { "format/url", uses = "core", libraries = "idn2" },
  { "format/json", uses = "core" },
  { "format/http", uses = "core" },
  { "format/charset", uses = "core", libraries = "iconv" },
  { "format/coding", uses = "core", libraries = "brotli zlib zstd zstd_errors" },
  { "format/websocket", uses = "core", libraries = "wslay zlib" },
  { "net/flow", uses = "core core/loop" },
  { "net/curl", uses = "core core/loop", libraries = "uv curl openssl" },
  { "net/late", libraries = "curl" },
  { "net/pool", uses = "core core/loop format/url net/flow net/curl", libraries = "curl" },
  { "net/transfer", uses = "core core/ format/ net/flow net/curl net/pool", libraries = "curl openssl" },
  { "net/websocket", uses = "core core/loop format/http format/websocket net/pool net/transfer net/curl",
    libraries = "uv curl" },
  { "net/server", uses = "core core/loop core/file format/http", libraries = "uv openssl" },
  { "include", uses = "include", libraries = "lua" },
  { "script/base", uses = "core", libraries = "lua" },
  { "script/task", uses = "core core/ script/base include", libraries = "lua" },
  { "script/library", uses = "script/task include", libraries = "lua" },
  { "script/bind", uses = "core core/ format/ net/ script/base script/task", libraries = "lua psl openssl" },
  { "script/json", uses = "core format/json script/base", libraries = "lua" },
  { "script/host", uses = "core core/loop format/json script/base script/task include", libraries = "lua" },
  { "script/http", uses = "core core/ format/ net/ script/base script/task script/bind", libraries = "lua" },
  { "script/websocket", uses = "core core/ format/ net/ script/base script/task script/http", libraries = "lua" },
  { "script/runtime", uses = "core core/ net/ script/ include", libraries = "lua" },
  { "cli", uses = "cli include", libraries = "uv lua libedit" },
}

-- Library headers and the name they have above; what is not here is of C or POSIX.
local LIBRARIES = {
  ["uv.h"] = "uv", ["curl/"] = "curl", ["openssl/"] = "openssl", ["lua.h"] = "lua", ["lauxlib.h"] = "lua",
  ["lualib.h"] = "lua", ["luajit.h"] = "lua", ["zlib.h"] = "zlib", ["zstd.h"] = "zstd",
  ["brotli/"] = "brotli",
  ["zstd_errors.h"] = "zstd_errors", ["idn2.h"] = "idn2", ["libpsl.h"] = "psl", ["iconv.h"] = "iconv",
  ["wslay/"] = "wslay", ["histedit.h"] = "libedit",
}

-- The rooms of lua/lurcher, in order: a module may require those of its own room and of the rooms before it.
-- A module directly in lua/lurcher is public; it is in the room of its name. A folder within a room belongs
-- to that room unless it is named here. "client" is lurcher.http with lurcher.http.client: what puts the
-- layers together stands above them.
local LUA_ROOMS = {
  "base", "task", "json", "url", "clock", "fs", "crypto", "date", "csv", "log", "process", "progress",
  "retry", "breaker", "server", "http", "http/layer", "metrics", "report", "convert", "client", "sse", "ws", "pages",
  "mock", "cassette", "testing",
  "command",
}
local LUA_ROOM_OF = {
  http = "client", ["http.client"] = "client", curl = "convert", mock = "testing",
  cassette = "testing",
}

local findings = 0
local function finding(...)
  findings = findings + 1
  print((...):format(select(2, ...)))
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function files(pattern)
  local list, pipe = {}, assert(io.popen("git ls-files -co --exclude-standard " .. pattern))
  for path in pipe:lines() do
    local file = io.open(path) -- listed, but not there: removed and not committed yet
    if file then
      file:close()
      list[#list + 1] = path
    end
  end
  pipe:close()
  return list
end

local function words(text)
  local set = {}
  for word in (text or ""):gmatch("%S+") do set[word] = true end
  return set
end

-- ---- includes and requires ----

local function each_line(text, fn)
  local number = 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    fn(line, number)
  end
end

local c_rooms = {}
for _, room in ipairs(C_ROOMS) do
  c_rooms[room[1]] = { uses = words(room.uses), libraries = words(room.libraries) }
end

local function may_use(room, name, target)
  if target == name or room.uses[target] then return true end
  for used in pairs(room.uses) do
    if used:sub(-1) == "/" and target:sub(1, #used) == used then return true end
  end
  return false
end

local function check_include(path, room_name, line, number)
  local quote, header = line:match('^%s*#%s*include%s*(["<])([^">]+)[">]')
  if not header then return end
  local room, folder = c_rooms[room_name], header:match("^(.*)/[^/]*$")
  if quote == "<" then
    local library = LIBRARIES[header] or LIBRARIES[(folder or "") .. "/"]
    if library and not room.libraries[library] then
      finding("%s:%d: %s may not use %s", path, number, room_name, header)
    end
    return
  end
  local target = folder or (header:match("^lurcher") and "include" or room_name)
  if not c_rooms[target] then
    finding("%s:%d: no room '%s' in scripts/rooms.lua", path, number, target)
  elseif not may_use(room, room_name, target) then
    finding("%s:%d: %s may not use %s", path, number, room_name, header)
  end
end

local function check_includes(paths)
  for _, path in ipairs(paths) do
    local room = path:match("^runtime/(.*)/[^/]*$")
    if not c_rooms[room] then
      finding("%s: no room '%s' in scripts/rooms.lua", path, room)
    else
      each_line(read(path), function(line, number) check_include(path, room, line, number) end)
    end
  end
end

local lua_order = {}
for place, room in ipairs(LUA_ROOMS) do lua_order[room] = place end

local function lua_room(module)
  if LUA_ROOM_OF[module] then return LUA_ROOM_OF[module] end
  local room = (module:match("^(.*)%.[^.]*$") or module):gsub("%.", "/")
  while not lua_order[room] and room:find("/") do room = room:match("^(.*)/") end
  return room
end

local function check_require(path, from, line, number)
  if line:match("^%s*%-%-") then return end
  line = line:gsub("%f[%w]lazy ", "require "):gsub("%f[%w]late ", "require ")
  for module in line:gmatch("require%s*%(?%s*[\"']lurcher%.([%w_.]+)") do
    local target = lua_room(module)
    if module:match("^native%.") then
      target = from -- natives are C's, and checked there
    elseif not lua_order[target] then
      finding("%s:%d: no room '%s' in scripts/rooms.lua", path, number, target)
      target = from
    end
    if lua_order[target] > lua_order[from] then
      finding("%s:%d: %s may not use lurcher.%s", path, number, from, module)
    end
  end
end

local function check_requires(paths)
  for _, path in ipairs(paths) do
    local module = path:match("^lua/lurcher/(.*)%.lua$"):gsub("/", ".")
    local room = lua_room(module)
    if not lua_order[room] then
      finding("%s: no room '%s' in scripts/rooms.lua", path, room)
    else
      each_line(read(path), function(line, number) check_require(path, room, line, number) end)
    end
  end
end

-- ---- headers ----

-- The text without comments, strings' contents and preprocessor lines, so that what is left at the start of
-- a line is a declaration or a definition.
local function bare(text)
  text = text:gsub("\\\n", "  "):gsub("/%*.-%*/", function(comment) return (comment:gsub("[^\n]", " ")) end)
  text = text:gsub("__attribute__%s*%b()", ""):gsub("'\\?[^\n]'", "0")
  text = text:gsub('\\["\\]', "  "):gsub('"[^"\n]*"', '""'):gsub("//[^\n]*", "") -- strings first: they hold URLs
  return ("\n" .. text):gsub("\n[ \t]*#[^\n]*", "\n")
end

local function is_private(head)
  return head:find("=") or head:find("%f[%w_]static%f[^%w_]") or head:find("%f[%w_]typedef%f[^%w_]")
end

-- Names of functions with external linkage that are defined (`body` true) or declared at the top level.
local function functions(path)
  local defined, declared, depth = {}, {}, 0
  local text = bare(read(path))
  local statement = {}
  for piece, mark in text:gmatch("([^{};]*)([{};])") do
    if depth == 0 then statement[#statement + 1] = piece end
    if mark == "{" then
      if depth == 0 then
        local head = table.concat(statement)
        local name = head:match("([%a_][%w_]*)%s*%b()%s*$")
        if name and not is_private(head) then defined[name] = true end
      end
      depth = depth + 1
    elseif mark == "}" then
      depth = depth - 1
      if depth == 0 then statement = {} end
    elseif depth == 0 then
      local head = table.concat(statement)
      local name = head:match("([%a_][%w_]*)%s*%b()%s*$")
      if name and not is_private(head) and head:match("[%w_*]%s*[%s*]" .. name) then declared[name] = true end
      statement = {}
    end
  end
  return defined, declared
end

-- Declared elsewhere by their nature: the public functions in runtime/include, what opens a native module in
-- natives.def.
local function is_declared_elsewhere(name)
  return name == "main" or name:match("^lur_") or name:match("^luaopen_")
end

local function check_headers(paths)
  local declared_in = {}
  for _, path in ipairs(paths) do
    if path:match("%.h$") then
      for name in pairs(select(2, functions(path))) do declared_in[name] = path end
    end
  end
  local defined = {}
  for _, path in ipairs(paths) do
    if path:match("%.c$") then
      for name in pairs((functions(path))) do
        local header = declared_in[name]
        defined[name] = true
        if not is_declared_elsewhere(name) and header ~= path:gsub("c$", "h") then
          if header then
            finding("%s declares %s, which is defined in %s", header, name, path)
          else
            finding("%s: %s is neither static nor in its header", path, name)
          end
        end
      end
    end
  end
  for name, header in pairs(declared_in) do
    if not defined[name] then finding("%s declares %s, which is defined nowhere", header, name) end
  end
end

-- ---- names ----

-- An archive shows a file by its name alone, and so does a debugger.
local function check_names(paths)
  local seen = {}
  for _, path in ipairs(paths) do
    local name = path:match("([^/]*%.c)$")
    if name and seen[name] then finding("%s and %s have one name", seen[name], path) end
    if name then seen[name] = path end
  end
end

-- The names that a line declares: "static const int A = f(1, 2), B = 3;" has two.
local function static_names(line)
  local names = { line:match("^static [^=;(]-([%a_][%w_]*)%s*[(=;,[]") }
  if not names[1] or line:find("^static [^=;(]*%(") then return names end
  local rest = line:gsub("%b()", ""):gsub("%b{}", ""):gsub("[({].*", "")
  for name in rest:gmatch(",%s*%**([%a_][%w_]*)") do table.insert(names, name) end
  return names
end

-- The names of file scope that a C file declares for itself: statics, enumerators, structs and typedefs.
local function own_names(text)
  local names = {}
  for line in text:gmatch("[^\n]+") do
    for _, name in ipairs(static_names(line)) do names[name] = "static" end
    local struct = line:match("^typedef struct ([%a_][%w_]*) {") or line:match("^struct ([%a_][%w_]*) {")
    if struct then names["struct " .. struct] = "type" end
    local alias = line:match("^} ([%a_][%w_]*);")
    if alias then names[alias] = "type" end
  end
  for _, opening in ipairs { "\nenum", "\ntypedef enum" } do
    for block in ("\n" .. text):gmatch(opening .. "[^{;\n]*(%b{})") do
      for name in block:gsub("=[^,}]*", ""):gmatch("[{,]%s*([%a_][%w_]*)") do names[name] = "constant" end
    end
  end
  return names
end

-- The release build compiles several files of a room as one.
local function check_statics(paths)
  local seen = {}
  for _, path in ipairs(paths) do
    local room = path:match("^runtime/(.*)/[^/]*%.c$")
    for name, what in pairs(room and own_names(bare(read(path))) or {}) do
      local key = room .. " " .. name
      if seen[key] then
        finding("%s and %s both have a %s '%s': give each a name of its own", seen[key], path, what, name)
      end
      seen[key] = path
    end
  end
end

local c_files = files("'runtime/*.c' 'runtime/*.h'")
check_includes(c_files)
check_requires(files("'lua/lurcher/*.lua'"))
check_headers(c_files)
check_names(c_files)
check_statics(c_files)
os.exit(findings == 0 and 0 or 1)
