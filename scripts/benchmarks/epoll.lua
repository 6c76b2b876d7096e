-- System calls that change what epoll watches, per request: none in the steady state.

return function(bench)
  local nginx = bench.nginx()
  local url, total, in_flight = nginx.http .. "/small", 20000, 64
  local rows = {
    { name = "ceiling", command = ("%sceiling %s %d %d 4"):format(bench.programs, url, total, in_flight) },
    { name = "lurcher",
      command = ("%s %sfetch.lua %s %d %d"):format(bench.lurcher, bench.scripts, url, total, in_flight) },
  }
  for _, row in ipairs(rows) do
    bench.progress("epoll: %s", row.name)
    local counts = os.tmpname()
    local run = bench.run(("strace -f -c -o %s %s"):format(counts, row.command))
    row.failure, row.command = run.failure, nil
    for line in io.lines(counts) do
      local calls, name = line:match("^%s*[%d.]+%s+[%d.]+%s+%d+%s+(%d+)%s+%d*%s*([%a_]+%d*)%s*$")
      if name == "epoll_ctl" then row.calls = tonumber(calls) end
      if name == "total" then row.all_per_request = tonumber(calls) / total end
    end
    row.per_request = not row.failure and (row.calls or 0) / total or nil
    os.remove(counts)
  end
  nginx:stop()
  bench.report("epoll", ("System calls, %d requests at %d in flight"):format(total, in_flight), {
    { "", "name", "%s" }, { "epoll_ctl", "calls", "%d" }, { "epoll_ctl/request", "per_request", "%.4f" },
    { "all calls/request", "all_per_request", "%.2f" },
  }, rows)
end
