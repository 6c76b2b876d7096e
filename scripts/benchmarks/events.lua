-- Server-sent events: a million of them, read from nginx.

local EVENTS = 1000000

local function write_events(path)
  local file = assert(io.open(path, "wb"))
  for i = 1, EVENTS do
    file:write(("id: %d\nevent: update\ndata: {\"id\":%d,\"name\":\"item %d\",\"price\":12.5}\n\n"):format(i, i, i))
  end
  file:close()
end

return function(bench)
  local nginx = bench.nginx()
  write_events(nginx.directory .. "/www/events")
  local runs = {}
  for round = 1, bench.rounds() do
    bench.progress("events: round %d", round)
    runs[round] = bench.run(("%s %sevents.lua %s/events %d"):format(bench.lurcher, bench.scripts, nginx.http, EVENTS))
  end
  nginx:stop()
  local row = bench.medians(runs, { "wall_s", "cpu_s", "rss_mb" })
  row.name, row.failure = "lurcher", runs[1].failure
  row.rate = row.wall_s and EVENTS / row.wall_s
  bench.report("events", "a million server-sent events", {
    { "", "name", "%s" }, { "events/s", "rate", "%.0f" }, { "CPU s", "cpu_s", "%.3f" }, { "wall s", "wall_s", "%.3f" },
    { "peak MB", "rss_mb", "%.1f" },
  }, { row })
end
