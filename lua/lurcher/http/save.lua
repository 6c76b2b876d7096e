--- res:save: the body of a response, or what is left of it, as a file that appears when it is complete. What
--- comes over the network goes to the disk without passing through Lua.

local check = require "lurcher.base.check"
local checks = require "lurcher.http.options.checks"
local descriptors = require "lurcher.http.descriptors"
local digest = require "lurcher.http.digest_option"
local errors = require "lurcher.base.errors"
local log = require "lurcher.log"
local meter = require "lurcher.http.meter"
local native = require "lurcher.native.fs"
local redact = require "lurcher.base.redact"
local rows = require "lurcher.base.rows"
local stream = require "lurcher.http.stream"
local task = require "lurcher.task"

local save = {}

local OPTIONS = rows.of("http.save", "lurcher.SaveOptions", {
  { "size", check = "bytes", type = "integer", help = "bytes that the file must have, else kind `checksum`",
    example = "size = 1048576" },
  { "sha256", check = digest.check, type = "string",
    help = "its SHA-256 as hexadecimal digits, else kind `checksum`",
    example = 'sha256 = "9f86d0…"', words = { "checksum", "hash", "digest" } },
  { "progress", check = checks.progress, type = "boolean|string|fun(progress: lurcher.TransferProgress)",
    default = false,
    help = "true or a label: show how far it is; a function is told `{sent, received, total}`",
    example = 'progress = "image.iso"' },
})

local function mismatch(self, message, ...)
  return nil, errors.new { kind = "checksum", message = message:format(...), method = self.method,
    url = redact.url(self.url), attempts = self.attempts, elapsed = self.elapsed, retryable = false }
end

local function verify(self, out, opts)
  local ok, err = out:flush()
  if not ok then return nil, err end
  if opts.size and out:written() ~= opts.size then
    return mismatch(self, "the body has %d bytes, expected %d", out:written(), opts.size)
  end
  local found = opts.sha256 and out:sha256()
  if found and found ~= opts.sha256:lower() then
    return mismatch(self, "the SHA-256 is %s, expected %s", found, opts.sha256:lower())
  end
  return true
end

local function write(self, out, opts)
  local ok, err = meter.follow(opts.progress, function()
    return out:written(), stream.length(self)
  end, function()
    local poured, failure = stream.pour(self, out, opts.size)
    if not poured then return nil, failure end
    return verify(self, out, opts)
  end)
  if not ok then return nil, err end
  ok, err = out:close(false)
  if not ok then return nil, err end
  return out:written()
end

---Writes the body, or what is left of it, to a file.
---@param self lurcher.Response
---@param path string
---@param opts? lurcher.SaveOptions
---@return integer? bytes
---@return lurcher.Error? err
function save.save(self, path, opts)
  check.argument(path, "string", 1, "res:save")
  if path:find("\0", 1, true) then errors.raise "res:save: a path cannot contain a NUL byte" end
  opts = check.options(opts, OPTIONS, "res:save") or {}
  local before = stream.taken(self) -- raises when nothing is left
  if before > 0 then
    log.warn("res:save writes what is left of a body that was read in part", { path = path, read_before = before })
  end
  local out, err = descriptors.patiently(1, native.open_writer, path, "atomic", opts.sha256 and 2 ^ 53 or nil)
  if not out then return nil, err end
  return task.scope(function(scope)
    scope:defer(function() if out:is_open() then out:close(true) end end)
    return write(self, out, opts)
  end)
end

return save
