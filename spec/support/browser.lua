-- Pages as a real browser sees them: headless Chromium, with a profile of its own that goes with the spec.

local process = require "spec.support.process"
local task = require "lurcher.task"

local browser = {}

local FLAGS = { "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync" }

---The document after its scripts have run, as text.
---@param path string of a file
---@return string
function browser.document(path)
  local profile = os.tmpname()
  os.remove(profile)
  task.defer(function() os.execute("rm -rf " .. profile) end)
  local arguments = { unpack(FLAGS) }
  for _, argument in ipairs { "--user-data-dir=" .. profile, "--dump-dom", "file://" .. path } do
    arguments[#arguments + 1] = argument
  end
  local ended = process.run(arguments, { command = "chromium" })
  assert(ended.status == 0, ended.err)
  return ended.out
end

return browser
