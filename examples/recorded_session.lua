-- A report over an API that is recorded by the first run, and made from the recording by those that follow: without a
-- network, in no time, and without a secret in the file.
--   lurcher examples/recorded_session.lua URL CASSETTE

local cassette = require "lurcher.cassette"
local http = require "lurcher.http"
local pages = require "lurcher.pages"

local url, path = ...
assert(path, "usage: recorded_session.lua URL CASSETTE")

local api = http.client { base_url = url, auth = http.bearer(os.getenv "API_TOKEN" or "demo-token") }

local function report()
  local count = 0
  for _ in pages.items(api, "countries", { next = pages.link() }) do count = count + 1 end
  local place = assert(assert(api:get "subdivisions/CH-GE"):json())
  return ("%d countries; %s is in %s"):format(count, place.name, place.country.name)
end

print(assert(cassette.use(path, function(tape)
  local text = report()
  return ("%s (%d exchanges recorded, %d replayed)"):format(text, tape.recorded, tape.replayed)
end)))
