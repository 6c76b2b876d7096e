--- An entry of a mock: which requests it is for, and what it answers.

local address = require "lurcher.mock.address"
local answer = require "lurcher.mock.answer"
local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local matching = require "lurcher.mock.matching"

local entry = {}

---@class lurcher.mock.Entry
---@field used integer how often it has answered
local Entry = {}
Entry.__index = Entry
Entry.__name = "lurcher.mock.Entry"

---@param method string
---@param wanted string|function
---@param match? table|function
---@return lurcher.mock.Entry
function entry.new(method, wanted, match)
  local shown = type(wanted) == "string" and wanted or "(function)"
  return setmetatable({ method = method:upper(), name = method:upper() .. " " .. shown,
    compare_url = address.compile(wanted), match = matching.check(match), answers = {}, used = 0, most = false,
    is_persistent = false, is_optional = false, position = errors.position() or "" }, Entry)
end

function Entry:__tostring()
  return self.name .. (self.position ~= "" and " (" .. self.position:gsub(":? *$", "") .. ")" or "")
end

local function add(self, one)
  self.answers[#self.answers + 1] = one
  return self
end

---Answers with this. After several of them the entry answers in their order.
---@param status integer|string|table|fun(req: lurcher.mock.Request): ... a body alone means 200; a table has status,
---  body, headers, reason, version ("1.0", "1.1", "2"), trailers (they count towards max_headers);
---  a function returns what may be given here, or nil and a kind
---@param body? string|table|fun(): string? a table is sent as JSON, an iterator in its pieces
---@param headers? table<string, string|string[]>
---@return lurcher.mock.Entry
function Entry:reply(status, body, headers)
  check.method(self, Entry, "entry:reply")
  return add(self, answer.reply("entry:reply", status, body, headers))
end

---Answers with a failure.
---@param kind lurcher.ErrorKind
---@param opts? { phase?: string, message?: string }
---@return lurcher.mock.Entry
function Entry:fail(kind, opts)
  check.method(self, Entry, "entry:fail")
  return add(self, answer.fail("entry:fail", kind, opts))
end

---Never answers: a time limit of the client ends the call.
---@return lurcher.mock.Entry
function Entry:stall()
  check.method(self, Entry, "entry:stall")
  return add(self, { stalls = true })
end

-- One event as it is sent.
local function event_text(one)
  if type(one) == "string" then one = { data = one } end
  check.options(one, { data = true, event = "string", id = "string", retry = "seconds" }, "entry:events")
  local lines = {}
  for _, name in ipairs { "id", "event" } do
    if one[name] then lines[#lines + 1] = ("%s: %s"):format(name, one[name]) end
  end
  if one.retry then lines[#lines + 1] = ("retry: %d"):format(one.retry * 1000) end
  local data = one.data
  if type(data) == "table" then data = require("lurcher.json").encode(data) end
  for line in ((data or "") .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = "data: " .. line end
  return table.concat(lines, "\n") .. "\n\n"
end

---Answers with a stream of events (text/event-stream).
---@param list (string|table)[] texts, or tables of data (a table is written as JSON), event, id and
---  retry (seconds)
---@param pause? number seconds between them
---@return lurcher.mock.Entry
function Entry:events(list, pause)
  check.method(self, Entry, "entry:events")
  check.argument(list, "table", 2, "entry:events")
  check.argument(pause, "duration|nil", 3, "entry:events")
  local texts = {}
  for i, one in ipairs(list) do texts[i] = event_text(one) end
  return add(self, { calls = function()
    local at = 0
    return 200, function()
      at = at + 1
      if at > 1 and pause and texts[at] then require("lurcher.task").sleep(pause) end
      return texts[at]
    end, { ["Content-Type"] = "text/event-stream" }
  end })
end

---Answers the handshake of a WebSocket, and speaks for the server while the function runs: it gets the server's end,
---with `send`, `send_binary`, `receive`, `close`, and is an iterator over the client's messages. At its end the
---connection is closed with 1000.
---@param fn fun(c: lurcher.mock.WebSocket)
---@param opts? { protocol?: string, headers?: table<string, string> }
---@return lurcher.mock.Entry
function Entry:websocket(fn, opts)
  check.method(self, Entry, "entry:websocket")
  check.argument(fn, "callable", 2, "entry:websocket")
  opts = check.options(opts, { protocol = "string", headers = "table" }, "entry:websocket") or {}
  local one = answer.reply("entry:websocket", 200, "", opts.headers)
  return add(self, { talks = fn, protocol = opts.protocol, headers = one.headers })
end

---Waits before the answer that was given last; before the first when there is none yet.
---@param seconds number
---@return lurcher.mock.Entry
function Entry:delay(seconds)
  check.method(self, Entry, "entry:delay")
  check.argument(seconds, "duration", 2, "entry:delay")
  local last = self.answers[#self.answers]
  if last then last.delay = seconds else self.first_delay = seconds end
  return self
end

---Answers so often; the last answer is repeated. Without it: once, or once with each answer.
---@param count integer
---@return lurcher.mock.Entry
function Entry:times(count)
  check.method(self, Entry, "entry:times")
  check.argument(count, "count", 2, "entry:times")
  self.most = count
  return self
end

---Answers as often as it is asked.
---@return lurcher.mock.Entry
function Entry:persist()
  check.method(self, Entry, "entry:persist")
  self.is_persistent = true
  return self
end

---`verify` does not mind when it was not used.
---@return lurcher.mock.Entry
function Entry:optional()
  check.method(self, Entry, "entry:optional")
  self.is_optional = true
  return self
end

-- How often it answers at most.
local function most(self)
  if self.is_persistent then return math.huge end
  return self.most or math.max(1, #self.answers)
end

---@return boolean
function Entry:is_spent()
  return self.used >= most(self)
end

---How often it should have answered and did not.
---@return integer
function Entry:missing()
  if self.is_optional then return 0 end
  return math.max(0, (self.is_persistent and 1 or most(self)) - self.used)
end

---Where a request is not what it is for.
---@param req lurcher.mock.Request
---@return table[] differences { field, wanted, sent }
function Entry:differences(req)
  local list = {}
  if self.method ~= "*" and self.method ~= req.method then list[1] = { "method", self.method, req.method } end
  self.compare_url(list, req)
  matching.compare(list, self.match, req)
  return list
end

---Its next answer.
---@return table
function Entry:take()
  self.used = self.used + 1
  local one = self.answers[math.min(self.used, #self.answers)] or answer.reply("mock", 200)
  if self.used == 1 and self.first_delay then
    local copy = { delay = self.first_delay }
    return setmetatable(copy, { __index = one })
  end
  return one
end

return entry
