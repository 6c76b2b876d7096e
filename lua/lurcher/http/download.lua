--- client:download: options, and the call. What it does is told in the manual, in `downloads`.

local check = require "lurcher.base.check"
local checks = require "lurcher.http.options.checks"
local digest = require "lurcher.http.digest_option"
local errors = require "lurcher.base.errors"
local job = require "lurcher.http.download.job"
local options = require "lurcher.http.options"
local overlay = require("lurcher.base.tables").overlay
local rows = require "lurcher.base.rows"

local download = {}

local MAX_PARTS = 64

local function parts_mismatch(value)
  if type(value) == "number" and value >= 1 and value <= MAX_PARTS and value == math.floor(value) then return nil end
  return ("a whole number from 1 to %d"):format(MAX_PARTS)
end

local ROWS = {
  { "size", check = "bytes", type = "integer", help = "bytes that the file must have, else kind `checksum`",
    example = "size = 1048576" },
  { "sha256", check = digest.check, type = "string",
    help = "its SHA-256 as hexadecimal digits, else kind `checksum`",
    example = 'sha256 = "9f86d0…"', words = { "checksum", "hash", "digest" } },
  { "parts", check = parts_mismatch, type = "integer", default = 1,
    help = "ranges that are fetched side by side, where the server has a strong validator and takes ranges",
    example = "parts = 4", words = { "segments", "connections", "splits" } },
  { "overwrite", check = "boolean", default = false,
    help = "in a folder: a file that has the name is replaced", example = "overwrite = true" },
  { "progress", check = checks.progress, type = "boolean|string|fun(progress: lurcher.TransferProgress)",
    default = false, help = "true or a label: show how far it is; a function is told `{sent, received, total}`",
    example = 'progress = "image.iso"' },
}
local OPTIONS = rows.of("http.download", "lurcher.DownloadOptions", ROWS)
local ELSEWHERE = rows.hints(ROWS)

---@class lurcher.Download
---@field bytes integer of the file
---@field resumed integer the offset gone on from; 0: from the start
---@field path string
---@field sha256 string hexadecimal digits

-- Headers that say which bytes are wanted: ours.
local OWN_HEADERS = { range = true, ["if-range"] = true, ["accept-encoding"] = true }

local function refuse_headers(given, what)
  for name in pairs(type(given) == "table" and given or {}) do
    if type(name) == "string" and OWN_HEADERS[name:lower()] then
      errors.raise(("%s: header '%s' is the download's own"):format(what, name))
    end
  end
end

-- The options of the request; timeout.total holds only where it was given.
local function for_request(client, given)
  local opts = overlay(given, { stream = true, expect = false, decompress = false })
  opts.headers = overlay(type(given.headers) == "table" and given.headers or nil, { ["Accept-Encoding"] = "identity" })
  local timeout = options.merge(client.settings.options, given).timeout
  if not timeout or timeout.total == nil then
    opts.timeout = overlay(type(given.timeout) == "table" and given.timeout or nil, { total = false })
  end
  return opts
end

---Checks a call: the request's options, and the download.
---@param client lurcher.Client
---@param path any
---@param opts any
---@param what string for messages
---@return table request_options
---@return lurcher.DownloadJob
function download.prepare(client, path, opts, what)
  check.argument(path, "string", 2, what)
  if path == "" or path:find("\0", 1, true) then
    errors.raise(("bad argument #2 to '%s' (a path must not be empty, nor hold a NUL byte)"):format(what))
  end
  if opts ~= nil then check.argument(opts, "table", 3, what) end
  local own, given = {}, {}
  for name, value in pairs(opts or {}) do
    if name == "stream" or name == "expect" then
      errors.raise(("%s: option '%s' is not for downloads"):format(what, name))
    elseif OPTIONS[name] then
      check.option(name, value, OPTIONS, what)
      own[name] = value
    else
      given[name] = value
    end
  end
  for name in pairs(given) do
    if type(name) == "string" and ELSEWHERE[name] and not options.is_request_option(name) then
      check.option(name, given[name], OPTIONS, what, ELSEWHERE)
    end
  end
  options.check_request(given, what, OPTIONS)
  refuse_headers(given.headers, what)
  return for_request(client, given), job.new(path, own)
end

return download
