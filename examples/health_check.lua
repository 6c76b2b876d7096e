-- Checks the URLs given on standard input, one a line, many at once; exits with 1 if one is down.
--   printf '%s\n' https://example.com https://example.org | lurcher examples/health_check.lua

local fs = require "lurcher.fs"
local http = require "lurcher.http"
local task = require "lurcher.task"

local client = http.client { timeout = { connect = 5, total = 10 }, redirects = 5, retry = 2 }

local function check(url)
  local res, err = client:get(url)
  return { url = url, up = res ~= nil and res.ok, said = res and res.status or err.kind,
    seconds = res and res.elapsed or err.elapsed or 0 }
end

local down = 0
for _, result in task.stream(fs.lines("/dev/stdin"), check, { concurrency = 32, ordered = true }) do
  if not result.up then down = down + 1 end
  print(("%-4s  %-9s %6.0f ms  %s"):format(result.up and "up" or "DOWN", result.said, result.seconds * 1000,
    result.url))
end
os.exit(down == 0 and 0 or 1)
