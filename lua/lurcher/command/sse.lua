--- `lurcher sse URL`: server-sent events as lines of JSON, over as many connections as it takes.

local json = require "lurcher.json"
local messages = require "lurcher.command.messages"
local overlay = require("lurcher.base.tables").overlay
local pick = require "lurcher.command.show.pick"
local send = require "lurcher.command.request.send"
local source = require "lurcher.sse"

local sse = {}

-- The data as a JSON text: for a path that leads into it, what it holds.
local function data_text(event, wanted)
  if wanted and wanted:find("^data%.") then
    local _, err = json.decode(event.data)
    if not err then return pick.compact(event.data) end
  end
  return json.encode(event.data)
end

local function line_of(event, settings)
  return ('{"event":%s,"data":%s,"id":%s}'):format(json.encode(event.event), data_text(event, settings.pick),
    json.encode(event.id))
end

local function follow(record, settings, printer)
  local opts = record.opts
  local has_body = opts.body ~= nil or opts.json ~= nil or opts.form ~= nil or opts.multipart ~= nil
  local more = { method = has_body and "POST" or "GET" }
  if opts.retry == 1 then more.retry = false end
  for event in source.connect(send.client(record), record.url, overlay(opts, more)) do
    local ok, err = printer:value(line_of(event, settings))
    if not ok then return nil, err end
    printer:flush()
  end
  return true
end

---@param list string[]
---@param streams? lurcher.command.Streams
---@return integer status
function sse.perform(list, streams) return messages.perform("sse", list, streams, follow) end

---@param _ string the word
---@param ... string
function sse.run(_, ...) os.exit(sse.perform { ... }) end

return sse
