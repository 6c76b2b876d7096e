--- Run once when a runtime opens: makes Lua's own functions fit for tasks. Waiting works inside pcall,
--- coroutines and modules being required, and a cancellation cannot be swallowed.

-- luacheck: globals pcall xpcall load loadstring loadfile dofile require print coroutine os pairs next

local native = require "lurcher.native.task"

local raw_pcall, raw_xpcall, error = pcall, xpcall, error
local raw_create, raw_resume, raw_yield = coroutine.create, coroutine.resume, coroutine.yield
local raw_status, raw_running, raw_isyieldable = coroutine.status, coroutine.running, coroutine.isyieldable
local raw_load, raw_loadfile, raw_loadstring, type, select = load, loadfile, loadstring, type, select
local tostring, concat, find, sub, getinfo = tostring, table.concat, string.find, string.sub, debug.getinfo
local current, wake, suspend = native.current, native.wake, native.suspend
local raise_if_stopping, refuse, note = native.raise_if_stopping, native.refuse, native.note
local tag, guard, is_outermost = native.tag, native.guard, native.is_outermost

-- ---- chance ----

math.randomseed(native.unit() * 2 ^ 53) -- LuaJIT's own seed is the same in each process
local ipairs, remove, sort = ipairs, table.remove, table.sort
local getmetatable, setmetatable, package = getmetatable, setmetatable, package
local loaded = package.loaded -- a script that puts another table there has no other modules for that

-- ---- what is compiled ----

-- LuaJIT compiles a loop after 56 turns. That takes some 200 µs, the first time with the mapping of memory for it, and
-- many scripts, and hosts with a runtime for each job, make one request: they had their start compiled, and no more.
-- A turn saves some tenths of a microsecond.
require("jit.opt").start("hotloop=300")

-- ---- pcall: a cancellation goes on when the function has unwound ----

local depth = 0 -- of coroutines around the running code; 0 while none is resumed

local function unwound()
  depth = 0
end

local function checked(ok, ...)
  if not ok then
    if depth > 0 and is_outermost() then unwound() end
    raise_if_stopping((...))
  end
  return ok, ...
end

function pcall(fn, ...)
  return checked(raw_pcall(fn, ...))
end

function xpcall(fn, handler, ...)
  return checked(raw_xpcall(fn, guard and guard(handler) or handler, ...))
end

-- For those who clean up and raise again themselves.
native.raw_pcall, native.raw_xpcall = raw_pcall, raw_xpcall

-- ---- pairs: every loop sees every entry ----

-- Debian 12's LuaJIT ends a compiled `for … in pairs(t)` around another such loop after its first entry, from
-- some moment on for ever (LuaJIT issue 827). It does so only with its own `next`, which it gives a bytecode
-- of its own.
local raw_next = next

local function refuse_table(t, name)
  error(("bad argument #1 to '%s' (table expected, got %s)"):format(name, type(t)), 3)
end

function next(t, key)
  if type(t) ~= "table" then refuse_table(t, "next") end
  return raw_next(t, key)
end

local visible_next = next

function pairs(t)
  if type(t) ~= "table" then refuse_table(t, "pairs") end
  return visible_next, t, nil
end
local pairs = pairs

-- ---- coroutines: a wait inside one is passed up to the scheduler ----

-- Each level costs C stack, and LuaJIT does not check it.
local MAX_DEPTH = native.nest_limit(190)

-- An error between counting and resuming (the stack is full) leaves `depth` too high, until what resumed this
-- coroutine goes on, or the task catches it or ends.
native.set_unwound(unwound)

local waiting = setmetatable({}, { __mode = "k" }) -- coroutines inside which a task waits

local function resume(co, ...)
  depth = depth + 1
  return co, raw_resume(co, ...)
end

local function resume_waiting(co, ...)
  waiting[co] = nil
  return resume(co, ...)
end

local pass

-- What a coroutine gave to one that is `before` deep: results, or a wait that all coroutines around must pass on.
local function passed(before, co, ok, value, ...)
  depth = before
  if value == tag and ok then return pass(before, co, ...) end
  return ok, value, ...
end

function pass(before, co, ...)
  if not raw_isyieldable() then
    refuse()
    return passed(before, resume(co))
  end
  waiting[co] = true
  return passed(before, resume_waiting(co, raw_yield(tag, ...)))
end

