-- The prompt on a terminal of its own.
--
--   local prompt = prompting.start()
--   prompt:enter "1 + 1"                  -- "2\n", when the prompt is back
--   prompt:type "task.sl\t"               -- keys
--   prompt:wait "ep"                      -- … until that has been written
--   prompt:finish()                       -- Ctrl-D; its exit status
--
-- Every wait has the same limit, long enough for any machine.

local lurcher_process = require "lurcher.process"
local process = require "spec.support.process"
local task = require "lurcher.task"

local PATIENCE = 25

local prompting = {}

---What the prompt ends with, whenever it is ready.
prompting.READY = "\27[?2004h> "
prompting.MORE = "\27[?2004h>> "

local Prompt = {}
Prompt.__index = Prompt

-- Without what steers the terminal.
local function plain(text)
  return (text:gsub("\27%[[%d;?]*%a", ""):gsub("\r", ""))
end

prompting.plain = plain

---@param options? { arguments: string[], columns: integer, environment: table, ready: string }
function prompting.start(options)
  options = options or {}
  local environment = { PATH = os.getenv "PATH", HOME = os.getenv "HOME", TERM = "xterm", LC_ALL = "C.UTF-8",
    NO_COLOR = "1", ASAN_OPTIONS = os.getenv "ASAN_OPTIONS", LSAN_OPTIONS = os.getenv "LSAN_OPTIONS",
    XDG_STATE_HOME = "/dev/null" }
  for name, value in pairs(options.environment or {}) do environment[name] = value or nil end
  local arguments = { "spec/support/at_prompt.py", tostring(options.columns or 80), process.lurcher }
  for _, argument in ipairs(options.arguments or { "repl" }) do arguments[#arguments + 1] = argument end
  local child = assert(lurcher_process.start("/usr/bin/python3", arguments, { env = environment }))
  local prompt = setmetatable({ child = child, text = "", ready = options.ready or prompting.READY }, Prompt)
  prompt.greeting = plain(prompt:wait(prompt.ready))
  return prompt
end

---Waits until `text` has been written; what was written until then is returned, and forgotten.
function Prompt:wait(text)
  local all, err = task.timeout(PATIENCE, function()
    while not self.text:find(text, 1, true) do
      local piece = self.child:read()
      if not piece then error(("it ended while '%s' was awaited; there is: %s"):format(text, self.text), 0) end
      self.text = self.text .. piece
    end
    return self.text
  end)
  if not all then error(("'%s' did not come (%s); there is: %s"):format(text, tostring(err), self.text), 2) end
  local _, last = self.text:find(text, 1, true)
  local taken = self.text:sub(1, last)
  self.text = self.text:sub(last + 1)
  return taken
end

---Presses keys.
function Prompt:type(keys)
  assert(self.child:write(keys))
end

---Types a line and waits for the prompt; gives what was written in between.
function Prompt:enter(line)
  self:type(line .. "\r")
  self:wait "\27[?2004l"
  return (plain(self:wait(self.ready)):gsub("> $", ""))
end

function Prompt:resize(columns)
  assert(self.child:write(("\0%d\n"):format(columns)))
end

---Ctrl-D; its exit status, and what it wrote last.
function Prompt:finish()
  self:type "\4"
  local out = {}
  for piece in function() return self.child:read() end do out[#out + 1] = piece end
  return assert(self.child:wait()).status, plain(self.text .. table.concat(out))
end

return prompting
