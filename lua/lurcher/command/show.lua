--- Sends a request and shows what comes: on a terminal for people, into a pipe the bytes of the body.

local caret = require "lurcher.command.caret"
local errors = require "lurcher.base.errors"
local overlay = require("lurcher.base.tables").overlay
local send = require "lurcher.command.request.send"
local sinks = require "lurcher.command.show.sink"
local styles = require "lurcher.command.show.style"
local text = require "lurcher.base.text"

local show = {}

---@class lurcher.command.Showing
---@field record lurcher.command.Record
---@field settings table
---@field streams lurcher.command.Streams
---@field style lurcher.ShowStyle
---@field sink lurcher.Sink
---@field sent? lurcher.Request what went out last
local Showing = {}
Showing.__index = Showing

local function new(record, settings, streams)
  return setmetatable({ record = record, settings = settings, streams = streams, sink = sinks.new(streams),
    style = styles.of(settings, streams) }, Showing)
end

function Showing:say(message)
  self.sink:settle()
  self.streams.err:write("lurcher: ", message, "\n")
end

---Tells of a failure, and gives the status that the process ends with.
---@param err any
---@return integer status
function Showing:fail(err)
  if errors.is_error(err) and err.code == "EPIPE" then return 1 end -- who reads has seen enough
  self:say(require "lurcher.command.failure"(err))
  return 1
end

-- Has every request that goes out, with all that the layers add, handed to a function.
local function watched(record, watch)
  local client = overlay(record.client, { hooks = { request = { watch } } })
  return overlay(record, { client = client })
end

-- Waiting for the whole has no limit unless one is given: a long body may take long.
local function timeout_of(given)
  if type(given) == "number" or given == false then return given end
  if given and given.total ~= nil then return given end
  return overlay(given, { total = false })
end

-- The streamed response. What the request itself makes impossible (a header that cannot be sent) is wrong usage.
local function open(self)
  local record = self.record
  local more = { stream = true, expect = false, timeout = timeout_of(record.opts.timeout) }
  if self.settings.verbose then
    record = watched(record, function(req) self.sent = req end)
  end
  local ok, res, err = pcall(send.request, record, more)
  if ok then return res, err end
  if errors.is_error(res) then error(res, 0) end
  self:say(text.line((tostring(res):gsub("^[%w_/.-]+%.lua:%d+: ", ""))))
  return false
end

-- ---- heads ----

local function shows_head(settings, method)
  if settings.body_only then return false end
  return settings.include or settings.verbose or settings.headers or method == "HEAD"
end

local function shows_body(settings, method)
  return settings.body_only or not (settings.headers or method == "HEAD")
end

function Showing:write_sent(version)
  if not self.sent or self.settings.body_only then return true end
  local ok, err = require("lurcher.command.show.sent").write(self.sent, self.sink, self.style,
    { secrets = self.settings.show_secrets, version = version, line_end = "\n" })
  if not ok then return nil, err end
  if not self.sent.body or self.sent.body == "" then return true end
  return self.sink:write((self.style.is_terminal or self.style.is_pretty) and "\n" or "\n\n")
end

function Showing:write_head(res)
  local is_shown = shows_head(self.settings, self.record.method)
  if not is_shown and (self.settings.body_only or not self.style.is_terminal) then return true end
  local head = require "lurcher.command.show.head"
  if not is_shown then
    self.streams.err:write(head.status_line(res, self.style.error_colours))
    return true
  end
  local ok, err = self:write_sent(res.http_version)
  if not ok then return nil, err end
  local hides = self.settings.verbose and not self.settings.show_secrets
  local lines = head.response(res, self.style, hides or false)
  local gap = shows_body(self.settings, self.record.method) and "\n\n" or "\n"
  return self.sink:write(table.concat(lines, "\n") .. gap)
end

-- ---- bodies ----

-- The bytes as they come, with none of what makes something to read of them.
function Showing:pour(res)
  while true do
    local piece, err = res:read()
    if not piece then return not err or nil, err end
    local ok, failure = self.sink:write(piece)
    if not ok then
      res:close()
      return nil, failure
    end
    self.sink:flush()
  end
end

function Showing:write_body(res)
  local settings = self.settings
  if not shows_body(settings, self.record.method) then
    res:close()
    return true
  end
  if settings.output and settings.output ~= "-" then
    return require("lurcher.command.show.saved").save(self, res)
  elseif settings.pick then
    return require("lurcher.command.show.picked").write(self, res)
  end
  if not (self.style.is_terminal or self.style.is_pretty) then return self:pour(res) end
  local done, problem = require("lurcher.command.show.body").show(res, self.style, self.sink)
  if done ~= "binary" then return done, problem end
  self:say(problem)
  return true
end

-- The status that the process ends with; into a pipe, which shows nothing of it, it is explained.
function Showing:conclude(res)
  if res.status < 400 or self.settings.any_status then return 0 end
  if not self.style.is_terminal then self:say(("%s"):format(tostring(res))) end
  return 1
end

local function write(self, res)
  local ok, err = self:write_head(res)
  if ok then
    ok, err = self:write_body(res)
  end
  if not ok then return nil, err end
  return self.sink:close()
end

---Sends the request and shows the response.
---@param record lurcher.command.Record
---@param settings table
---@param streams lurcher.command.Streams
---@return integer status
function show.run(record, settings, streams)
  local self = new(record, settings, streams)
  if settings.download then return require("lurcher.command.show.saved").download(self) end
  local res, err = open(self)
  if res == false then return 2 end
  if not res then
    self:write_sent()
    return self:fail(err)
  end
  local ok, failure = write(self, res)
  if not ok then return self:fail(failure) end
  return self:conclude(res)
end

---Prints the request without sending it: into a pipe as it would go over the wire.
---@param record lurcher.command.Record
---@param settings table
---@param streams lurcher.command.Streams
---@return integer status
function show.request(record, settings, streams)
  local self = new(record, settings, streams)
  local watching = watched(record, function(req)
    self.sent, req.early_result = self.sent or req, { 204, "", "", nil, 0 }
  end)
  local ok, res, err
  if settings.pages then
    ok, res = pcall(require("lurcher.command.request.pages").request_first, watching, settings)
  else
    ok, res, err = pcall(send.request, watching, { expect = false, retry = false })
  end
  if not ok and caret.is(res) then
    streams.err:write(tostring(res))
    return 2
  elseif not ok and not errors.is_error(res) then
    self:say(text.line((tostring(res):gsub("^[%w_/.-]+%.lua:%d+: ", ""))))
    return 2
  elseif not ok then
    error(res, 0)
  elseif not self.sent then
    return self:fail(err)
  end
  local style = self.style
  ok, err = require("lurcher.command.show.sent").write(self.sent, self.sink, style,
    { secrets = settings.show_secrets, line_end = (style.is_terminal or style.is_pretty) and "\n" or "\r\n" })
  if ok then
    ok, err = self.sink:close()
  end
  return ok and 0 or self:fail(err)
end

return show
