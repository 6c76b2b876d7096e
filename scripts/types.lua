-- Writes the types of the public modules for editors (LuaCATS, as lua-language-server reads it):
--
--     luajit scripts/types.lua DIRECTORY
--
-- makes DIRECTORY/lurcher/http.lua and so on, one file for each public module. Functions and classes come
-- from the modules' doc comments, options from their tables. To be run in the folder of the sources.

package.path = "./?.lua;" .. package.path

local modules = require "scripts.tables.modules"
local spelling = require "scripts.tables.spelling"
local tables = require "scripts.tables.load"

local directory = arg[1] or error("usage: luajit scripts/types.lua DIRECTORY", 0)

local function lines_of(command)
  local list, pipe = {}, io.popen(command)
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

-- ---- classes: from comments, and from tables ----

local classes, aliases, homes = {}, {}, {} -- by name; homes: the public module in whose file it is

local function class_of(name, home)
  if not classes[name] then
    classes[name] = { first = "---@class " .. name, fields = {}, functions = {} }
    homes[name] = home
  end
  return classes[name]
end

local function text_of(row)
  local help = row.help:gsub("\n", " ")
  if row.default == nil and not row.shown then return help end
  return ("%s; default: %s"):format(help, row.shown or spelling.value(row.default))
end

local function add_options(name, list, home, parent)
  local class = class_of(name, home)
  if parent then class.first = class.first .. ": " .. parent end
  for _, row in ipairs(list) do
    local kind = spelling.type(row)
    if kind:find("fun%(") and not kind:find("%(fun") then kind = kind:gsub("fun%(.*", "(%0)") end
    local field = row.required and row[1] or row[1] .. "?"
    class.fields[#class.fields + 1] = ("---@field %s %s %s"):format(field, kind, text_of(row))
  end
end

local function add_option_classes()
  local shared, client = {}, {}
  for _, row in ipairs(tables.client_options) do table.insert(row.only and client or shared, row) end
  add_options("lurcher.SharedOptions", shared, "http")
  add_options("lurcher.ClientOptions", client, "http", "lurcher.SharedOptions")
  add_options("lurcher.RequestOptions", tables.request_options, "http", "lurcher.SharedOptions")
  add_options("lurcher.Timeout", tables.timeout, "http")
  add_options("lurcher.Limits", tables.limits, "http")
  add_options("lurcher.RetryOptions", tables.retry, "http")
  add_options("lurcher.TlsOptions", tables.tls, "http")
  local proxy = class_of("lurcher.ProxyOptions", "http")
  proxy.fields = { "---@field url string|lurcher.Secret", "---@field tls? lurcher.TlsOptions of an https:// proxy" }
  add_options("lurcher.Hooks", tables.hooks, "http")
  add_options("lurcher.BreakerOptions", tables.breaker, "breaker")
  add_options("lurcher.RetryPolicyOptions", tables.policy, "retry")
  add_options("lurcher.PagesOptions", tables.pages, "pages", "lurcher.RequestOptions")
  for name, entry in pairs(tables.collected) do
    local parent = name == "http.download" and "lurcher.RequestOptions" or nil
    add_options(entry.class, entry.list, name:match("^%a+"), parent)
  end
  local kinds = {}
  for i, kind in ipairs(tables.kinds) do kinds[i] = ('"%s"'):format(kind.name) end
  aliases["lurcher.ErrorKind"] = { "---@alias lurcher.ErrorKind " .. table.concat(kinds, "|") }
  homes["lurcher.ErrorKind"] = "http"
end

-- Of functions that are not for scripts.
local function is_internal(item)
  return #modules.tags(item.block, "package") > 0 or item.name:find("^_")
end

local function add_items(module, home)
  for _, item in ipairs(module.items) do
    if item.kind == "class" then
      local class = class_of(item.name, home)
      if item.first ~= "---@class " .. item.name then class.first = item.first end
      for _, field in ipairs(item.block) do table.insert(class.fields, field) end
    elseif item.kind == "alias" then
      aliases[item.name], homes[item.name] = item.block, home
    elseif module.classes[item.owner] and item.separator == ":" and not is_internal(item) then
      table.insert(class_of(module.classes[item.owner], home).functions, item)
    end
  end
end

-- ---- public modules ----

-- The documented function that an expression of a module stands for, or the module; nil: it is none.
local function resolve(module, value)
  local inner = value:match('^require%(?%s*"([%w_.]+)"')
  local variable, field = value:match("^([%w_]+)%.?([%w_]*)$")
  local target = modules.get(inner or variable and module.requires[variable] or "")
  if not target then return nil end
  if (inner or field == "") and target.returned ~= "" then return nil, target end
  for _, item in ipairs(target.items) do
    if item.kind == "function" and (target.returned == "" and item.name == "" or item.name == field
      and item.owner == target.returned) then
      return item
    end
  end
end

local function write_function(out, owner, separator, name, item)
  for _, line in ipairs(item.block) do out[#out + 1] = line end
  out[#out + 1] = ("function %s%s%s%s end\n"):format(owner, separator, name, item.parameters)
end

local write_table

local function write_key(out, module, owner, key)
  local item, inner = resolve(module, key.value)
  if item then
    write_function(out, owner, ".", key.name, item)
  elseif inner then
    out[#out + 1] = ("%s.%s = {}\n"):format(owner, key.name)
    write_table(out, inner, owner .. "." .. key.name)
  elseif #modules.tags(key.block, "type") > 0 then
    for _, line in ipairs(key.block) do out[#out + 1] = line end
    out[#out + 1] = ("%s.%s = nil\n"):format(owner, key.name)
  end
end

-- What a module's table has.
function write_table(out, module, owner)
  for _, key in ipairs(module.keys[module.returned] or {}) do write_key(out, module, owner, key) end
  for _, item in ipairs(module.items) do
    if item.kind == "function" and item.owner == module.returned and not is_internal(item) then
      write_function(out, owner, ".", item.name, item)
    end
  end
end

local function sorted_names(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- ---- which classes are needed ----

local function names_in(lines, wanted)
  for _, line in ipairs(lines) do
    for name in line:gmatch("lurcher%.[%w_.]*[%w_]") do
      if (classes[name] or aliases[name]) and not wanted[name] then wanted[name] = "new" end
    end
  end
end

local function reach(wanted)
  local name
  repeat
    name = nil
    for candidate, state in pairs(wanted) do
      if state == "new" then name = candidate end
    end
    if name then
      wanted[name] = "seen"
      local class = classes[name]
      names_in(aliases[name] or { class.first }, wanted)
      names_in(class and class.fields or {}, wanted)
      for _, item in ipairs(class and class.functions or {}) do names_in(item.block, wanted) end
    end
  until not name
end

local function write_class(out, name, variable)
  local class = classes[name]
  out[#out + 1] = class.first
  for _, field in ipairs(class.fields) do out[#out + 1] = field end
  local owner = variable or name:match("([%w_]+)$")
  out[#out + 1] = ("local %s = {}\n"):format(owner)
  for _, item in ipairs(class.functions) do write_function(out, owner, ":", item.name, item) end
end

-- ---- files ----

local public, bodies, wanted = {}, {}, {}
for i, path in ipairs(lines_of "ls lua/lurcher/*.lua") do public[i] = path:match("([%w_]+)%.lua$") end
local is_public = {}
for _, name in ipairs(public) do is_public[name] = true end

add_option_classes()
for _, path in ipairs(lines_of "find lua/lurcher -name '*.lua' | sort") do
  local name = path:match("^lua/(.*)%.lua$"):gsub("/", ".")
  local home = name:match("^lurcher%.([%w_]+)")
  add_items(modules.get(name), is_public[home] and home or "http")
end

for _, name in ipairs(public) do
  local module, out = modules.get("lurcher." .. name), {}
  for _, line in ipairs(module.header) do out[#out + 1] = line end
  if module.classes[module.returned] then
    write_class(out, module.classes[module.returned], name)
  else
    out[#out + 1] = ("local %s = {}\n"):format(name)
  end
  write_table(out, module, name)
  bodies[name] = out
  names_in(out, wanted)
end
reach(wanted)
for _, name in ipairs(public) do
  local module = modules.get("lurcher." .. name)
  local own = module.classes[module.returned]
  if own then wanted[own] = nil end
end

assert(os.execute(("mkdir -p '%s/lurcher'"):format(directory)))
for _, name in ipairs(public) do
  local out = { "---@meta lurcher." .. name .. "\n" }
  for _, class in ipairs(sorted_names(wanted)) do
    if homes[class] == name then
      if aliases[class] then
        for _, line in ipairs(aliases[class]) do out[#out + 1] = line end
        out[#out + 1] = ""
      else
        write_class(out, class)
      end
    end
  end
  for _, line in ipairs(bodies[name]) do out[#out + 1] = line end
  out[#out + 1] = "return " .. name
  local file = assert(io.open(("%s/lurcher/%s.lua"):format(directory, name), "w"))
  file:write(table.concat(out, "\n"), "\n")
  file:close()
end
