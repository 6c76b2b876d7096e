--- JSON texts as they stand in a cassette: one value a line, so that a difference shows. What belongs between the
--- tokens is told apart from them: a text that a server wrote comes back byte for byte.

local json = require "lurcher.json"
local native = require "lurcher.native.json"

local layout = {}

local MAX_DEPTH = 100

-- The last byte of a string whose first is at `from`; nil: it does not end.
local function string_end(text, from)
  local at = from + 1
  while true do
    local stop = text:find('["\\]', at)
    if not stop then return nil end
    if text:byte(stop) == 34 then return stop end
    at = stop + 2
  end
end

---Calls `visit` with each token of a JSON text that is well formed: a bracket, a comma, a colon or a scalar.
---@param text string
---@param visit fun(token: string)
local function each_token(text, visit)
  local at = 1
  while true do
    local from = text:find("[^ \t\r\n]", at)
    if not from then return end
    local stop
    local c = text:sub(from, from)
    if c == '"' then
      stop = string_end(text, from)
    elseif c:find "[%[%]{},:]" then
      stop = from
    else
      stop = select(2, text:find("^[^%[%]{},: \t\r\n]+", from))
    end
    visit(text:sub(from, stop))
    at = stop + 1
  end
end

---One value a line. Nil: it is too deep.
---@param text string well-formed JSON
---@param indent string of the line in which it begins
---@return string?
function layout.spread(text, indent)
  local out, depth, opened, deepest = {}, 0, false, 0
  local function line() out[#out + 1] = "\n" .. indent .. ("  "):rep(depth) end
  each_token(text, function(token)
    if token == "}" or token == "]" then
      depth = depth - 1
      if not opened then line() end
      out[#out + 1], opened = token, false
      return
    end
    if opened then line() end
    opened = false
    if token == "{" or token == "[" then
      depth, opened = depth + 1, true
      deepest = math.max(deepest, depth)
      out[#out + 1] = token
    elseif token == "," then
      out[#out + 1] = token
      line()
    elseif token == ":" then
      out[#out + 1] = ": "
    else
      out[#out + 1] = token
    end
  end)
  return deepest <= MAX_DEPTH and table.concat(out) or nil
end

---Without what stands between the tokens; `spaced`: with a space behind each comma and colon.
---@type fun(text: string, spaced?: boolean): string
layout.join = native.join

---Where the value ends that begins at `from`; nil: it does not.
---@type fun(text: string, from: integer): integer?
layout.value_end = native.value_end

-- The name that stands between two quotes.
local function name_of(text, first, last)
  local name = text:sub(first + 1, last - 1)
  return name:find("\\", 1, true) and json.decode(text:sub(first, last)) or name
end

---Calls `visit` with the name of each member of the object that begins at `from`, and where its value begins and
---ends, until it gives true. Stops at what is none.
---@param text string
---@param from integer
---@param visit fun(name: string, first: integer, last: integer): boolean?
function layout.each_member(text, from, visit)
  local at = text:match("^{%s*()", from)
  while at do
    local stop = text:byte(at) == 34 and layout.value_end(text, at)
    local first = stop and text:match("^%s*:%s*()", stop + 1)
    local last = first and layout.value_end(text, first)
    if not last or visit(name_of(text, at, stop), first, last) then return end
    at = text:match("^%s*,%s*()", last + 1)
  end
end

return layout
