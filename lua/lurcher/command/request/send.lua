--- Sends what was built from a command line.

local http = require "lurcher.http"
local overlay = require("lurcher.base.tables").overlay

local send = {}

---The client that a record is sent by.
---@param record lurcher.command.Record
---@return lurcher.Client
function send.client(record)
  if not record.client then return http.default() end
  return http.client(record.client)
end

---@param record lurcher.command.Record
---@param more? table options beside those of the record
---@param client? lurcher.Client default: one of the record's own
---@return lurcher.Response? res
---@return lurcher.Error? err
function send.request(record, more, client)
  client = client or send.client(record)
  return client:request(record.method, record.url, overlay(record.opts, more))
end

return send
