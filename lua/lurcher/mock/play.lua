--- Plays the server's side of an exchange that a client has begun: the native layer does with it what it does with
--- what comes from a network.

local answer = require "lurcher.mock.answer"
local check = require "lurcher.base.check"
local companion = require "lurcher.http.companion"
local conversation = require "lurcher.mock.conversation"
local errors = require "lurcher.base.errors"
local kinds = require "lurcher.base.kinds"
local native = require "lurcher.native.http"
local raw_pcall = require("lurcher.native.task").raw_pcall
local task = require "lurcher.task"
local url = require "lurcher.native.url"

local play = {}

local FOREVER = 1e6 -- seconds: what waits so long is ended by a limit

-- All of the request's body.
local function read_body(exchange)
  local pieces = {}
  while true do
    local piece = exchange:read()
    if piece == nil then return table.concat(pieces) end
    if piece then
      pieces[#pieces + 1] = piece
    else
      exchange:wait()
    end
  end
end

-- Gives a piece of a body, when there is room for it. False: nobody wants more.
local function write(exchange, piece)
  while true do
    local taken = exchange:write(piece)
    if taken ~= nil then return taken end
    exchange:wait()
  end
end

local MESSAGES = { timeout = "timeout of %s", dns = "cannot resolve %s", connect = "cannot connect to %s",
  tls = "TLS with %s failed", closed = "%s closed the connection", truncated = "%s ended the body too early",
  protocol = "%s broke HTTP" }

local function message_of(one, req)
  return one.message or (MESSAGES[one.fails] or "%s failed"):format(url.origin(req.url)) .. " (mocked)"
end

local function fail(exchange, one, req)
  exchange:fail(one.fails, one.phase, message_of(one, req), one.is_safe)
end

-- What an iterator gave behind nil: one of the kinds, else a mistake.
local function failure_of(what, err)
  local is_other = type(err) == "string" and not kinds.get(err)
  local failure = not is_other and answer.failure(what, err)
  if not failure then errors.raise(("%s: the body's iterator failed: %s"):format(what, tostring(err))) end
  return failure
end

-- The failure in which the body ends; nil: none.
local function write_pieces(exchange, iterator, what)
  while true do
    local piece, err = iterator()
    if piece == nil then return err ~= nil and failure_of(what, err) or nil end
    if type(piece) ~= "string" then
      errors.raise(("%s: the body's iterator gave a %s, not a string"):format(what, type(piece)))
    end
    if not write(exchange, piece) then return nil end
  end
end

local function respond(exchange, one, req, what)
  if not exchange:head(answer.head(one)) then return end
  local has_body = req.method ~= "HEAD" and one.status ~= 204 and one.status ~= 304
  if has_body and type(one.body) == "string" then
    if one.body ~= "" and not write(exchange, one.body) then return end
  elseif has_body then
    local failure = write_pieces(exchange, one.body, what)
    if failure then return fail(exchange, failure, req) end
  end
  if one.ends then return one.ends(exchange, req) end
  if one.trailers and not exchange:head(answer.trailers(one)) then return end
  exchange:finish()
end

-- Gives nothing more until a limit, or whoever called, ends it.
local function stall(exchange)
  while exchange:wait(FOREVER) do end -- luacheck: ignore 542
end

---How a response ends that breaks off: with a failure, or never.
---@param failure? table as of answer.fail; nil: never
---@return fun(exchange: userdata, req: lurcher.mock.Request)
function play.broken(failure)
  if not failure then return stall end
  return function(exchange, req) fail(exchange, failure, req) end
end

-- What a function answers.
local function called(one, req, what)
  local first, body, headers = one.calls(req)
  if first ~= nil then return answer.reply(what, first, body, headers) end
  if body == nil then return answer.reply(what, 200, nil, headers) end
  local failure = answer.failure(what, body, headers)
  if not failure then
    errors.raise(("%s: nil is followed by a kind of failure, not by %s"):format(what, check.shown(body)))
  end
  return failure
end

local function give(exchange, one, req, what)
  if one.delay and not exchange:wait(one.delay) then return end
  if one.calls then one = called(one, req, what) end
  if one.talks then one = answer.reply(what, 426, "here is a WebSocket", { Upgrade = "websocket" }) end
  if one.stalls then
    stall(exchange)
  elseif one.fails then
    fail(exchange, one, req)
  elseif not one.calls then
    respond(exchange, one, req, what)
  end
end

-- In a task beside the call. What raises there is raised by the call.
local function give_beside(exchange, one, req, what)
  local ok, raised = raw_pcall(give, exchange, one, req, what)
  if ok then return end
  exchange:fail("canceled", nil, what .. " raised")
  error(raised, 0)
end

local function is_at_hand(one)
  return not one.delay and not one.calls and not one.stalls and not one.ends and type(one.body) ~= "function"
end

-- The body of the request, once it is connected. A text is at hand, but counts as sent only when it was read.
local function receive(exchange, request)
  exchange:connect()
  local body = request.body or ""
  if body == "" then return "" end
  local read = read_body(exchange)
  return type(body) == "string" and body or read
end

---Answers an exchange.
---@param exchange userdata as native.perform gives it
---@param request lurcher.Request
---@param find fun(request: lurcher.Request, body: string): table?, lurcher.mock.Request|string, string? the answer, the
---  request and what made it; or nil and why there is none
---@return table? beside a companion that goes on with the answer
function play.begin(exchange, request, find)
  local body = receive(exchange, request)
  local one, req, what = find(request, body)
  if not one then
    exchange:fail("mock", nil, req)
  elseif is_at_hand(one) then
    give(exchange, one, req, what)
  else
    return companion.start(give_beside, exchange, one, req, what)
  end
end

---Waits for what the client makes of the answer.
play.take = native.take

-- What answers a handshake: an answer and who speaks for the server then; or nil and an error.
local function handshake(one, req, what)
  if one.delay then task.sleep(one.delay) end
  if one.calls then one = called(one, req, what) end
  if one.fails then
    return nil, errors.new { kind = one.fails, phase = one.phase, message = message_of(one, req),
      retry_safe = one.is_safe or nil }
  end
  if one.talks then return { status = 101, headers = one.headers or {}, protocol = one.protocol }, one.talks end
  if type(one.body) ~= "function" then return one end
  local pieces = {}
  for piece in one.body do pieces[#pieces + 1] = piece end
  return setmetatable({ body = table.concat(pieces) }, { __index = one })
end

---Answers the handshake of a WebSocket.
---@param one table
---@param req lurcher.mock.Request
---@param what string
---@return table? connection as the native one
---@return lurcher.Error? err
function play.connection(one, req, what)
  if one.delay or one.calls then
    return conversation.waiting(function() return handshake(one, req, what) end, req)
  end
  local answered, speak = handshake(one, req, what)
  if not answered then return nil, speak end
  return conversation.new(answered, req, speak)
end

return play
