--- How far something is, on one line of the terminal, where there is one.
---    local bar = progress.bar { total = #urls, label = "fetching" }
---    for … do …; bar:add() end
---    bar:done()

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local progress_bar = require "lurcher.task.progress_bar"
local rows = require "lurcher.base.rows"

local progress = {}

local OPTIONS = rows.of("progress.bar", "lurcher.BarOptions", {
  { "total", check = "size|false", help = "how many there are; without it there is no share and no time left",
    example = "total = #urls" },
  { "label", check = "string", help = "what stands at the beginning of the line",
    example = 'label = "fetching"' },
})

---@param opts? lurcher.BarOptions
---@return lurcher.ProgressBar
function progress.bar(opts)
  if opts == progress then errors.raise("call it with a dot: progress.bar{…}") end
  opts = check.options(opts, OPTIONS, "progress.bar") or {}
  return progress_bar.new(opts.total or nil, opts.label)
end

return progress
