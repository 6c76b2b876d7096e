-- Streams a long list of JSON lines into a file, keeping some of them; it is never in memory as a whole.
--   lurcher examples/stream_to_file.lua URL [FILE]

local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"

local url, path = ...
assert(url, "usage: stream_to_file.lua URL [FILE]")
path = path or "living_languages.ndjson"

local client = http.client { base_url = url }
local res = assert(client:stream("GET", "languages.ndjson"))

-- Atomic: the file appears under its name once it is complete.
local out = assert(fs.writer(path, { atomic = true }))
local kept, seen = 0, 0
for language in res:ndjson() do
  seen = seen + 1
  if language.type == "L" then -- living, neither extinct nor constructed
    kept = kept + 1
    assert(out:write(json.encode({ code = language.alpha_3, name = language.name }, { sort = true }) .. "\n"))
  end
end
assert(out:close())
print(("%d of %d languages are in %s"):format(kept, seen, path))
