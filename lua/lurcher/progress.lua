--- How far something is, on one line of the terminal, where there is one.
---    local bar = progress.bar { total = #urls, label = "fetching" }
---    for … do …; bar:add() end
---    bar:done()

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local progress_bar = require "lurcher.task.progress_bar"

local progress = {}

local bar_options = { total = "size|false", label = "string" }

---@param opts? { total?: number|false, label?: string }
---@return lurcher.ProgressBar
function progress.bar(opts)
  if opts == progress then errors.raise("call it with a dot: progress.bar{…}") end
  opts = check.options(opts, bar_options, "progress.bar") or {}
  return progress_bar.new(opts.total or nil, opts.label)
end

return progress
