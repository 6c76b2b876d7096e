-- What every measurement needs: running a command on the client's core, medians, tables, the record for
-- --json.

local cjson = require "cjson"
local servers = require "spec.support.servers"

local bench = { options = { quick = false, json = false, only = false }, record = {} }

local ROOT = os.getenv("PWD")
local BUILD = ROOT .. "/build"

---Paths of the programs measured and of the scripts they run.
bench.lurcher = BUILD .. "/lurcher"
bench.build = BUILD
bench.scripts = ROOT .. "/scripts/benchmarks/lurcher/"
bench.peers = ROOT .. "/scripts/benchmarks/peers/"
bench.programs = BUILD .. "/scripts/benchmarks/"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

---Whether a program can be run: a path, or a name found in PATH.
function bench.has(program)
  return os.execute("command -v " .. program .. " >/dev/null 2>&1") == 0
end

-- The first two cores this process may use: one for the client, one for the server.
local function cores()
  local list, allowed = {}, read("/proc/self/status"):match("Cpus_allowed_list:%s*(%S+)")
  for first, last in (allowed .. ","):gmatch("(%d+)%-?(%d*),") do
    for core = tonumber(first), tonumber(last) or tonumber(first) do list[#list + 1] = core end
  end
  if not list[2] then io.stderr:write("bench: one core only, client and server share it\n") end
  return list[1], list[2] or list[1]
end
bench.client_core, bench.server_core = cores()

---nginx on the server's core, serving /small and the files below directory/www.
---@return table
function bench.nginx()
  return servers.nginx { config = read(ROOT .. "/scripts/benchmarks/nginx.conf"),
    prefix = "taskset -c " .. bench.server_core }
end

---A server that answers each request after `delay_ms`, on the server's core.
function bench.slow_server(delay_ms)
  return servers.command("slow_server", function(port)
    return ("taskset -c %d %sslow_server %d %d"):format(bench.server_core, bench.programs, port, delay_ms)
  end)
end

---A WebSocket server that echoes, on the server's core.
function bench.websocket_server()
  return servers.command("websocket_server", function(port)
    return ("taskset -c %d %swebsocket_server %d"):format(bench.server_core, bench.programs, port)
  end)
end

---Runs a command on the client's core. Returns a table {wall_s, cpu_s, rss_mb, status, output, log} with
---the fields of the last JSON line that it printed added; `failure` says why it did not work.
---@param command string for the shell; environment assignments may stand before it
---@param seconds? number time limit, 120
function bench.run(command, seconds)
  local environment, program = command:match("^([%w_]+=%S+)%s+(.*)$")
  local result, log = os.tmpname(), os.tmpname()
  local pipe = assert(io.popen(("timeout %d %smeasure %d %s env %s %s 2>%s"):format(seconds or 120,
    bench.programs, bench.client_core, result, environment or "", program or command, log)))
  local output = pipe:read("*a")
  pipe:close()
  local decoded, measured = pcall(cjson.decode, read(result))
  local run = decoded and measured or { failure = "no end within the time limit" }
  run.output, run.log = output, read(log)
  os.remove(result)
  os.remove(log)
  for line in output:gmatch("[^\n]+") do
    local fine, object = pcall(cjson.decode, line)
    if fine and type(object) == "table" then
      for key, value in pairs(object) do
        if run[key] == nil then run[key] = value end
      end
    end
  end
  if run.status and run.status ~= 0 then
    run.failure = "exit status " .. run.status .. ": " .. run.log:sub(1, 300):gsub("%s+", " ")
  end
  return run
end

---The middle value of a list; nil for an empty one.
function bench.median(list)
  local sorted = {}
  for i, value in ipairs(list) do sorted[i] = value end
  table.sort(sorted)
  local n = #sorted
  if n == 0 then return nil end
  return n % 2 == 1 and sorted[(n + 1) / 2] or (sorted[n / 2] + sorted[n / 2 + 1]) / 2
end

---The medians of numeric fields over several runs that worked.
function bench.medians(runs, fields)
  local result = {}
  for _, field in ipairs(fields) do
    local values = {}
    for _, run in ipairs(runs) do
      if not run.failure then values[#values + 1] = run[field] end
    end
    result[field] = bench.median(values)
  end
  return result
end

local terminal = os.execute("test -t 2") == 0

---Tells on a terminal what is being done.
function bench.progress(...)
  if terminal then io.stderr:write("\r\27[K", string.format(...)) end
end

---How often each measurement is repeated.
function bench.rounds() return bench.options.quick and 1 or 3 end

---Runs each row's command, round by round, and fills in its medians and its CPU time beside the first row's.
---@param key string the benchmark's name
---@param rows { name: string, command: string }[]
---@param run? fun(command: string): table instead of bench.run
function bench.beside_first(key, rows, run)
  local runs = {}
  for round = 1, bench.rounds() do
    for i, row in ipairs(rows) do
      bench.progress("%s: round %d, %s", key, round, row.name)
      runs[i] = runs[i] or {}
      runs[i][round] = (run or bench.run)(row.command)
      row.failure = row.failure or runs[i][round].failure
    end
  end
  for i, row in ipairs(rows) do
    local result = bench.medians(runs[i], { "wall_s", "cpu_s", "rss_mb" })
    row.wall_s, row.cpu_s, row.rss_mb, row.command = result.wall_s, result.cpu_s, result.rss_mb, nil
    row.ratio = row.cpu_s and rows[1].cpu_s and row.cpu_s / rows[1].cpu_s
  end
end

---The columns of a report of such rows.
bench.BESIDE_FIRST = {
  { "", "name", "%s" }, { "CPU s", "cpu_s", "%.3f" }, { "of curl's", "ratio", "%.2f" }, { "wall s", "wall_s", "%.3f" },
  { "peak MB", "rss_mb", "%.1f" },
}

---Whether `--only` keeps this row.
function bench.wanted(name)
  return not bench.options.only or name:find(bench.options.only, 1, true) ~= nil
end

---Keeps rows for --json and prints them as a table. `columns` is a list of {title, field, format}.
---@param section string
---@param title string
function bench.report(section, title, columns, rows)
  bench.record[section] = bench.record[section] or {}
  for _, row in ipairs(rows) do table.insert(bench.record[section], row) end
  if bench.options.json then return end
  bench.progress("")
  local cells, widths = {}, {}
  for i, row in ipairs { {}, unpack(rows) } do
    cells[i] = {}
    for j, column in ipairs(columns) do
      local value = row[column[2]]
      local text = i == 1 and column[1] or (value == nil and "-") or column[3]:format(value)
      cells[i][j], widths[j] = text, math.max(widths[j] or 0, #text)
    end
  end
  print(title)
  for i, line in ipairs(cells) do
    for j, text in ipairs(line) do line[j] = ((j == 1 and "%-" or "%") .. widths[j] .. "s"):format(text) end
    local failure = i > 1 and rows[i - 1].failure
    print("  " .. table.concat(line, "  ") .. (failure and "  " .. failure or ""))
  end
  print()
end

return bench
