--- The arguments of a request: its URL, items and options. That options exist and have a value where they
--- need one was checked before, by the table in runtime/cli/options.def.

local caret = require "lurcher.command.caret"

local arguments = {}

---@class lurcher.command.Option
---@field value string|true
---@field argument string as it was typed

---@class lurcher.command.Typed
---@field method string
---@field url string as it was typed
---@field items string[] as they were typed
---@field word string
---@field options table<string, lurcher.command.Option> the last of each name, "no_color"
---@field order string[] their names, in the order in which each came first
---@field resolve lurcher.command.Option[] every --resolve

local SHORT = { ["-i"] = "include", ["-v"] = "verbose", ["-o"] = "output" }

local function add_option(typed, name, value, argument)
  name = name:gsub("-", "_")
  if not typed.options[name] then table.insert(typed.order, name) end
  typed.options[name] = { value = value, argument = argument }
  if name == "resolve" then table.insert(typed.resolve, typed.options[name]) end
end

-- Sorts options from the rest.
local function sort(typed, list)
  local rest, at = {}, 1
  while list[at] do
    local argument = list[at]
    if argument == "--" then
      for i = at + 1, #list do rest[#rest + 1] = list[i] end
      break
    elseif argument == "-o" then
      at = at + 1
      add_option(typed, "output", list[at], list[at])
    elseif argument:find("^%-.") then
      local name, value = argument:match("^%-%-?([^=]*)=(.*)$")
      name = name or argument:gsub("^%-%-?", "")
      add_option(typed, SHORT["-" .. name] or name, value or true, argument)
    else
      rest[#rest + 1] = argument
    end
    at = at + 1
  end
  return rest
end

---@param word string "get", "request", "ws", …
---@param list string[]
---@return lurcher.command.Typed
function arguments.parse(word, list)
  local typed = { word = word, options = {}, order = {}, resolve = {}, items = {} }
  local rest, at = sort(typed, list), 1
  if word == "request" then
    typed.method, at = rest[1], 2
    if not rest[1] then caret.refuse "no method and no URL: lurcher request METHOD URL" end
    if rest[1]:find("[^%w!#$%%&'*+%-.^_`|~]") or rest[1] == "" then
      caret.refuse("that is no method: lurcher request METHOD URL", rest[1])
    end
  else
    typed.method = (word == "ws" or word == "sse") and "GET" or word:upper()
  end
  typed.url = rest[at]
  if not typed.url then
    caret.refuse(("no URL: lurcher %s%s URL"):format(word, word == "request" and " " .. typed.method or ""))
  end
  for i = at + 1, #rest do typed.items[i - at] = rest[i] end
  return typed
end

return arguments
