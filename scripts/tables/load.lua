-- Loads the option tables into a plain LuaJIT: what they need of the runtime itself is left empty, for here
-- nothing is checked.

local def = require "scripts.tables.def"

package.path = "lua/?.lua;" .. package.path

-- A value that can be called and indexed without end.
local nothing = setmetatable({}, {
  __index = function(self) return self end,
  __call = function(self) return self end,
})

local function version()
  local file = assert(io.open("CMakeLists.txt"))
  local text = file:read("*a")
  file:close()
  return text:match("project%(lurcher VERSION ([%d.]+)")
end

local function kinds()
  local list = {}
  for i, row in ipairs(def.read("runtime/core/errors.def", "ERROR_KIND")) do
    list[i] = { name = row[1], flags = row[2], when = row[3], cure = row[4] }
  end
  return list
end

local function compiled_options()
  return assert(loadstring(require "scripts.tables.compiled_options"()))()
end

table.insert(package.loaders, 1, function(name)
  if name == "lurcher.http.options.compiled" then return compiled_options end
  if name == "lurcher.native.version" then return version end
  if name == "lurcher.native.kinds" then return kinds end
  if name:find("^lurcher%.native%.") then return function() return nothing end end
end)

local rows = require "lurcher.base.rows"
rows.collected = {}

local options = require "lurcher.http.options.rows"
local parts = require "lurcher.http.options.parts"

local tables = {
  client_options = {}, request_options = {}, cli = {}, kinds = kinds(),
  pages = require("lurcher.pages.options").ROWS, policy = require("lurcher.retry.options").ROWS,
  phases = require "lurcher.http.phases", word_options = {},
}
for name, list in pairs(parts) do tables[name] = list end

for _, row in ipairs(options) do
  local list = row.only == "request" and tables.request_options or tables.client_options
  list[#list + 1] = row
end

-- The options of functions: "task.map" is the table task_map.
for _, module in ipairs { "task.together", "task.stream", "task.sync", "pages.strategies", "progress", "clock",
  "server", "ws.options", "http.download", "http.file", "http.save" } do
  require("lurcher." .. module)
end
for name, entry in pairs(rows.collected) do tables[name:gsub("%.", "_")] = entry.list end
tables.collected = rows.collected

for i, row in ipairs(def.read("runtime/cli/options.def", "OPTION")) do
  tables.cli[i] = { row[1], short = row[2], value = row[3], choices = row[4], help = row[6] }
end
for _, row in ipairs(def.read("runtime/cli/options.def", "WORD_OPTION")) do
  local list = tables.word_options
  if row[1] ~= "import" then
    list[#list + 1] = { row[2], short = row[3], value = row[4], choices = row[5], help = row[6],
      also = row[1]:find("MESSAGE_WORDS", 1, true) ~= nil }
  end
end

return tables
