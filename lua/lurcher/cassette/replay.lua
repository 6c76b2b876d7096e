--- The entries of a cassette's file, by what they are for; and what an entry answers.

local file = require "lurcher.cassette.file"
local format = require "lurcher.cassette.format"
local key = require "lurcher.cassette.key"
local kinds = require "lurcher.base.kinds"
local play = require "lurcher.mock.play"
local secret = require "lurcher.base.secret"
local task = require "lurcher.task"

local replay = {}

local MAX_COMPARED = 1000 -- entries that a message of a miss looks at
local VERSIONS = { ["1.0"] = "HTTP/1.0", ["1.1"] = "HTTP/1.1", ["2"] = "HTTP/2" }
local PHASES = { queue = true, dns = true, connect = true, tls = true, write = true, read = true, total = true }

---@class lurcher.cassette.Replay
---@field count integer entries
local Replay = {}
Replay.__index = Replay

-- Adds an entry to those of its key: three numbers each, so that a large cassette costs little.
local function add(self, text, offset)
  local entry, what = format.parse(text, "request")
  if not entry then
    return file.problem(self.path, ("is damaged: of the entry at byte %d %s"):format(offset + 1, what))
  end
  local own = key.of(self.match, entry.request)
  local list = self.by_key[own]
  if not list then
    list = { next = 1 }
    self.by_key[own] = list
    if own:find("***", 1, true) then self.masked[#self.masked + 1] = own end
  end
  self.count = self.count + 1
  self.offsets[self.count], self.lengths[self.count] = offset, #text
  list[#list + 1] = self.count
end

---@param path string
---@param match (string|function)[]
---@param repeats boolean
---@return lurcher.cassette.Replay? replay
---@return lurcher.Error? err kind "file"
function replay.open(path, match, repeats)
  local self = setmetatable({ path = path, match = match, repeats = repeats, by_key = {}, masked = {}, offsets = {},
    lengths = {}, used = {}, count = 0, used_count = 0 }, Replay)
  local functions = {}
  for _, one in ipairs(match) do
    if type(one) == "function" then functions[#functions + 1] = one end
  end
  self.functions = functions[1] and functions or false
  local ok, err = file.scan(path, function(text, offset) return add(self, text, offset) end)
  if not ok then return nil, err end
  self.places, err = file.open(path)
  if not self.places then return nil, err end
  return self
end

function Replay:close()
  self.places:close()
end

---@param number integer
---@param only? "request"|"answer"
---@return table? entry
---@return lurcher.Error? err
function Replay:entry(number, only)
  return self.places:entry(self.offsets[number], self.lengths[number], only)
end

---The text of an entry, as it stands in the file.
---@param number integer
---@return string? text
---@return lurcher.Error? err
function Replay:text(number)
  return self.places:read(self.offsets[number], self.lengths[number])
end

local function use(self, number)
  if self.used[number] then return end
  self.used[number] = true
  self.used_count = self.used_count + 1
end

-- The next of a list that was not used; nil: all were.
local function take(self, list)
  while list.next <= #list and self.used[list[list.next]] do list.next = list.next + 1 end
  local number = list[list.next] or self.repeats and list[#list]
  if number then use(self, number) end
  return number
end

-- The first of a list that functions accept.
local function take_accepted(self, list, request)
  for _, number in ipairs(list) do
    if not self.used[number] or self.repeats then
      local entry, err = self:entry(number, "request")
      if not entry then return nil, err end
      local fits = true
      for _, accepts in ipairs(self.functions) do fits = fits and accepts(request, entry.request) end
      if fits then
        use(self, number)
        return number
      end
    end
  end
end

---The entry that answers a request, which is used from now on; nil: none does.
---@param request table redacted
---@return integer? number
---@return lurcher.Error? err
function Replay:take(request)
  local own = key.of(self.match, request)
  local function from(list)
    if self.functions then return take_accepted(self, list, request) end
    return take(self, list)
  end
  local list = self.by_key[own]
  local number, err
  if list then number, err = from(list) end
  if number or err then return number, err end
  for _, masked in ipairs(self.masked) do
    if masked ~= own and key.fits(masked, own) then
      number, err = from(self.by_key[masked])
      if number or err then return number, err end
    end
  end
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

-- ---- what is told of a miss ----

local PARTS = { "method", "url", "body" }

local function shown(text)
  return '"' .. secret.excerpt(text, 200):gsub("[%c]", "?") .. '"'
end

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
    if self.used[number] then weight = weight + 0.5 end
    if not least or weight < least then nearest, least, least_list = number, weight, list end
  end
  local message = ("no entry of the cassette '%s' is for %s %s"):format(self.path, request.method, request.url)
  if not nearest then return message .. "; it has no entries" end
  if not least_list[1] then
    least_list[1] = self.used[nearest] and "  it was used already (the option repeats lets it answer again)"
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
    if not self.used[number] and #list < most then
      local entry = format.parse(self:text(number) or "", "request")
      list[#list + 1] = entry and ("%s %s"):format(entry.request.method, entry.request.url) or "entry " .. number
    end
  end
  return list
end

return replay
