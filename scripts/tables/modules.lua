-- Reads the doc comments of the Lua modules: which functions, classes and aliases there are, and what a
-- module gives. No parser of Lua: it knows how the modules here are written.

local modules = {}

---@class DocItem
---@field kind "class"|"alias"|"function"
---@field block string[] the lines of the comment, without the line of the class
---@field name string of the function, class or alias
---@field first? string the line of the class
---@field owner? string the variable in front of the function's name
---@field separator? string "." or ":"
---@field parameters? string as in the source

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

local function tags(block, tag)
  local found = {}
  for _, line in ipairs(block) do
    if line:find("^%-%-%-@" .. tag .. "%f[%A]") then found[#found + 1] = line end
  end
  return found
end

-- How many more braces a line opens than it closes.
local function braces(line)
  line = line:gsub("\\.", ""):gsub('"[^"]*"', ""):gsub("'[^']*'", ""):gsub("%-%-.*", "")
  local _, opened = line:gsub("{", "")
  local _, closed = line:gsub("}", "")
  return opened - closed
end

-- One module: { items, header, requires, keys, returned, variables }.
local function parse(path)
  local it = { items = {}, header = {}, requires = {}, keys = {}, classes = {}, constants = {} }
  local block, in_header, table_name, depth = {}, true, nil, 0

  local function add_function(owner, separator, name, parameters)
    it.items[#it.items + 1] = { kind = "function", owner = owner, separator = separator, name = name,
      parameters = parameters, block = block }
  end

  local function close_block(line)
    local class, alias = tags(block, "class")[1], tags(block, "alias")[1]
    local variable = line:match("^local ([%w_]+)")
    if class then
      local name = class:match("^%-%-%-@class ([%w_.]+)")
      local fields = {}
      for _, tagged in ipairs(block) do
        local is_inner = tagged:find("^%-%-%-@field private ") or tagged:find("^%-%-%-@field package ")
        if tagged:find("^%-%-%-@field ") and not is_inner or tagged:find("^%-%-%-@overload ") then
          fields[#fields + 1] = tagged
        end
      end
      it.items[#it.items + 1] = { kind = "class", name = name, first = class, block = fields }
      if variable then it.classes[variable] = name end
    elseif alias then
      it.items[#it.items + 1] = { kind = "alias", name = alias:match("@alias ([%w_.]+)"), block = block }
    end
  end

  for line in (read(path) .. "\n"):gmatch("(.-)\n") do
    local comment = line:match("^%s*(%-%-%-.*)")
    if comment then
      block[#block + 1] = comment
    else
      if in_header then
        it.header, in_header, block = block, false, {}
      else
        close_block(line)
        local owner, separator, name, parameters = line:match("^function ([%w_.]+)([.:])([%w_]+)(%b())")
        local variable, module = line:match('^local ([%w_]+) = require%(?%s*"([%w_.]+)"%)?')
        local given = line:match("^return function(%b())")
        if owner then
          if #block > 0 then add_function(owner, separator, name, parameters) end
        elseif given then
          add_function("", "", "", given)
          it.returned = ""
        elseif variable then
          it.requires[variable] = module
        elseif line:find("^return {") then
          table_name, it.returned, depth = "*", "*", 0
        elseif line:find("^return [%w_]+$") then
          it.returned = line:match("^return ([%w_]+)$")
        elseif line:find("^local [%w_]+ = {") then
          table_name, depth = line:match("^local ([%w_]+)"), 0
        end
        local body = table_name and (line:match("^[%w_ =]+ {(.*)$") or line:match("^return {(.*)$") or line)
        if body then
          local keys = it.keys[table_name] or {}
          it.keys[table_name] = keys
          for key, value in body:gmatch("([%w_]+) = ([%w_.]+[^,}]*)") do
            keys[#keys + 1] = { name = key, value = value:gsub("%s+$", ""), block = block }
          end
          depth = depth + braces(line)
          if depth <= 0 then table_name = nil end
        else
          local of, key, value = line:match("^([%w_]+)%.([%w_]+) = (.+)$")
          if of then
            it.keys[of] = it.keys[of] or {}
            table.insert(it.keys[of], { name = key, value = value, block = block })
          end
        end
      end
      block = {}
    end
  end
  return it
end

local cache = {}

---@param name string "lurcher.http"
function modules.get(name)
  if cache[name] == nil then
    local path = "lua/" .. name:gsub("%.", "/") .. ".lua"
    local file = io.open(path)
    if file then file:close() end
    cache[name] = file and parse(path) or false
  end
  return cache[name]
end

---The parameters of a function item as a list of names.
---@return string[]
function modules.parameters(item)
  local names = {}
  for name in item.parameters:gmatch("[%w_.]+") do names[#names + 1] = name end
  return names
end

modules.tags = tags

return modules
