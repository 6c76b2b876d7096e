--- `lurcher test`: runs busted inside the runtime. Every block (it, before_each, setup, …) runs in a task of its
--- own, so it may wait; an `it` that leaves tasks, connections or handles behind fails.

local native = require "lurcher.native.task"
local task = require "lurcher.task"

local test = {}

local blocks = {
  it = true, finally = true, before_each = true, after_each = true, setup = true, teardown = true,
  strict_setup = true, strict_teardown = true, lazy_setup = true, lazy_teardown = true,
}

-- What is open now and was not before, as "2 tasks, 1 server"; nil when nothing is.
local function left_over(before)
  local names = {}
  for name, count in pairs(native.counts()) do
    local more = count - (before[name] or 0)
    if more > 0 then names[#names + 1] = ("%d %s%s"):format(more, name, more == 1 and "" or "s") end
  end
  table.sort(names)
  return #names > 0 and table.concat(names, ", ") or nil
end

-- busted's `safe` runs every block; ours runs it as a child task, and waits for all that it started.
local function run_in_tasks(busted)
  local safe = busted.safe
  function busted.safe(descriptor, run, element)
    if not blocks[descriptor] or run ~= element.run and descriptor ~= "finally" then return safe(descriptor, run, element) end
    local before = descriptor == "it" and native.counts()
    local results, status
    local ok, err = pcall(task.scope, function()
      results = { safe(descriptor, run, element) }
      status = results[1]
    end)
    if not status or not status:success() then return unpack(results or {}) end
    if not ok then return safe(descriptor, function() error(err, 0) end, element) end
    local left = before and left_over(before)
    if left then
      local message = "the spec ended, but left open: " .. left
      return safe(descriptor, function() busted.fail(message) end, element)
    end
    return unpack(results)
  end
end

---@param ... string busted's options and paths
function test.run(...)
  arg = { [0] = "lurcher test", ... } -- luacheck: globals arg
  package.preload["busted.core"] = function()
    local path = assert(package.searchpath("busted.core", package.path))
    local chunk = assert(loadfile(path))
    -- It finds the position of a failure by counting levels, between which our pcall would be one too many.
    setfenv(chunk, setmetatable({ pcall = native.raw_pcall }, { __index = _G }))
    local make = chunk("busted.core")
    return function()
      local busted = make()
      run_in_tasks(busted)
      return busted
    end
  end
  -- busted ends a failed run with error() to spare finalizers; here the exit code is enough.
  require "busted.compatibility".exit = function(code)
    os.exit(code == 0 and 0 or 1)
  end
  require "busted.runner"({ standalone = false })
end

return test
