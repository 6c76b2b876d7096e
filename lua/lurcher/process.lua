--- Other programs, run without a shell and without blocking the loop.
---
---    local done = assert(process.run("git", { "log", "--oneline" }, { cwd = "/src", timeout = 10 }))
---    if done.status == 0 then print(done.stdout) end
---
--- A task that ends, however it ends, takes the processes it started along, with all that these started:
--- SIGTERM, and SIGKILL a second later.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local native = require "lurcher.native.process"
local owned = require "lurcher.task.owned"
local secret = require "lurcher.base.secret"
local task = require "lurcher.task"

local await = native.await

local process = {}

local MIB = 1024 * 1024
local READ_AHEAD = MIB -- of standard output, and the longest line
local MAX_OUTPUT = 64 * MIB
local OUTPUT, ERRORS = 1, 2
local STREAMS = { stdout = OUTPUT, stderr = ERRORS }
local SIGNALS = { HUP = 1, INT = 2, QUIT = 3, KILL = 9, USR1 = 10, USR2 = 12, PIPE = 13, ALRM = 14, TERM = 15,
  CONT = 18, STOP = 19 }

---@class lurcher.ProcessOptions
---@field stdin? string|lurcher.Secret|fun(): string? all that it reads: a text, or what an iterator gives
---@field env? table<string, string> its whole environment; default: this process's
---@field cwd? string the directory it runs in
---@field timeout? number seconds after which it is stopped
---@field max_output? integer bytes of each stream that are gathered, default 64 MiB

---@class lurcher.ProcessResult
---@field status? integer what it ended with; 0 means that all went well
---@field signal? integer the number of the signal that ended it instead
---@field stdout string
---@field stderr string

---@class lurcher.Process
---@field pid integer
local Process = { __name = "lurcher.Process" }
Process.__index = Process

function Process:__tostring()
  return ("lurcher.Process %d of %s"):format(self.pid, self.command)
end

-- ---- ending ----

local function has_ended(self)
  local status, signal, timed_out = self.native:result()
  if timed_out == nil then return false end
  self.status, self.signal, self.timed_out = status, signal, timed_out
  return true
end

-- The task ends: so do its processes.
local function stop_all(open)
  for one in pairs(open) do one.native:stop() end
  for one in pairs(open) do
    while not has_ended(one) do await(one.native) end
    one.native:release()
  end
end

local own = owned.registry(stop_all)

local function disown(self)
  self.open_set[self] = nil
end

-- ---- starting ----

local function text_or_secret(value)
  if type(value) == "string" or secret.is(value) then return nil end
  return "a string"
end

local function check_no_nul(text, what)
  if text:find("\0", 1, true) then errors.raise(what .. " cannot contain a NUL byte") end
  return text
end

local function check_arguments(command, args, what)
  check.argument(command, "string", 1, what)
  check.argument(args, "table|nil", 2, what)
  if command == "" then errors.raise(what .. ": the command is empty") end
  local list = { check_no_nul(command, "a command") }
  for i, value in ipairs(args or {}) do
    value = secret.reveal(value)
    if type(value) == "number" then value = tostring(value) end
    if type(value) ~= "string" then
      errors.raise(("%s: argument %d must be a string, got %s"):format(what, i, check.shown(value)))
    end
    list[i + 1] = check_no_nul(value, "an argument")
  end
  for key in pairs(args or {}) do
    if type(key) ~= "number" or list[key + 1] == nil then
      errors.raise(("%s: the arguments are a list of strings, without gaps; options come third"):format(what))
    end
  end
  return list
end

