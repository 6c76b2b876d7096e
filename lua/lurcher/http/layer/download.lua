--- The layer that saves what comes as a file, over as many attempts as it takes. It stands above redirects and
--- retries: what failed before a response's head is theirs, what failed in its body is repeated here, from
--- where it broke off.

local errors = require "lurcher.base.errors"
local redact = require "lurcher.base.redact"
local retry_layer = require "lurcher.http.layer.retry"
local retry_policy = require "lurcher.http.retry_policy"
local segments = require "lurcher.http.layer.download_segments"
local stream = require "lurcher.http.stream"
local validator = require "lurcher.http.download.validator"

local PROBE = 64 * 1024 -- bytes asked for first, where ranges are to be fetched side by side

local download = {}

-- What to ask for: the request, and the first byte of its range, or false.
local function asked(job, request)
  if not job.ranges then return request:copy(), false end
  if job:goes_on() then return job:ranged(request, job.position), job.position end
  if job.parts > 1 and not job.segments then return job:ranged(request, 0, PROBE - 1), 0 end
  return request:copy(), false
end

local function unwanted(job, request, res)
  if res.status == 206 then
    res:close()
    return job:failure(request, "protocol", "status 206: a part of the file was sent, which nobody asked for")
  elseif res.status == 204 or res.status == 205 then
    res:close()
    return job:failure(request, "protocol", "status %d: there is no file in the response", res.status)
  end
  return stream.expect(res, "2xx")
end

-- The part is all there is: the server has nothing beyond it.
local function is_complete(job, res, first)
  local total = validator.unsatisfied(res)
  return first and first > 0 and total == first and (not job.total or job.total == total)
    and not validator.differs(res, job.validator)
end

-- The writer for a response, how many bytes may come, and whether they are those of a range. False: ask again.
local function accept(job, request, res, first)
  local status = res.status
  if status == 206 and first then
    local writer, most = job:range(res, first)
    if writer or writer == nil then return writer, most, true end
    if not most then job.ranges = false end -- else there is a part to go on with
    if not job:goes_on() then job:restart() end
    res:close()
    return false
  elseif status == 416 and first then
    res:close()
    if is_complete(job, res, first) then return "complete" end
    job.ranges = false
    job:restart()
    return false
  elseif status >= 200 and status < 300 and status ~= 204 and status ~= 205 and status ~= 206 then
    local writer, err = job:whole(res)
    if writer == false then res:close() end
    return writer, writer and job.opts.size or err, false
  end
  return unwanted(job, request, res)
end

-- After a body that failed: whether there is another attempt. One that came further than any before is not
-- counted.
local function again(job, request, res, err, previous)
  err.method, err.url = request.method, redact.url(request.url)
  request.attempts = math.max(request.attempts, res.attempts)
  if job.position > job.furthest then
    job.furthest, request.holds, previous = job.position, request.holds + 1, nil
  end
  err.attempts, err.elapsed = request.attempts, request:elapsed()
  err.retryable = retry_policy.is_retryable(request, err)
  return retry_layer.after_body(request, err, previous)
end

-- One request, and what it brought. Returns "complete", "again" or nil and an error; and the response.
local function attempt(job, request, next, state)
  local asking, first = asked(job, request)
  asking.attempts, asking.holds = request.attempts, request.holds
  local res, err = next(asking)
  request.holds = math.max(request.holds, asking.holds)
  if not res then return nil, err end
  request:start_clock(res)
  job.responses[res] = true
  local writer, most, is_range = accept(job, request, res, first)
  job.responses[res] = nil
  if not writer then
    if writer == nil then
      res:close()
      return nil, most
    end
    return "again", res
  end
  if writer == "complete" then return "complete", res end
  err = job:receive(res, writer, most, is_range)
  if not err then
    job.furthest = math.max(job.furthest, job.position)
    local is_whole = not is_range or job.position >= (job.total or 0)
    return is_whole and "complete" or "again", res
  end
  if err.kind == "checksum" then job.part:remove() end
  state.wait = again(job, request, res, err, state.wait)
  if state.wait then return "again", res end
  return nil, err
end

-- Whether the rest is fetched as ranges side by side.
local function in_segments(job)
  return job.ranges and job.validator and job.total
    and (job.segments or job.parts > 1 and job.position > 0 and segments.worthwhile(job))
end

---@param request lurcher.Request
---@param next function
function download.layer(request, next)
  local job, state = request.download, {}
  local ok, problem = job:prepare(request)
  if not ok then return nil, problem end
  while true do
    local verdict, res, err
    if in_segments(job) then
      verdict, res = segments.fetch(job, request, next)
    else
      verdict, res = attempt(job, request, next, state)
    end
    if not verdict then return nil, res end
    if verdict == "complete" then
      if request.attempts > 1 then errors.forget_last() end
      ok, err = job:finish(request)
      if not ok then return nil, err end
      return res
    end
  end
end

return download
