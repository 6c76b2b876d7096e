--- What worked at the prompt, as a script.

local chunk = require "lurcher.command.repl.chunk"
local entry_secrets = require "lurcher.command.repl.secrets"
local modules = require "lurcher.native.modules"
local shared = require "lurcher.command.repl.shared"
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

-- What a text returns itself, which only the end of a script may: what stands before the `return`, and behind it.
local function returned(text)
  local depth, list = 0, tokens.of(text)
  for i, token in ipairs(list) do
    if token.kind == "keyword" then
      if token.text == "return" and depth == 0 then
        local has_value = list[i + 1] and list[i + 1].text ~= ";"
        return text:sub(1, token.from - 1):gsub("%s+$", ""), has_value and text:sub(token.to + 1) or nil
      end
      depth = depth + (tokens.DEPTH[token.text] or 0)
    end
  end
  return nil
end

-- A value that was only looked at is looked at by the script as well; `_` is what an earlier line gave.
local function shown(value, entry)
  value = value:gsub("^%s+", ""):gsub("[;%s]+$", "")
  if entry.sets_last then return "_ = " .. value end
  return value:find("--", 1, true) and ("print(%s\n)"):format(value) or ("print(%s)"):format(value)
end

local function written(entry)
  local text = entry.text
  local before, value = returned(text)
  if before then
    value = value and (entry.is_expression and shown(value, entry) or ("do local _ =%s\nend"):format(value))
    return before .. (before ~= "" and value and "\n" or "") .. (value or "")
  end
  if entry.is_expression then return shown(text, entry) end
  if text:find("::", 1, true) then return ("do\n%s\nend"):format(text) end -- its labels are its own
  return text:find("^%s*%(") and ";" .. text or text -- no arguments of the line before
end

local function uses_last(text)
  for _, token in ipairs(tokens.of(text)) do
    if token.kind == "name" and token.text == "_" then return true end
  end
  return false
end

---@class lurcher.repl.Entry
---@field text string
---@field is_expression boolean its value was shown
---@field is_nil? boolean the value was nil, which does not become `_`
---@field sets_last? boolean its value is asked for by a later entry

-- The entries, with what is asked for by later ones.
local function with_last(entries)
  local wants_last, lines = false, {}
  for i = #entries, 1, -1 do
    local entry = entries[i]
    local sets = entry.is_expression and not entry.is_nil
    lines[i] = { text = entry.text, is_expression = entry.is_expression, sets_last = sets and wants_last }
    local asks = uses_last(entry.text)
    if sets then wants_last = asks else wants_last = wants_last or asks end
  end
  return lines
end

-- What is wrong with a script, where there are more locals than Lua allows.
local function has_too_many(script)
  local fn, message = load(script)
  return not fn and chunk.is_of_many_locals(message)
end

local function script_of(entries, has_globals)
  local lines, texts, out = with_last(entries), {}, {}
  local variables = entry_secrets.variables(entries)
  for i, line in ipairs(lines) do texts[i] = variables:hide(line.text) end
  local declared, names = shared.declare(texts, has_globals)
  for i, line in ipairs(lines) do
    line.text = declared[i]
    out[i] = written(line)
  end
  local body = table.concat(out, "\n")
  local heads = {}
  for _, name in ipairs(used_modules(body)) do heads[#heads + 1] = load_line(name) end
  if uses_last(body) then heads[#heads + 1] = "local _" end
  for _, line in ipairs(names) do heads[#heads + 1] = line end
  local read = variables:lines()
  if read[1] then
    heads[#heads + 1] = (heads[1] and "\n" or "") .. "-- secrets, which are not in the script"
    for _, line in ipairs(read) do heads[#heads + 1] = line end
  end
  return HEAD .. (heads[1] and "\n" .. table.concat(heads, "\n") .. "\n" or "") .. "\n" .. body .. "\n"
end

---The script that does what the entries did.
---@param entries lurcher.repl.Entry[]
---@return string
function save.script(entries)
  local script = script_of(entries, false)
  return has_too_many(script) and script_of(entries, true) or script
end

return save
