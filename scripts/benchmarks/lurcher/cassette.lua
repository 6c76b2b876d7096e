-- TOTAL ORDER: GETs that a cassette of 10,000 entries answers, with retry, breaker, cookies and redirects on.

package.path = arg[0]:match("^(.*/)") .. "?.lua;" .. package.path
local cassette, http, json, task = require "lurcher.cassette", require "lurcher.http", require "lurcher.json",
  require "lurcher.task"

local ENTRIES, IN_FLIGHT = 10000, 16

local total, order = ...
total = tonumber(total)

local function entry(i)
  return { request = { method = "GET", url = ("https://api.test/users/%d?page=2"):format(i),
      headers = { "Accept: */*", "User-Agent: lurcher" } },
    response = { status = 200, reason = "OK", http_version = "1.1", headers = { "Content-Type: application/json" },
      body = { json = { id = i, name = "a name", list = { 1, 2, 3 } } } } }
end

local function write(path)
  local entries = {}
  for i = 1, ENTRIES do entries[i] = json.encode(entry(i), { sort = true, pretty = true }) end
  local file = assert(io.open(path, "w"))
  file:write('{ "lurcher_cassette": 1, "entries": [\n', table.concat(entries, ",\n"), "\n] }\n")
  file:close()
end

local path = os.tmpname()
task.defer(function() os.remove(path) end)
write(path)

local tape = assert(cassette.open(path, { mode = "none", repeats = true }))
local api = http.client {
  transport = tape, limits = { inflight = IN_FLIGHT, per_origin = IN_FLIGHT, rate = 1e6, burst = 1000 }, breaker = true,
}

local started, checked, start = 0, 0, task.now()
task.scope(function(scope)
  for _ = 1, IN_FLIGHT do
    scope:spawn(function()
      while started < total do
        started = started + 1
        local i = order == "in order" and (started - 1) % ENTRIES + 1 or math.random(ENTRIES)
        local res = api:get(("https://api.test/users/%d?page=2"):format(i))
        if res and res:json().id == i then checked = checked + 1 end
      end
    end)
  end
end)
print(('{"requests":%d,"failed":%d,"rps":%.0f}'):format(checked, total - checked, total / (task.now() - start)))
