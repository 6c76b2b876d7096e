--- What is typed at the prompt as a Lua function. A local of the top level keeps its value: it becomes a variable of
--- the session, which later lines and all functions see. Everything else is Lua as it is.

local tokens = require "lurcher.command.repl.tokens"

local chunk = {}

-- Chunks are named so; messages leave it away.
chunk.NAME = "prompt"

---@class lurcher.repl.Session
---@field env table what entries see as globals
---@field locals table<string, "declared"|"set"> until it is set, the global of that name is seen: local x = x

---@return lurcher.repl.Session
function chunk.session()
  local globals, locals = _G, { _ = "set" }
  local env = setmetatable({}, {
    __index = function(_, name)
      if locals[name] == "set" then return nil end
      return globals[name]
    end,
    __newindex = function(env, name, value)
      if not locals[name] then
        globals[name] = value
      else
        locals[name] = "set"
        rawset(env, name, value)
      end
    end,
  })
  return { env = env, locals = locals }
end

-- ---- top-level locals ----

local function is(token, text) return token ~= nil and token.text == text and token.kind ~= "text" end

-- The names behind a `local`, and the place behind them.
local function names_from(list, at)
  local names = {}
  while list[at] and list[at].kind == "name" do
    names[#names + 1] = list[at].text
    if not is(list[at + 1], ",") then return names, at + 1 end
    at = at + 2
  end
  return names, at
end

---@class lurcher.repl.Declaration
---@field token lurcher.repl.Token the word `local`
---@field names string[]
---@field last lurcher.repl.Token the last name
---@field has_value boolean
---@field is_function boolean

---Where the locals of the top level are declared: the token `local`, the names, and the token behind these.
---@param text string
---@return lurcher.repl.Declaration[]
function chunk.declarations(text)
  local found, depth, list = {}, 0, tokens.of(text)
  for i, token in ipairs(list) do
    if token.kind == "keyword" then
      if depth == 0 and token.text == "local" then
        local is_function = is(list[i + 1], "function")
        local names, behind = names_from(list, i + (is_function and 2 or 1))
        found[#found + 1] = { token = token, names = names, last = list[behind - 1], is_function = is_function,
          has_value = is_function or is(list[behind], "=") }
      end
      depth = depth + (tokens.DEPTH[token.text] or 0)
    end
  end
  return found
end

---Without the word `local`; what is declared without a value is set to nil. Lines and columns stay.
---@param text string
---@param found lurcher.repl.Declaration[]
---@param is_short? boolean columns do not stay
---@return string
function chunk.without_locals(text, found, is_short)
  local out, at = {}, 1
  for _, declaration in ipairs(found) do
    local token = declaration.token
    out[#out + 1] = text:sub(at, token.from - 1)
    if not is_short then out[#out + 1] = (" "):rep(#token.text) end
    at = is_short and text:find("%S", token.to + 1) or token.to + 1
    if not declaration.has_value then
      out[#out + 1] = text:sub(at, declaration.last.to) .. " = nil"
      at = declaration.last.to + 1
    end
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

-- ---- compiling ----

local function load_in(session, text, name)
  return load(text, name, "t", session.env)
end

-- A text in quotes goes on in the next line only behind a backslash.
local function is_incomplete(text, message)
  if not (message and message:find("near '<eof>'", 1, true)) then return false end
  return not message:find("unfinished string", 1, true) or text:sub(-1) == "\\"
end

---What limits locals does not limit the session's variables.
---@param message string
function chunk.is_of_many_locals(message)
  return message:find("more than 200 local variables", 1, true) or message:find("more than 60 upvalues", 1, true)
end

-- The statements of a text, with the locals of the top level as the session's.
local function load_statements(session, text, name)
  local plain, message = load_in(session, text, name)
  if not plain and not chunk.is_of_many_locals(message) then return nil, message end
  local found = chunk.declarations(text)
  if #found == 0 then return plain, message end
  local fn = load_in(session, chunk.without_locals(text, found), name)
  if not fn then return plain, message end
  for _, declaration in ipairs(found) do
    for _, declared in ipairs(declaration.names) do
      session.locals[declared] = session.locals[declared] or "declared"
    end
  end
  return fn
end

-- Without the first.
local function rest(_, ...) return ... end

---A function that does what was typed; an expression's returns its values.
---@param session lurcher.repl.Session
---@param text string
---@param name? string the chunk's, "@path" for a file: no expression
---@return function? fn
---@return string|boolean|nil message what is wrong with it; true: it is an expression
---@return boolean? is_incomplete more has to be typed
function chunk.compile(session, text, name)
  if name then return load_statements(session, text, name) end
  local called = "=" .. chunk.NAME
  -- A value before it, so that a call is no tail call: messages tell its line.
  local expression, of_expression = load_in(session, "return nil, " .. text, called)
  if expression then return function() return rest(expression()) end, true end
  local fn, message = load_statements(session, text, called)
  if fn then return fn end
  return nil, message, is_incomplete(text, of_expression) or is_incomplete(text, message)
end

return chunk
