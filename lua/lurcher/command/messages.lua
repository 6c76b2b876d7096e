--- What `lurcher ws` and `lurcher sse` have in common: a command line, and messages that are printed as lines.

local arguments = require "lurcher.command.request.arguments"
local build = require "lurcher.command.request.build"
local caret = require "lurcher.command.caret"
local errors = require "lurcher.base.errors"
local json = require "lurcher.json"
local pick = require "lurcher.command.show.pick"
local printing = require "lurcher.command.show.printing"
local text = require "lurcher.base.text"

local messages = {}

---@type lurcher.command.Streams
local STREAMS = { out = io.stdout, err = io.stderr }

---Prints a text: JSON is coloured on a terminal, and searched by --pick.
---@param printer lurcher.Printing
---@param message string
---@param settings table
---@return true? ok
---@return lurcher.Error? err
function messages.print(printer, message, settings)
  local _, err
  if printer:is_plain() and not settings.pick then
    err = true
  else
    _, err = json.decode(message)
  end
  if err then return printer:line(message) end
  return printer:value(pick.compact(message))
end

-- Calls it; what the request makes impossible is wrong usage, as far as the request is concerned.
local function guarded(streams, fn, ...)
  local ok, status, err = pcall(fn, ...)
  if ok then return status, err end
  if caret.is(status) then
    streams.err:write(tostring(status))
    return 2
  elseif errors.is_error(status) then
    return nil, status
  end
  streams.err:write("lurcher: ", text.line((tostring(status):gsub("^[%w_/.-]+%.lua:%d+: ", ""))), "\n")
  return 2
end

---Parses a command line, follows what it names and prints what comes.
---@param word "ws"|"sse"
---@param list string[]
---@param streams? lurcher.command.Streams
---@param follow fun(record: table, settings: table, printer: lurcher.Printing, typed: table): true?, lurcher.Error?
---@return integer status
function messages.perform(word, list, streams, follow)
  streams = streams or STREAMS
  local printer
  local done, err = guarded(streams, function()
    local typed = arguments.parse(word, list)
    if word == "ws" then typed.url = typed.url:gsub("^[wW][sS]([sS]?://)", "http%1") end
    local record, settings = build.request(typed)
    local failure
    printer, failure = printing.new(settings, streams)
    if not printer then return nil, failure end
    return follow(record, settings, printer, typed)
  end)
  if done == 2 then return 2 end
  if not printer then return printing.fail(streams, err) end
  return printer:finish(done and true or nil, err)
end

return messages
