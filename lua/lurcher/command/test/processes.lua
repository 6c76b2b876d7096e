--- The processes that a spec left behind: children of this one, and what these started, also when that has gone to
--- another parent. These are known by a variable of their environment.

local system = require "lurcher.command.test.system"

local processes = {}

local VARIABLE = "LURCHER_TEST_RUN"
local CHILDREN = ("/proc/self/task/%d/children"):format(system.pid)
local MAX_WORDS = 100 -- bytes of a command line
local MAX_ANCESTORS = 100

local mark = ("%s=%d."):format(VARIABLE, system.pid)
local scanned -- { key=, found= }: a look through all processes takes milliseconds

---Marks all processes that are started from now on.
function processes.watch()
  mark = ("%s=%d.%x"):format(VARIABLE, system.pid, os.time())
  system.set_variable(VARIABLE, mark:match "=(.*)$")
end

-- Changes when a child was started or has ended.
local function key() return system.read(CHILDREN) .. ";" .. system.ended() end

local function parent_of(pid) return tonumber(system.read(("/proc/%d/stat"):format(pid)):match "%) %a (%d+)") end

local function is_marked(pid)
  return ("\0" .. system.read(("/proc/%d/environ"):format(pid)) .. "\0"):find("\0" .. mark .. "\0", 1, true) ~= nil
end

local function look()
  local found = {}
  for pid in system.read(CHILDREN):gmatch "%d+" do found[tonumber(pid)] = true end
  for _, pid in ipairs(system.numbers "/proc") do
    if pid ~= system.pid and not found[pid] and is_marked(pid) then found[pid] = true end
  end
  return found
end

---The processes of this run.
---@return table<integer, true>
function processes.now()
  local present = key()
  if not scanned or scanned.key ~= present then scanned = { key = present, found = look() } end
  return scanned.found
end

-- A server that was there before may start workers.
local function descends(pid, before)
  for _ = 1, MAX_ANCESTORS do
    if before[pid] then return true end
    pid = parent_of(pid)
    if not pid or pid <= 1 or pid == system.pid then return false end
  end
  return false
end

local EXITING, KILL = 0x4, 0x100 -- flags of a process; a set of signals

-- Also one that was killed and has not gone yet: as it goes with the process that started it.
local function is_dead(pid)
  local state, flags = system.read(("/proc/%d/stat"):format(pid)):match "%) (%a) %S+ %S+ %S+ %S+ %S+ (%d+)"
  if not state or state:find "[ZX]" or bit.band(tonumber(flags), EXITING) ~= 0 then return true end
  local pending = system.read(("/proc/%d/status"):format(pid)):match "\nShdPnd:%s*(%x+)"
  return bit.band(tonumber(pending or "0", 16), KILL) ~= 0
end

local function grown(before)
  local list = {}
  if scanned and scanned.found == before and scanned.key == key() then return list end
  scanned = nil
  for pid in pairs(processes.now()) do
    if not descends(pid, before) and not is_dead(pid) then list[#list + 1] = pid end
  end
  table.sort(list)
  return list
end

---Those that run and did not before.
---@param before table<integer, true>
---@return string? text
---@return integer[]? pids
function processes.left(before)
  local lines, list = {}, grown(before)
  for i, pid in ipairs(list) do
    local words = system.read(("/proc/%d/cmdline"):format(pid)):gsub("%z", " ")
    lines[i] = ("process %d, %s"):format(pid, words:sub(1, MAX_WORDS):gsub(" $", ""))
  end
  if not list[1] then return nil end
  return table.concat(lines, "\n"), list
end

---Ends them.
---@param pids integer[]
function processes.kill(pids)
  for _, pid in ipairs(pids) do system.kill(pid) end
  scanned = nil
end

return processes
