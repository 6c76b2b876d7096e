--- Where a value goes in a JSON body: the names of items as HTTPie reads them, "a[b][0][]".

local caret = require "lurcher.command.caret"

local byte, sub = string.byte, string.sub

---@class lurcher.command.Step
---@field kind "key"|"index"|"append"
---@field key? string
---@field index? integer from 0 on
---@field first integer the bytes of the argument that say so
---@field last integer

local json_path = {}

local MAX_INDEX = 9999 -- what is not given up to there becomes null
local MAX_STEPS = 100

local BACKSLASH, OPEN, CLOSE = byte "\\", byte "[", byte "]"

-- What a backslash takes its meaning from: brackets and itself here, and separators in every item.
local SPECIAL = "[%[%]\\:=@;]"

-- Brackets, and the words between them: { kind="word"|"["|"]", text=, number=, first=, last= }.
local function tokenize(name)
  local tokens, at = {}, 1
  while at <= #name do
    local first, mark = at, byte(name, at)
    if mark == OPEN or mark == CLOSE then
      tokens[#tokens + 1], at = { kind = sub(name, at, at), first = at, last = at }, at + 1
    else
      local pieces, is_plain = {}, true
      while at <= #name and byte(name, at) ~= OPEN and byte(name, at) ~= CLOSE do
        local stop = name:find("[%[%]\\]", at) or #name + 1
        if byte(name, stop) == BACKSLASH then
          local following = sub(name, stop + 1, stop + 1)
          local is_special = following:find(SPECIAL) ~= nil
          pieces[#pieces + 1] = sub(name, at, stop - 1) .. (is_special and "" or "\\") .. following
          is_plain, at = is_plain and not is_special, stop + 2
        else
          pieces[#pieces + 1], at = sub(name, at, stop - 1), stop
        end
      end
      local text = table.concat(pieces)
      local escaped = is_plain and text:match("^\\(%-?%d+)$") -- "\1" is the text of a number
      tokens[#tokens + 1] = { kind = "word", text = escaped or text, first = first, last = at - 1,
        number = is_plain and not escaped and text:find("^%-?%d+$") and tonumber(text) or nil }
    end
  end
  return tokens
end

local Parser = {}
Parser.__index = Parser

-- The next token if it is one of these kinds; else wrong usage, which names them.
function Parser:expect(kinds, what)
  local token = self.tokens[self.at]
  if token and kinds[token.kind] then
    self.at = self.at + 1
    return token
  end
  local first = token and token.first or #self.name + 1
  caret.refuse(("the name of a JSON value: expected %s"):format(what), self.argument, first, token and token.last)
end

local WORD_OR_CLOSE = { word = true, ["]"] = true }
local NAME_OR_OPEN = { word = true, ["["] = true }

-- What is between brackets, of which the first has been read.
function Parser:bracketed(open, what)
  local token = self:expect(WORD_OR_CLOSE, what)
  if token.kind == "]" then return { kind = "append", first = open.first, last = token.last } end
  local close = self:expect({ ["]"] = true }, "']'")
  if not token.number then return { kind = "key", key = token.text, first = open.first, last = close.last } end
  if token.number < 0 or token.number > MAX_INDEX then
    caret.refuse(("an index in a list is a number from 0 to %d"):format(MAX_INDEX), self.argument, token.first,
      token.last)
  end
  return { kind = "index", index = token.number, first = open.first, last = close.last }
end

---The steps to a value. Raises wrong usage.
---@param name string as it was typed, at the start of the argument
---@param argument string
---@return lurcher.command.Step[]
function json_path.parse(name, argument)
  local parser = setmetatable({ tokens = tokenize(name), at = 1, name = name, argument = argument }, Parser)
  local root = parser.tokens[1] and parser:expect(NAME_OR_OPEN, "a name or '['")
  if not root then return { { kind = "key", key = "", first = 1, last = 1 } } end
  local steps = {}
  if root.kind == "word" then
    steps[1] = { kind = "key", key = root.text, first = root.first, last = root.last }
  else
    local inner = parser.tokens[2]
    if inner and inner.kind == "word" and not inner.number then parser:expect({}, "a number or ']'") end
    steps[1] = parser:bracketed(root, "a number or ']'")
  end
  while parser.tokens[parser.at] do
    local open = parser:expect({ ["["] = true }, "'['")
    steps[#steps + 1] = parser:bracketed(open, "a name, a number or ']'")
    if #steps > MAX_STEPS then
      caret.refuse(("nested deeper than %d levels"):format(MAX_STEPS), argument, open.first, #name)
    end
  end
  return steps
end

return json_path
