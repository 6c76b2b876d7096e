-- Fetches a file, over as many runs as it takes: what one run got is kept, and the next goes on from there.
--   lurcher examples/download.lua URL PATH [SHA256]

local http = require "lurcher.http"

local url, path, sha256 = ...
assert(path, "usage: download.lua URL PATH [SHA256]")

local result, err = http.download(url, path, {
  sha256 = sha256,
  progress = path,
  timeout = { read = 20 },
  retry = { attempts = 5 }, -- that bring nothing; an attempt that gets further does not count
})
if not result then
  print(("not complete: %s"):format(err.kind))
  print(err:is "checksum" and "it was another file" or "run it again to go on")
  os.exit(1)
end
print(("%s: %d bytes, %d of them from an earlier run"):format(result.path, result.bytes, result.resumed))
