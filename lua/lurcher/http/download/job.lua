--- One download: where it goes, how far it is, and what the file that comes has to be.

local crypto = require "lurcher.crypto"
local descriptors = require "lurcher.http.descriptors"
local errors = require "lurcher.base.errors"
local file_name = require "lurcher.http.download.file_name"
local fs = require "lurcher.fs"
local meter = require "lurcher.http.meter"
local native = require "lurcher.native.fs"
local partial = require "lurcher.http.download.partial"
local redact = require "lurcher.base.redact"
local stream = require "lurcher.http.stream"
local task = require "lurcher.task"
local validator = require "lurcher.http.download.validator"

local MAX_NUMBER = 1000 -- names that are tried beside a taken one

---@class lurcher.DownloadJob
---@field part lurcher.Partial|false
---@field position number bytes of the file that are there, one after the other
---@field furthest number how far any attempt came
---@field total number? of the file
local Job = {}
Job.__index = Job

local job = {}

-- As it is before anything was asked.
local function reset(self)
  self.part, self.position, self.furthest, self.resumed, self.total = false, 0, 0, 0, self.opts.size
  self.validator, self.segments, self.live, self.sum, self.ranges = false, false, nil, false, true
  self.held, self.writers, self.responses, self.begun, self.done, self.result = {}, {}, {}, false, false, nil
  self.path, self.parts = self.given, self.opts.parts or 1
  return self
end

---@param path string as the script gave it
---@param opts lurcher.DownloadOptions
---@return lurcher.DownloadJob
function job.new(path, opts)
  local folder = path:sub(-1) == "/" and path or false
  return reset(setmetatable({ given = path, folder = folder, opts = opts, request = false, url_hash = false }, Job))
end

---An error of the call.
function Job.failure(_, request, kind, message, ...)
  return nil, errors.new { kind = kind, message = message:format(...), method = request.method,
    url = redact.url(request.url), attempts = request.attempts, elapsed = request:elapsed(), retryable = false }
end

-- ---- where it goes ----

-- The part of a target, with its lock. It is the job's from the first, so that a job that is cancelled while it
-- waits lets go of it.
local function hold(self, target)
  local part = partial.new(target, self.url_hash)
  self.held[part] = true
  local ok, err = part:take()
  if ok then return part end
  part:release()
  self.held[part] = nil
  return nil, err
end

local function take(self, part)
  self.part = part
  local info = part.info
  if not info or not info.validator then return end
  self.validator, self.segments = info.validator, info.segments or false
  self.total = info.size or self.total
  self.position = part:offset()
  self.furthest, self.resumed = self.position, self.position
  if self.segments then
    local missing = 0
    for _, segment in ipairs(self.segments) do missing = missing + segment[2] - segment[1] end
    self.resumed = (info.size or 0) - missing
  end
end

-- Lets go of everything: what came stays for the next run.
local function close(self)
  for res in pairs(self.responses) do res:close() end
  for writer in pairs(self.writers) do writer:close(false) end
  if self.part and self.live and not self.done then self:note_segments() end
  if self.part and self.begun and not self.done then
    local size = native.measure(self.part.path)
    if size and size <= 0 then self.part:remove() end -- nothing came, or the file has its name already
  end
  for part in pairs(self.held) do part:release() end
end

---Finds the file, and what there is of it. For a folder only once there is a response.
---@param request lurcher.Request
---@return true? ok
---@return lurcher.Error? err
function Job:prepare(request)
  if self.request then -- a middleware sends it again
    close(self)
    reset(self)
  end
  self.request, self.url_hash = request, crypto.sha256(request.url)
  if self.folder then
    local exists, err = fs.exists(self.folder .. ".")
    if exists then return true end
    if exists == nil then return nil, err end
    return nil, errors.new { kind = "file", code = "ENOENT", path = self.folder,
      message = ("cannot write into '%s': there is no such folder (ENOENT)"):format(self.folder) }
  end
  local resolved, err = partial.place(self.path)
  local part
  if resolved then part, err = hold(self, resolved) end
  if not part then return nil, err end
  take(self, part)
  return true
end

