--- A cassette that answers for a mock: mock.from_cassette.

local scopes = require "lurcher.task.scope"
local session = require "lurcher.cassette.session"

local source = {}

---@class lurcher.cassette.Source
local Source = {}
Source.__index = Source

-- The file is not kept open for longer than the task that reads it.
local function close_with_task(places)
  scopes.defer(function() places:close() end)
end

---@param path string
---@return lurcher.cassette.Source? source
---@return lurcher.Error? err kind "file"
function source.open(path)
  local cassette, err = session.open(path, { mode = "none", match = session.MATCH, redact = {}, repeats = true })
  if not cassette then return nil, err end
  close_with_task(cassette.play.file.places)
  cassette.play.file.places.on_open = close_with_task
  return setmetatable({ cassette = cassette }, Source)
end

---The answer to a request; or nil and why there is none.
---@param req lurcher.mock.Request
---@return table? answer
---@return string name, or why
function Source:answer(req)
  local one, why = self.cassette:answer(req)
  if one then return one, "the cassette's answer" end
  return nil, why
end

---The entries that nobody asked for, in words.
---@return string[]
function Source:missing()
  local lines = self.cassette:unused()
  for i, line in ipairs(lines) do lines[i] = line .. " (of the cassette) was not asked for" end
  return lines
end

return source
