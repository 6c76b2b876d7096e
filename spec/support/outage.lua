-- An outage, simulated in virtual time: many clients ask a server about once a second each; then it
-- goes, which all of them notice at the same moment, and for ten seconds nobody listens there. What matters
-- is what they send meanwhile, and how they come back.
--
-- The server is real, on loopback, and so are the refused connections; only the waits take no time.

local clock = require "lurcher.clock"
local http = require "lurcher.http"
local server = require "lurcher.server"
local task = require "lurcher.task"

local PAUSE = 1                      -- seconds between a client's calls, half of it to one and a half
local DOWN, UP, LAST = 15, 25, 45    -- seconds: the server goes, comes back, and the last calls begin
local STEP = 0.1                     -- seconds of the histogram

local outage = {}

local function start_server(port)
  return assert(server.start(function() return "ok" end, { port = port, grace = 0 }))
end

local function new_counts()
  return { calls = 0, attempts = 0, retries = 0, failed = 0, all = {}, again = {} }
end

local function add(histogram, moment)
  local step = math.floor(moment / STEP)
  histogram[step] = (histogram[step] or 0) + 1
end

-- The most in one step from `from` to `to` seconds, and the mean of all those steps.
local function peak_and_mean(histogram, from, to)
  local most, sum, steps = 0, 0, 0
  for step = math.floor(from / STEP), math.floor(to / STEP) - 1 do
    local count = histogram[step] or 0
    most, sum, steps = math.max(most, count), sum + count, steps + 1
  end
  return most, sum / steps
end

-- The moment of a client's next call: at the latest when the server has just gone.
local function next_call(now)
  local moment = now + PAUSE / 2 + math.random() * PAUSE
  return now < DOWN and math.min(moment, DOWN + 0.001) or moment
end

-- One client: calls, one after the other.
local function ask(api, url, counts, started)
  local moment = math.random() * PAUSE
  while moment < LAST do
    task.sleep(math.max(0, started + moment - task.now()))
    counts.calls = counts.calls + 1
    local res = api:get(url)
    if not res then counts.failed = counts.failed + 1 end
    moment = next_call(task.now() - started)
  end
end

local function run(opts)
  local counts, started = new_counts(), task.now()
  local function note(request)
    local moment = task.now() - started
    counts.attempts = counts.attempts + 1
    add(counts.all, moment)
    if request.attempts > 1 then
      counts.retries = counts.retries + 1
      add(counts.again, moment)
    end
  end
  local api = http.client { retry = opts.retry, breaker = opts.breaker, hooks = { request = { note } } }
  local site = start_server()
  local url, port = site.url, site.port
  task.scope(function(scope)
    scope:spawn(function()
      task.sleep(DOWN)
      site:stop()
      task.sleep(UP - DOWN)
      site = start_server(port)
    end)
    for _ = 1, opts.clients do scope:spawn(ask, api, url, counts, started) end
  end)
  site:stop()
  api:close()
  return counts
end

---Runs it with so many clients and these options of each.
---@param opts { clients: integer, retry: table?, breaker: table? }
---@param seed? integer
---@return table figures calls, attempts, retries, failed; total (attempts per call); total_down (what was
---  sent while it was down, to as much time before); peak and mean (requests per 100 ms after it is back),
---  peak_ratio; peak_again (retries)
function outage.run(opts, seed)
  math.randomseed(seed or 1)
  local counts = clock.virtual(function() return run(opts) end, { seed = seed or 1 })
  local figures = { calls = counts.calls, attempts = counts.attempts, retries = counts.retries,
    failed = counts.failed, total = counts.attempts / counts.calls }
  local _, down = peak_and_mean(counts.all, DOWN, UP)
  local _, before = peak_and_mean(counts.all, 5, DOWN)
  figures.total_down = down / before
  figures.peak, figures.mean = peak_and_mean(counts.all, UP, LAST)
  figures.peak_ratio = figures.peak / figures.mean
  figures.peak_again = peak_and_mean(counts.again, UP, LAST)
  return figures
end

return outage
