--- What lur_summary gives a host: a text of what requests did so far.

local summary = {}

local function recording()
  return require("lurcher.recorder").recording()
end

function summary.stats(columns)
  return require("lurcher.stats").text(columns)
end

function summary.explain(columns, colours)
  return require("lurcher.explain").text(recording(), columns, colours)
end

function summary.html()
  return require("lurcher.report").html(recording())
end

function summary.prometheus()
  return require("lurcher.metrics").prometheus()
end

return summary
