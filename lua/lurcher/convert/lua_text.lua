--- Values as Lua source that people read: short tables on one line, long ones with a line for each entry, texts in
--- the quotes that need the fewest escapes.

local json = require "lurcher.json"
local text_tools = require "lurcher.base.text"

local WIDTH = 100 -- of a line, where it can be broken

local lua_text = { WIDTH = WIDTH }

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true
  until while]]):gmatch("%S+") do
  KEYWORDS[word] = true
end

---@param text string
---@return boolean
function lua_text.is_name(text)
  return text:find("^[%a_][%w_]*$") ~= nil and not KEYWORDS[text]
end

-- taken -> name -> the number that it had last: thousands of requests may have one name.
local numbers = setmetatable({}, { __mode = "k" })

---A name like the text.
---@param text string
---@param taken table<string, any> names that stand for something else
---@return string
function lua_text.name(text, taken)
  local name = text:gsub("[^%w]+", "_"):gsub("^_+", ""):gsub("_+$", ""):lower()
  if name == "" or name:find("^%d") then name = "_" .. name end
  if KEYWORDS[name] then name = name .. "_value" end
  local last = numbers[taken] or {}
  numbers[taken] = last
  local unique, number = name, last[name] or 1
  while taken[unique] do
    number = number + 1
    unique = name .. "_" .. number
  end
  last[name] = number
  return unique
end

-- ---- texts ----

local ESCAPES = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" }

local function escape(byte)
  return ESCAPES[byte] or ("\\%03d"):format(byte:byte())
end

local function is_clean(text)
  return not text:find("[%z\1-\8\11-\31\127]") and text_tools.utf8(text) == text
end

local function in_brackets(text)
  local level = 0
  while (text .. "]"):find("]" .. ("="):rep(level) .. "]", 1, true) do level = level + 1 end
  local equals = ("="):rep(level)
  return ("[%s[%s%s]%s]"):format(equals, text:find("\n", 1, true) and "\n" or "", text, equals)
end

---@param text string
---@return string
function lua_text.string(text)
  if not is_clean(text) then
    text = text:gsub('[%c"\\]', escape)
    if text_tools.utf8(text) ~= text then text = text:gsub("[\128-\255]", escape) end
    return '"' .. text .. '"'
  end
  if text:find("^[^\n]+\n.") or text:find('["\\]') and text:find('[{<"].*["\\]') then return in_brackets(text) end
  if text:find('["\\\n]') then return '"' .. text:gsub('["\\\n]', escape) .. '"' end
  return '"' .. text .. '"'
end

---@param number number
---@return string
function lua_text.number(number)
  if number ~= number then return "0/0" end
  if number == math.huge then return "math.huge" end
  if number == -math.huge then return "-math.huge" end
  local short = ("%.14g"):format(number)
  return tonumber(short) == number and short or ("%.17g"):format(number)
end

-- ---- tables ----

---Source of a key with "=" behind it.
---@param key string|number|boolean
---@return string
function lua_text.key(key)
  if type(key) == "string" and lua_text.is_name(key) then return key .. " = " end
  local source = type(key) == "string" and lua_text.string(key) or tostring(key)
  if source:find("^%[") then source = '"' .. key:gsub('[%c"\\]', escape) .. '"' end -- "[[[" would begin no key
  return "[" .. source .. "] = "
end

---A table of entries that are source already, each perhaps with its key.
---@param entries string[]
---@param indent string of the line that it begins on
---@param before? integer bytes that stand before it on that line
---@return string
function lua_text.braces(entries, indent, before)
  if not entries[1] then return "{}" end
  local line = "{ " .. table.concat(entries, ", ") .. " }"
  if not line:find("\n", 1, true) and #indent + (before or 0) + #line <= WIDTH then return line end
  local inner = indent .. "  "
  return "{\n" .. inner .. table.concat(entries, ",\n" .. inner) .. ",\n" .. indent .. "}"
end

local function sorted_keys(value)
  local keys = {}
  for key in next, value do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if a == "name" or b == "name" then return a == "name" and b ~= "name" end
    if type(a) == type(b) and type(a) ~= "boolean" then return a < b end
    return tostring(a) < tostring(b)
  end)
  return keys
end

local function is_list(value)
  local count = 0
  for _ in next, value do count = count + 1 end
  return count == #value
end

---@class lurcher.LuaWriter
---@field text fun(text: string|lurcher.Secret): string source of a text
---@field special fun(value: any): string? source of what is neither plain data nor a text
---@field needs_json boolean json.… stands in what was written

local is_array = getmetatable(json.array())

local write

local function write_table(writer, value, indent, before)
  local entries, inner = {}, indent .. "  "
  local marked = getmetatable(value)
  if next(value) == nil then
    if marked ~= is_array then return "{}" end
    writer.needs_json = true
    return "json.array {}"
  end
  if is_list(value) then
    for i = 1, #value do entries[i] = write(writer, value[i], inner, 0) end
    return lua_text.braces(entries, indent, before)
  end
  for _, key in ipairs(sorted_keys(value)) do
    local name = lua_text.key(key)
    entries[#entries + 1] = name .. write(writer, value[key], inner, #name)
  end
  return lua_text.braces(entries, indent, before)
end

---Source of a value.
---@param writer lurcher.LuaWriter
---@param value any
---@param indent string of the line that it begins on
---@param before integer bytes that stand before it on that line
---@return string
function write(writer, value, indent, before)
  local kind = type(value)
  local special = writer.special(value)
  if special then return special end
  if kind == "string" then return writer.text(value) end
  if kind == "number" then return lua_text.number(value) end
  if value == json.null then
    writer.needs_json = true
    return "json.null"
  end
  if kind == "table" then return write_table(writer, value, indent, before) end
  return tostring(value)
end

lua_text.value = write

return lua_text
