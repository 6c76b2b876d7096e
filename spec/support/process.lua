-- Child processes and directories for specs, without blocking the runtime: other tasks of the spec, such as a
-- server, go on.
--
--   local ended = process.run({ "-e", "print(1)" })            -- the lurcher that runs the specs
--   local child = process.start({ path, url }, { stdin = "text" })
--   child:wait_for("ready\n")
--   child:kill("INT")
--   local ended = child:wait()                                 -- { status=, signal=, out=, err=, seconds= }
--   local out, status = process.shell('mkfifo "$1"', path)

local ffi = require "ffi"
local patience = require "spec.support.patience"
local task = require "lurcher.task"

-- One by one: what another support file declares differently is left as it is.
for declaration in ([[
  int setenv(const char *, const char *, int);
  int pipe2(int *, int);
  int fcntl(int, int, ...);
  int close(int);
  long read(int, void *, size_t);
  long write(int, const void *, size_t);
  int posix_spawn_file_actions_init(void *);
  int posix_spawn_file_actions_destroy(void *);
  int posix_spawn_file_actions_adddup2(void *, int, int);
  int posix_spawn_file_actions_addopen(void *, int, const char *, int, unsigned);
  int posix_spawnp(int *, const char *, const void *, const void *, const char *const *, char *const *);
  extern char **environ;
  int waitpid(int, int *, int);
  int kill(int, int);
  long readlink(const char *, char *, size_t);
  char *mkdtemp(char *);
]]):gmatch("[^\n;]+;") do
  pcall(ffi.cdef, declaration)
end
local C = ffi.C

local CLOEXEC, NONBLOCK, SETFL, NOHANG = 0x80000, 0x800, 4, 1
local SIGNALS = { INT = 2, KILL = 9, PIPE = 13, TERM = 15 }
local POLL_SECONDS = 0.002
local SIZE, READS = 65536, 16
local scratch = ffi.new("char[?]", SIZE)

local process = {}

---@class Child
---@field pid integer
---@field out string what it has printed so far
---@field err string
local Child = {}
Child.__index = Child

local function executable()
  local length = tonumber(C.readlink("/proc/self/exe", scratch, SIZE))
  return ffi.string(scratch, length)
end

---The command that runs the specs.
process.lurcher = executable()

local function pipe()
  local ends = ffi.new("int[2]")
  assert(C.pipe2(ends, CLOEXEC) == 0, "no more pipes")
  return ends[0], ends[1]
end