local function environment_list(env)
  local list = {}
  for name, value in pairs(env) do
    value = secret.reveal(value)
    if type(name) ~= "string" or name == "" or name:find("[=%z]") or type(value) ~= "string" then
      errors.raise "option 'env' must be a map of names to strings"
    end
    list[#list + 1] = name .. "=" .. check_no_nul(value, "a variable")
  end
  table.sort(list)
  return list
end

local function input_mismatch(value)
  if value == false or not text_or_secret(value) or not check.mismatch(value, "callable") then return nil end
  return "a string or an iterator"
end

local OPTIONS = { stdin = input_mismatch, env = "table", cwd = "string", timeout = "limit|false",
  max_output = "size|huge" }

-- A line for a shell was given.
local function shell_hint(command, what)
  local words = {}
  for word in command:sub(1, 200):gmatch("%S+") do words[#words + 1] = word end
  if #words < 2 then return "" end
  return ("; there is no shell: give the arguments as a list, %s(%q, { %q … })"):format(what, words[1], words[2])
end

local function start(command, args, opts, has_input, read_ahead, what)
  local list = check_arguments(command, args, what)
  opts = check.options(opts, OPTIONS, what) or {}
  local max = math.min(opts.max_output or MAX_OUTPUT, 2 ^ 53)
  local handle, err = native.start(list, opts.env and environment_list(opts.env),
    opts.cwd and check_no_nul(opts.cwd, "a directory"), has_input, opts.timeout or nil, read_ahead or max + 1,
    max + 1)
  if not handle then
    if err.code == "ENOENT" then err.message = err.message .. shell_hint(command, what) end
    return nil, err
  end
  local self = setmetatable({ native = handle, pid = handle:id(), command = command, max_output = max,
    timeout = opts.timeout, gathered = { { bytes = 0 }, { bytes = 0 } } }, Process)
  self.open_set = own(self)
  return self
end

-- Sends a whole input, or what an iterator gives; whether somebody reads it to the end is the process's
-- business. An iterator that fails ends the process.
local function feed(self, input)
  local piece, err = input, nil
  if not text_or_secret(input) then
    self:write(input)
  else
    repeat
      piece, err = input()
      if piece ~= nil and text_or_secret(piece) then
        error(("the iterator of stdin gave a %s, not a string"):format(type(piece)), 0)
      end
    until piece == nil or not self:write(piece)
  end
  if piece == nil and err ~= nil then
    self.input_failure = err
    self.native:stop()
  end
  self:close_stdin()
end

---Starts a command, found by PATH unless there is a "/" in its name.
---@param command string
---@param args? (string|number|lurcher.Secret)[] each arrives as it is: there is no shell
---@param opts? lurcher.ProcessOptions without `stdin`, `:write` is for that
---@return lurcher.Process?
---@return lurcher.Error? err kind "file" when it cannot be run
function process.start(command, args, opts)
  local self, err = start(command, args, opts, true, READ_AHEAD, "process.start")
  if not self then return nil, err end
  local input = opts and opts.stdin
  if input then task.spawn(feed, self, input) end
  return self
end

-- ---- reading and writing ----

---Writes to its standard input; waits while it does not read.
---@param text string|lurcher.Secret
---@return true? ok
---@return lurcher.Error? err kind "file" when it reads no more
function Process:write(text)
  check.method(self, Process, "process:write")
  check.argument(text, text_or_secret, 1, "process:write")
  local handle = self.native
  handle:write(secret.reveal(text))
  while true do
    local unwritten, code, reason = handle:unwritten()
    if code then
      return nil, errors.new { kind = "file", code = code,
        message = ("'%s' reads no more: %s (%s)"):format(self.command, reason, code) }
    end
    if unwritten == 0 then return true end
    await(handle)
  end
end

---Nothing more will be written: it reads the end.
---@return true
function Process:close_stdin()
  check.method(self, Process, "process:close_stdin")
  self.native:close_stdin()
  return true
end

local function check_stream(stream, position, what)
  check.argument(stream, "nil|'stdout'|'stderr'", position, what)
  return STREAMS[stream or "stdout"]
end

---The next bytes of its output: as many as are there, at most `size`; nil at the end.
---@param size? integer default 64 KiB
---@param stream? "stdout"|"stderr" default "stdout"
---@return string?
function Process:read(size, stream)
  check.method(self, Process, "process:read")
  check.argument(size, "nil|count", 1, "process:read")
  local number = check_stream(stream, 2, "process:read")
  local handle = self.native
  while true do
    local bytes = handle:take(number, size or 65536)
    if bytes then return bytes end
    local left, ended = handle:left(number)
    if ended and left == 0 then return nil end
    await(handle)
  end
end

---Iterates over the lines of its output, without their ends (LF or CRLF). A line above 1 MiB raises kind
---"too_large".
---@param stream? "stdout"|"stderr" default "stdout"
---@return fun(): string?
function Process:lines(stream)
  check.method(self, Process, "process:lines")
  local number = check_stream(stream, 1, "process:lines")
  local handle = self.native
  return function()
    while true do
      local line = handle:take_line(number, false)
      if line then return line end
      local left, ended = handle:left(number)
      if ended then return (handle:take_line(number, true)) end
      if left >= READ_AHEAD then
        error(errors.new { kind = "too_large", limit = READ_AHEAD, observed = left,
          message = ("'%s' wrote a line of more than %d bytes"):format(self.command, READ_AHEAD) }, 0)
      end
      await(handle)
    end
  end
end

-- ---- waiting ----

-- Takes what is there; returns how much was taken so far.
local function gather(self, number)
  local pieces = self.gathered[number]
  while true do
    local bytes = self.native:take(number, 65536)
    if not bytes then return pieces.bytes end
    pieces[#pieces + 1], pieces.bytes = bytes, pieces.bytes + #bytes
  end
end

local function all_ended(handle)
  local _, output_ended = handle:left(OUTPUT)
  local _, errors_ended = handle:left(ERRORS)
  return output_ended and errors_ended
end

-- What it says until both streams end, or nil and how much it was when it was too much. All who wait get all
-- of it, whoever of them took it.
local function gather_all(self)
  local handle = self.native
  while true do
    local most = math.max(gather(self, OUTPUT), gather(self, ERRORS))
    if most > self.max_output then return nil, most end
    if all_ended(handle) or self.timed_out then break end
    await(handle)
    if has_ended(self) and self.timed_out then break end
  end
  return table.concat(self.gathered[OUTPUT]), table.concat(self.gathered[ERRORS])
end

---Waits until it has ended and closed its output. Whoever waits again gets the same.
---@return lurcher.ProcessResult? result with the output that was not read yet
---@return lurcher.Error? err kind "timeout" when its time was up, "too_large" for more than max_output
function Process:wait()
  check.method(self, Process, "process:wait")
  local output, complaints = gather_all(self)
  if not output then self.native:stop() end
  while not has_ended(self) do await(self.native) end
  disown(self)
  if not output then
    return nil, errors.new { kind = "too_large", limit = self.max_output, observed = complaints,
      message = ("'%s' wrote more than %d bytes"):format(self.command, self.max_output) }
  elseif self.input_failure ~= nil then
    return nil, self.input_failure
  elseif self.timed_out then
    local err = errors.new { kind = "timeout", phase = "total",
      message = ("'%s' was stopped after %g s"):format(self.command, self.timeout) }
    err.stdout, err.stderr = output, complaints
    return nil, err
  end
  return { status = self.status, signal = self.signal, stdout = output, stderr = complaints }
end

---Signals it and what it started.
---@param signal? string|integer "TERM" (the default), "INT", "KILL", … or a number
---@return true
function Process:kill(signal)
  check.method(self, Process, "process:kill")
  check.argument(signal, "nil|string|count", 1, "process:kill")
  local number = signal or "TERM"
  if type(number) == "string" then
    local name = number:upper():gsub("^SIG", "")
    number = SIGNALS[name]
    if not number then errors.raise("process:kill: " .. check.unknown(name, SIGNALS, "signal")) end
  end
  self.native:signal(number)
  return true
end

---Runs a command to its end.
---@param command string
---@param args? (string|number|lurcher.Secret)[] each arrives as it is: there is no shell
---@param opts? lurcher.ProcessOptions without `stdin` there is nothing to read
---@return lurcher.ProcessResult? result a status that is not 0 is no error
---@return lurcher.Error? err kind "file" when it cannot be run; see also `:wait`
function process.run(command, args, opts)
  local input = type(opts) == "table" and opts.stdin or nil
  local self, err = start(command, args, opts, input ~= nil and input ~= false, nil, "process.run")
  if not self then return nil, err end
  if not input then return self:wait() end
  local ok, result, failure = pcall(task.scope, function(scope)
    local feeder = scope:spawn(feed, self, input)
    local result, failure = self:wait()
    feeder:cancel()
    return result, failure
  end)
  if ok then return result, failure end
  self.native:stop()
  error(result, 0)
end

return process
