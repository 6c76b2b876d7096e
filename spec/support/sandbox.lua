-- A directory and child processes for specs.

local sandbox = {}

local function quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

-- A fresh, empty directory; whoever asks for it removes it.
function sandbox.directory()
  local pipe = assert(io.popen("mktemp -d"))
  local path = pipe:read("*l")
  pipe:close()
  return assert(path, "mktemp failed")
end

-- Runs a shell command in which $1, $2, … stand for the further arguments. Its output (stderr only where the
-- command redirects it) and its exit status.
function sandbox.run(command, ...)
  local words = { quote(command), "sh" }
  for i = 1, select("#", ...) do words[#words + 1] = quote((select(i, ...))) end
  local pipe = assert(io.popen("sh -c " .. table.concat(words, " ") .. "; printf '\\n%d' $?"))
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.*)\n(%d+)$")
  return output, tonumber(status)
end

-- Starts a program in the background, given as a command like `run`'s; its output goes to the file `path`.
-- Returns a function that ends it (SIGTERM) and waits for that; it also ends with this process.
function sandbox.background(path, command, ...)
  local words = {}
  for i = 1, select("#", ...) do words[i] = quote((select(i, ...))) end
  local script = "set -- %s; (exec %s) >%s 2>&1 </dev/null & pid=$!; cat >/dev/null; kill $pid; wait $pid"
  local keeper = assert(io.popen(script:format(table.concat(words, " "), command, quote(path)), "w"))
  return function() keeper:close() end
end

local lurcher

-- The lurcher that runs the specs.
function sandbox.lurcher()
  lurcher = lurcher or (sandbox.run('readlink "/proc/$1/exe"', sandbox.pid()):gsub("\n$", ""))
  return lurcher
end

function sandbox.pid()
  local file = assert(io.open("/proc/self/stat"))
  local pid = file:read("*n")
  file:close()
  return pid
end

return sandbox
