--- A task that runs beside a call for as long as that lasts, also while a streamed response is read.

local native = require "lurcher.native.task"
local scopes = require "lurcher.task.scope"

local raw_pcall = native.raw_pcall

local companion = {}

---@class lurcher.Companion
local Companion = {}
Companion.__index = Companion

---Starts `fn(...)`. Whoever starts one has to stop it.
---@param fn function
---@param ... any
---@return lurcher.Companion
function companion.start(fn, ...)
  local scope = scopes.open()
  return setmetatable({ scope = scope, task = scope:spawn(fn, ...) }, Companion)
end

---Cancels it, waits for its clean-up, and raises what it raised before.
function Companion:stop()
  local scope = self.scope
  if not scope then return end
  self.scope = nil
  self.task:cancel()
  scopes.close(scope)
end

local function stop_if_raised(self, ok, ...)
  if ok then return ... end
  self:stop()
  error((...), 0)
end

---Calls a function; when that raises, the companion is stopped.
---@param fn function
---@param ... any
---@return any ... what it returned
function Companion:beside(fn, ...)
  return stop_if_raised(self, raw_pcall(fn, ...))
end

return companion
