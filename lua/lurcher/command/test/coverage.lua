--- `lurcher test --coverage`: which lines ran, in the format of LuaCov's luacov.stats.out.
---
--- Lines are counted by a hook, which compiled code does not call: so the compiler is off. Counted are files below the
--- working folder, without specs.

local coverage = {}

local STATS = "luacov.stats.out"

local counts = {} -- by file: by line: how often

-- The name of a chunk's file as it is told; false: it is not counted.
local function file_of(source)
  local path = source:match "^@(.*)$"
  if not path or path:find "^/" or path:find "_spec%.lua$" or path:find "^lurcher/" or path:find "^%.%./" then
    return false
  end
  path = path:gsub("^%./", "")
  local file = io.open(path)
  if file then file:close() end
  return file and path or false
end

local files = {}

local function count(_, line)
  local source = debug.getinfo(2, "S").source
  local lines = files[source]
  if lines == nil then
    local path = file_of(source)
    if path then counts[path] = counts[path] or { most = 0 } end
    lines = path and counts[path] or false
    files[source] = lines
  end
  if not lines then return end
  lines[line] = (lines[line] or 0) + 1
  if line > lines.most then lines.most = line end
end

---Begins to count.
function coverage.start()
  require("jit").off()
  debug.sethook(count, "l")
end

local function sorted_paths()
  local paths = {}
  for path in pairs(counts) do paths[#paths + 1] = path end
  table.sort(paths)
  return paths
end

-- The lines that close a block only: they run, but LuaCov's report leaves them out, too.
local function closing_lines(path)
  local closing, number = {}, 0
  local file = io.open(path)
  if not file then return closing end
  for line in file:lines() do
    number = number + 1
    closing[number] = line:find "^%s*end[%s,;)}]*$" ~= nil
  end
  file:close()
  return closing
end

-- How many lines hold code, by the functions of a file.
local function count_active(path, closing)
  local util = require "jit.util"
  local active, total = {}, 0
  local function add(fn)
    for at = 1, util.funcinfo(fn).bytecodes - 1 do
      local line = util.funcinfo(fn, at).currentline
      if line and not active[line] and not closing[line] then active[line], total = true, total + 1 end
    end
    for i = -1, -2 ^ 16, -1 do
      local constant = util.funck(fn, i)
      if constant == nil then break end
      if type(constant) == "proto" then add(constant) end
    end
  end
  local chunk = loadfile(path)
  if chunk then add(chunk) end
  return total
end

---Ends it: writes the file, and returns lines for a person: each file with the part of its lines that ran.
---@return string[]
function coverage.finish()
  debug.sethook()
  local out, report = assert(io.open(STATS, "w")), {}
  for _, path in ipairs(sorted_paths()) do
    local lines, numbers, ran, closing = counts[path], {}, 0, closing_lines(path)
    for line = 1, lines.most do
      numbers[line] = lines[line] or 0
      if lines[line] and not closing[line] then ran = ran + 1 end
    end
    -- A blank behind each number, the last one too: LuaCov does not take a number without.
    out:write(("%d:%s\n%s \n"):format(lines.most, path, table.concat(numbers, " ")))
    local total = math.max(count_active(path, closing), ran)
    local part = total > 0 and 100 * ran / total or 100
    report[#report + 1] = ("%5.1f%%  %d of %d lines  %s"):format(part, ran, total, path)
  end
  out:close()
  return report
end

return coverage
