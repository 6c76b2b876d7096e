--- `lurcher curl ARGUMENTS…`: a curl command with "lurcher " before it, as a script; with `--run` it is sent.

local curl_reader = require "lurcher.convert.curl_reader"
local show = require "lurcher.command.show"

local curl = {}

local STREAMS = { out = io.stdout, err = io.stderr }

local OWN = { ["--run"] = "runs", ["--show-secrets"] = "show_secrets" }

-- Takes our own options off the start and the end; those between are curl's.
local function own_options(list)
  local words, settings = { unpack(list) }, {}
  while OWN[words[1]] do settings[OWN[table.remove(words, 1)]] = true end
  while OWN[words[#words]] do settings[OWN[table.remove(words)]] = true end
  return words, settings
end

-- A whole command given as one word is read as a shell would.
local function source_of(words)
  if #words == 1 and words[1]:find("^%s*curl[%w.]*%s") then return words[1] end
  return words
end

---Prints what was left out of requests, each line once.
---@param requests lurcher.CurlRequest[]
---@param streams lurcher.command.Streams
function curl.warn(requests, streams)
  local told = {}
  for _, request in ipairs(requests) do
    for _, warning in ipairs(request.warnings) do
      if not told[warning] then streams.err:write("lurcher: ", warning, "\n") end
      told[warning] = true
    end
  end
end

---Tells of an error, and gives the status to end with.
---@param err lurcher.Error
---@param streams lurcher.command.Streams
---@return integer status
function curl.fail(err, streams)
  streams.err:write("lurcher: ", tostring(err), "\n")
  return 1
end

---Prints requests as a script.
---@param requests lurcher.CurlRequest[]
---@param settings { show_secrets?: boolean }
---@param streams lurcher.command.Streams
---@return integer status
function curl.print(requests, settings, streams)
  curl.warn(requests, streams)
  local list = #requests == 1 and requests[1] or requests
  streams.out:write((require("lurcher.curl").script(list, { secrets = settings.show_secrets })))
  return 0
end

local function send(words, settings, streams)
  local requests, err = curl_reader.read(source_of(words), os.getenv, true)
  if not requests then return curl.fail(err, streams) end
  curl.warn(requests, streams)
  local status = 0
  for _, request in ipairs(requests) do
    if request.parameters[1] then
      streams.err:write("lurcher: the variable ", request.parameters[1], " is not set\n")
      return 2
    end
    local shown = request.shown
    shown.show_secrets = settings.show_secrets
    status = math.max(status, show.run(request, shown, streams))
  end
  return status
end

---@param list string[] the arguments behind the word
---@param streams? lurcher.command.Streams
---@return integer status
function curl.perform(list, streams)
  streams = streams or STREAMS
  local words, settings = own_options(list)
  if #words == 0 then
    streams.err:write("lurcher curl: give a curl command: lurcher curl -d a=1 https://api.example.com\n")
    return 2
  end
  if settings.runs then return send(words, settings, streams) end
  local requests, err = curl_reader.unread(source_of(words))
  if not requests then return curl.fail(err, streams) end
  return curl.print(requests, settings, streams)
end

---@param _ string
---@param ... string
function curl.run(_, ...)
  os.exit(curl.perform { ... })
end

return curl
