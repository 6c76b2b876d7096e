-- URL FOLDER COUNT [SHA256]: downloads a file so many times at once.

local http = require "lurcher.http"
local task = require "lurcher.task"

local url, folder, count, sha256 = ...
local numbers = {}
for i = 1, tonumber(count) do numbers[i] = i end
local client = http.client { limits = { per_origin = #numbers } }
task.map(numbers, function(i)
  return assert(client:download(url, folder .. "/" .. i, { sha256 = sha256 }))
end, { concurrency = #numbers })
