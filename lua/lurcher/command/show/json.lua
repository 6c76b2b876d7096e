--- JSON for people: indented and coloured, token by token as it came. Numbers, escapes, the order of keys and keys
--- that come twice stay as they are. Pieces may be cut anywhere; what is held is the depth, and a number.

local safe = require "lurcher.command.show.safe"

local byte, find, match, sub = string.byte, string.find, string.match, string.sub
local concat = table.concat

local MAX_NUMBER = 16 * 1024 -- bytes: it is held until its end has come
local MAX_INDENT = 40 -- levels that are indented: what nests deeper stays within the line
local STEP = "  "

local json = {}


---@class lurcher.JsonPainter
---@field ok boolean so far it is JSON
---@field rest string the start of a token whose end has not come, or what could not be read
---@field private state function what may come next
---@field private objects boolean[] for each level: whether it is an object
---@field private depth integer
---@field private out string[]
local Painter = {}
Painter.__index = Painter

local function put(self, text)
  local out = self.out
  out[#out + 1] = text
end

-- ---- layout ----

local INDENTS = {}
for level = 0, MAX_INDENT do INDENTS[level] = "\n" .. STEP:rep(level) end

local function new_line(self)
  if self.is_compact then return end
  put(self, INDENTS[self.depth < self.deepest and self.depth or self.deepest])
end

-- ---- tokens: each takes the text and a place, and gives the place behind it; nil: it is not whole; false: it is
-- no JSON ----

local value, first_value, first_key, key, colon, after, over

local ESCAPES = {}
for c in ('"\\/bfnrt'):gmatch "." do ESCAPES[byte(c)] = true end
local BACKSLASH, QUOTE = byte "\\", byte '"'

-- An escape at `at`.
local function escape_end(text, at)
  local second = byte(text, at + 1)
  if not second then return nil end
  if ESCAPES[second] then return at + 2 end
  if second ~= 117 then return false end -- u
  local digits = match(text, "^%x*", at + 2)
  if #digits >= 4 then return at + 6 end
  return #text < at + 2 + #digits and nil
end

-- A run without quotes and escapes from `from` on, of a string that may go on in the next piece.
local function put_run(self, text, from, to, is_last)
  local run = sub(text, from, to)
  if find(run, "[\127-\255]") then
    local shown, tail = safe.characters(run, is_last)
    put(self, shown)
    return to + 1 - tail
  end
  put(self, run)
  return to + 1
end

-- The rest of a string whose quote was put already.
local function in_string(self, text, at)
  while true do
    local special = find(text, '["\\%z\1-\31]', at)
    if not special then
      if at <= #text then at = put_run(self, text, at, #text, false) end
      return nil, at
    end
    if special > at then put_run(self, text, at, special - 1, true) end
    local found = byte(text, special)
    if found == QUOTE then
      put(self, '"')
      return special + 1
    elseif found ~= BACKSLASH then
      return false
    end
    local stop = escape_end(text, special)
    if not stop then return stop, special end
    put(self, sub(text, special, stop - 1))
    at = stop
  end
end

-- A string that begins at `at`, or goes on there.
local function string_token(self, text, at, colour, following)
  if not self.is_in_string then
    put(self, colour)
    local _, stop = find(text, '^"[^"\\%c\128-\255]*"', at)
    if stop then
      put(self, sub(text, at, stop))
      put(self, self.colours.off)
      self.state = following
      return stop + 1
    end
    put(self, '"')
    self.is_in_string, at = true, at + 1
  end
  local stop, kept = in_string(self, text, at)
  if not stop then return stop, kept end
  self.is_in_string = false
  put(self, self.colours.off)
  self.state = following
  return stop
end

local function coloured(self, colour, text)
  local out, n = self.out, #self.out
  out[n + 1], out[n + 2], out[n + 3] = colour, text, self.colours.off
end

local function is_number(text)
  local stop = match(text, "^%-?0()") or match(text, "^%-?[1-9]%d*()")
  if not stop then return false end
  stop = match(text, "^%.%d+()", stop) or stop
  stop = match(text, "^[eE][+-]?%d+()", stop) or stop
  return stop == #text + 1
end

local WORDS = { ["true"] = "literal", ["false"] = "literal", ["null"] = "null" }

-- A number or a word. What stands at the end of a piece may go on in the next one.
local function scalar(self, text, at)
  local _, stop = find(text, "^[%w.+-]+", at)
  if not stop or stop - at >= MAX_NUMBER then return false end
  if stop == #text and not self.is_last then return nil end
  local token = sub(text, at, stop)
  local colour = WORDS[token] or is_number(token) and "number"
  if not colour then return false end
  coloured(self, self.colours[colour], token)
  self.state = after
  return stop + 1
end

-- ---- what may come next ----

local function open(self, at, bracket, is_object)
  put(self, bracket)
  self.depth = self.depth + 1
  self.objects[self.depth] = is_object
  self.state = is_object and first_key or first_value
  return at + 1
end

local function close(self, at, bracket)
  self.depth = self.depth - 1
  if self.state == after then new_line(self) end
  put(self, bracket)
  self.state = self.depth == 0 and over or after
  return at + 1
end

local function is_open(self, is_object)
  return self.depth > 0 and self.objects[self.depth] == is_object
end

function value(self, text, at)
  local found = byte(text, at)
  if found == QUOTE or self.is_in_string then return string_token(self, text, at, self.colours.string, after) end
  if found == 123 then return open(self, at, "{", true) end
  if found == 91 then return open(self, at, "[", false) end
  return scalar(self, text, at)
end

function first_value(self, text, at)
  if byte(text, at) == 93 then return close(self, at, "]") end
  new_line(self)
  self.state = value
  return at
end

function key(self, text, at)
  if not self.is_in_string and byte(text, at) ~= QUOTE then return false end
  return string_token(self, text, at, self.colours.key, colon)
end

function first_key(self, text, at)
  if byte(text, at) == 125 then return close(self, at, "}") end
  new_line(self)
  self.state = key
  return at
end

function colon(self, text, at)
  if byte(text, at) ~= 58 then return false end
  put(self, ": ")
  self.state = value
  return at + 1
end

function after(self, text, at)
  local found = byte(text, at)
  if self.depth == 0 then return over(self, text, at) end
  if found == 44 then
    put(self, self.is_compact and ", " or ",")
    new_line(self)
    self.state = is_open(self, true) and key or value
    return at + 1
  elseif found == 125 and is_open(self, true) then
    return close(self, at, "}")
  elseif found == 93 and is_open(self, false) then
    return close(self, at, "]")
  end
  return false
end

function over() return false end

-- ---- pieces ----

-- Takes tokens as long as they are whole. What is left is kept for the next piece.
local function take(self, text)
  local at = 1
  while true do
    if not self.is_in_string then at = match(text, "^[ \t\r\n]*()", at) end
    if at > #text then
      self.rest = ""
      return true
    end
    local stop, kept = self:state(text, at)
    if not stop then
      self.rest = sub(text, kept or at)
      return stop == nil
    end
    at = stop
  end
end

local function fail(self)
  if self.is_in_string then put(self, self.colours.off) end
  self.ok = false
end

local MARK = "\239\187\191" -- a byte order mark is none of the text

---Takes the next piece. True: it is JSON so far. Else `rest` is what could not be read, and what comes behind it is
---for the caller to show.
---@param piece string
---@return boolean
function Painter:feed(piece)
  local text = self.rest ~= "" and self.rest .. piece or piece
  if self.is_first then
    self.rest = text
    if #text < #MARK and sub(MARK, 1, #text) == text then return true end
    if sub(text, 1, #MARK) == MARK then text = sub(text, #MARK + 1) end
    self.is_first = false
  end
  if not take(self, text) then fail(self) end
  return self.ok
end

---No more comes. True: it was JSON.
---@return boolean
function Painter:finish()
  if not self.ok then return false end
  self.is_last = true
  local is_whole = take(self, self.rest) and self.rest == "" and self.depth == 0
    and (self.state == after or self.state == over)
  if not is_whole then fail(self) end
  return is_whole
end

---What was made since it was asked last.
---@return string
function Painter:take()
  local made = concat(self.out)
  self.out = {}
  return made
end

---@param style lurcher.ShowStyle all that counts is colours, columns, and is_compact: all on one line
---@return lurcher.JsonPainter
function json.painter(style)
  local deepest = math.min(MAX_INDENT, math.floor(style.columns / 2 / #STEP))
  return setmetatable({ colours = style.colours, ok = true, state = value, objects = {}, depth = 0, rest = "",
    out = {}, deepest = deepest, is_compact = style.is_compact or false,
    is_first = true, is_in_string = false, is_last = false }, Painter)
end

---A whole text; nil: it is no JSON.
---@param text string
---@param style lurcher.ShowStyle
---@return string?
function json.paint(text, style)
  local painter = json.painter(style)
  if painter:feed(text) and painter:finish() then return painter:take() end
  return nil
end

return json
