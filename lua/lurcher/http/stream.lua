--- Streamed responses: the body is read by the script, piece by piece, and waits in the socket meanwhile.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local json = require "lurcher.json"
local owned = require "lurcher.task.owned"
local observe = require "lurcher.http.observe"
local response = require "lurcher.http.response"

local stream = {}

local MAX_LINE = 1024 * 1024
local MAX_EXCERPT = 64 * 1024

local dressed = response.dressed

-- A task closes what it left unread.
local keep = owned.registry(function(open)
  for left in pairs(open) do left:close() end
end)

---@class lurcher.Response
local methods = response.methods

---Has a response with a `stream` closed when the task ends.
---@param res lurcher.Response
---@return lurcher.Response res
function stream.keep(res)
  res.open_streams = keep(res)
  return res
end

-- What the native stream is to a transfer, for a text that is there already.
local Text = {}
Text.__index = Text

function Text:read(size)
  local from = self.at
  if from > #self.text then return nil end
  self.at = size and from + size or #self.text + 1
  return self.text:sub(from, self.at - 1)
end

function Text:line(max_line)
  local from = self.at
  if from > #self.text then return nil end
  local stop = self.text:find("\n", from, true)
  local line = self.text:sub(from, (stop or #self.text + 1) - 1)
  if #line > max_line then
    return nil, errors.new { kind = "too_large",
      message = ("a line is longer than %d bytes"):format(max_line),
      limit = max_line, observed = #line }
  end
  self.at = (stop or #self.text) + 1
  if stop then line = line:gsub("\r$", "") end
  return line
end

function Text.info() return {} end

function Text:close() self.at = #self.text + 1 end

---Makes a streamed response of one that is there as a whole.
---@param res lurcher.Response
---@return lurcher.Response res
function stream.of_text(res)
  res.stream, res.body = setmetatable({ text = res.body, at = 1 }, Text), nil
  return stream.keep(res)
end

-- The response is for the script, or it is not: the attempt is over either way.
local function settle(self, undecided, body)
  self.undecided = nil
  if not self.failure and observe.enabled then
    observe.attempt(undecided.request, tostring(self.status), body:summary())
  end
end

-- Lets go of the transfer; what is known about it stays with the response.
local function release(self)
  local body = rawget(self, "stream")
  if not body then return end
  local record = body:info()
  response.keep_record(self, record)
  local undecided = rawget(self, "undecided")
  if undecided then settle(self, undecided, body) end
  if self.observed then observe.body(self.observed, record, self.failure) end
  self.stream, self.observed = nil, nil
  self.open_streams[self] = nil
  if undecided then self.open_streams = nil end -- it is no stream for the script
  body:close()
  local feeder, meter = rawget(self, "feeder"), rawget(self, "meter")
  self.feeder, self.meter = nil, nil
  if feeder then feeder:stop() end
  if meter then meter:finish() end
end

-- The script's side gives up the body: an error of it is the stream's end.
local function fail(self, err)
  self.failure = dressed(self, err)
  release(self)
  return err
end

-- A stream is read once: what came is gone.
local function refuse_consumed(self)
  if self.consumed then errors.raise("the stream was read already: it is read once") end
end

-- The next piece of the body, by the given method of the native stream; nil at the end; nil and an error.
local function piece(self, method, argument)
  if rawget(self, "undecided") then response.undecided_body(self) end
  local body = rawget(self, "stream")
  if not body then
    if self.failure or self.complete then return nil, self.failure end
    errors.raise(self.open_streams and "the response was closed before it was read"
      or "only streamed responses are read: give stream=true or use client:stream")
  end
  local bytes, err = body[method](body, argument)
  local meter, source = rawget(self, "meter"), rawget(self, "source")
  if meter and bytes then meter:tick() end
  if bytes then
    self.taken = (self.taken or 0) + #bytes
    return bytes
  end
  local failure = err and source and source.failure
  if failure then err = failure[1] end
  self.complete, self.failure = not err, err
  release(self)
  if failure then return nil, err end
  if not err then return nil end
  return nil, dressed(self, err)
end

-- An iterator over pieces; raises the error of a body that was cut, after what arrived.
local function iterate(self, method, argument)
  refuse_consumed(self)
  if self.iterated then errors.raise("another iterator reads the stream already: it is read once") end
  if not rawget(self, "stream") and not self.complete and not self.failure then piece(self) end -- raises
  self.iterated = self.open_streams and true
  return function()
    local bytes, err = piece(self, method, argument)
    if err then error(err, 0) end
    if not bytes then self.consumed = true end
    return bytes
  end
end

---Up to `size` bytes, as they come; nil at the end; nil and an error when the body was cut.
---@param size? integer
---@return string? bytes
---@return lurcher.Error? err
function methods:read(size)
  check.method(self, response.metatable, "res:read")
  check.argument(size, "count|nil", 1, "res:read")
  refuse_consumed(self)
  return piece(self, "read", size)
end

-- What is left is more than may be gathered in memory.
local function too_large(self, observed)
  return nil, fail(self, errors.new {
    kind = "too_large", phase = "read", limit = self.max_body, observed = observed, retryable = false,
    message = ("the response body passed the limit of %d bytes (max_body)"):format(self.max_body),
  })
end

---All that is left of the body; nil and an error when it was cut, or is more than `max_body`.
---@return string? body
---@return lurcher.Error? err
function methods:read_all()
  check.method(self, response.metatable, "res:read_all")
  refuse_consumed(self)
  local parts, size = {}, 0
  while true do
    local bytes, err = piece(self, "read")
    if err then return nil, err end
    if not bytes then
      self.consumed = true
      return table.concat(parts)
    end
    parts[#parts + 1] = bytes
    size = size + #bytes
    if self.max_body and size > self.max_body then return too_large(self, size) end
  end
end

---Iterates over the body in pieces of at most `size` bytes, as they come. Raises the error of a body that was
---cut, after what arrived.
---@param size? integer
---@return fun(): string?
function methods:chunks(size)
  check.method(self, response.metatable, "res:chunks")
  check.argument(size, "count|nil", 1, "res:chunks")
  return iterate(self, "read", size)
end

---Iterates over the lines of the body, without their ends (LF or CRLF).
---@param opts? { max: integer } bytes in one line, 1 MiB
---@return fun(): string?
function methods:lines(opts)
  check.method(self, response.metatable, "res:lines")
  opts = check.options(opts, { max = "count|huge" }, "res:lines") or {}
  return iterate(self, "line", opts.max or MAX_LINE)
end

---Iterates over the values of newline-delimited JSON; blank lines are skipped.
---@return fun(): any
function methods:ndjson()
  check.method(self, response.metatable, "res:ndjson")
  local next_line, number = self:lines(), 0
  return function()
    local line
    repeat
      line, number = next_line(), number + 1
    until not line or line:find("%S")
    if not line then return nil end
    local value, err = json.decode(line)
    if not err then return value end
    err.message = ("line %d: %s"):format(number, (err.message:gsub("at line 1 column", "at column")))
    error(dressed(self, err), 0)
  end
end

---The events of a response's body, by the parser given.
---@param self lurcher.Response
---@param events lurcher.EventStream
---@return fun(): lurcher.ServerEvent?
function stream.events(self, events)
  local next_piece = iterate(self, "read")
  return function()
    while true do
      local event, err = events:next()
      if event then return event end
      if err then error(fail(self, err), 0) end
      local bytes = next_piece()
      if not bytes then return nil end
      events:feed(bytes)
    end
  end
end

---Iterates over the server-sent events of the body, by the WHATWG standard. Raises what breaks the stream, after
---the events that arrived.
---@param opts? { max: integer } bytes in one line, and in one event's data, 1 MiB
---@return fun(): lurcher.ServerEvent?
function methods:events(opts)
  check.method(self, response.metatable, "res:events")
  opts = check.options(opts, { max = "count|huge" }, "res:events") or {}
  return stream.events(self, require("lurcher.http.event_stream").new(opts.max or MAX_LINE))
end

---Writes the body, or what is left of it, to a file; it appears when it is complete.
---@param path string
---@param opts? lurcher.SaveOptions
---@return integer? bytes
---@return lurcher.Error? err
function methods:save(path, opts)
  check.method(self, response.metatable, "res:save")
  return require("lurcher.http.save").save(self, path, opts)
end

---Bytes of the body that were read already. Raises when it was read to its end.
---@param self lurcher.Response
---@return integer
function stream.taken(self)
  refuse_consumed(self)
  return self.taken or 0
end

---Whether the body comes over the network, and is not there yet.
---@param self lurcher.Response
---@return boolean
function stream.is_native(self)
  return type(rawget(self, "stream")) == "userdata" and not rawget(self, "undecided")
end

---The announced length of what is left of a body that is not coded; nil: unknown.
---@param self lurcher.Response
---@return integer?
function stream.length(self)
  local body = rawget(self, "body")
  if body then return #body end
  local given = not self:header("Content-Encoding") and not self:header("Transfer-Encoding")
    and tonumber(self:header("Content-Length"), 10)
  return given and math.max(0, given - (self.taken or 0)) or nil
end

-- Bytes of a text that is there, or that no transfer brings.
local function put_all(self, out, most, is_asked)
  local body, came = rawget(self, "body"), 0
  local bytes, err = body, nil
  if not body then bytes, err = piece(self, "read") end
  while bytes do
    came = came + #bytes
    if most and came > most then
      return nil, dressed(self, errors.new { kind = is_asked and "protocol" or "checksum",
        message = ("more than the expected %d bytes came"):format(most) })
    end
    local room, failure = out:put(bytes)
    if room == false then room, failure = out:room() end
    if not room then return nil, failure end
    if body then break end
    bytes, err = piece(self, "read")
  end
  if err then return nil, err end
  self.consumed = not body
  return true
end

---What is left of the body goes to a native writer of a file; waits until all was given to it.
---@param self lurcher.Response
---@param writer userdata
---@param most? integer bytes that may come
---@param is_asked? boolean more than that is kind "protocol", not "checksum"
---@return true? ok
---@return lurcher.Error? err
function stream.pour(self, writer, most, is_asked)
  if not stream.is_native(self) then return put_all(self, writer, most, is_asked) end
  local ok, err = self.stream:pour(writer, most, not is_asked)
  self.consumed, self.complete, self.failure = ok, ok, err
  release(self)
  if not err then return true end
  return nil, dressed(self, err)
end

-- The start of an error's body, for its message; a fault in it does not matter.
local function read_excerpt(self)
  local parts, size = {}, 0
  repeat
    local bytes = self.stream:read()
    parts[#parts + 1], size = bytes, size + #(bytes or "")
  until not bytes or size >= MAX_EXCERPT
  return table.concat(parts)
end

---The streamed response, when its status is `wanted`; nil: no error status; false: any. Else nil and an error
---of kind "status"; the start of the body is then in err.response.body.
---@param self lurcher.Response
---@param wanted any
---@return lurcher.Response? res
---@return lurcher.Error? err
function stream.expect(self, wanted)
  if wanted == false or wanted == nil and self.status < 400 then return self end
  if wanted and self:expect(wanted) then return self end
  self.body = read_excerpt(self)
  self:close()
  if wanted then return self:expect(wanted) end
  return nil, response.status_error(self, "one below 400 for a stream (expect=false streams any)")
end

---Gives up a response that is not for the script. A short rest is read, so that the connection can serve
---again; what it was stays the body of one that was not streamed.
function methods:discard()
  local body = rawget(self, "stream")
  local text = body and body.discard and body:discard()
  if text and self.undecided then self.body = text end
  release(self)
end

---Has a response that may have been for others be the script's: its body is gathered.
---@param self lurcher.Response
---@return lurcher.Response? res
---@return lurcher.Error? err
function stream.gather(self)
  local undecided = rawget(self, "undecided")
  if not undecided then
    if self.failure then return nil, self.failure end
    return self
  end
  local source = self.stream
  local body, err = source:gather()
  self.body = body
  if err then
    self.failure = err
    undecided.failed(undecided.request, err, source:summary())
  end
  release(self)
  self.complete = nil
  if err then return nil, err end
  return self
end

---The body of a response that a script looks at before it is decided for whom it is; nil when it failed.
---@param self lurcher.Response
---@return string?
function response.undecided_body(self)
  return rawget(self, "undecided") and stream.gather(self) and rawget(self, "body") or nil
end

---Gives up what was not read. May be called more than once.
function methods:close()
  check.method(self, response.metatable, "res:close")
  release(self)
end

return stream
