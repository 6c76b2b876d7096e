--- What lur_summary gives a host: a text of what requests did so far.

local summary = {}

local function recording()
  return require("lurcher.report.recorder").recording()
end

function summary.stats(columns)
  return require("lurcher.report.stats").text(columns)
end

function summary.explain(columns, colours)
  return require("lurcher.report.explain").text(recording(), columns, colours)
end

function summary.html()
  return require("lurcher.report.html").html(recording())
end

function summary.prometheus()
  return require("lurcher.metrics").prometheus()
end

return summary
