--- What may follow at the cursor: globals, fields, options of calls, names of files, commands and topics of the
--- manual. Nothing is called for it but what loads a module of ours.

local modules = require "lurcher.native.modules"
local text = require "lurcher.base.text"
local tokens = require "lurcher.command.repl.tokens"
local units = require "lurcher.base.units"

local complete = {}

local MAX_LEVELS = 10 -- of __index that are followed
local MAX_CANDIDATES = 500
local MAX_NAMES = 5000 -- that are sorted: of a larger table some are offered

---@class lurcher.repl.Completion
---@field start integer bytes before the cursor that the candidates replace
---@field candidates string[] sorted
---@field ending string what stands behind the only one

-- ---- fields ----

local function metatable_of(value)
  local metatable = debug.getmetatable(value)
  return type(metatable) == "table" and metatable or nil
end

-- What our own objects make when they are asked for it.
local MADE = {
  ["lurcher.Response"] = function()
    local names = require("lurcher.http.response").names()
    names.budget_exhausted = nil
    return names
  end,
  ["lurcher.Error"] = function()
    local names = {}
    for name in ([[kind message phase method url attempts elapsed retryable code cause response limit observed
      is]]):gmatch("%S+") do
      names[name] = true
    end
    return names
  end,
}

local function add_names(names, from, partial, wants_method)
  local count, length = 0, #partial
  for name, value in next, from do
    local is_name = type(name) == "string" and name:sub(1, length) == partial and name:find("^[%a_][%w_]*$")
      and name:sub(1, 2) ~= "__" and not tokens.KEYWORDS[name]
    if is_name and (not wants_method or type(value) == "function" or value == true) then
      names[name], count = true, count + 1
      if count == MAX_NAMES then return end
    end
  end
end

-- What a colon offers of ours: all functions; fields of the object itself that are no functions are left out.
local function add_fields(names, value, partial, wants_method)
  for _ = 1, MAX_LEVELS do
    if type(value) == "table" then add_names(names, value, partial, wants_method) end
    local metatable = metatable_of(value)
    local made = metatable and MADE[rawget(metatable, "__name")]
    if made then add_names(names, made(), partial, wants_method) end
    value = metatable and rawget(metatable, "__index")
    if type(value) ~= "table" then return end
  end
end

local function raw_field(value, name)
  for _ = 1, MAX_LEVELS do
    if type(value) == "table" then
      local found = rawget(value, name)
      if found ~= nil then return found end
    end
    local metatable = metatable_of(value)
    value = metatable and rawget(metatable, "__index")
    if type(value) ~= "table" then return nil end
  end
end

-- ---- globals ----

local function global(session, name)
  if session.locals[name] == "set" then return rawget(session.env, name) end
  local found = rawget(_G, name)
  if found == nil and modules.names()["lurcher." .. name] then return session.module(name) end
  return found
end

local function add_globals(names, partial, session)
  add_names(names, session.env, partial)
  add_names(names, _G, partial)
  for module in pairs(modules.names()) do
    local public = module:match("^lurcher%.([^.]+)$")
    if public then names[public] = true end
  end
  for word in pairs(tokens.KEYWORDS) do names[word] = true end
end

-- ---- options ----

local VERBS = { get = true, head = true, post = true, put = true, patch = true, delete = true, options = true,
  request = true, stream = true, download = true }

local OPENS, CLOSES = { ["("] = true, ["{"] = true, ["["] = true }, { [")"] = true, ["}"] = true, ["]"] = true }

-- Where the bracket is that is open before token `at`; nil: none is.
local function open_bracket(list, at)
  local depth = 0
  for i = at, 1, -1 do
    local token = list[i]
    if token.kind == "mark" then
      if CLOSES[token.text] then depth = depth + 1 end
      if OPENS[token.text] then
        if depth == 0 then return i end
        depth = depth - 1
      end
    end
  end
end

local function text_of(list, at) return list[at] and list[at].kind ~= "text" and list[at].text or "" end

-- "request" or "client" for the brace at `at` if the options of a call begin there.
local function whose_options(list, at)
  local before = at - 1
  if text_of(list, before) == "(" or text_of(list, before) == "," then
    local bracket = open_bracket(list, before)
    if not bracket or text_of(list, bracket) ~= "(" then return nil end
    before = bracket - 1
  end
  local name, dot = text_of(list, before), text_of(list, before - 1)
  if dot ~= "." and dot ~= ":" then return nil end
  if name == "client" or name == "extend" then return "client" end
  return VERBS[name] and "request" or nil
end

-- The names of options for the brace at `at`: of the call, or of the keys of one of its options.
local function option_names(list, at)
  local options, parts = require "lurcher.http.options.rows", require "lurcher.http.options.parts"
  local other = { request = "client", client = "request" }
  local names, whose = {}, whose_options(list, at)
  if whose then
    for _, row in ipairs(options) do
      if row.only ~= other[whose] then names[row[1]] = true end
    end
    return names
  end
  local part = text_of(list, at - 1) == "=" and parts[text_of(list, at - 2)]
  local outer = part and open_bracket(list, at - 1)
  if not outer or not whose_options(list, outer) then return nil end
  for _, row in ipairs(part) do names[row[1]] = true end
  return names
