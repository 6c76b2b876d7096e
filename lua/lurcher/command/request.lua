--- `lurcher get URL` and its kin: one request from the shell, sent, shown or written as a script.

local arguments = require "lurcher.command.request.arguments"
local build = require "lurcher.command.request.build"
local caret = require "lurcher.command.caret"

local request = {}

-- The modules that it calls for options, each with `run`:
--   request/each.lua   run(typed, settings, streams): builds a record for each line, by
--                      build.request(typed, places.filler(line))
--   request/pages.lua  run(record, settings, streams)
--   show.lua           run(record, settings, streams), and `request` for --offline
-- All give the status to end with.

---@class lurcher.command.Streams
---@field out { write: fun(self: any, ...: string): any } standard output
---@field err { write: fun(self: any, ...: string): any } standard error

local STREAMS = { out = io.stdout, err = io.stderr }

local function refuse(usage, streams)
  if not caret.is(usage) then error(usage, 0) end
  streams.err:write(tostring(usage))
  return 2
end

local function print_as_script(record, settings, streams)
  if settings.pages then
    local ok, source = pcall(require("lurcher.command.request.pages").next_page_source, settings.pages)
    if not ok then return refuse(source, streams) end
    record.pages = { next = source, items = settings.items }
  end
  streams.out:write((require("lurcher.curl").script(record, { secrets = settings.show_secrets })))
  return 0
end

-- What is done with the request, each with the option that asks for it; sent once and shown, otherwise.
local function perform(typed, record, settings, streams)
  if settings.each then return require("lurcher.command.request.each").run(typed, settings, streams) end
  if settings.lua then return print_as_script(record, settings, streams) end
  if settings.curl then return require "lurcher.command.request.as_curl"(record, settings, streams) end
  if settings.pages and not settings.offline then
    return require("lurcher.command.request.pages").run(record, settings, streams)
  end
  local show = require "lurcher.command.show"
  if settings.offline then return show.request(record, settings, streams) end
  return show.run(record, settings, streams)
end

---Parses, builds and performs a request.
---@param word string "get", "request", …
---@param list string[] the arguments behind it
---@param streams? lurcher.command.Streams
---@return integer status
function request.perform(word, list, streams)
  streams = streams or STREAMS
  local ok, typed, record, settings = pcall(function()
    local typed = arguments.parse(word, list)
    return typed, build.request(typed, typed.options.each and require("lurcher.command.request.places").sample)
  end)
  if ok then return perform(typed, record, settings, streams) end
  return refuse(typed, streams)
end

---@param word string
---@param ... string
function request.run(word, ...)
  jit.opt.start "hotloop=2000" -- to compile what runs a few times costs as much as to load three modules
  os.exit(request.perform(word, { ... }))
end

return request
