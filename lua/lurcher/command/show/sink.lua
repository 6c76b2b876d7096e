--- Standard output. What is small is written at once; a long text goes through a buffer that is written in the
--- background, so that a reader who is slow, or pauses, stops nothing else.

local native = require "lurcher.native.fs"

local sink = {}

local DIRECT = 32 * 1024 -- bytes that the buffer of a pipe has room for

---@class lurcher.Sink
---@field private out { write: fun(self: any, text: string): any }
---@field private is_standard boolean
---@field private direct integer bytes that went straight
---@field private writer? userdata
local Sink = {}
Sink.__index = Sink

---@param streams lurcher.command.Streams
---@return lurcher.Sink
function sink.new(streams)
  return setmetatable({ out = streams.out, is_standard = streams.out == io.stdout, direct = 0 }, Sink)
end

-- Standard output once more, as a file that is written in the background; without it all goes straight.
local function open(self)
  self.out:flush()
  self.writer = native.open_writer("/dev/stdout", "atomic")
  self.is_standard = self.writer ~= nil
  if self.writer then self.writer:hurry() end
end

---Where the lines of many requests go: the file of -o, or standard output.
---@param settings table
---@param streams lurcher.command.Streams
---@return lurcher.Sink? sink
---@return lurcher.Error? err
function sink.open(settings, streams)
  local path = settings.output
  if not path or path == "-" then return sink.new(streams) end
  local writer, err = native.open_writer(path, "atomic")
  if not writer then return nil, err end
  return setmetatable({ out = streams.out, writer = writer, direct = 0 }, Sink)
end

---Writes, and waits while the reader is slow.
---@param text string
---@return true? ok
---@return lurcher.Error? err
function Sink:write(text)
  self.direct = self.direct + #text
  if self.is_standard and not self.writer and self.direct > DIRECT then open(self) end
  local writer = self.writer
  if not writer then
    self.out:write(text) -- what fails is told at the end
    return true
  end
  local room, err = writer:put(text)
  if room then return true end
  if err then return nil, err end
  return writer:room()
end

---Brings what was written to the reader, if need be.
function Sink:flush()
  if not self.writer and self.out.flush then self.out:flush() end
end

---Waits until it has been brought.
---@return true? ok
---@return lurcher.Error? err
function Sink:settle()
  if self.writer then return self.writer:flush() end
  self:flush()
  return true
end

---No more is written.
---@return true? ok
---@return lurcher.Error? err
function Sink:close()
  local writer = self.writer
  if not writer then return true end
  self.writer = nil
  return writer:close(false)
end

return sink
