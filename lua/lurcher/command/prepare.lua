--- What the command does before it runs a script.

local modules = require "lurcher.native.modules"

local prepare = {}

local function find_beside(path)
  if not path then return end
  local folder = path:match("^(.*)/[^/]*$") or "."
  if folder == "" then folder = "/" end
  package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(folder, folder, package.path)
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
  elseif name ~= "-" and name ~= "test" and not modules.has_path() then
    find_beside(target)
    find_beside(name)
  end
end

return prepare
