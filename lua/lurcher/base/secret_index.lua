--- Finds known texts in another text, in one pass however many there are: by their first four bytes, then by
--- their lengths. One that a peer or an excerpt cut off is found too, by its beginning.

local byte, find, sub = string.byte, string.find, string.sub

local MIN = 4 -- shorter texts would blank out ordinary words
local MIN_CUT = 8 -- of a beginning; where "…" says that it was cut there is no least
local ELLIPSIS = "…"
local MAX_SAMPLES = 64 -- texts with the same first bytes whose beginnings are looked for

---@class lurcher.SecretIndex
local Index = {}
Index.__index = Index

---@param is_known fun(text: string): boolean asked for each text that could be one
---@return lurcher.SecretIndex
local function new(is_known)
  -- lengths: first four bytes as a number -> the lengths that may follow, longest first; samples: the same -> some
  -- of the texts; beginnings: a set of what is shorter than MIN; start: a pattern for the first bytes of all
  return setmetatable({
    is_known = is_known, lengths = {}, samples = {}, beginnings = {}, count = 0, bytes = {}, start = false,
  }, Index)
end

local function key_of(text, at)
  local a, b, c, d = byte(text, at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

---@param text string
function Index:add(text)
  local length = #text
  if length < MIN then return end
  local key = key_of(text, 1)
  for few = 1, MIN - 1 do self.beginnings[sub(text, 1, few)] = true end
  local list = self.lengths[key] or {}
  self.lengths[key] = list
  local samples = self.samples[key] or {}
  self.samples[key] = samples
  if #samples < MAX_SAMPLES and length > MIN then samples[#samples + 1] = text end
  local at = 1
  while list[at] and list[at] > length do at = at + 1 end
  if list[at] == length then return end
  table.insert(list, at, length)
  self.count = self.count + 1
  local first = byte(text)
  if not self.bytes[first] then self.bytes[first], self.start = true, false end
end

-- The set of all first bytes.
local function start_of(self)
  if self.start then return self.start end
  local set = {}
  for value = 0, 255 do
    if self.bytes[value] then
      set[#set + 1] = value == 0 and "%z" or string.char(value):gsub("[^%w\128-\255]", "%%%0")
    end
  end
  self.start = "[" .. table.concat(set) .. "]"
  return self.start
end

local function is_beginning(self, key, rest)
  local samples = self.samples[key]
  for i = 1, #samples do
    if sub(samples[i], 1, #rest) == rest and self.is_known(samples[i]) then return true end
  end
end

-- The length of the beginning of a known text that stands there and is cut: by "…", the end or a quote.
local function cut_length(self, text, at, key, longest)
  local rest = sub(text, at, at + longest - 1 + #ELLIPSIS)
  local marked = find(rest, ELLIPSIS, 1, true)
  if marked and marked > MIN and is_beginning(self, key, sub(rest, 1, marked - 1)) then return marked - 1 end
  local stop = find(rest, '"', 1, true)
  if stop then rest = sub(rest, 1, stop - 1) elseif #rest >= longest then return nil end
  return #rest >= MIN_CUT and is_beginning(self, key, rest) and #rest or nil
end

-- Takes away what could be the first bytes of a known text before each "…": too few to be sure of, so the
-- mask would be put where no secret is.
local function without_first_bytes(self, text)
  local at = find(text, ELLIPSIS, 1, true)
  if not at then return text end
  local out, from = {}, 1
  while at do
    local few = math.min(MIN - 1, at - from)
    while few > 0 and not self.beginnings[sub(text, at - few, at - 1)] do few = few - 1 end
    out[#out + 1] = sub(text, from, at - 1 - few)
    from, at = at, find(text, ELLIPSIS, at + #ELLIPSIS, true)
  end
  out[#out + 1] = sub(text, from)
  return table.concat(out)
end

local function whole_length(self, text, at, list)
  for i = 1, #list do
    local length = list[i]
    if at + length - 1 <= #text and self.is_known(sub(text, at, at + length - 1)) then return length end
  end
end

-- How much of a known text stands there, or nil.
local function match(self, text, at)
  local key = key_of(text, at)
  local list = self.lengths[key]
  if not list then return nil end
  local whole = whole_length(self, text, at, list)
  if whole == list[1] then return whole end
  local cut = cut_length(self, text, at, key, list[1])
  return cut and whole and math.max(cut, whole) or cut or whole
end

---Puts `mask` in the place of each known text.
---@param text string
---@param mask string
---@return string
function Index:replace(text, mask)
  if self.count == 0 then return text end
  local start, last = start_of(self), #text - MIN + 1
  local out, from, at = nil, 1, find(text, start)
  while at and at <= last do
    local length = match(self, text, at)
    if length then
      out = out or {}
      out[#out + 1] = sub(text, from, at - 1)
      out[#out + 1] = mask
      from = at + length
    end
    at = find(text, start, length and from or at + 1)
  end
  if out then
    out[#out + 1] = sub(text, from)
    text = table.concat(out)
  end
  return without_first_bytes(self, text)
end

return new
