--- Lua's tokens, as far as the prompt has to know them: where names, texts and brackets are. What is no Lua is a
--- token of its own, so that half of a line can be looked at, too.

local tokens = {}

---@class lurcher.repl.Token
---@field kind "name"|"keyword"|"text"|"number"|"mark"
---@field from integer
---@field to integer
---@field text string
---@field is_open? boolean a text or comment whose end is missing

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true
  until while]]):gmatch("%S+") do
  KEYWORDS[word] = true
end

tokens.KEYWORDS = KEYWORDS

---By how much a keyword changes the depth of blocks.
tokens.DEPTH = { ["do"] = 1, ["if"] = 1, ["function"] = 1, ["repeat"] = 1, ["end"] = -1, ["until"] = -1 }

-- The end of what begins with "[", "=" signs and "[" at `from`; nil: nothing does. Then whether it has no end.
local function long_end(text, from)
  local level = text:match("^%[(=*)%[", from)
  if not level then return nil end
  local _, last = text:find("]" .. level .. "]", from + #level + 2, true)
  return last or #text, not last
end

local function quoted_end(text, from)
  local quote, at = text:sub(from, from), from + 1
  while true do
    at = text:find('[\\"\'\n]', at)
    if not at then return #text, true end
    local found = text:sub(at, at)
    if found == quote then return at, false end
    if found == "\n" then return at - 1, true end
    if found == "\\" then
      at = text:match("^z%s*()", at + 1) or at + 2
    else
      at = at + 1
    end
    if at > #text + 1 then return #text, true end
  end
end

local function comment_end(text, from)
  local last, is_open = long_end(text, from + 2)
  if last then return last, is_open end
  return (text:find("\n", from, true) or #text + 1) - 1, false
end

-- Two or three characters that are one mark, before those of one.
local function mark_end(text, from)
  local _, last = text:find("^%.%.%.?", from)
  if last then return last end
  _, last = text:find("^[=~<>]=", from)
  return last or from
end

local function token_at(text, from)
  local first = text:sub(from, from)
  local _, last = text:find("^[%a_\128-\255][%w_\128-\255]*", from)
  if last then return KEYWORDS[text:sub(from, last)] and "keyword" or "name", last end
  _, last = text:find("^%.?%d[%w.]*", from)
  if last then
    local exponent = text:find("^[eEpP]", last) and text:match("^[+-]%d+()", last + 1)
    return "number", exponent and exponent - 1 or last
  end
  if first == '"' or first == "'" then return "text", quoted_end(text, from) end
  local stop, is_open = long_end(text, from)
  if stop then return "text", stop, is_open end
  return "mark", mark_end(text, from)
end

---The tokens of a text, without comments. A comment whose end is missing comes last, as a text.
---@param text string
---@return lurcher.repl.Token[]
function tokens.of(text)
  local list, at = {}, 1
  while true do
    at = text:find("[^%s%c]", at)
    if not at then return list end
    local kind, last, is_open
    if text:sub(at, at + 1) == "--" then
      last, is_open = comment_end(text, at)
      kind = is_open and "text"
    else
      kind, last, is_open = token_at(text, at)
    end
    if kind then
      list[#list + 1] = { kind = kind, from = at, to = last, text = text:sub(at, last), is_open = is_open or nil }
    end
    at = last + 1
  end
end

return tokens
