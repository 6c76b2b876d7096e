--- Finds known texts in another text, in one pass however many there are: by their first four bytes, then by
--- their lengths. One that a peer or an excerpt cut off is found too, by its beginning.

local byte, find, sub = string.byte, string.find, string.sub

local MIN = 4 -- shorter texts would blank out ordinary words
local MIN_CUT = 8 -- of a beginning; MIN where "…" says that it was cut
local ELLIPSIS = "…"
local MAX_SAMPLES = 64 -- texts with the same first bytes whose beginnings are looked for

---@class lurcher.SecretIndex
local Index = {}
Index.__index = Index

---@param is_known fun(text: string): boolean asked for each text that could be one
---@return lurcher.SecretIndex
local function new(is_known)
  -- lengths: first four bytes as a number -> the lengths that may follow, longest first; samples: the same -> some
  -- of the texts; start: a pattern for the first bytes of all
  return setmetatable({
    is_known = is_known, lengths = {}, samples = {}, count = 0, bytes = {}, start = false,
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

-- The length of the beginning of a known text that stands there and is cut: by the end, a quote or "…".
local function cut_length(self, text, at, key, longest)
  local rest = sub(text, at, at + longest - 1)
  local stop = find(rest, '["\226]')
  if stop then rest = sub(rest, 1, stop - 1) elseif #rest == longest then return nil end
  local is_marked = stop and sub(text, at + stop - 1, at + stop + 1) == ELLIPSIS
  if #rest < (is_marked and MIN or MIN_CUT) then return nil end
  local samples = self.samples[key]
  for i = 1, #samples do
    if sub(samples[i], 1, #rest) == rest and self.is_known(samples[i]) then return #rest end
  end
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
  if not out then return text end
  out[#out + 1] = sub(text, from)
  return table.concat(out)
end

return new
