--- `lurcher test --jobs=N`: each file of specs in a process of its own, N at once. What they print is shown file by
--- file; TAP and JUnit become one document.

local fs = require "lurcher.fs"
local options = require "lurcher.command.test.options"
local process = require "lurcher.process"
local task = require "lurcher.task"

local jobs = {}

local COMMAND = "/proc/self/exe"
local MAX_OUTPUT = 2 ^ 30
local MAX_DEPTH = 40

-- Adds the files of specs in a folder, by name.
local function add_files(list, folder, depth)
  for _, entry in ipairs(fs.list(folder, { details = true }) or {}) do
    local path = folder .. "/" .. entry.name
    if entry.type == "directory" and entry.name:sub(1, 1) ~= "." and depth < MAX_DEPTH then
      add_files(list, path, depth + 1)
    elseif entry.name:find "_spec.*%.lua$" then
      list[#list + 1] = path
    end
  end
end

---The files that paths name: `spec` when there are none.
---@param paths string[]
---@return string[]
function jobs.files(paths)
  local list = {}
  for _, path in ipairs(paths[1] and paths or { "spec" }) do
    if fs.list(path) then add_files(list, (path:gsub("(.)/+$", "%1")), 1) else list[#list + 1] = path end
  end
  return list
end

-- ---- what they print, as one ----

local Sum = {}
Sum.__index = Sum

local PLAIN = "^(%d+) success%w* / (%d+) failures? / (%d+) errors? / (%d+) pending : [%d.]+ seconds"

local SUITE, ENTITIES = "a broken process", { ["<"] = "&lt;", ["&"] = "&amp;", ["'"] = "&apos;" }

function Sum:plain(text)
  for line in text:gmatch "[^\n]*\n?" do
    local counts = { line:match(PLAIN) }
    if counts[1] then self.ended = true end
    for i, count in ipairs(counts) do self.counts[i] = self.counts[i] + tonumber(count) end
    if not counts[1] then self.out:write(line) end
  end
end

function Sum:tap(text)
  for line in text:gmatch "[^\n]+" do
    local word, rest = line:match "^(n?o?t? ?ok) %d+(.*)$"
    if word then
      self.tests = self.tests + 1
      line = ("%s %d%s"):format(word, self.tests, rest)
    end
    if line:find "^%d+%.%.%d+$" then self.ended = true else self.out:write(line, "\n") end
  end
end

function Sum:junit(text)
  for suite in text:gmatch "<testsuite .-</testsuite>" do
    self.suites[#self.suites + 1], self.ended = suite, true
  end
end

-- A process that ended before it had told all: that counts as an error.
function Sum:broken(file)
  local why = file .. ": the process ended before its specs had"
  if self.kind == "tap" then
    self.tests = self.tests + 1
    self.out:write(("not ok %d - %s\n"):format(self.tests, why))
  elseif self.kind == "junit" then
    local suite = "<testsuite name='%s' tests='1' errors='1' failures='0' skip='0'>"
      .. "<testcase name='%s'><error>ended early</error></testcase></testsuite>"
    self.suites[#self.suites + 1] = suite:format(SUITE, (why:gsub("[<&']", ENTITIES)))
  else
    self.counts[3] = self.counts[3] + 1
  end
end

function Sum:finish(seconds)
  if self.kind == "tap" then
    self.out:write(("1..%d\n"):format(self.tests))
  elseif self.kind == "junit" then
    self.out:write('<?xml version="1.0" encoding="UTF-8" ?>\n<testsuites>\n', table.concat(self.suites, "\n"),
      "\n</testsuites>\n")
  else
    local c = self.counts
    self.out:write(("%d successes / %d failures / %d errors / %d pending : %.2f seconds\n")
      :format(c[1], c[2], c[3], c[4], seconds))
  end
end

local KINDS = { TAP = "tap", junit = "junit" }

-- Where the last line tells that all ran.
local TELLS_END = { plainTerminal = true, TAP = true, junit = true }

-- Runs one file; what went wrong beyond its specs is told.
local function run_one(given, file)
  local words = { "test" }
  for _, word in ipairs(given) do words[#words + 1] = word end
  words[#words + 1] = file
  local ended, err = process.run(COMMAND, words, { timeout = false, max_output = MAX_OUTPUT })
  if not ended then return { stdout = "", stderr = tostring(err) .. "\n", failed = true } end
  if ended.signal then
    ended.stderr = ended.stderr .. ("%s: ended by signal %s\n"):format(file, ended.signal)
  end
  ended.failed = ended.status ~= 0
  return ended
end

---Runs them; gives the exit status.
---@param words string[] busted's options and paths
---@param count integer processes at once
---@param streams? lurcher.command.Streams
---@return integer status
function jobs.run(words, count, streams)
  local out, err = streams and streams.out or io.stdout, streams and streams.err or io.stderr
  local given, paths, output = options.split(words)
  if not output then given[#given + 1] = "--output=plainTerminal" end
  local kind = KINDS[output] or "plain"
  local sum = setmetatable({ out = out, counts = { 0, 0, 0, 0 }, tests = 0, suites = {}, kind = kind }, Sum)
  local status, before = 0, task.now()
  local function run(file) return run_one(given, file) end
  local all = jobs.files(paths)
  for at, ended in task.stream(all, run, { concurrency = count }) do
    sum.ended = not TELLS_END[output or "plainTerminal"]
    sum[kind](sum, ended.stdout)
    err:write(ended.stderr)
    if not sum.ended then
      sum:broken(all[at])
      err:write(all[at], ": the process ended before its specs had\n")
    end
    if ended.failed or not sum.ended then status = 1 end
  end
  sum:finish(task.now() - before)
  return status
end

return jobs
