--- The prompt: what a line does once it is typed. The line editor is C (runtime/cli/repl.c), which calls the functions
--- below: `enter` in a task of its own for each entry, the others outside of tasks.

local chunk = require "lurcher.command.repl.chunk"
local errors = require "lurcher.base.errors"
local modules = require "lurcher.native.modules"
local native = require "lurcher.native.task"

local repl = {}

local MAX_ENTRIES = 2000 -- that are kept for :save

---@class lurcher.repl.Host what C gives
---@field finished fun() the entry has ended: the prompt comes back
---@field trace fun(on: boolean)
---@field end_line fun() what was printed last gets the newline that it lacks
---@field columns fun(): integer
---@field pages fun(): table<string, string> of the manual, by name
---@field list fun(folder: string): string[] names in a folder; those of folders end with "/"
---@field write fun(path: string, data: string): string? what went wrong

local session

-- The entry that the prompt waits for: its task, and whether its function has ended.
local entry

-- ---- what entries see ----

-- A public module, at the prompt; nil: there is none of that name.
local function module(name)
  if type(name) ~= "string" or not modules.names()["lurcher." .. name] then return nil end
  local found = require("lurcher." .. name)
  return name == "http" and found.raising() or found
end

local function find_global(globals, name)
  local found = module(name)
  if found ~= nil then rawset(globals, name, found) end
  return found
end

-- What io.write writes goes where print goes: above the line that is edited.
local function redirect_io()
  local visible, out = _G.io, io.stdout
  local raw = visible.write
  local file_methods = debug.getmetatable(out).__index
  local raw_method = file_methods.write
  local function written(file, ...)
    for i = 1, select("#", ...) do
      local value = select(i, ...)
      if type(value) ~= "string" and type(value) ~= "number" then return raw_method(file, ...) end
    end
    native.print(table.concat { ... })
    return true
  end
  visible.write = function(...)
    if visible.output() ~= out then return raw(...) end
    return written(out, ...)
  end
  function file_methods.write(file, ...)
    if file ~= out then return raw_method(file, ...) end
    return written(file, ...)
  end
end

-- A handler that is being stopped does not run: it could go on for ever.
local function guard_handlers()
  local inner, stopping = _G.xpcall, native.stopping
  rawset(_G, "xpcall", function(fn, handler, ...)
    if type(handler) ~= "function" then return inner(fn, handler, ...) end
    return inner(fn, function(err)
      if stopping() then return err end
      return handler(err)
    end, ...)
  end)
end

---Prepares the session.
---@param host lurcher.repl.Host
---@param has_colours boolean
function repl.open(host, has_colours)
  jit.off() -- compiled loops cannot be interrupted
  jit.flush()
  local palette = require "lurcher.command.show.palette"
  session = chunk.session()
  session.host, session.entries, session.module, session.list = host, {}, module, host.list
  session.held = {}
  session.style = setmetatable({ colours = has_colours and palette.coloured or palette.plain },
    { __index = function(_, name) return name == "columns" and host.columns() or nil end })
  setmetatable(_G, { __index = find_global })
  redirect_io()
  guard_handlers()
end

-- ---- entries ----

local function show(value)
  session.host.end_line()
  native.print(require("lurcher.command.repl.print").value(value, session.style) .. "\n")
end

-- Shows what an expression gave; the first is its value.
local function shown(...)
  local count = select("#", ...)
  while count > 1 and select(count, ...) == nil do count = count - 1 end
  for i = 1, count do show((select(i, ...))) end
  if (...) ~= nil then rawset(session.env, "_", (...)) end
  return count > 0, ...
end

local function is_task(value) return debug.getmetatable(value) == debug.getregistry()["lurcher.task"] end

local function run_command(line)
  session.shown, session.commands = shown, require("lurcher.command.repl.commands")
  local output = session.commands.run(session, line)
  if output then native.print((output:gsub("\n*$", "\n"))) end
end