local function strings(list)
  local array = ffi.new("const char *[?]", #list + 1)
  for i, text in ipairs(list) do array[i - 1] = text end
  return array
end

---Whether all Lurchers that a spec starts search for leaks at their end, not the first one only.
process.always_search_leaks = false

-- With sanitizers the search takes nearly half of a small process's time, and what it could find differs more from
-- spec to spec than within one. So only the first one searches, unless the spec is about how processes end.
local searched = false
local function search_leaks_once(words)
  if searched or process.always_search_leaks then return end
  for _, word in ipairs(words) do
    if word == process.lurcher then
      C.setenv("ASAN_OPTIONS", (os.getenv "ASAN_OPTIONS" or "") .. ":detect_leaks=0", 1)
      searched = true
      return
    end
  end
end

---Starts the command with these arguments, or another one.
---@param arguments string[]
---@param options? { command: string, stdin: string, stdout: string } `stdin` is a text, `stdout` a path
---@return Child
function process.start(arguments, options)
  options = options or {}
  local words = { options.command or process.lurcher }
  for i, word in ipairs(arguments) do words[i + 1] = tostring(word) end
  local actions, pid = ffi.new("char[256]"), ffi.new("int[1]")
  local in_read, in_write = pipe()
  local out_read, out_write = pipe()
  local err_read, err_write = pipe()
  C.posix_spawn_file_actions_init(actions)
  C.posix_spawn_file_actions_adddup2(actions, in_read, 0)
  if options.stdout then
    C.posix_spawn_file_actions_addopen(actions, 1, options.stdout, 1, 0)
  else
    C.posix_spawn_file_actions_adddup2(actions, out_write, 1)
  end
  C.posix_spawn_file_actions_adddup2(actions, err_write, 2)
  local failed = C.posix_spawnp(pid, words[1], actions, nil, strings(words), C.environ)
  C.posix_spawn_file_actions_destroy(actions)
  search_leaks_once(words)
  for _, fd in ipairs { in_read, out_write, err_write } do C.close(fd) end
  assert(failed == 0, "cannot start " .. words[1])
  if options.stdin then C.write(in_write, options.stdin, #options.stdin) end
  C.close(in_write)
  for _, fd in ipairs { out_read, err_read } do C.fcntl(fd, SETFL, ffi.cast("int", NONBLOCK)) end
  return setmetatable({
    pid = pid[0], out = "", err = "", fds = { out = out_read, err = err_read }, started = task.now(),
  }, Child)
end

-- Takes what has arrived, some of it at a time: a child may write faster than this reads.
function Child:receive()
  for name, fd in pairs(self.fds) do
    local count
    for _ = 1, READS do
      count = tonumber(C.read(fd, scratch, SIZE))
      if count <= 0 then break end
      self[name] = self[name] .. ffi.string(scratch, count)
    end
    if count == 0 then self:close(name) end
  end
end

---Stops reading its "out" or "err": its next write fails.
---@param name string
function Child:close(name)
  C.close(self.fds[name])
  self.fds[name] = nil
end

---@param signal "INT"|"TERM"|"KILL"
function Child:kill(signal)
  C.kill(self.pid, SIGNALS[signal])
end

---Ends it, and leaves nothing of it behind.
function Child:finish()
  self:kill("KILL")
  self:wait()
end

-- Calls `done` until it gives something.
local function poll(self, what, done)
  local deadline = task.now() + patience
  while true do
    self:receive()
    local value = done()
    if value then return value end
    if task.now() > deadline then
      self:kill("KILL")
      error(("%s: nothing within %g s; it printed:\n%s%s"):format(what, patience, self.out, self.err), 3)
    end
    task.sleep(POLL_SECONDS)
  end
end

---Waits until it has printed `text` to `name` ("out" or "err", by default "out").
---@param text string
---@param name? string
function Child:wait_for(text, name)
  name = name or "out"
  poll(self, "waiting for '" .. text .. "'", function() return self[name]:find(text, 1, true) end)
end

---Waits for its end.
---@return { status: integer?, signal: integer?, out: string, err: string, seconds: number }
function Child:wait()
  local status = ffi.new("int[1]")
  poll(self, "waiting for its end", function() return C.waitpid(self.pid, status, NOHANG) == self.pid end)
  self:receive()
  for name in pairs(self.fds) do self:close(name) end
  local signal = status[0] % 128
  return {
    status = signal == 0 and math.floor(status[0] / 256) or nil, signal = signal ~= 0 and signal or nil,
    out = self.out, err = self.err, seconds = task.now() - self.started,
  }
end

---The path of a new script with this text, which is removed when the spec ends.
---@param text string
---@return string
function process.script(text)
  local name = os.tmpname()
  local path = name .. "_spec.lua"
  task.defer(function()
    os.remove(name)
    os.remove(path)
  end)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
  return path
end

---Starts the command and waits for its end.
---@param arguments string[]
---@param options? table see process.start
function process.run(arguments, options)
  return process.start(arguments, options):wait()
end

---Runs a shell command in which $1, $2, … stand for the further arguments, to its end.
---@param command string
---@param ... string
---@return string out stderr only where the command redirects it
---@return integer? status
function process.shell(command, ...)
  local ended = process.run({ "-c", command, "sh", ... }, { command = "sh" })
  return ended.out, ended.status
end

---A fresh, empty directory; whoever asks for it removes it.
---@return string
function process.directory()
  local template = (os.getenv "TMPDIR" or "/tmp") .. "/lurcher_spec_XXXXXX"
  local name = ffi.new("char[?]", #template + 1, template)
  assert(C.mkdtemp(name) ~= nil, "mkdtemp failed")
  return ffi.string(name)
end

return process
