-- A hedged request: when the first server has not answered within a short while, or fails, the next one is
-- asked too. The first good answer counts, and what still runs is cancelled. Cuts the slowest few per cent.
--   lurcher examples/hedged_request.lua URL

local http = require "lurcher.http"
local task = require "lurcher.task"

-- Good for requests that may be sent twice. `delay`: about the time in which 95 % are answered.
local function hedged_get(urls, delay, opts)
  local attempts, failed, started = {}, {}, 0
  for i, url in ipairs(urls) do
    failed[i] = task.event()
    attempts[i] = function()
      if i > 1 then task.timeout((i - 1) * delay, function() failed[i - 1]:wait() end) end
      started = started + 1
      local res, err = http.get(url, opts)
      if not res then failed[i]:set() end
      return res, err
    end
  end
  return task.any(attempts), started
end

local url = assert((...), "usage: hedged_request.lua URL")
local down, slow, fast = "http://127.0.0.1:1", url .. "/mirrors/1", url .. "/mirrors/2"
for _, urls in ipairs { { fast, slow }, { slow, fast }, { down, fast } } do
  local res, started = hedged_get(urls, 0.2, { expect = 200, retry = false })
  print(("mirror %d answered; %d asked"):format(assert(res:json()).mirror, started))
end
