--- Structured concurrency: tasks run in scopes, and a scope ends when all of its tasks have.

local native = require "lurcher.native.task"
local scopes = require "lurcher.task.scope"
local stream = require "lurcher.task.stream"
local sync = require "lurcher.task.sync"
local together = require "lurcher.task.together"

return {
  ---Waits so many seconds; math.huge: until the task is cancelled.
  ---@type fun(seconds: number)
  sleep = native.sleep,
  ---Lets other tasks run.
  ---@type fun()
  yield = native.yield,
  ---The time in seconds on a clock that is never set back.
  ---@type fun(): number
  now = native.now,

  scope = scopes.scope, spawn = scopes.spawn, current = scopes.current, defer = scopes.defer,
  shield = scopes.shield, timeout = scopes.timeout,

  all = together.all, race = together.race, any = together.any, map = together.map, stream = stream,

  semaphore = sync.semaphore, queue = sync.queue, event = sync.event, limiter = sync.limiter,
}
