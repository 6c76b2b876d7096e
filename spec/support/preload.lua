-- Scripts in a process whose C library does something else than usual: a library put before it.

local process = require "spec.support.process"
local task = require "lurcher.task"

local preload = {}

---Compiles a C file to such a library and runs a script with it. Gives what process.run gives.
---@param source string path
---@param script string
---@param ... string arguments of the script
function preload.run(source, script, ...)
  local directory = process.directory()
  task.defer(function() process.shell('rm -r "$1"', directory) end)
  local library = directory .. "/library.so"
  local output, status = process.shell('cc -shared -fPIC -D_GNU_SOURCE -o "$1" "$2" -ldl 2>&1', library, source)
  assert(status == 0, output)
  return process.run({
    "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0", "LD_PRELOAD=" .. library, process.lurcher,
    process.script(script), ...,
  }, { command = "env" })
end

return preload
