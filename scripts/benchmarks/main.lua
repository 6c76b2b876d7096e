-- scripts/bench: reads the options and runs the measurements asked for.

package.path = "scripts/benchmarks/?.lua;./?.lua;" .. package.path
local bench = require "bench"

local MEASUREMENTS = {
  { "throughput", "requests/s at 64, 1,000 and 4,000 in flight, JSON decoded, beside all peers installed" },
  { "tls", "the same over HTTPS, beside libcurl alone" },
  { "h2", "the same over HTTP/2" },
  { "memory", "10,000 requests in flight for a second each; 100,000 sleeping tasks" },
  { "stream", "1 GiB streamed in chunks, beside curl -o /dev/null" },
  { "download", "1 GiB to a file, beside curl -o, and 100 files at once" },
  { "upload", "1 GiB sent from a file, beside curl -T" },
  { "websocket", "WebSocket messages echoed, beside node's ws, and 10,000 idle connections" },
  { "start", "start, one request, exit, beside curl -s; time until the prompt is there" },
  { "lag", "delay of a 10 ms timer with 1,000 requests in flight and a slow DNS lookup" },
  { "epoll", "epoll_ctl calls per request" },
  { "outage", "an outage of 10 s, simulated with 1,000 clients: what is sent, and how they come back" },
  { "pages", "peak memory of paged lists of 10,000 to 1,000,000 items, with and without a checkpoint" },
  { "rate", "how exact limits.rate is over 10 s, by the server's log; 100,000 requests that wait" },
  { "adaptive", "limits.per_origin = \"auto\" beside fixed numbers, simulated" },
  { "events", "a million server-sent events read from nginx" },
  { "policy", "what retry, breaker and rate cost while nothing fails, and what limits do" },
  { "host", "what functions of a host, and a runtime opened for each job, take" },
  { "mock", "requests that a mock answers, through all policies" },
  { "cassette", "requests replayed from a cassette of 10,000 entries" },
}

local function usage()
  print("usage: scripts/bench [options] [measurement...]\n")
  for _, entry in ipairs(MEASUREMENTS) do print(("  %-12s %s"):format(entry[1], entry[2])) end
  print [[

  --quick      one short round instead of the median of three
  --only NAME  only rows with NAME in their name (and libcurl alone)
  --json       one JSON object instead of tables
  --peers      first install the other clients (Debian packages and npm)]]
end

local chosen, known = {}, {}
for _, entry in ipairs(MEASUREMENTS) do known[entry[1]] = true end

local i = 1
while arg[i] do
  local word = arg[i]
  if word == "--help" or word == "-h" then
    usage()
    os.exit(0)
  elseif word == "--quick" or word == "--json" then
    bench.options[word:sub(3)] = true
  elseif word == "--only" and arg[i + 1] then
    i = i + 1
    bench.options.only = arg[i]
  elseif known[word] then
    chosen[#chosen + 1] = word
  else
    io.stderr:write(("bench: unknown argument '%s'\n"):format(word))
    usage()
    os.exit(2)
  end
  i = i + 1
end
if #chosen == 0 then
  for n, entry in ipairs(MEASUREMENTS) do chosen[n] = entry[1] end
end

for _, name in ipairs(chosen) do require(name)(bench) end
if bench.options.json then print(require("cjson").encode(bench.record)) end
