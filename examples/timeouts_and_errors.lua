-- What can go wrong comes back as a value with a kind; what it takes to go on is in it.
--   lurcher examples/timeouts_and_errors.lua URL

local http = require "lurcher.http"
local task = require "lurcher.task"

local url = assert((...), "usage: timeouts_and_errors.lua URL")
local client = http.client { base_url = url, retry = false }

local function report(what, res, err)
  if res then return print(("%s: status %d"):format(what, res.status)) end
  print(("%s: kind %s%s"):format(what, err.kind, err.phase and ", phase " .. err.phase or ""))
end

report("no byte for 0.1 s", client:get("slow?seconds=5", { timeout = { read = 0.1 } }))
report("not done in 0.1 s", client:get("slow?seconds=5", { timeout = 0.1 }))
report("nobody listens", client:get("http://127.0.0.1:1/"))
report("an unusable URL", client:get("https://[half-an-address/"))

-- An error status is a response, unless the request says what it expects.
report("not there", client:get("subdivisions/XX-0"))
report("not as expected", client:get("subdivisions/XX-0", { expect = "2xx" }))

-- A time limit around several requests.
report("all of this in 0.2 s", task.timeout(0.2, function()
  while true do assert(client:get("slow?seconds=0.05")) end
end))
