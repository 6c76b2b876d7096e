--- `lurcher import curl FILE|-`: a script of what a file holds.

local curl = require "lurcher.command.curl"
local fs = require "lurcher.fs"

local import = {}

local STREAMS = { out = io.stdout, err = io.stderr }

-- What makes requests of a text, by what is imported: `fn(text, settings)` gives requests, or nil and an error.
local readers = {}

function readers.curl(text)
  return require("lurcher.convert.curl_reader").unread(text)
end

function readers.har(text, settings)
  local requests, notes = require("lurcher.convert.har").read(text, settings)
  if not requests then return nil, notes end
  for i, note in ipairs(notes) do table.insert(requests[1].warnings, i, note) end
  return requests
end

local USAGE = "lurcher import: give what, and a file or - for standard input: lurcher import curl commands.sh\n"

-- The options, and the other words.
local function sorted(list)
  local words, settings = {}, {}
  for _, word in ipairs(list) do
    local name, value = word:match("^%-%-([%a-]+)=?(.*)$")
    if name then
      settings[name:gsub("%-", "_")] = word:find("=", 1, true) and value or true
    else
      words[#words + 1] = word
    end
  end
  return words, settings
end

---@param list string[] the arguments behind the word
---@param streams? lurcher.command.Streams
---@return integer status
function import.perform(list, streams)
  streams = streams or STREAMS
  local words, settings = sorted(list)
  local reader = readers[words[1]]
  if not reader or #words ~= 2 or settings.only == true then
    streams.err:write(USAGE)
    return 2
  end
  local text, err = fs.read(words[2] == "-" and "/dev/stdin" or words[2])
  if not text then
    curl.fail(err, streams)
    return 2
  end
  local requests
  requests, err = reader(text, settings)
  if not requests then return curl.fail(err, streams) end
  return curl.print(requests, settings, streams)
end

---@param _ string
---@param ... string
function import.run(_, ...)
  os.exit(import.perform { ... })
end

return import
