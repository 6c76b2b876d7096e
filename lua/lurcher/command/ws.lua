--- `lurcher ws URL [-]`: the messages of a WebSocket as lines; with - the lines of standard input are sent.

local caret = require "lurcher.command.caret"
local fs = require "lurcher.fs"
local json = require "lurcher.json"
local messages = require "lurcher.command.messages"
local overlay = require("lurcher.base.tables").overlay
local retry = require "lurcher.retry"
local socket = require "lurcher.ws"
local task = require "lurcher.task"
local utf8 = require "lurcher.base.utf8"

local ws = {}

local NORMAL = 1000
local LINGER = 1 -- seconds without a message after which nothing more is expected in answer to the last line

-- Of the options of a request, those that a handshake has.
local KNOWN = { "headers", "params", "auth", "timeout", "proxy", "no_proxy", "tls", "unix_socket", "resolve",
  "user_agent" }

local BODIES = { "body", "json", "form", "multipart" }

local function options_of(record)
  local opts, all = {}, overlay(record.client, record.opts)
  for _, name in ipairs(KNOWN) do opts[name] = all[name] end
  for _, name in ipairs(BODIES) do
    if record.opts[name] ~= nil then
      caret.refuse "a WebSocket begins without a body: it takes name==query and Name:header; - sends lines"
    end
  end
  return opts
end

-- The address as it was typed, with the options beside it.
local function connect(record)
  local opts, attempts = options_of(record), record.opts.retry
  if type(attempts) ~= "number" or attempts < 2 then return socket.connect(record.url, opts) end
  return retry.call(function() return socket.connect(record.url, opts) end, { attempts = attempts })
end

-- Bytes that are no UTF-8 are the characters of their numbers.
local function as_json(message)
  if not utf8.is_valid(message) then
    message = message:gsub("[\128-\255]", function(c)
      local code = c:byte()
      return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64)
    end)
  end
  return json.encode(message)
end

local function print_message(printer, settings, message, kind)
  if kind == "binary" or message:find("[\r\n]") and not settings.pick then return printer:plain(as_json(message)) end
  return messages.print(printer, message, settings)
end

-- Waits until the answers to what was sent have come: most servers drop them once they are told to close.
local function linger(activity)
  activity.last = math.max(activity.last, task.now())
  repeat
    local left = activity.last + LINGER - task.now()
    if left > 0 then task.sleep(left) end
  until left <= 0
end

-- Sends the lines of standard input, and closes at their end.
local function send_lines(connection, activity, input)
  for line in fs.lines(input, { max = math.huge }) do
    local ok, err = connection:send(utf8.valid(line))
    if not ok then return nil, err end
  end
  linger(activity)
  return connection:close(NORMAL)
end

local function print_messages(connection, settings, printer, activity)
  for message, kind in connection do
    activity.last = task.now()
    local ok, err = print_message(printer, settings, message, kind)
    if not ok then return nil, err end
    printer:flush()
  end
  return true
end

local function follow_with(input)
  return function(record, settings, printer)
    local connection, err = connect(record)
    if not connection then return nil, err end
    local activity = { last = 0 }
    local sender = input and task.spawn(send_lines, connection, activity, input)
    local done, failure = print_messages(connection, settings, printer, activity)
    if sender then sender:cancel() end
    return done, failure
  end
end

---@param list string[]
---@param streams? lurcher.command.Streams
---@return integer status
function ws.perform(list, streams)
  local rest, sends = {}, false
  for _, argument in ipairs(list) do
    if argument == "-" then sends = true else rest[#rest + 1] = argument end
  end
  return messages.perform("ws", rest, streams, follow_with(sends and (streams and streams.input or "/dev/stdin")))
end

---@param _ string the word
---@param ... string
function ws.run(_, ...) os.exit(ws.perform { ... }) end

return ws
