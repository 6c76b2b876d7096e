-- WebSocket: messages echoed by a server of plain C, beside node's ws; and 10,000 connections that do nothing.

local SHAPES = { { 64, 1 }, { 64, 16 }, { 1, 64 } }

return function(bench)
  local server = bench.websocket_server()
  local url = server.http:gsub("^http", "ws") .. "/"
  local messages = bench.options.quick and 200000 or 500000
  local rows = {}
  for _, shape in ipairs(SHAPES) do
    local arguments = ("%s %d %d %d"):format(url, shape[1], shape[2], messages)
    local pair = {
      { name = "lurcher", command = ("%s %swebsocket.lua echo %s"):format(bench.lurcher, bench.scripts, arguments) },
      { name = "node ws", command = ("node %swebsocket.js %s"):format(bench.peers, arguments) },
    }
    local runs = { {}, {} }
    for round = 1, bench.rounds() do
      for i, row in ipairs(pair) do
        bench.progress("websocket: %d connections, round %d, %s", shape[1], round, row.name)
        runs[i][round] = bench.run(row.command)
        row.failure = row.failure or runs[i][round].failure
      end
    end
    for i, row in ipairs(pair) do
      local result = bench.medians(runs[i], { "rate", "cpu_s", "rss_mb" })
      row.rate, row.cpu_s, row.rss_mb, row.command = result.rate, result.cpu_s, result.rss_mb, nil
      row.shape = ("%d connections, %d at once"):format(shape[1], shape[2])
      rows[#rows + 1] = row
    end
    local other = pair[2].rate
    for _, row in ipairs(pair) do row.ratio = row.rate and other and row.rate / other end
  end
  bench.report("websocket", "Messages echoed", {
    { "", "name", "%s" }, { "", "shape", "%s" }, { "messages/s", "rate", "%.0f" }, { "of node's", "ratio", "%.2f" },
    { "CPU s", "cpu_s", "%.2f" }, { "peak MB", "rss_mb", "%.1f" },
  }, rows)

  bench.progress("websocket: 10,000 idle connections")
  local idle = bench.run(("%s %swebsocket.lua idle %s 10000"):format(bench.lurcher, bench.scripts, url))
  server:stop()
  idle.name, idle.output, idle.log = "10000 idle connections", nil, nil
  bench.report("websocket_idle", "Idle WebSockets", {
    { "", "name", "%s" }, { "resident MB", "resident_mb", "%.1f" }, { "peak MB", "rss_mb", "%.1f" },
  }, { idle })
end
