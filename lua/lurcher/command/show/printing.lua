--- Values that come one by one, each on a line: items of pages, results of --each, events, messages.

local json = require "lurcher.command.show.json"
local lurcher_json = require "lurcher.json"
local errors = require "lurcher.base.errors"
local json_text = require "lurcher.command.json_text"
local overlay = require("lurcher.base.tables").overlay
local pick = require "lurcher.command.show.pick"
local safe = require "lurcher.command.show.safe"
local sinks = require "lurcher.command.show.sink"
local styles = require "lurcher.command.show.style"

local printing = {}

---@class lurcher.Printing
---@field private sink lurcher.Sink
---@field private style lurcher.ShowStyle
---@field private streams lurcher.command.Streams
---@field private wanted? string the path of --pick
local Printing = {}
Printing.__index = Printing

---@param settings table
---@param streams lurcher.command.Streams
---@return lurcher.Printing? printer
---@return lurcher.Error? err kind "file"
function printing.new(settings, streams)
  local sink, err = sinks.open(settings, streams)
  if not sink then return nil, err end
  local style = styles.of(settings, streams)
  local is_file = settings.output and settings.output ~= "-"
  if is_file then style = overlay(style, { is_pretty = false, is_terminal = false }) end
  return setmetatable({ sink = sink, style = overlay(style, { is_compact = true }), streams = streams,
    wanted = settings.pick }, Printing)
end

---Writes a line of text as it is; on a terminal without what would steer it.
---@param line string
---@return true? ok
---@return lurcher.Error? err
function Printing:line(line)
  if self.style.is_terminal then line = safe.text(line, true) end
  return self.sink:write(line .. "\n")
end

---Writes a value on a line, or what --pick finds in it.
---@param text string JSON without blanks between tokens
---@return true? ok
---@return lurcher.Error? err
function Printing:value(text)
  if self.wanted then
    text = pick.text(text, self.wanted) or "null"
    if json_text.kind(text) == "string" then return self:line(lurcher_json.decode(text)) end
  end
  return self:plain(text)
end

---Writes a value on a line, whatever --pick asks for.
---@param text string
---@return true? ok
---@return lurcher.Error? err
function Printing:plain(text)
  if self.style.is_pretty then text = json.paint(text, self.style) or text end
  return self.sink:write(text .. "\n")
end

---Whether lines are printed as they are.
---@return boolean
function Printing:is_plain() return not self.style.is_pretty end

function Printing:flush() self.sink:flush() end

---Tells of a failure on standard error, and gives the status that the process ends with.
---@param streams lurcher.command.Streams
---@param err any
---@return integer status
function printing.fail(streams, err)
  if errors.is_error(err) and err.code == "EPIPE" then return 1 end -- who reads has seen enough
  streams.err:write("lurcher: ", require "lurcher.command.failure"(err), "\n")
  return 1
end

---Ends the output, and gives the status that the process ends with.
---@param done? true all went well
---@param err any
---@return integer status
function Printing:finish(done, err)
  local settled, failure = self.sink:close()
  self.sink:flush()
  if done and not settled then done, err = nil, failure end
  return done and 0 or printing.fail(self.streams, err)
end

return printing