local function start(co, ...)
  if depth >= MAX_DEPTH then
    native.too_deep()
    return false, ("coroutines are nested more than %d deep"):format(MAX_DEPTH)
  end
  if waiting[co] then return false, "cannot resume a coroutine in which another task waits" end
  return passed(depth, resume(co, ...))
end

local function refuse_type(name, wanted, value)
  error(("bad argument #1 to '%s' (%s expected, got %s)"):format(name, wanted, type(value)), 3)
end

function coroutine.resume(co, ...)
  if type(co) ~= "thread" then refuse_type("resume", "coroutine", co) end
  return checked(start(co, ...))
end

local function unwrapped(co, ok, ...)
  if ok then return ... end
  local err = ...
  note(err, co)
  error(err, 0) -- no tail call: it would hide who called the generator in tracebacks
end

function coroutine.wrap(fn)
  if type(fn) ~= "function" then refuse_type("wrap", "function", fn) end
  local co = raw_create(fn)
  return function(...) return unwrapped(co, start(co, ...)) end
end

function coroutine.yield(...)
  if depth == 0 then error("attempt to yield from outside a coroutine", 2) end
  return raw_yield(...)
end

-- As on Lua's main thread, so that nobody can resume a task from outside.
function coroutine.running()
  return depth > 0 and raw_running() or nil
end

function coroutine.status(co)
  return waiting[co] and "normal" or raw_status(co)
end

---Raises in a cancelled task, and where it cannot wait, before anything is begun.
function native.ready_to_wait()
  if depth == 0 then native.checkpoint() else native.yield() end
end

function coroutine.isyieldable()
  return depth > 0 and raw_isyieldable()
end

-- ---- loading: a chunk or module may wait while it runs ----

-- What is named as our own code would not be interrupted, nor shown in reports.
local function plain_name(name)
  return type(name) == "string" and sub(name, 1, 9) == "@lurcher/" and "@./" .. sub(name, 2) or name
end

local function load_named(chunk, name, ...)
  return raw_load(chunk, plain_name(name), ...)
end

function loadstring(text, ...)
  if select("#", ...) == 0 then return raw_loadstring(text) end
  return raw_loadstring(text, plain_name((...)))
end

local function plain_path(path)
  return type(path) == "string" and sub(path, 1, 8) == "lurcher/" and "./" .. path or path
end

function loadfile(path, ...)
  return raw_loadfile(plain_path(path), ...)
end

local function load_as_named(chunk, ...)
  return raw_load(chunk, ...)
end