local function run_code(text)
  local fn, result = chunk.compile(session, text)
  if not fn then error(result, 0) end
  local was_shown, value = shown(fn())
  if is_task(value) then was_shown = false end -- what was started, not what is to be looked at
  local entries = session.entries
  if #entries < MAX_ENTRIES then
    entries[#entries + 1] = { text = text, is_expression = was_shown, is_nil = value == nil }
  end
  require("lurcher.command.repl.secrets").hold(entries, session.held)
end

local function failed(text, err)
  session.host.end_line()
  if errors.is_error(err) and err.kind == "canceled" and native.stopping() then
    native.print "interrupted\n"
    return
  end
  local colours = session.style.colours
  local line = require("lurcher.command.repl.print").failure(err, text:find("\n") ~= nil)
  native.print(("%serror:%s %s\n"):format(colours.bad, colours.off, line))
end

-- Calls fn(text, …) for an entry, in the running task, and tells the line editor when it is done. The task begins with
-- the functions of this module as its globals.
local function enter(fn, text, ...)
  setfenv(0, _G)
  local mine = { task = native.current() }
  entry = mine
  local ok, err = native.raw_pcall(fn, text, ...)
  mine.is_over = true
  if entry ~= mine then return end -- the prompt did not wait
  if not ok then failed(text, err) end
  entry = nil
  session.host.finished()
end

---Does what was typed.
---@param text string
function repl.enter(text)
  enter(text:sub(1, 1) == ":" and run_command or run_code, text)
end

---Runs a script before the first line: its globals stay.
---@param source string
---@param path string
---@param ... string its arguments
function repl.enter_script(source, path, ...)
  enter(function(text, ...)
    local fn, message = load((text:gsub("^#[^\n]*", "")), "@" .. path, "t", _G)
    if not fn then error(message, 0) end
    fn(...)
  end, source, ...)
end

-- ---- what the line editor asks ----

---Whether a text goes on in the next line.
---@param text string
---@return boolean
function repl.wants_more(text)
  if text:sub(1, 1) == ":" then return text:find("^:%s*curl%f[%A]") ~= nil and text:sub(-1) == "\\" end
  return select(3, chunk.compile({ env = {}, locals = {} }, text)) == true
end

---@param line string what stands before the cursor
---@return string insertion
---@return string listing
function repl.complete(line)
  local complete = require "lurcher.command.repl.complete"
  session.commands = require("lurcher.command.repl.commands").names()
  session.topics = function()
    local names = {}
    for name in pairs(session.host.pages()) do names[#names + 1] = name end
    return names
  end
  return complete.press(line, session, session.style.columns)
end

---Whether the history may hold an entry.
---@param text string
---@return boolean
function repl.keeps(text)
  return require("lurcher.command.repl.history").keeps(text)
end

---Gives up what the entry waits for.
function repl.cancel()
  if entry then entry.task:cancel "Ctrl-C" end
end

---The prompt comes back without the entry, which goes on to its end.
function repl.leave()
  entry = nil
end

-- Seconds: a task that holds the loop for longer is stopped by Ctrl-C, whoever it belongs to; code of the runtime
-- itself is left so much time to come to an end.
local HELD, OWN_CODE = 0.02, 0.025

---Asked between two instructions once Ctrl-C was pressed: the error to be raised there, or nil.
---@param held number seconds for which the running task has held the loop
---@param since number seconds since Ctrl-C
---@param was_running boolean a task ran when it was pressed
---@param is_own boolean the code that runs is the runtime's own
---@return lurcher.Error?
function repl.interrupt(held, since, was_running, is_own)
  local running = native.current()
  if not running then return nil end
  local is_entry = entry and running == entry.task and not entry.is_over
  if not (is_entry and was_running) and held < HELD then return nil end
  running:cancel "Ctrl-C"
  if is_own and since < OWN_CODE then return nil end
  return errors.new { kind = "canceled", message = "the task was cancelled: Ctrl-C" }
end

return repl
