--- The entries of a cassette's file, by what they are for; and what an entry answers.

local crypto = require "lurcher.crypto"
local file = require "lurcher.cassette.file"
local format = require "lurcher.cassette.format"
local key = require "lurcher.cassette.key"
local kinds = require "lurcher.base.kinds"
local native = require "lurcher.native.places"
local play = require "lurcher.mock.play"
local secret = require "lurcher.base.secret"
local task = require "lurcher.task"

local replay = {}

local MAX_SHAPES = 256    -- kinds of keys with masked parts that are found by what else they are
local MAX_COMPARED = 1000 -- entries that a message of a miss looks at
local VERSIONS = { ["1.0"] = "HTTP/1.0", ["1.1"] = "HTTP/1.1", ["2"] = "HTTP/2" }
local PHASES = { queue = true, dns = true, connect = true, tls = true, write = true, read = true, total = true }

---@class lurcher.cassette.Replay
---@field count integer entries
local Replay = {}
Replay.__index = Replay

-- A key with masked secrets is found by what else it is, too.
local function add_masked(self, own)
  local count, places, rest = key.shape(own)
  local shapes = self.shapes[count] or {}
  self.shapes[count] = shapes
  if not shapes[places] then
    if self.shape_count == MAX_SHAPES then return end
    shapes[places], shapes[#shapes + 1], self.shape_count = true, places, self.shape_count + 1
  end
  self.masked:add(count .. ":" .. places .. ":" .. rest, self.count)
end

local function shown(text)
  return '"' .. secret.excerpt(text, 200):gsub("[%c]", "?") .. '"'
end

-- Adds an entry to those of its key: some bytes each, so that a large cassette costs little.
local function add(self, text, offset)
  local entry, what = format.parse(text, "request")
  if not entry then return file.damaged(self.path, offset, what) end
  local own = key.of(self.match, entry.request)
  self.count = self.index:add(own, offset)
  if own:find("***", 1, true) then add_masked(self, own) end
end

---@param path string
---@param match (string|function)[]
---@param repeats boolean
---@return lurcher.cassette.Replay? replay
---@return lurcher.Error? err kind "file"
function replay.open(path, match, repeats)
  local self = setmetatable({ path = path, match = match, repeats = repeats, index = native.new(),
    masked = native.new(), shapes = {}, shape_count = 0, count = 0, used_count = 0 }, Replay)
  local functions = {}
  for _, one in ipairs(match) do
    if type(one) == "function" then functions[#functions + 1] = one end
  end
  self.functions = functions[1] and functions or false
  local err
  self.file, err = file.open(path, function(text, offset) return add(self, text, offset) end)
  if not self.file then return nil, err end
  self.index:seal()
  self.masked:seal()
  return self
end

function Replay:close() self.file:close() end

---@param number integer
---@param only? "request"|"answer"
---@return table? entry
---@return lurcher.Error? err
function Replay:entry(number, only)
  return self.file:entry(self.index:offset(number), self.index:offset(number + 1), only)
end

---The text of an entry, as it stands in the file.
---@param number integer
---@return string? text
---@return lurcher.Error? err
function Replay:text(number)
  return self.file:text(self.index:offset(number), self.index:offset(number + 1))
end

local function accepted(self, request, recorded)
  for _, accepts in ipairs(self.functions or {}) do
    if not accepts(request, recorded) then return false end
  end
  return true
end

-- Of places that come one after the other the first that was not used and is accepted; where entries repeat, else the
-- last that is.
local function take_accepted(self, index, number, number_of, accepts)
  local last
  while number do
    local one = number_of(number)
    local is_used = self.index:is_used(one)
    if not is_used or self.repeats then
      local entry, err = self:entry(one, "request")
      if not entry then return nil, err end
      if accepts(entry.request) then
        last = one
        if not is_used then break end
      end
    end
    number = index:next(number)
  end
  if last and self.index:use(last) then self.used_count = self.used_count + 1 end
  return last
end

local function itself(number) return number end

local function take_masked(self, request, own)
  local count = key.count(own)
  for _, places in ipairs(self.shapes[count] or {}) do
    local first = self.masked:first(count .. ":" .. places .. ":" .. key.without(own, places))
    local number, err = take_accepted(self, self.masked, first, function(place) return self.masked:offset(place) end,
      function(recorded) return key.fits(key.of(self.match, recorded), own) and accepted(self, request, recorded) end)
    if number or err then return number, err end
  end
end

---The entry that answers a request, which is used from now on; nil: none does.
---@param request table redacted
---@return integer? number
---@return lurcher.Error? err
function Replay:take(request)
  local own = key.of(self.match, request)
  local number, err
  if self.functions then
    number, err = take_accepted(self, self.index, self.index:first(own), itself,
      function(recorded) return accepted(self, request, recorded) end)
  else
    local is_new
    number, is_new = self.index:take(own, self.repeats)
    if is_new then self.used_count = self.used_count + 1 end
  end
  if number or err or self.shape_count == 0 then return number, err end
  return take_masked(self, request, own)
end

-- ---- what an entry answers ----

-- The body in its pieces, each when it came.
local function pieces(response, timing)
  local i, from = 0, 1
  local at = timing and response.at
  return function()
    i = i + 1
    local length = response.pieces[i]
    if not length then return nil end
    if i > 1 and at and at[i] then
      task.sleep(math.max(0, at[i] - (at[i - 1] or 0)))
    elseif i > 1 then
      task.yield() -- the reader has its turn with each
    end
    from = from + length
    return response.body:sub(from - length, from - 1)
  end
end

local function failure_of(given)
  local kind = kinds.get(given.kind) and given.kind or "protocol"
  return { fails = kind, phase = PHASES[given.phase] and given.phase or nil,
    message = type(given.message) == "string" and given.message or "as it was recorded", is_safe = given.safe == true }
end

---What play gives for it.
---@param entry table
---@param timing boolean
---@return table
function replay.answer(entry, timing)
  local response = entry.response
  if not response then
    return entry.failure and failure_of(entry.failure) or { stalls = true }
  end
  local one = { status = response.status, reason = response.reason ~= "" and response.reason or false,
    version = VERSIONS[response.version], headers = response.headers, body = response.body }
  if response.pieces and response.pieces[1] then one.body = pieces(response, timing) end
  if timing and response.at then one.delay = response.at[1] end
  if entry.failure then
    one.ends = play.broken(failure_of(entry.failure))
  elseif entry.open then
    one.ends = play.broken()
  end
  return one
end

-- ---- messages of WebSockets ----

local function plain(text) return key.parts.body { body = text, headers = {} } end

-- What a message is, in words.
local function message_text(bytes, kind) return ("%s (%s)"):format(shown(bytes), kind) end

---What is wrong with a message that a script sent, in words, without secrets; nil: it is as it was recorded.
---@param count integer which of those it sent
---@param recorded table|nil
---@param bytes string redacted
---@param kind "text"|"binary"
---@return string?
function Replay:message_problem(count, recorded, bytes, kind)
  local before = ("message %d that was sent over the WebSocket "):format(count)
  if not recorded then
    return ("%sis %s, and the cassette '%s' recorded no more"):format(before, message_text(bytes, kind), self.path)
  end
  local wanted, wanted_kind = recorded.sent, "text"
  if not wanted then wanted, wanted_kind = crypto.base64_decode(tostring(recorded.sent_base64)) or "", "binary" end
  wanted = tostring(wanted)
  if kind == wanted_kind and (bytes == wanted or key.fits(plain(wanted), plain(bytes))) then return nil end
  return ("%sis not what the cassette '%s' recorded\n  message: recorded %s, got %s"):format(before, self.path,
    message_text(wanted, wanted_kind), message_text(bytes, kind))
end

-- ---- what is told of a miss ----

local PARTS = { "method", "url", "body" }

local function differences(request, recorded, match)
  local list, weight = {}, 0
  for _, name in ipairs(match) do
    if type(name) == "function" then name = nil end
    local wanted = name and key.parts[name](recorded)
    local sent = name and key.parts[name](request)
    if wanted ~= sent then
      weight = weight + (name == "url" and (request.url:match "^[^?]*" == recorded.url:match "^[^?]*" and 3 or 10)
        or name == "body" and 2 or 4)
      list[#list + 1] = ("  %s: recorded %s, got %s"):format(name, shown(wanted), shown(sent))
    end
  end
  return list, weight
end

---Why no entry answers a request, in words, without secrets.
---@param request table redacted
---@return string
function Replay:miss(request)
  local nearest, least, least_list
  for number = 1, math.min(self.count, MAX_COMPARED) do
    local text = self:text(number)
    local entry = text and format.parse(text, "request")
    local list, weight = {}, math.huge
    if entry then list, weight = differences(request, entry.request, self.match[1] and self.match or PARTS) end
    if self.index:is_used(number) then weight = weight + 0.5 end
    if not least or weight < least then nearest, least, least_list = number, weight, list end
  end
  local message = ("no entry of the cassette '%s' is for %s %s"):format(self.path, request.method, request.url)
  if not nearest then return message .. "; it has no entries" end
  if not least_list[1] then
    least_list[1] = self.index:is_used(nearest) and "  it was used already (the option repeats lets it answer again)"
      or "  a function given as match does not accept it"
  end
  return ("%s; the nearest is entry %d\n%s"):format(message, nearest, table.concat(least_list, "\n"))
end

---The entries that nobody asked for, in words.
---@param most integer
---@return string[]
function Replay:unused(most)
  local list = {}
  for number = 1, self.count do
    if #list < most and not self.index:is_used(number) then
      local entry = format.parse(self:text(number) or "", "request")
      list[#list + 1] = entry and ("%s %s"):format(entry.request.method, entry.request.url) or "entry " .. number
    end
  end
  return list
end

return replay