-- The first name that is free, and that no other download has.
local function choose(self, name)
  for n = 0, MAX_NUMBER do
    local target = self.folder .. file_name.numbered(name, n)
    local part, err, exists
    if self.opts.overwrite then
      exists, err = partial.place(target)
      exists = not exists
    else
      exists, err = fs.exists(target)
    end
    if err then return nil, err end
    if not exists then part, err = hold(self, target) end
    if part and (self.opts.overwrite or not part.is_foreign) then return part, target end
    if part then part:release() end
    if err and (err.code ~= "EWOULDBLOCK" or self.opts.overwrite) then return nil, err end
  end
  return nil, errors.new { kind = "file", code = "EEXIST", path = self.folder .. name,
    message = ("'%s%s' exists, and so do %d names beside it (EEXIST)"):format(self.folder, name, MAX_NUMBER) }
end

-- The server names the file. True: there is a part of it to go on with.
local function name_it(self, res)
  local name = file_name.of(res)
  local part, target = choose(self, name)
  if not part then return nil, target end
  self.name, self.path = name, target
  local info, known = part.info, validator.of(res)
  if known and info and info.validator == known and (info.segments or part:offset() > 0) then
    take(self, part)
    return true
  end
  self.part = part
  return false
end

-- ---- what is asked, and what is answered ----

---@return boolean
function Job:goes_on()
  return self.ranges and self.validator and self.position > 0
end

---A copy of the request that asks for a range, only of the file that is known.
---@param request lurcher.Request
---@param first number
---@param last? number
---@return lurcher.Request
function Job:ranged(request, first, last)
  local attempt = request:copy()
  attempt:set_headers { Range = ("bytes=%d-%s"):format(first, last and ("%d"):format(last) or ""),
    ["If-Range"] = self.validator or nil }
  return attempt
end

---Everything anew, at the first byte.
function Job:restart()
  self.position, self.resumed, self.total, self.validator = 0, 0, self.opts.size, false
  self.segments, self.sum = false, false
end

-- The file begins, of which the server tells length and validator, or not: nothing of an older one may stay
-- where this one will be.
local function begin(self, length, known)
  if self.opts.size and length and length ~= self.opts.size then
    return self:failure(self.request, "checksum", "the server has %d bytes, expected %d", length, self.opts.size)
  end
  self:restart()
  self.validator = known or false
  self.total = length or self.opts.size
  local writer, err = self.part:writer(0, true, self.opts.sha256 and "all" or true)
  if not writer then return nil, err end
  self.writers[writer] = true
  local ok
  ok, err = self.part:note(self.validator or nil, self.total)
  if not ok then return nil, err end
  self.begun = true
  return writer
end

local function go_on(self)
  local writer, err = self.part:writer(self.position, true, false)
  if not writer then return nil, err end
  self.writers[writer] = true
  self.begun, self.sum = true, false
  return writer
end

---A whole file was answered: the writer for it. False: ask again, there is a part to go on with.
---@param res lurcher.Response
---@return userdata|false|nil writer
---@return lurcher.Error? err
function Job:whole(res)
  if not self.part then
    local resumes, err = name_it(self, res)
    if resumes == nil then return nil, err end
    if resumes then return false end
  end
  return begin(self, validator.length(res), validator.of(res))
end

---A range was answered: the writer, and the bytes that may come. False: it is not what was asked for, or
---(beside true) there is a part to go on with.
---@param res lurcher.Response
---@param first number asked for
---@return userdata|false|nil writer
---@return lurcher.Error|number|nil
function Job:range(res, first)
  local from, last, total = validator.range(res)
  if from ~= first or self.validator and validator.differs(res, self.validator)
    or self.total and total and total ~= self.total then return false end
  if first > 0 then
    self.total = total or self.total
    local writer, err = go_on(self)
    return writer, writer and last - first + 1 or err
  end
  local known = validator.of(res)
  if not known or not total then return false end
  if not self.part then
    local resumes, err = name_it(self, res)
    if resumes == nil then return nil, err end
    if resumes then return false, true end
  end
  local writer, err = begin(self, total, known)
  return writer, writer and last + 1 or err
end

-- ---- bytes ----

---Bytes that are there, for the progress.
function Job:received()
  local sum = self.position
  for writer in pairs(self.writers) do sum = sum + writer:written() end
  for _, segment in ipairs(self.live or {}) do sum = sum + segment.from - segment.first end
  return sum, self.total
end

---Takes the bytes of a response into a writer, which is closed afterwards.
---@param res lurcher.Response
---@param writer userdata
---@param most? number
---@param is_range boolean more than `most` bytes is the server's mistake
---@return number written
---@return lurcher.Error? err
function Job:fill(res, writer, most, is_range)
  self.responses[res] = true
  local _, err = stream.pour(res, writer, most, is_range)
  self.responses[res] = nil
  local ok, failure = writer:close(false)
  self.writers[writer] = nil
  if not ok then err = failure end -- the disk's failure is the cause of the transfer's
  local written = writer:written()
  if not err and is_range and written < most then
    err = errors.new { kind = "truncated", phase = "read", method = res.method, url = redact.url(res.url),
      attempts = res.attempts, elapsed = res.elapsed,
      message = ("the body ended after %d of %d bytes of the range"):format(written, most) }
  end
  return written, err
