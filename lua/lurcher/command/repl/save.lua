--- What worked at the prompt, as a script.

local entry_secrets = require "lurcher.command.repl.secrets"
local modules = require "lurcher.native.modules"
local sorted_keys = require("lurcher.base.tables").sorted_keys
local tokens = require "lurcher.command.repl.tokens"

local save = {}

local HEAD = "-- Typed at the prompt of Lurcher. Calls raise where they fail.\n"

-- Public modules that are used as globals, and whether the text has a variable of that name already.
local function used_modules(text)
  local used, list = {}, tokens.of(text)
  local names = modules.names()
  for i, token in ipairs(list) do
    local before = list[i - 1] and list[i - 1].text
    local is_field = before == "." or before == ":" and list[i - 1].kind == "mark"
    local is_key = list[i + 1] and list[i + 1].text == "=" and list[i + 1].kind == "mark"
    if token.kind == "name" and not is_field and not is_key and names["lurcher." .. token.text] then
      used[token.text] = true
    end
  end
  return sorted_keys(used)
end

local function load_line(name)
  if name == "http" then return 'local http = require("lurcher.http").raising()' end
  return ('local %s = require "lurcher.%s"'):format(name, name)
end

-- Whether a text returns something itself, which only the end of a script may.
local function returns(text)
  local depth = 0
  for _, token in ipairs(tokens.of(text)) do
    if token.kind == "keyword" then
      if token.text == "return" and depth == 0 then return true end
      depth = depth + (tokens.DEPTH[token.text] or 0)
    end
  end
  return false
end

-- A value that was only looked at is looked at by the script as well; `_` is what an earlier line gave.
local function written(entry)
  local text = entry.text
  if not entry.is_expression then
    return returns(text) and ("do\n%s\nend"):format(text) or text
  end
  text = text:gsub("^%s*return%f[^%w_]%s*", ""):gsub("[;%s]+$", "")
  if entry.sets_last then return "_ = " .. text end
  return text:find("--", 1, true) and ("print(%s\n)"):format(text) or ("print(%s)"):format(text)
end

local function uses_last(text)
  for _, token in ipairs(tokens.of(text)) do
    if token.kind == "name" and token.text == "_" then return true end
  end
  return false
end

---@class lurcher.repl.Entry
---@field text string
---@field is_expression boolean
---@field sets_last? boolean its value is asked for by a later entry

---The script that does what the entries did.
---@param entries lurcher.repl.Entry[]
---@return string
function save.script(entries)
  local wants_last, lines = false, {}
  for i = #entries, 1, -1 do
    local entry = entries[i]
    local asks, is_expression = uses_last(entry.text), entry.is_expression
    lines[i] = { text = entry.text, is_expression = is_expression, sets_last = is_expression and wants_last }
    if entry.is_expression then wants_last = asks else wants_last = wants_last or asks end
  end
  local out = {}
  local variables = entry_secrets.variables(entries)
  for i, line in ipairs(lines) do
    line.text = variables:hide(line.text)
    out[i] = written(line)
  end
  local body = table.concat(out, "\n")
  local heads = {}
  for _, name in ipairs(used_modules(body)) do heads[#heads + 1] = load_line(name) end
  if uses_last(body) then heads[#heads + 1] = "local _" end
  local read = variables:lines()
  if read[1] then
    heads[#heads + 1] = (heads[1] and "\n" or "") .. "-- secrets, which are not in the script"
    for _, line in ipairs(read) do heads[#heads + 1] = line end
  end
  return HEAD .. (heads[1] and "\n" .. table.concat(heads, "\n") .. "\n" or "") .. "\n" .. body .. "\n"
end

return save