function load(chunk, ...)
  if type(chunk) ~= "function" then
    if select("#", ...) == 0 then return raw_load(chunk) end
    return load_named(chunk, ...)
  end
  local pieces = {}
  while true do
    local piece = chunk()
    if piece == nil or piece == "" then break end
    if type(piece) ~= "string" then return nil, "reader function must return a string" end
    pieces[#pieces + 1] = piece
  end
  local name = ...
  return load_named(concat(pieces), name or "=(load)", select(2, ...))
end

function dofile(path)
  local chunk, message = raw_loadfile(plain_path(path))
  if not chunk then error(message, 0) end
  return chunk()
end

local loading = {} -- name -> { task = its loader, waiters = tasks }
-- What C opened is opened once, also where a script has emptied package.loaded: it would make its classes anew.
local natives = { ["lurcher.native.task"] = native }
local awaited = {} -- task -> the name it waits for

-- Whether `task` waits, perhaps through others, for a module that `me` is loading.
local function waits_for(task, me)
  while task do
    if task == me then return true end
    local entry = loading[awaited[task]]
    task = entry and entry.task
  end
  return false
end

local function wait_for(name, entry)
  local me = current()
  if not me or waits_for(entry.task, me) then
    error(("loop or previous error loading module '%s'"):format(name), 0)
  end
  entry.waiters[#entry.waiters + 1] = me
  awaited[me] = name
  local woken = suspend("another task that requires the same module")
  awaited[me] = nil
  if not woken then
    for i = #entry.waiters, 1, -1 do
      if entry.waiters[i] == me then remove(entry.waiters, i) end
    end
    raise_if_stopping()
  end
end

local load_module, load_own
local modules -- native: those that are compiled in

-- Names of the public modules, "http" for lurcher.http: those that are in no folder.
local function public_modules()
  local names = {}
  for module in pairs(modules.names()) do
    names[#names + 1] = module:match("^lurcher%.([^.]+)$")
  end
  sort(names)
  return names
end

local function raise(...)
  load_own("lurcher.base.errors").raise(concat { ... })
end

-- What helps after a name that is none of ours: the public module it is near to, or all of them.
local function hint_for(name)
  local names, own = public_modules(), name:match("^lurcher%.?(.*)$")
  if not own then return ":" end
  local folder = own:match("^([^.]+)%.")
  for _, public in ipairs(names) do
    if public == folder then return ("; the module is 'lurcher.%s':"):format(public) end
  end
  local near = load_own("lurcher.base.check").suggest(own, names)
  if near then return ("; did you mean 'lurcher.%s'?:"):format(near) end
  return ": there are lurcher." .. concat(names, ", lurcher.")
end

-- Where the runtime itself asks, its own modules are found whatever a script has done to `package`.
local function find_loader(name, is_ours)
  local own = is_ours and modules and modules.loader(name)
  if own then return own end
  local messages = {}
  for _, searcher in ipairs(package.loaders) do
    local loader = searcher(name)
    if type(loader) == "function" then return loader end
    if type(loader) == "string" then messages[#messages + 1] = loader end
  end
  raise("module '", name, "' not found", hint_for(name), concat(messages))
end

-- Has the functions of a public module raise where they are misspelt.
local function guard_module(module, name)
  if getmetatable(module) ~= nil then return end
  setmetatable(module, { __index = function(self, key)
    return load_own("lurcher.base.strict").missing(self, key, name)
  end })
end

-- Modules of the runtime get load_own as their `require`: see scripts/embed.lua.
local function run_loader(name, loader, entry)
  local ok, value = raw_xpcall(loader, native.trace, name, modules and modules.has(name) and load_own or nil)
  loading[name] = nil
  for _, waiter in ipairs(entry.waiters) do
    wake(waiter)
  end
  if not ok then
    raise_if_stopping()
    error(value, 0)
  end
  if value ~= nil then loaded[name] = value end
  if find(name, "^lurcher%.native%.") then natives[name] = value end
  local public = type(value) == "table" and name:match("^lurcher%.([^.]+)$")
  if public then guard_module(value, public) end
  if loaded[name] == nil then loaded[name] = true end
  return loaded[name]
end

-- require without a look at who asks.
function load_module(name, is_ours)
  while true do
    local module = loaded[name]
    if module == nil then module = natives[name] end
    if module ~= nil then return module end
    local entry = loading[name]
    if not entry then break end
    wait_for(name, entry)
  end
  local entry = { task = current(), waiters = {} }
  loading[name] = entry
  local ok, loader = raw_pcall(find_loader, name, is_ours)
  if not ok then
    loading[name] = nil
    error(loader, 0)
  end
  return run_loader(name, loader, entry)
end

function load_own(name)
  return loaded[name] or load_module(name, true)
end

-- A runtime loads some fifty modules at its start, and no more in a loop: traces of this take longer than they save.
for _, fn in ipairs { find_loader, run_loader, load_module, load_own } do jit.off(fn) end

modules = load_module "lurcher.native.modules"
local offered = modules.offered
debug.getregistry()["lurcher.require"] = load_own -- for C

-- Modules in a folder are for our own code, which is told by the names of its chunks.
local internals_are_open = false

---Lets every chunk require what is in a folder: for specs of the runtime itself.
function native.open_internals()
  internals_are_open = true
end

-- Whether `require` was called by a script; perhaps through pcall, which is C's or ours.
local function is_called_by_script()
  local level = 3
  while true do
    local info = getinfo(level, "S")
    if not info then return true end
    local source = info.source
    if info.what ~= "C" and source ~= "@lurcher/task/prelude.lua" then return sub(source, 1, 9) ~= "@lurcher/" end
    level = level + 1
  end
end

-- Raises for a module in a folder, and names the public one that it belongs to.
local function refuse_internal(name)
  local is_native, folder = name:find("^lurcher%.native%."), name:match("^lurcher%.([^.]+)")
  if not (is_native or modules.has(name)) then return end
  if is_native then folder = name:match("^lurcher%.native%.(.*)$") end
  local names = public_modules()
  for _, public in ipairs(names) do
    if public == folder then
      raise("module '", name, "' is internal; scripts use 'lurcher.", public, "'")
    end
  end
  raise("module '", name, "' is internal; scripts use lurcher.", concat(names, ", lurcher."))
end

local ask_module -- where the host has a say

function require(name)
  if type(name) ~= "string" then name = tostring(name) end
  if ask_module then ask_module(name) end
  if find(name, "^lurcher%.[^.]+%.") and not internals_are_open and is_called_by_script() then
    refuse_internal(name)
  end
  return load_module(name)
end

-- ---- the end of a task: deferred functions, last first ----

---A deferred function failed, but what ended the task is another error, or was before: nobody else will tell.
---@param err any
---@param traceback string
---@param level? "error"|"warn" default "error"
function native.tell_hidden(err, traceback, level)
  if type(err) == "table" and err.kind == "canceled" then return end -- the time for clean-up was over
  local task, uncaught = load_own("lurcher.task.scope").current(), load_own("lurcher.base.uncaught")
  uncaught.log(level or "error", task and task.id, "clean-up failed, too", uncaught.text(err), traceback)
end

---A child failed, but what is raised is the cancellation of the task that waits for it.
---@param child lurcher.Task
function native.tell_failed(child)
  load_own("lurcher.base.uncaught").tell(child)
end

---Calls what was deferred.
---@param fn function
---@return boolean ok
---@return any err
---@return string? traceback
function native.call_deferred(fn)
  local traceback
  local ok, err = raw_xpcall(fn, function(raised)
    traceback = load_own("lurcher.base.uncaught").traceback()
    return native.trace(raised)
  end)
  return ok, err, traceback
end

native.set_cleanup(function(locals, has_failed)
  local stream_scope = locals.stream_scope
  if stream_scope then
    native.scope_cancel(stream_scope, true)
    native.scope_wait(stream_scope)
  end
  local deferred, failure = locals.deferred, nil
  while deferred and #deferred > 0 do
    local ok, err, traceback = native.call_deferred(remove(deferred))
    if not ok and (has_failed or failure ~= nil) then
      native.tell_hidden(err, traceback)
    elseif not ok then
      failure = err
    end
  end
  native.cleanup(false)
  return failure
end)

-- ---- handles ----

function native.methods:join()
  native.join(self)
  return native.results(self)
end

native.methods.cancel = native.cancel

-- ---- what goes to the host ----

function print(...)
  local texts = { ... }
  local count = select("#", ...)
  for i = 1, count do
    texts[i] = tostring(texts[i])
  end
  native.print(concat(texts, "\t", 1, count) .. "\n")
end

-- What modules have to bring to an end before the process ends: it may wait.
native.exit_hooks = {}

function os.exit(code)
  if code == nil or code == true then code = 0 elseif code == false then code = 1 end
  if type(code) ~= "number" then error("os.exit: the status must be a number or a boolean", 2) end
  for _, hook in ipairs(native.exit_hooks) do native.raw_pcall(hook) end
  native.exit(code)
end

-- ---- the time of day, which in a virtual run is that run's ----

local raw_time, raw_date, floor = os.time, os.date, math.floor

function os.time(parts)
  if parts == nil then return floor(native.time()) end
  return raw_time(parts)
end

function os.date(format, moment)
  return raw_date(format, moment or floor(native.time()))
end

-- As Lua's own, but for names as ours have.
package.loaders[2] = function(name)
  local path, missing = package.searchpath(name, package.path)
  if not path then return missing end
  local loader, message = raw_loadfile(plain_path(path))
  if not loader then error(("error loading module '%s' from file '%s':\n\t%s"):format(name, path, message), 0) end
  return loader
end

-- ---- what the host permits ----

if native.asks() then
  local permissions = load_own "lurcher.task.permissions"
  permissions.install()
  ask_module = permissions.ask_module
end

-- ---- where modules come from ----

-- What the host has for scripts comes before any file; the others keep their places.
local preloaded = package.loaders[1]
package.loaders[1] = function(name)
  local loader = preloaded(name)
  if type(loader) == "function" then return loader end
  local source, chunk_name, mode = offered(name)
  if not source then return loader end
  local compiled, message = raw_load(source, plain_name(chunk_name), mode)
  if not compiled then raise("error loading module '", name, "' of the host:\n\t", message) end
  return compiled
end

-- ---- what the runtime's own modules see ----

-- The globals and libraries as they are now: what a script replaces in its own changes nothing for us.
local own = {}
for name, value in raw_next, _G do
  own[name] = value
  if type(value) == "table" and value ~= _G and value ~= package then
    own[name] = {}
    for key, member in raw_next, value do own[name][key] = member end
  end
end
own.load, own.loadstring, own.loadfile = load_as_named, raw_loadstring, raw_loadfile
debug.getregistry()["lurcher.environment"] = own

-- Methods of texts are the same for all; what a script adds to its `string` is a method as well.
getmetatable("").__index = setmetatable(own.string, { __index = string })
