--- What a spec left behind: what the runtime counts (tasks, files, servers, …), descriptors, processes, callbacks; each
--- with the line that made it, as far as it is known.

local descriptors = require "lurcher.command.test.descriptors"
local native = require "lurcher.native.task"
local processes = require "lurcher.command.test.processes"
local references = require "lurcher.command.test.references"
local task = require "lurcher.task"

local left = {}

local PAUSES = { 0.001, 0.001, 0.002, 0.004, 0.008, 0.016, 0.03, 0.06, 0.12, 0.25, 0.5 } -- seconds

-- The lines of the script that opened things of these kinds since `before`: which of them are left is not known.
local function opened(before, kinds)
  local lines, seen = {}, {}
  for _, text in ipairs(before.openings) do
    local kind, place = text:match "^(.-) (%S+:%d+)$"
    if kinds[kind] and not seen[text] then
      seen[text], lines[#lines + 1] = true, ("\n\t%s opened at %s"):format(kind, place)
    end
  end
  return table.concat(lines)
end

-- What the runtime counts, as "2 tasks, 1 server", and what the tasks wait for; nil when nothing is left.
local function counted(before)
  local names, kinds = {}, {}
  for name, count in pairs(native.counts()) do
    local more = count - (before.counts[name] or 0)
    if more > 0 then
      names[#names + 1], kinds[name] = ("%d %s%s"):format(more, name, more == 1 and "" or "s"), true
    end
  end
  table.sort(names)
  if #names == 0 then return nil end
  return table.concat(names, ", ") .. native.waiting(before.last_task) .. opened(before, kinds)
end

-- Descriptors belong to what is counted, where there is such.
local function found(before)
  local running, pids = processes.left(before.processes)
  local texts = { counted(before) or descriptors.left(before.descriptors, not running) }
  texts[#texts + 1] = running
  texts[#texts + 1] = references.left(before.references)
  return texts[1] and table.concat(texts, "\n"), pids
end

---What there is: a spec begins.
---@return table before
function left.snapshot()
  local before = { counts = native.counts(), last_task = native.last_id(), openings = {} }
  before.descriptors, before.processes, before.references = descriptors.now(), processes.now(), references.now()
  descriptors.begin()
  native.note_openings(before.openings)
  return before
end

---What there is now and was not before. Sockets and files are closed in a later turn of the loop, processes take a
---moment to end; those that do not are killed.
---@param before table what left.snapshot gave
---@return string?
function left.behind(before)
  local text, pids = found(before)
  for _, seconds in ipairs(PAUSES) do
    if not text then break end
    task.sleep(seconds)
    text, pids = found(before)
  end
  if pids then processes.kill(pids) end
  return text
end

---Begins to note what is opened and started.
---@param library table io
function left.watch(library)
  descriptors.watch(library)
  processes.watch()
end

return left
