--- The option `progress`: how far the bodies of a call are, told to a function or shown on the terminal, at most
--- ten times a second and once at the end.

local native = require "lurcher.native.http"
local progress_bar = require "lurcher.task.progress_bar"
local task = require "lurcher.task"

local PERIOD = 0.1 -- seconds

local meter = {}

---@class lurcher.TransferProgress
---@field sent integer bytes of the request's body
---@field received integer bytes of the response's body
---@field total? integer bytes of the body that is sent, or else received, as far as it is known

---@class lurcher.Meter
---@field handle userdata what the native layer counts in
local Meter = {}
Meter.__index = Meter

-- A line on the terminal, as a function like those of scripts.
local function shown(label)
  local bar = progress_bar.new(nil, label)
  return function(state, final)
    bar.total = state.total
    local count = state.sent > 0 and state.sent or state.received
    if count < bar.count then bar:skip(count) end -- another attempt
    bar:add(count - bar.count)
    if final then bar:done() end
  end
end

---@param option true|string|function
---@param sends boolean the request has a body: that is what `total` is about
---@return lurcher.Meter
function meter.new(option, sends)
  local tell = option
  if option == true or type(option) == "string" then tell = shown(option ~= true and option or nil) end
  return setmetatable({ handle = native.progress(), tell = tell, sends = sends, at = -math.huge, moved = -1 }, Meter)
end

local function report(self, final)
  local sent, received, sent_length, received_length = self.handle:get()
  self.at, self.moved = native.now(), sent + received
  self.tell({ sent = sent, received = received, total = self.sends and sent_length or received_length or nil }, final)
end

---Tells how far it is, if that is news and the last time is long ago.
function Meter:tick()
  local sent, received = self.handle:get()
  if sent + received == self.moved then return end
  local now = native.now()
  if now - self.at >= PERIOD or now < self.at then report(self) end
end

---Tells how far it came.
function Meter:finish()
  if self.ended then return end
  self.ended = true
  report(self, true)
end

---Calls a function, and tells how far it is meanwhile. What the script's function raises ends it.
---@param fn function
---@param ... any
---@return any ...
function Meter:beside(fn, ...)
  local arguments = { n = select("#", ...), ... }
  return task.scope(function(scope)
    local ticker = scope:spawn(function()
      while true do
        task.sleep(PERIOD)
        self:tick()
      end
    end)
    local res, err = fn(unpack(arguments, 1, arguments.n))
    ticker:cancel()
    return res, err
  end)
end

return meter
