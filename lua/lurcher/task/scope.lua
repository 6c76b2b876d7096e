--- Scopes: tasks run in them, and a scope ends when all of its tasks have. Built on the scheduler's
--- primitives (`lurcher.native.task`).

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local native = require "lurcher.native.task"

local argument, method = check.argument, check.method
local error, xpcall = error, native.raw_xpcall
local new_native_scope, spawn, results, trace = native.scope, native.spawn, native.results, native.trace
local scope_wait, scope_failed = native.scope_wait, native.scope_failed
local cleanup, raise_if_stopping, locals = native.cleanup, native.raise_if_stopping, native.locals

---Flags of native.spawn. ISOLATED: its failure does not cancel the scope; BODY: it is the function of the
---scope.
local FLAGS = { ISOLATED = 1, BODY = 2 }

local scopes = { FLAGS = FLAGS }

---@class lurcher.Scope
---@field private native userdata
---@field private owner lurcher.Task the task that opened it
---@field private deferred? function[]
---@field private ended? boolean
local Scope = {}
Scope.__index = Scope

---@class lurcher.Task
---@field status "running"|"done"|"failed"|"canceled"
---@field id integer
---@field join fun(self: lurcher.Task): ... its results, or its error raised
---@field cancel fun(self: lurcher.Task, reason?: string)

---Starts a child task.
---@param fn function
---@param ... any its arguments
---@return lurcher.Task
function Scope:spawn(fn, ...)
  method(self, Scope, "scope:spawn")
  argument(fn, "callable", 1, "scope:spawn")
  if self.ended then errors.raise("this scope has ended: no task can be spawned in it") end
  return spawn(self.native, 0, fn, ...)
end

---Has `fn` called when the scope ends, after its tasks; the function deferred last is called first.
---@param fn function
function Scope:defer(fn)
  method(self, Scope, "scope:defer")
  argument(fn, "callable", 1, "scope:defer")
  if self.ended then errors.raise("this scope has ended: nothing can be deferred to its end") end
  local deferred = self.deferred
  if not deferred then
    deferred = {}
    self.deferred = deferred
  end
  deferred[#deferred + 1] = fn
end

---Opens a scope that `scopes.close` has to close. Raises in a cancelled task, and where it cannot wait,
---before anything is started.
---@return lurcher.Scope
function scopes.open()
  native.ready_to_wait()
  return setmetatable({ native = new_native_scope(), owner = native.current() }, Scope)
end

---Waits for all tasks, runs what was deferred, and raises the first error of either.
---@param self lurcher.Scope
---@param seconds? number then the tasks are cancelled
---@return boolean timed_out
function scopes.close(self, seconds)
  local timed_out = scope_wait(self.native, seconds)
  local deferred, failed, failure, where = self.deferred, false, nil, nil
  if deferred then
    cleanup(true)
    while #deferred > 0 do
      local ok, err, traceback = native.call_deferred(table.remove(deferred))
      if not ok and (failed or scope_failed(self.native)) then
        native.tell_hidden(err, traceback)
      elseif not ok then
        failed, failure, where = true, err, traceback
      end
    end
    cleanup(false)
  end
  self.ended = true
  local child = scope_failed(self.native)
  -- What failed is held by it, and may itself hold this scope as its body: such a ring is never collected.
  self.native = nil
  local ok, cancellation = native.raw_pcall(raise_if_stopping)
  if not ok then
    if child then native.tell_failed(child) end
    if failed then native.tell_hidden(failure, where, "warn") end
    error(cancellation, 0)
  end
  if child then results(child) end -- raises
  if failed then error(failure, 0) end
  return timed_out
end

-- The body of a scope runs as a child, so that the failure of another child can cancel it.
local function enter(self, fn, ...)
  locals().scope = self
  return fn(...)
end

---Calls a function as the body of an open scope, and closes that.
---@param self lurcher.Scope
---@param seconds? number
---@param fn function
---@param ... any its arguments
---@return lurcher.Task body it has ended
---@return boolean timed_out
function scopes.run(self, seconds, fn, ...)
  local body = spawn(self.native, FLAGS.BODY, enter, self, fn, ...)
  return body, scopes.close(self, seconds)
end

---Calls `fn(scope)`, waits for all tasks started in it, and returns what `fn` returned. The first child to
---fail cancels the others, and its error is raised.
---@param fn fun(scope: lurcher.Scope): ...
function scopes.scope(fn)
  argument(fn, "callable", 1, "task.scope")
  local self = scopes.open()
  return results((scopes.run(self, nil, fn, self)))
end

---Starts a child of the current scope: the innermost one that this task was spawned in or has opened.
---@param fn function
---@param ... any its arguments
---@return lurcher.Task
function scopes.spawn(fn, ...)
  argument(fn, "callable", 1, "task.spawn")
  return spawn(nil, 0, fn, ...)
end

---The running task; inside the function of a scope, the one that opened it.
---@return lurcher.Task
function scopes.current()
  local scope = native.body_scope()
  local handle = native.current()
  while scope do
    handle = scope.owner
    scope = native.body_scope(handle)
  end
  return handle
end

---Has `fn` called when the task ends, or the scope inside whose function this is called; last deferred, first
---called. Deferred functions may wait; they are not cancelled, but have 5 seconds in all.
---@param fn function
function scopes.defer(fn)
  argument(fn, "callable", 1, "task.defer")
  local scope = native.body_scope()
  if scope then return scope:defer(fn) end
  local own = locals()
  local deferred = own.deferred
  if not deferred then
    deferred = {}
    own.deferred = deferred
    native.needs_cleanup()
  end
  deferred[#deferred + 1] = fn
end

local function unshielded(ok, ...)
  native.shield(-1)
  if not ok then error((...), 0) end
  return ...
end

---Calls `fn` so that a cancellation does not reach it. It takes effect at the first wait afterwards.
---@param fn function
---@param ... any its arguments
function scopes.shield(fn, ...)
  argument(fn, "callable", 1, "task.shield")
  native.shield(1)
  return unshielded(xpcall(fn, trace, ...))
end

---The results of `fn`, or nil and an error of kind "timeout" when it took longer. It is cancelled then, and
---its clean-up waited for.
---@param seconds number|false false: no limit
---@param fn function
---@param ... any its arguments
function scopes.timeout(seconds, fn, ...)
  argument(seconds, "duration|false", 1, "task.timeout")
  argument(fn, "callable", 2, "task.timeout")
  local body, timed_out = scopes.run(scopes.open(), seconds or nil, fn, ...)
  if timed_out and body.status == "canceled" then
    return nil, errors.new {
      kind = "timeout", phase = "task", message = ("it took longer than %g s"):format(seconds),
    }
  end
  return results(body)
end

return scopes