end

---The bytes of one file, one after the other.
---@return lurcher.Error? err
function Job:receive(res, writer, most, is_range)
  local start = self.position
  local written, err = self:fill(res, writer, most, is_range)
  self.position = start + written
  local is_all = not is_range or self.position == self.total
  if start == 0 and is_all and not err then self.sum = writer:sha256() or false end
  if err and err.kind == "file" then
    local size = native.measure(self.part.path)
    if size and size >= 0 then self.position = size end
  end
  return err
end

-- ---- the end ----

local function digest(self)
  if self.sum then return self.sum end
  return self.part:hash()
end

-- Nil, or the error for a file that is not the expected one, of which nothing stays.
local function verify(self, request)
  local opts, size = self.opts, self.position
  local bad, expected
  if opts.size and size ~= opts.size then
    bad, expected = ("%d bytes came"):format(size), ("%d"):format(opts.size)
  elseif opts.sha256 then
    local sum, err = digest(self)
    if not sum then return err end
    self.sum = sum
    if sum ~= opts.sha256:lower() then bad, expected = "its SHA-256 is " .. sum, opts.sha256:lower() end
  end
  if not bad then return nil end
  self.part:remove()
  self.position = 0
  return select(2, self:failure(request, "checksum", "the file is not the expected one: %s, expected %s", bad,
    expected))
end

local function put_in_place(self)
  if not self.folder then return self.part:complete(self.part.target, false) end
  if self.opts.overwrite then return self.part:complete(self.path, false) end
  local ok, err
  for n = 0, MAX_NUMBER do
    local target = n == 0 and self.path or self.folder .. file_name.numbered(self.name, n)
    ok, err = self.part:complete(target, true)
    if ok then self.path = target end
    if ok or err.code ~= "EEXIST" then return ok, err end
  end
  return nil, err
end

local Result = {}
function Result.__index(self, key)
  if key ~= "sha256" then return nil end
  local sum = native.hash(rawget(self, "path"))
  self.sha256 = sum
  return sum
end

---All bytes are there: the file gets its name.
---@param request lurcher.Request
---@return true? ok
---@return lurcher.Error? err
function Job:finish(request)
  local err = verify(self, request)
  if err then return nil, err end
  local ok
  ok, err = put_in_place(self)
  if not ok then return nil, err end
  self.done = true
  self.result = setmetatable({ bytes = self.position, resumed = self.resumed, path = self.path,
    sha256 = self.sum or nil }, Result)
  return true
end

---Notes how far ranges that are fetched side by side are.
function Job:note_segments()
  local segments = {}
  for _, segment in ipairs(self.live or {}) do
    local from = segment.from + (segment.writer and segment.writer:written() or 0)
    if from < segment.stop then segments[#segments + 1] = { from, segment.stop } end
  end
  return self.part:note(self.validator, self.total, segments[1] and segments or nil)
end

-- A middleware answered in the place of the layers below: its body is the file.
local function save_answer(self, request, res)
  if not self.request then
    local ok, err = self:prepare(request)
    if not ok then return nil, err end
  end
  if res.status < 200 or res.status > 299 then
    return stream.expect(res, "2xx")
  end
  local writer, err = self:whole(res)
  if writer == false then
    self:restart()
    writer, err = begin(self, nil, nil)
  end
  if not writer then return nil, err end
  err = self:receive(res, writer, self.opts.size, false)
  if err then return nil, err end
  return self:finish(self.request)
end

---Calls fn, which sends the request, and lets go of everything when it ends, however it does.
---@param request lurcher.Request
---@param fn fun(): any?, lurcher.Error?
---@return lurcher.Download?
---@return lurcher.Error?
function Job:run(request, fn)
  local give_back = descriptors.reserve(self.parts)
  return task.scope(function(scope)
    scope:defer(give_back)
    scope:defer(function() close(self) end)
    local res, err = meter.follow(self.opts.progress, function() return self:received() end, function()
      local res, err = fn()
      if not res or self.done then return res, err end
      return save_answer(self, request, res)
    end)
    if not res then return nil, err end
    return self.result
  end)
end

return job
