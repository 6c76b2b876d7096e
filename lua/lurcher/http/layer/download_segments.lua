--- Ranges of one file, fetched side by side. Each is asked for with If-Range: a server whose file changed
--- meanwhile answers otherwise, and everything starts anew, as one.

local redact = require "lurcher.base.redact"
local retry_layer = require "lurcher.http.layer.retry"
local retry_policy = require "lurcher.http.retry_policy"
local stream = require "lurcher.http.stream"
local task = require "lurcher.task"
local validator = require "lurcher.http.download.validator"

local MIN_SEGMENT = 16 * 1024 -- bytes
local NOTED = 1 -- seconds between two notes of how far they are

local segments = {}

-- How many ranges there would be.
local function count(job)
  return math.min(job.parts, math.floor((job.total - job.position) / MIN_SEGMENT))
end

---Whether there is enough for several.
---@param job lurcher.DownloadJob
---@return boolean
function segments.worthwhile(job)
  return count(job) > 1
end

-- { first, from, stop }: where it began, the next byte that is missing, the first that is not of it.
local function divided(job)
  local list = {}
  for _, left in ipairs(job.segments or {}) do
    list[#list + 1] = { first = left[1], from = left[1], stop = left[2] }
  end
  if job.segments then return list end
  local parts, begin = count(job), job.position
  local each = math.ceil((job.total - begin) / parts)
  for from = begin, job.total - 1, each do
    list[#list + 1] = { first = from, from = from, stop = math.min(from + each, job.total) }
  end
  return list
end

local function is_asked_for(job, segment, res)
  local from, last, total = validator.range(res)
  return res.status == 206 and from == segment.from and last < segment.stop
    and (not total or total == job.total) and not validator.differs(res, job.validator)
end

-- The bytes of an answer. Returns an error or nil.
local function receive(job, segment, res)
  local _, last = validator.range(res)
  local writer, err = job.part:writer(segment.from, false, false)
  if not writer then
    res:close()
    return err
  end
  segment.writer = writer
  job.writers[writer] = true
  local written, failure = job:fill(res, writer, last - segment.from + 1, true)
  segment.writer = nil
  segment.from = segment.from + written
  return failure
end

local function again(request, res, err, came_further, previous)
  request.attempts = math.max(request.attempts, res.attempts)
  if came_further then request.holds, previous = request.holds + 1, nil end
  err.method, err.url = request.method, redact.url(request.url)
  err.attempts, err.elapsed = request.attempts, request:elapsed()
  err.retryable = retry_policy.is_retryable(request, err)
  return retry_layer.after_body(request, err, previous)
end

-- Fetches one range. Nil; or "changed"; or "failed" and an error; and the last response.
local function fetch_one(job, request, segment, next)
  local own, wait, res = request:copy(), nil, nil
  while segment.from < segment.stop do
    local asking = job:ranged(own, segment.from, segment.stop - 1)
    local err
    res, err = next(asking)
    own.holds = math.max(own.holds, asking.holds)
    if not res then return "failed", err end
    own:start_clock(res)
    if not is_asked_for(job, segment, res) then
      if res.status < 300 or res.status == 416 then
        res:close()
        return "changed"
      end
      return "failed", select(2, stream.expect(res, "2xx"))
    end
    local before = segment.from
    err = receive(job, segment, res)
    if err then wait = again(own, res, err, segment.from > before, wait) end
    if err and not wait then return "failed", err end
  end
  return nil, res
end

-- Runs them all, as many at once as there may be parts; the first that cannot go on ends the others.
local function run(job, request, list, next)
  local outcome, detail, last
  task.scope(function(scope)
    local notes = scope:spawn(function()
      while true do
        task.sleep(NOTED)
        job:note_segments()
      end
    end)
    local slots, handles = task.semaphore(math.max(1, job.parts)), {}
    for i, segment in ipairs(list) do
      handles[i] = scope:spawn(function()
        slots:with(function()
          if outcome then return end
          local what, more = fetch_one(job, request, segment, next)
          if not what then
            last = more or last
          elseif not outcome then
            outcome, detail = what, more
            for _, other in ipairs(handles) do
              if other ~= handles[i] then other:cancel() end
            end
          end
        end)
      end)
    end
    for _, handle in ipairs(handles) do pcall(handle.join, handle) end -- one may have been cancelled
    notes:cancel()
  end)
  return outcome, detail, last
end

-- What a cancelled range left: its bytes are there, as far as they were written.
local function let_go(job, list)
  for res in pairs(job.responses) do res:close() end
  job.responses = {}
  for _, segment in ipairs(list) do
    local writer = segment.writer
    if writer then
      writer:close(false)
      segment.from, segment.writer, job.writers[writer] = segment.from + writer:written(), nil, nil
    end
  end
end

---Fetches what is missing. Returns "complete" and a response, "again" when the file changed, or nil and an
---error.
---@param job lurcher.DownloadJob
---@param request lurcher.Request
---@param next function
function segments.fetch(job, request, next)
  local list = divided(job)
  local missing = 0
  for _, segment in ipairs(list) do missing = missing + segment.stop - segment.from end
  job.live, job.position, job.sum, job.begun = list, job.total - missing, false, true
  local ok, problem = job:note_segments()
  if not ok then return nil, problem end
  local outcome, detail, last = run(job, request, list, next)
  let_go(job, list)
  if outcome == "failed" then return nil, detail end
  job.live = nil
  if outcome == "changed" then
    job.parts, job.ranges = 1, false
    job:restart()
    return "again"
  end
  job.position, job.segments = job.total, false
  return "complete", last or true
end

return segments
