-- Peak memory of walks through paged lists of different length: it must not grow with the length.

local servers = require "spec.support.servers"

-- Name, items, with a checkpoint and without duplicates.
local ROWS = {
  { "10,000 items", 10000 },
  { "100,000 items", 100000 },
  { "1,000,000 items", 1000000 },
  { "10,000 items, checkpoint, dedupe", 10000, true },
  { "1,000,000 items, checkpoint, dedupe", 1000000, true },
}

return function(bench)
  local server = servers.command("pages_server", function(port)
    local command = "taskset -c %d %s %spages_server.lua %d"
    return command:format(bench.server_core, bench.lurcher, bench.scripts, port)
  end)
  local rows = {}
  for _, wanted in ipairs(ROWS) do
    local name, count = wanted[1], wanted[2]
    if bench.wanted(name) then
      bench.progress("pages: %s", name)
      local checkpoint = wanted[3] and os.tmpname() or ""
      local command = "%s %spages.lua %s %d %s"
      local row = bench.run(command:format(bench.lurcher, bench.scripts, server.http, count, checkpoint), 600)
      os.remove(checkpoint)
      row.name, row.output, row.log = name, nil, nil
      row.rate = row.wall_s and row.items and row.items / row.wall_s
      row.cpu_us = row.cpu_s and row.items and row.cpu_s / row.items * 1e6
      rows[#rows + 1] = row
    end
  end
  server:stop()
  bench.report("pages", "Paged lists, 100 items a page, two pages ahead", {
    { "", "name", "%s" }, { "peak MB", "rss_mb", "%.1f" }, { "items/s", "rate", "%.0f" },
    { "CPU us/item", "cpu_us", "%.2f" }, { "wall s", "wall_s", "%.2f" },
  }, rows)
end