end

-- ---- the kinds of places ----

local function matching(names, partial)
  local list = {}
  for name in pairs(names) do
    if name:sub(1, #partial) == partial and (partial ~= "" or name:sub(1, 1) ~= "_") then list[#list + 1] = name end
  end
  table.sort(list)
  for i = #list, MAX_CANDIDATES + 1, -1 do list[i] = nil end
  return { start = #partial, candidates = list, ending = "" }
end

local function files(partial, list_folder)
  local folder, name = partial:match("^(.*/)([^/]*)$")
  local names = {}
  for _, entry in ipairs(list_folder(folder or ".") or {}) do
    if entry:sub(1, 1) ~= "." or (name or partial):sub(1, 1) == "." then names[entry] = true end
  end
  return matching(names, name or partial)
end

local function words(list, partial, ending)
  local names = {}
  for _, word in ipairs(list) do names[word] = true end
  local found = matching(names, partial)
  found.ending = ending or ""
  return found
end

local function command(line, session)
  local name, argument = line:match("^:(%a+)%s+(.*)$")
  if not name then return words(session.commands, line:match("^:?(.*)$"), " ") end
  if name == "help" then return words(session.topics(), argument) end
  if name == "trace" then return words({ "on", "off" }, argument) end
  if name == "load" or name == "save" then return files(argument, session.list) end
  if name == "time" or name == "type" then return complete.at(argument, session) end
  return nil
end

-- The value that the names before the dot at `at` lead to; nil: it cannot be known without calling something.
local function value_before(list, at, session)
  local first = at
  while list[first - 1] and list[first - 1].kind == "name" and text_of(list, first) ~= "" do
    first = first - 1
    if text_of(list, first - 1) ~= "." then break end
    first = first - 1
  end
  if first == at or list[first].kind ~= "name" then
    return list[at - 1] and list[at - 1].kind == "text" and "" or nil
  end
  local value = global(session, list[first].text)
  for i = first + 2, at - 1, 2 do value = raw_field(value, list[i].text) end
  return value
end

local function fields(list, at, partial, session)
  local value, names = value_before(list, at, session), {}
  if value == nil then return nil end
  local is_method = list[at].text == ":"
  add_fields(names, value, partial, is_method)
  return matching(names, partial)
end

---What may stand at the end of a text.
---@param line string all that is before the cursor
---@param session table env, locals, module(name), commands, topics(), list(folder)
---@return lurcher.repl.Completion?
function complete.at(line, session)
  if line:sub(1, 1) == ":" then return command(line, session) end
  local list = tokens.of(line)
  local last = list[#list]
  if last and last.is_open then
    if last.text:sub(1, 2) == "--" then return nil end
    return files(last.text:gsub("^[\"']", ""):gsub("^%[=*%[", ""), session.list)
  end
  local is_partial = last and last.to == #line and (last.kind == "name" or last.kind == "keyword")
  local partial, at = is_partial and last.text or "", is_partial and #list - 1 or #list
  local mark = text_of(list, at)
  if mark == "." or mark == ":" then return fields(list, at, partial, session) end
  if last and last.kind == "number" and last.to == #line then return nil end
  if mark == "{" or mark == "," or mark == ";" then
    local brace = mark == "{" and at or open_bracket(list, at - 1)
    local names = brace and text_of(list, brace) == "{" and option_names(list, brace)
    if names then
      local found = matching(names, partial)
      found.ending = " = "
      return found
    end
  end
  local names = {}
  add_globals(names, partial, session)
  return matching(names, partial)
end

-- ---- what the line editor does with it ----

local function common_start(list)
  local start = list[1]
  for i = 2, #list do
    while list[i]:sub(1, #start) ~= start do start = start:sub(1, -2) end
  end
  while list[1]:find("^[\128-\191]", #start + 1) do start = start:sub(1, -2) end -- whole characters
  return start
end

local function in_columns(list, columns)
  local shown, longest = {}, 0
  for i, name in ipairs(list) do
    shown[i] = text.printable(name) -- of files, too
    longest = math.max(longest, units.width(shown[i]))
  end
  local per_line = math.max(1, math.floor(columns / (longest + 2)))
  local rows, lines = math.ceil(#list / per_line), {}
  for row = 1, rows do
    local cells = {}
    for i = row, #list, rows do cells[#cells + 1] = units.pad(shown[i], longest + 2) end
    lines[row] = table.concat(cells):match("^(.-)%s*$")
  end
  return table.concat(lines, "\n")
end

---What is inserted at the cursor, and what is listed above the line.
---@param line string
---@param session table
---@param columns integer
---@return string insertion
---@return string listing "": nothing
function complete.press(line, session, columns)
  local found = complete.at(line, session)
  if not found or #found.candidates == 0 then return "", "" end
  local list = found.candidates
  local insertion = common_start(list):sub(found.start + 1)
  if #list == 1 then return insertion .. found.ending, "" end
  return insertion, insertion == "" and in_columns(list, columns) or ""
end

return complete
