local native = require "lurcher.native.task"
local task = {}
task.sleep, task.yield, task.now, task.current = native.sleep, native.yield, native.now, native.current
function task.spawn(fn, ...) return native.spawn(nil, 0, fn, ...) end
function task.scope(fn)
  local s = native.scope()
  local body = native.spawn(s, 2, fn)
  native.scope_wait(s)
  native.raise_if_stopping()
  local failed = native.scope_failed(s)
  return native.results(failed or body)
end
return task
