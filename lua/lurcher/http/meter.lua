--- The option `progress`: how far the bodies of a call are, told to a function or shown on the terminal, at most
--- ten times a second and once at the end.

local companion = require "lurcher.http.companion"
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
---@param handle? table of what else moves bytes
---@return lurcher.Meter
function meter.new(option, sends, handle)
  local tell = option
  if option == true or type(option) == "string" then tell = shown(option ~= true and option or nil) end
  return setmetatable({ handle = handle or native.progress(), tell = tell, sends = sends, at = -math.huge,
    moved = -1 }, Meter)
end

local function report(self, final)
  local sent, received, sent_length, received_length = self.handle:get()
  self.at, self.moved = native.now(), sent + received
  local total = received_length
  if self.sends then total = sent_length end
  self.tell({ sent = sent, received = received, total = total }, final)
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

local function tick_on(self)
  while true do
    task.sleep(PERIOD)
    self:tick()
  end
end

---Calls a function, and tells how far it is meanwhile. What the script's function raises ends it.
---@param fn function
---@param argument any
---@return any res
---@return any err
function Meter:beside(fn, argument)
  return task.scope(function(scope)
    local ticker = scope:spawn(tick_on, self)
    local res, err = fn(argument)
    ticker:cancel()
    return res, err
  end)
end

---The same for what opens a stream, which is to outlive the call. What the script's function raises is raised
---when that is open.
---@param fn function
---@param argument any
---@return any res
---@return any err
function Meter:beside_opening(fn, argument)
  local ticker = companion.start(tick_on, self)
  local res, err = ticker:beside(fn, argument)
  local ok, raised = pcall(ticker.stop, ticker)
  if ok then return res, err end
  if res then res:close() end
  error(raised, 0)
end

---Calls a function that receives bytes, and tells how far it is meanwhile, and at its end.
---@param option boolean|string|function|nil
---@param measure fun(): number, number? bytes received so far, and how many there are
---@param fn function
---@return any result
---@return any err
function meter.follow(option, measure, fn)
  if not option then return fn() end
  local own = meter.new(option, false, { get = function()
    local received, total = measure()
    return 0, received, nil, total
  end })
  local result, err = own:beside(fn)
  own:finish()
  return result, err
end

return meter
