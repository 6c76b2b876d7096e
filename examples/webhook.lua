-- Receives webhooks: starts a server of its own, subscribes with its URL, and waits for three events.
--   lurcher examples/webhook.lua URL

local http = require "lurcher.http"
local json = require "lurcher.json"
local server = require "lurcher.server"
local task = require "lurcher.task"

local url = assert((...), "usage: webhook.lua URL")
local events = task.queue(100)

local receiver = assert(server.start(function(req)
  if req.method ~= "POST" then return { status = 405, headers = { Allow = "POST" } } end
  local event = json.decode(req.body)
  if not event then return { status = 400, body = "this is not JSON" } end
  events:put(event)
  return { status = 204 }
end))

assert(http.post(url .. "/subscriptions", { json = { url = receiver.url .. "/hook" }, expect = 200,
  retryable = true }))
for _ = 1, 3 do
  local event = events:get()
  print(event.event .. ": " .. event.code)
end
receiver:stop()
