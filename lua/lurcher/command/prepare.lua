--- What the command does before it runs a script.

local modules = require "lurcher.native.modules"

local prepare = {}

---Has modules be found beside a file, before anywhere else.
---@param path? string
function prepare.find_beside(path)
  if not path or modules.has_path() then return end
  local folder = path:match("^(.*)/[^/]*$") or "."
  if folder == "" then folder = "/" end
  local own = ("%s/?.lua;%s/?/init.lua;"):format(folder, folder)
  if package.path:sub(1, #own) ~= own then package.path = own .. package.path end
end

-- Loads the public module of that name when it is first used.
local function find_global(globals, name)
  if type(name) ~= "string" or not modules.names()["lurcher." .. name] then return nil end
  local module = require("lurcher." .. name)
  rawset(globals, name, module)
  return module
end

---Has a script find the modules beside it, and a text given by -e have the public modules as globals.
---@param name string as in arg[0]
---@param target? string where that leads, when it is a symbolic link
function prepare.script(name, target)
  if name == "-e" then
    setmetatable(_G, { __index = find_global })
  elseif name ~= "-" and name ~= "test" then
    prepare.find_beside(target)
    prepare.find_beside(name)
  end
end

return prepare
