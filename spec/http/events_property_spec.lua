-- Event streams of random bytes, in pieces of random lengths: the events are those of the standard's own steps, which
-- are taken here one by one over the whole text.

local event_stream = require "lurcher.http.event_stream"
local task = require "lurcher.task"
local utf8 = require "lurcher.base.utf8"

local STREAMS = 500
local MAX = 40 -- bytes of a line and of an event's data

-- What streams are made of; what the standard tells apart comes often.
local PARTS = { "\n", "\n", "\n\n", "\r", "\r\n", "\r\n\r\n", "\r\r", ":", ": ", " ", "data", "data:", "data: x",
  "data:", "event:", "event: e", "id:", "id: 1", "id", "retry:", "retry: 12", "retry: 1x", "\0", "\239\187\191",
  "\239", "\187", "\191", "\226\130\172", "\226\130", "\172", "\255", "\240\159\152\128", "\240\159", "a", "data:y\n\n",
  ("z"):rep(30) }

local function random_stream()
  local parts = {}
  for i = 1, math.random(0, 40) do
    parts[i] = math.random(20) == 1 and string.char(math.random(0, 255)) or PARTS[math.random(#PARTS)]
  end
  return table.concat(parts)
end

local function random_pieces(text)
  local pieces, at = {}, 1
  local longest = math.random(2) == 1 and 1 or math.random(1, 30)
  while at <= #text do
    local size = math.random(longest)
    pieces[#pieces + 1], at = text:sub(at, at + size - 1), at + size
  end
  return pieces
end

local function quoted(event)
  return ("%q %q %q %s"):format(event.event, event.data, event.id, tostring(event.retry))
end

-- Section 9.2.6 of the HTML standard.
local function expected(text)
  local events, data, kind, id, retry = {}, "", "", "", nil
  text = utf8.valid(text)
  if text:sub(1, 3) == "\239\187\191" then text = text:sub(4) end
  for line in text:gsub("\r\n", "\n"):gsub("\r", "\n"):gmatch("([^\n]*)\n") do
    local name, value = line:match("^([^:]*): ?(.*)$")
    if not name then name, value = line, "" end
    if line == "" then
      if data ~= "" then
        events[#events + 1] = quoted { event = kind == "" and "message" or kind, data = data:sub(1, -2), id = id,
          retry = retry }
        retry = nil
      end
      data, kind = "", ""
    elseif name == "data" then
      data = data .. value .. "\n"
    elseif name == "event" then
      kind = value
    elseif name == "id" and not value:find("\0", 1, true) then
      id = value
    elseif name == "retry" and value:find "^%d+$" then
      retry = tonumber(value) / 1000
    end
  end
  return events
end

local function given(pieces, max)
  local events, stream = {}, event_stream.new(max)
  for _, piece in ipairs(pieces) do
    stream:feed(piece)
    repeat
      local event, err = stream:next()
      if err then return events, err end
      events[#events + 1] = event and quoted(event)
    until not event
  end
  return events
end

describe("event streams of random bytes", function()
  local seed

  before_each(function()
    seed = os.time() + math.floor(os.clock() * 1e6)
    math.randomseed(seed)
  end)

  local function check(wanted, got, text)
    if table.concat(wanted, "\n") == table.concat(got, "\n") then return end
    assert.same(wanted, got, ("seed %d, stream %q"):format(seed, text))
  end

  it("hold the events that the standard says, however they are cut", function()
    for _ = 1, STREAMS do
      task.yield()
      local text = random_stream()
      local wanted = expected(text)
      check(wanted, given({ text }, math.huge), text)
      for _ = 1, 3 do check(wanted, given(random_pieces(text), math.huge), text) end
    end
  end)

  it("are too large at the same place, however they are cut", function()
    for _ = 1, STREAMS do
      task.yield()
      local text = random_stream()
      local wanted, err = given({ text }, MAX)
      for _ = 1, 3 do
        local got, other = given(random_pieces(text), MAX)
        check(wanted, got, text)
        assert.equal(err and err.kind, other and other.kind, text)
      end
    end
  end)
end)
