--- `--each`: the request once for every line, which stands for `{}` and `{name}` in it. The results are lines of JSON,
--- in the order of the lines; what fails is one, too.

local body = require "lurcher.command.show.body"
local build = require "lurcher.command.request.build"
local caret = require "lurcher.command.caret"
local errors = require "lurcher.base.errors"
local fs = require "lurcher.fs"
local inputs = require "lurcher.command.request.inputs"
local json = require "lurcher.json"
local overlay = require("lurcher.base.tables").overlay
local pick = require "lurcher.command.show.pick"
local places = require "lurcher.command.request.places"
local printing = require "lurcher.command.show.printing"
local send = require "lurcher.command.request.send"
local task = require "lurcher.task"
local utf8 = require "lurcher.base.utf8"

local each = {}

local CONCURRENCY = 16
local MAX_LINE = 64 * 1024 * 1024 -- bytes
local MARK = "\239\187\191" -- a byte order mark

-- ---- results ----

-- A failure as a line: {"error":{"kind":…,"status":…,"message":…},"line":N}
local function failed(number, err)
  local kind, message, status = "decode", tostring(err), ""
  if errors.is_error(err) then
    kind, message = err.kind, err.message
    status = kind == "status" and ('"status":%d,'):format(err.response.status) or ""
  elseif caret.is(err) then
    message = err.message
  end
  return ('{"error":{"kind":%s,%s"message":%s},"line":%d}'):format(json.encode(kind), status,
    json.encode(utf8.valid(message)), number)
end

-- The body as a line: JSON as it came, text as a string, nothing as null.
local function line_of(res)
  if res.body == "" or res.status == 204 then return "null" end
  local media_type = body.media_type(res)
  if body.is_json(media_type) or media_type == "" then
    local _, err = res:json()
    if not err then return pick.compact(res.body) end
    if media_type ~= "" then return nil, err end
  end
  local text, problem = res:text()
  if not text and (res:header("Content-Type") or ""):find("charset", 1, true) then return nil, problem end
  return json.encode(text or utf8.valid(res.body))
end

---@class lurcher.command.EachRun
---@field typed lurcher.command.Typed
---@field settings table
---@field client lurcher.Client

-- What a line would make of the URL, if it is empty, is another URL.
local function check_line(self, line)
  if line ~= "" or not self.typed.url:find("{}", 1, true) then return end
  error(errors.new { kind = "url", message = "the line is empty, and the URL would be another one" }, 0)
end

local function request_for(self, line)
  check_line(self, line)
  return build.request(self.typed, places.filler(line))
end

local function result(self, line)
  local record = request_for(self, line)
  local wanted = not self.settings.any_status and { "2xx", "3xx" } or nil
  local res, err = send.request(record, { expect = false }, self.client)
  if res and wanted then res, err = res:expect(wanted) end
  if not res then return nil, err end
  return line_of(res)
end

-- Whether a failure is one of this line only.
local function is_of_the_line(err)
  return caret.is(err) or errors.is_error(err) and err.kind ~= "canceled"
end

-- The line that a line brings, and whether it is of a failure.
local function outcome(self, line, number)
  local ok, text, err = pcall(result, self, line)
  if ok and text then return text, false end
  if not ok then
    err = text
    if not is_of_the_line(err) then err = tostring(err):gsub("^[%w_/.-]+%.lua:%d+: ", "") end
  end
  return failed(number, err), true
end

-- ---- lines ----

-- The lines one by one, each without what ends it.
local function lines_of(source)
  local next_line, is_first = fs.lines(source == "-" and "/dev/stdin" or inputs.path(source), { max = MAX_LINE }), true
  return function()
    local line = next_line()
    if is_first and line and line:sub(1, 3) == MARK then line = line:sub(4) end
    is_first = false
    return line
  end
end

-- More at once than a client allows, if that is wanted.
local function client_of(record, concurrency)
  local limits = overlay({ inflight = math.max(256, concurrency), per_origin = math.max(64, concurrency),
    idle = math.max(100, concurrency) }, record.client and record.client.limits)
  return send.client(overlay(record, { client = overlay(record.client, { limits = limits }) }))
end

local function print_results(self, printer, concurrency)
  local has_failed = false
  local results = task.stream(lines_of(self.settings.each), function(line, number)
    return { outcome(self, line, number) }
  end, { concurrency = concurrency, ordered = true, progress = self.progress })
  for _, found in results do
    has_failed = has_failed or found[2]
    local ok, err
    if found[2] then
      ok, err = printer:plain(found[1])
    else
      ok, err = printer:value(found[1])
    end
    if not ok then
      results:close()
      return nil, err
    end
    printer:flush()
  end
  return true, has_failed
end

-- ---- what is not sent ----

-- Prints the request of each line, as --offline or --curl print one.
local function print_requests(self, streams, print)
  local worst = 0
  for line in lines_of(self.settings.each) do
    local ok, status = pcall(function() return print(request_for(self, line), self.settings, streams) end)
    if not ok then
      if not is_of_the_line(status) then error(status, 0) end
      streams.err:write(caret.is(status) and tostring(status) or ("lurcher: %s\n"):format(tostring(status)))
      status = 1
    end
    worst = math.max(worst, status)
  end
  return worst
end

local function print_offline(record, settings, streams)
  local status = require("lurcher.command.show").request(record, settings, streams)
  streams.out:write "\n\n"
  return status
end

-- ---- the whole ----

local function run(self, record, streams)
  local settings = self.settings
  if settings.offline then return print_requests(self, streams, print_offline) end
  if settings.curl then
    return print_requests(self, streams, require "lurcher.command.request.as_curl")
  end
  local printer, failure = printing.new(settings, streams)
  if not printer then return printing.fail(streams, failure) end
  local concurrency = settings.concurrency or CONCURRENCY
  self.client = client_of(record, concurrency)
  local ok, done, problem = pcall(print_results, self, printer, concurrency)
  if not ok then
    if not errors.is_error(done) then error(done, 0) end
    done, problem = nil, done
  end
  local status = printer:finish(done, problem)
  return status == 0 and problem and 1 or status
end

---@param typed lurcher.command.Typed
---@param settings table
---@param streams lurcher.command.Streams
---@return integer status
function each.run(typed, settings, streams)
  local self = { typed = typed, settings = settings, client = nil }
  local ok, record = pcall(function()
    local argument = "--each=" .. settings.each
    inputs.check(settings.each, argument, 8)
    local record = build.request(typed, places.sample)
    if settings.each == "-" and inputs.has_read_all() then
      caret.refuse("standard input is the body already, and can be read once", argument, 8)
    end
    return record
  end)
  if ok then return run(self, record, streams) end
  if not caret.is(record) then error(record, 0) end
  streams.err:write(tostring(record))
  return 2
end

return each
