--- Sends a request and shows what comes.

local send = require "lurcher.command.request.send"

local show = {}

---Prints the request without sending it.
---@param record lurcher.command.Record
---@param _ table settings
---@param streams lurcher.command.Streams
---@return integer status
function show.request(record, _, streams)
  streams.out:write(record.method, " ", record.url, "\n")
  return 0
end

---Sends the request and shows the response.
---@param record lurcher.command.Record
---@param settings table
---@param streams lurcher.command.Streams
---@return integer status
function show.run(record, settings, streams)
  local res, err = send.request(record, { stream = true, expect = false })
  if not res then
    streams.err:write("lurcher: ", tostring(err), "\n")
    return 1
  end
  for chunk in res:chunks() do streams.out:write(chunk) end
  return (res.status < 400 or settings.any_status) and 0 or 1
end

return show
