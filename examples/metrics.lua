-- Serves its own metrics to Prometheus while it works. The option `name` groups requests whose URLs differ.
--   lurcher examples/metrics.lua URL [PORT]

local http = require "lurcher.http"
local metrics = require "lurcher.metrics"
local server = require "lurcher.server"
local task = require "lurcher.task"

local url, port = ...
local api = http.client { base_url = assert(url, "usage: metrics.lua URL [PORT]") }

local watched = assert(server.start(function(req)
  if req.path ~= "/metrics" then return { status = 404 } end
  return { headers = { ["Content-Type"] = "text/plain; version=0.0.4" }, body = metrics.prometheus() }
end, { port = tonumber(port) }))
io.stderr:write("metrics are at ", watched.url, "/metrics\n")

task.map({ "CH-GE", "CH-ZH", "IT-25", "DE-BE", "ES-MD" }, function(code)
  assert(api:get("subdivisions/" .. code, { name = "subdivision", expect = 200 }))
end)

for _, series in ipairs(metrics.snapshot()) do
  print(("%s: %d answers with status 200, of %d requests"):format(series.name, series.statuses["200"],
    series.requests))
end
watched:stop()
