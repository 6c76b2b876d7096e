--- Server-sent events, by the WHATWG standard: bytes in pieces cut anywhere, to events. Knows nothing of
--- responses.

local errors = require "lurcher.base.errors"
local utf8 = require "lurcher.base.utf8"

local byte, concat, find, sub = string.byte, table.concat, string.find, string.sub

local LF, CR, SPACE = byte("\n\r ", 1, 3)
local INFINITY = math.huge
local MARK = "\239\187\191" -- at the very start, it is none of the text

---@class lurcher.ServerEvent
---@field event string its type: "message" unless the server names one
---@field data string its lines, joined by LF
---@field id string the last that the server gave, with this event or before it; "": none
---@field retry? number seconds to wait before a reconnection, when the server said so since the event before

---@class lurcher.EventStream
---@field id string of the last event, with data or without; "": none
---@field retry? number seconds, as the server said last
---@field is_fed boolean some bytes have come
---@field private text string the piece at hand
---@field private at integer where it is not read yet
---@field private cr integer|false where its next CR is; false: there is none
---@field private colon integer|number where its next colon is, or was
---@field private dubious boolean what is at hand and not given yet may hold bytes that are no UTF-8
---@field private held string[] the start of a line whose end has not come
---@field private held_size integer
---@field private size integer bytes of the event's data so far
local EventStream = {}
EventStream.__index = EventStream

local event_stream = {}

---@param max integer bytes of a line, and of an event's data; more is kind "too_large"
---@param id? string of the last event of a stream before it, which goes on
---@return lurcher.EventStream
function event_stream.new(max, id)
  return setmetatable({ max = max, id = id or "", next_id = id or "", is_fed = false, text = "", at = 1,
    held = {}, held_size = 0, size = 0, lines = 0, data = {}, is_first = true, after_cr = false, cr = false,
    colon = 0, dubious = false }, EventStream)
end

---The next piece of the stream; the one before must be used up.
---@param piece string
function EventStream:feed(piece)
  if piece == "" then return end
  local is_cut = self.after_cr and byte(piece) == LF -- CR and LF came apart
  self.after_cr, self.is_fed = byte(piece, -1) == CR, true
  if is_cut then piece = sub(piece, 2) end
  self.text, self.at, self.cr = piece, 1, find(piece, "\r", 1, true) or false
  self.colon = 0
  local begins_anew = self.held_size == 0 and self.lines == 0 and not self.event
  self.dubious = not utf8.is_valid(piece) or self.dubious and not begins_anew
end

local function too_large(self, what, observed)
  return nil, errors.new { kind = "too_large", limit = self.max, observed = observed,
    message = ("%s of the event stream has more than %d bytes, which is the limit (max)")
      :format(what, self.max) }
end

-- A line that came in several pieces.
local function joined(self, rest)
  local held = self.held
  held[#held + 1] = rest
  self.held, self.held_size = {}, 0
  return concat(held)
end

-- Where the next line ends, and what is behind that. Most streams have one kind of line end: LF, or CRLF. What is left
-- of a piece with a CR of its own is brought to LF.
local function line_end(self)
  local text, from, cr = self.text, self.at, self.cr
  local stop = find(text, "\n", from, true)
  if not cr then return stop, stop end
  if cr < from then
    cr = find(text, "\r", from, true) or false
    self.cr = cr
  end
  if not cr or stop and stop < cr then return stop, stop end
  if stop == cr + 1 then return cr, stop end
  self.text, self.at, self.cr, self.colon = sub(text, from):gsub("\r\n?", "\n"), 1, false, 0
  stop = find(self.text, "\n", 1, true)
  return stop, stop
end

-- What is not ended yet waits for the next piece.
local function hold(self, size)
  if self.at <= #self.text then
    self.held[#self.held + 1], self.held_size = sub(self.text, self.at), size
  end
  self.text, self.at = "", 1
end

local FIELDS = {}

function FIELDS.data(self, value)
  local n = self.lines + 1
  self.data[n], self.lines, self.size = value, n, self.size + #value + 1
end

function FIELDS.event(self, value) self.event = value end

function FIELDS.id(self, value)
  if find(value, "\0", 1, true) then return end
  self.next_id = self.dubious and utf8.valid(value) or value
end

function FIELDS.retry(self, value)
  if not find(value, "^%d+$") then return end
  self.retry = tonumber(value) / 1000
  self.said = self.retry
end

-- The field of the line from `from` to `last`, with its colon (beyond: it has none). Lines are not cut out: making
-- strings is what costs most.
local function take_field(self, text, from, last, colon)
  if colon == from then return end -- a comment
  if colon > last then colon = last + 1 end
  local set = FIELDS[sub(text, from, colon - 1)]
  if not set then return end
  from = colon + 1
  if byte(text, from) == SPACE and from <= last then from = from + 1 end
  set(self, sub(text, from, last))
end

-- The line that came in several pieces, and the first of all, which may begin with a mark.
local function take_whole(self, line)
  if self.is_first and sub(line, 1, 3) == MARK then line = sub(line, 4) end
  self.is_first = false
  if line == "" then return true end
  take_field(self, line, 1, #line, find(line, ":", 1, true) or #line + 1)
  return false
end

-- Takes the next line. True: it is empty. Nil: its end has not come; nil and an error.
local function take_line(self)
  local stop, last = line_end(self)
  local text, from = self.text, self.at
  local size = self.held_size + (stop or #text + 1) - from
  if size > self.max then return too_large(self, "a line", size) end
  if not stop then return hold(self, size) end
  self.at = last + 1
  if self.held_size > 0 then return take_whole(self, joined(self, sub(text, from, stop - 1))) end
  if self.is_first then return take_whole(self, sub(text, from, stop - 1)) end
  if stop == from then return true end
  if self.colon < from then self.colon = find(text, ":", from, true) or INFINITY end
  take_field(self, text, from, stop - 1, self.colon)
  return false
end

-- The event that an empty line ends; nil when it has no data.
local function dispatched(self)
  local n, name = self.lines, self.event
  self.id, self.event = self.next_id, nil
  if n == 0 then return nil end
  local data = n == 1 and self.data[1] or concat(self.data, "\n", 1, n)
  if not name or name == "" then name = "message" end
  if self.dubious then data, name = utf8.valid(data), utf8.valid(name) end
  local event = { event = name, data = data, id = self.id, retry = self.said }
  if n > 1 then self.data = {} end
  self.lines, self.size, self.said = 0, 0, nil
  return event
end

---The next event of what was fed; nil: more is needed; nil and an error of kind "too_large". An event that is not
---ended by an empty line is none.
---@return lurcher.ServerEvent? event
---@return lurcher.Error? err
function EventStream:next()
  while true do
    local is_empty, err = take_line(self)
    if is_empty == nil then return nil, err end
    if is_empty then
      local event = dispatched(self)
      if event then return event end
    elseif self.size > self.max then
      return too_large(self, "an event", self.size)
    end
  end
end

return event_stream
