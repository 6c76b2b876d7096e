--- Secrets that were typed at the prompt: which texts of an entry show one, and the entry with environment variables
--- in their place, for what is written to a file.

local history = require "lurcher.command.repl.history"
local lua_text = require "lurcher.convert.lua_text"
local secret = require "lurcher.base.secret"
local secret_names = require "lurcher.convert.secret_names"
local tokens = require "lurcher.command.repl.tokens"

local secrets = {}

-- What a token between quotes or brackets says; nil: it is none, or has no end.
local function literal(token)
  if not token or token.kind ~= "text" or token.is_open then return nil end
  local fn = load("return " .. token.text, "=", "t", {})
  return fn and fn()
end

---Holds the secrets that became known since, so that they are still known when the entries are written.
---@param entries lurcher.repl.Entry[]
---@param held table<lurcher.Secret, true>
function secrets.hold(entries, held)
  if not secret.any then return end
  for _, entry in ipairs(entries) do
    if not entry.literals then
      entry.literals = {}
      for _, token in ipairs(tokens.of(entry.text)) do
        entry.literals[#entry.literals + 1] = literal(token)
      end
    end
    for _, text in ipairs(entry.literals) do
      for _, piece in ipairs(secret_names.split(text, "SECRET")) do
        if type(piece) == "table" then held[secret.new(piece.text)] = true end
      end
    end
  end
end

-- ---- what stands before a text ----

local function is(token, text) return token ~= nil and token.text == text and token.kind ~= "text" end

-- The functions whose argument is a secret, or whose second one is.
local OF_CALL = { secret = "SECRET", bearer = "TOKEN" }
local OF_PAIR = { basic = "PASSWORD", digest = "PASSWORD", auth = "PASSWORD" }

-- The last names of what is given values at the "=" at `at`: a and c of `local a, b.c = `.
local function names_before(list, at)
  local names = {}
  repeat
    at = at - 1
    if not list[at] or list[at].kind ~= "name" then break end
    table.insert(names, 1, list[at].text)
    at = at - 1
    while is(list[at], ".") do at = at - 2 end
  until not is(list[at], ",")
  return names
end

local BRACKETS = { ["("] = -1, ["["] = -1, ["{"] = -1, [")"] = 1, ["]"] = 1, ["}"] = 1 }

-- The name of several that are given values at once, if the text at `i` is one of those values.
local function name_in_row(list, i)
  local depth, place = 0, 1
  for at = i - 1, 1, -1 do
    local token = list[at]
    depth = depth + (token.kind ~= "text" and BRACKETS[token.text] or 0)
    if depth < 0 or is(token, "return") then return nil end
    if depth == 0 and is(token, "=") then return names_before(list, at)[place] end
    if depth == 0 and is(token, ",") then place = place + 1 end
  end
  return nil
end

-- The name that the text at `i` is given to: name = "…", ["name"] = "…".
local function key_before(list, i)
  if is(list[i - 1], ",") then return name_in_row(list, i) end
  if not is(list[i - 1], "=") then return nil end
  local before = list[i - 2]
  if is(before, "]") then return literal(list[i - 3]) end
  return before and before.kind == "name" and before.text or nil
end

-- The variable for the text at `i`, if its place says that it is a secret.
local function name_by_place(list, i)
  local before = is(list[i - 1], "(") and list[i - 2] or list[i - 1]
  if before and before.kind == "name" then return OF_CALL[before.text] end
  if not is(list[i - 1], ",") then return nil end
  local opening = list[i - 3]
  local owner = is(opening, "(") and list[i - 4] or is(opening, "{") and is(list[i - 4], "=") and list[i - 5]
  return owner and OF_PAIR[owner.text]
end

local HEADERS = { authorization = true, ["proxy-authorization"] = true, cookie = true, ["set-cookie"] = true }

-- A text whose fields are found by `pattern`, up to the value; `ending` gives the place behind a value.
local function pieces_of_fields(text, pattern, ending)
  local pieces, from, at = {}, 1, 1
  while true do
    local _, before, name = text:find(pattern, at)
    if not name then break end
    at = ending(text, before + 1)
    if at > before + 1 and history.names_secret(name) then
      pieces[#pieces + 1] = text:sub(from, before)
      pieces[#pieces + 1] = { name = secret_names.variable(name), text = text:sub(before + 1, at - 1) }
      from = at
    end
  end
  pieces[#pieces + 1] = text:sub(from)
  return pieces
end

local function json_value_end(text, at)
  local place = text:find('["\\]', at)
  while place and text:sub(place, place) == "\\" do place = text:find('["\\]', place + 2) end
  return place or #text + 1
end

local function form_value_end(text, at) return text:find("[&%s]", at) or #text + 1 end

-- By what stands before it, or by what it is: a URL, a JSON text, a form, a text with a token in it.
local function pieces_by_form(list, i, text)
  local key, name = key_before(list, i), name_by_place(list, i)
  if key and HEADERS[key:lower()] then return secret_names.of_header(key, text, {}) end
  if key == "bearer" then name = "TOKEN" end
  if key and not name and history.names_secret(key) then name = secret_names.variable(key) end
  if name then return { { name = name, text = text } } end
  local user, password, rest = text:match("^(%a[%w+.-]*://[^/?#@:]*:)([^/?#]*)(@[^/?#@]*.*)$")
  if user then return { user, { name = "PASSWORD", text = password }, unpack(secret_names.of_url(rest)) } end
  local before, token, after = history.split_at_token(text)
  if before then return { before, { name = "TOKEN", text = token }, after } end
  if text:find "^%s*[{[]" then return pieces_of_fields(text, '"([^"\\]*)"%s*:%s*"', json_value_end) end
  if text:find "^[^=&%s?]+=[^%s?]*$" then return pieces_of_fields(text, "%f[^%z&]([^=&%s]+)=", form_value_end) end
  return text:find("?", 1, true) and secret_names.of_url(text) or { text }
end

-- The pieces of the text of the token at `i`: those that are tables are secrets.
local function pieces_of(list, i)
  local text = literal(list[i])
  if not text or text == "" then return {} end
  local pieces = {}
  for _, piece in ipairs(pieces_by_form(list, i, text)) do
    local parts = type(piece) == "string" and secret_names.split(piece, "SECRET") or { piece }
    for _, part in ipairs(parts) do
      local last = #pieces
      if type(part) == "string" and type(pieces[last]) == "string" then
        pieces[last] = pieces[last] .. part
      else
        pieces[last + 1] = part
      end
    end
  end
  return pieces
end

-- ---- writing ----

---@class lurcher.repl.Variables what the entries of one script need of the environment
---@field names lurcher.SecretNames
---@field taken table<string, true> names that the entries use
---@field locals table<string, string> the variable of the environment -> the local that has it
---@field order string[] those variables, in the order in which they were met
local Variables = {}
Variables.__index = Variables

---@param entries lurcher.repl.Entry[]
---@return lurcher.repl.Variables
function secrets.variables(entries)
  local self = setmetatable({ names = secret_names.new(false), taken = { os = true, assert = true }, locals = {},
    order = {} }, Variables)
  for _, entry in ipairs(entries) do
    for _, token in ipairs(tokens.of(entry.text)) do
      if token.kind == "name" then self.taken[token.text] = true end
    end
  end
  return self
end

function Variables:variable(name)
  if not self.locals[name] then
    self.locals[name] = lua_text.name(name, self.taken)
    self.taken[self.locals[name]] = true
    self.order[#self.order + 1] = name
  end
  return self.locals[name]
end

-- Whether a text behind the token is the argument of a call without brackets.
local function is_call(before)
  return before ~= nil and (before.kind == "name" or before.kind == "text" or before.text:find("^[])}]$") ~= nil)
end

-- Source of a text behind the token `before`; nil: it shows no secret, and stays as it was typed.
function Variables:source(pieces, before)
  local out, has_secret = {}, false
  for _, piece in ipairs(pieces) do
    local name = self.names:of(piece)
    has_secret = has_secret or name ~= nil
    if name then
      out[#out + 1] = self:variable(name)
    elseif piece ~= "" then
      out[#out + 1] = lua_text.string(piece)
    end
  end
  if not has_secret then return nil end
  local stands_alone = before and before.text:find("^[=,({]$")
  local source = table.concat(out, " .. ")
  return (is_call(before) or out[2] and not stands_alone) and "(" .. source .. ")" or source
end

---An entry's text without its secrets.
---@param text string
---@return string
function Variables:hide(text)
  local list, out, at = tokens.of(text), {}, 1
  for i, token in ipairs(list) do
    local source = token.kind == "text" and self:source(pieces_of(list, i), list[i - 1])
    if source then
      out[#out + 1], at = text:sub(at, token.from - 1) .. source, token.to + 1
    end
  end
  return table.concat(out) .. text:sub(at)
end

---The lines that read them.
---@return string[]
function Variables:lines()
  local lines = {}
  for i, name in ipairs(self.order) do
    lines[i] = ('local %s = assert(os.getenv "%s", "set %s")'):format(self.locals[name], name, name)
  end
  return lines
end

return secrets
