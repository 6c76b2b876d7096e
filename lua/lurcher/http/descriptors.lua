--- File descriptors, where there are few: what uploads and downloads open waits for the end of others, as requests
--- do for their sockets.

local native = require "lurcher.native.http"
local task = require "lurcher.task"

local descriptors = {}

local PAUSE = 0.02 -- seconds between two tries …
local PATIENCE = 250 -- … and how many there are while no request runs that could end
local PLACE = 4 -- descriptors: of a download's lock, its part, its socket, and for a moment of what is noted of it
local MAX_PLACES = 2 ^ 20

local holding = 0 -- requests that run, but wait here themselves
local places, turnstile, size

local function is_starved(err)
  return type(err) == "table" and (err.code == "EMFILE" or err.code == "ENFILE")
end

local function pause(holds)
  holding = holding + holds
  local ok, raised = pcall(task.sleep, PAUSE)
  holding = holding - holds
  if not ok then error(raised, 0) end
end

---Calls a function that opens files until it does not fail for want of descriptors, or nobody is left who could
---give some back.
---@param holds integer requests of the caller's own that run meanwhile
---@param fn function returns nil, err when it failed
---@param ... any its arguments
---@return any ... what fn returned
function descriptors.patiently(holds, fn, ...)
  local idle = 0
  while true do
    local result, err, more = fn(...)
    if result or not is_starved(err) then return result, err, more end
    idle = native.out_of_descriptors() > holding + holds and 0 or idle + 1
    if idle > PATIENCE then return nil, err end
    pause(holds)
  end
end

---Takes the descriptors that a download needs before it opens the first: many that had only some would wait for each
---other.
---@param parts integer
---@return fun() give_back
function descriptors.reserve(parts)
  if not places then
    size = math.max(1, math.min(MAX_PLACES, math.floor(native.spare_descriptors() / PLACE)))
    places, turnstile = task.semaphore(size), task.semaphore(1)
  end
  local taken, wanted = 0, math.min(size, math.ceil((parts + 1) / 2))
  local function give_back()
    for _ = 1, taken do places:release() end
    taken = 0
  end
  local ok, raised = pcall(turnstile.with, turnstile, function()
    while taken < wanted do
      places:acquire()
      taken = taken + 1
    end
  end)
  if ok then return give_back end
  give_back()
  error(raised, 0)
end

return descriptors
