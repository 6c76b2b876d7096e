--- A request of the command line as a command of curl.

local curl_command = require "lurcher.convert.curl_command"
local overlay = require("lurcher.base.tables").overlay

---Prints it, and gives the status to end with.
---@param record lurcher.command.Record
---@param settings table
---@param streams lurcher.command.Streams
---@return integer status
return function(record, settings, streams)
  local opts = overlay(record.client, record.opts)
  local request, err = curl_command.request(record.method, record.url, opts, "--curl")
  if not request then
    streams.err:write("lurcher: ", tostring(err), "\n")
    return 1
  end
  streams.out:write(curl_command.of(request, settings.show_secrets, record.variables), "\n")
  return 0
end
