--- The descriptors that a spec left open: files, folders, devices and pipes. Sockets are not told: connections are
--- kept for the next request, and others are counted by the runtime.

local system = require "lurcher.command.test.system"

local descriptors = {}

local FOLDER = "/proc/self/fd"
local NULL_DEVICE = "/dev/null" -- libuv keeps one
local MAX_SHOWN = 10

local notes = {} -- who opened a file by Lua's own library, newest last

local function note(what)
  local caller = debug.getinfo(3, "Sl")
  if not caller then return end
  notes[#notes + 1] = { what = tostring(what), place = caller.short_src .. ":" .. caller.currentline }
end

-- A tail call: messages about wrong arguments name the line of the spec.
local function noting(fn, what)
  return function(...)
    note(what or (...))
    return fn(...)
  end
end

---Lets Lua's library note which line opens what.
---@param library table io
function descriptors.watch(library)
  for _, name in ipairs { "open", "lines", "input", "output" } do library[name] = noting(library[name]) end
  library.popen, library.tmpfile = noting(library.popen, "pipe"), noting(library.tmpfile, "tmpfile")
end

---What is open, by number.
---@return table<integer, string>
function descriptors.now()
  local open = {}
  for _, number in ipairs(system.numbers(FOLDER)) do
    local target = system.link(FOLDER .. "/" .. number)
    if target and target ~= NULL_DEVICE and (target:find "^/" or target:find "^pipe:") then open[number] = target end
  end
  return open
end

---Forgets the notes: a spec begins.
function descriptors.begin() notes = {} end

local function place_of(target)
  for i = #notes, 1, -1 do
    local what = notes[i].what
    local path = what:gsub("^%./", "")
    if target:sub(-#path) == path or target:find "^pipe:" and what == "pipe"
      or target:find "%(deleted%)$" and what == "tmpfile" then
      return "\n\topened at " .. notes[i].place
    end
  end
  return ""
end

local function grown(before)
  local list = {}
  for number, target in pairs(descriptors.now()) do
    if before[number] ~= target then list[#list + 1] = number end
  end
  table.sort(list)
  return list
end

-- Compiled code refers to the iterator of io.lines that it saw.
local function close_forgotten(before)
  collectgarbage()
  if not grown(before)[1] then return end
  require("jit").flush()
  collectgarbage()
  collectgarbage()
end

---Those that are open and were not before; files that nobody has any more are closed first. (The end of a pipe waits
---for its process, so not while one runs.)
---@param before table<integer, string>
---@param collects boolean
---@return string? text
function descriptors.left(before, collects)
  if not grown(before)[1] then return nil end
  if collects then close_forgotten(before) end
  local lines, list, now = {}, grown(before), descriptors.now()
  for i, number in ipairs(list) do
    if i > MAX_SHOWN then
      lines[#lines + 1] = ("and %d descriptors more"):format(#list - MAX_SHOWN)
      break
    end
    local target = now[number] or "closed meanwhile"
    lines[#lines + 1] = ("descriptor %d, %s%s"):format(number, target, place_of(target))
  end
  return list[1] and table.concat(lines, "\n") or nil
end

return descriptors
