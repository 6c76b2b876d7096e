-- Scripts in a process whose C library does something else than usual: a library put before it.

local process = require "spec.support.process"
local task = require "lurcher.task"

local preload = {}

---Compiles a C file to such a library. Gives its path; it is removed when the spec ends.
---@param source string path
---@return string
function preload.compile(source)
  local directory = process.directory()
  task.defer(function() process.shell('rm -r "$1"', directory) end)
  local library = directory .. "/library.so"
  local output, status = process.shell('cc -shared -fPIC -D_GNU_SOURCE -o "$1" "$2" -ldl 2>&1', library, source)
  assert(status == 0, output)
  return library
end

---Runs the command with such a library. Gives what process.run gives.
---@param library string path
---@param variables string[] "NAME=value"
---@param arguments string[]
function preload.run_with(library, variables, arguments)
  local words = { "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0", "LD_PRELOAD=" .. library }
  for _, variable in ipairs(variables) do words[#words + 1] = variable end
  words[#words + 1] = process.lurcher
  for _, argument in ipairs(arguments) do words[#words + 1] = argument end
  return process.run(words, { command = "env" })
end

---Compiles a C file to such a library and runs a script with it. Gives what process.run gives.
---@param source string path
---@param script string
---@param ... string arguments of the script
function preload.run(source, script, ...)
  return preload.run_with(preload.compile(source), {}, { process.script(script), ... })
end

return preload
