--- `lurcher test --watch`: runs again whenever a Lua file below the working folder has changed.

local fs = require "lurcher.fs"
local process = require "lurcher.process"
local task = require "lurcher.task"

local watch = {}

local PAUSE = 0.3 -- seconds
local MAX_PAUSES = 20
local MAX_DEPTH = 20

local function add(marks, folder, depth)
  for _, entry in ipairs(fs.list(folder, { details = true }) or {}) do
    local path = folder .. "/" .. entry.name
    if entry.type == "directory" and entry.name:sub(1, 1) ~= "." and depth < MAX_DEPTH then
      add(marks, path, depth + 1)
    elseif entry.name:find "%.lua$" then
      marks[#marks + 1] = ("%s %s %s"):format(path, entry.size, entry.modified)
    end
  end
end

---What tells the present files from changed ones.
---@param folder string
---@return string
function watch.marks(folder)
  local marks = {}
  add(marks, folder, 1)
  return table.concat(marks, "\n")
end

-- Several files are saved at once, and an editor writes, removes and renames: that is one change.
local function settled(folder, marks)
  for _ = 1, MAX_PAUSES do
    task.sleep(PAUSE)
    local now = watch.marks(folder)
    if now == marks then break end
    marks = now
  end
  return marks
end

---Waits until a file was changed, added or removed.
---@param folder string
---@param before string what watch.marks gave
---@return string marks
function watch.change(folder, before)
  while true do
    local now = watch.marks(folder)
    if now ~= before then return settled(folder, now) end
    task.sleep(PAUSE)
  end
end

---Runs the specs, and again after each change, until a signal ends it.
---@param words string[] what `lurcher test` was given, without --watch
function watch.run(words)
  local marks = watch.marks "."
  while true do
    local opts = { timeout = false, max_output = 2 ^ 30 }
    local ended, err = process.run("/proc/self/exe", { "test", unpack(words) }, opts)
    io.stdout:write(ended and ended.stdout .. ended.stderr or tostring(err) .. "\n")
    io.stdout:write "waiting for a change (Ctrl-C ends it)\n"
    io.stdout:flush()
    marks = watch.change(".", marks)
  end
end

return watch
