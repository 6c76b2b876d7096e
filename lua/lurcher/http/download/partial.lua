--- A file that is not complete yet: `PATH.part`, with what is known of it in `PATH.part.info`, while
--- `PATH.part.lock` keeps others away.
---
--- The info is one JSON object: `lurcher_download` (1, the version of this form), `url` (the SHA-256 of the
--- request's URL, which may hold secrets), `validator` (the strong ETag or the Last-Modified that If-Range is
--- given; without one nothing goes on), `size` (of the whole file, if it is known) and, where ranges were
--- fetched side by side, `segments`: a list of [from, to] that are missing. Without segments the part has all
--- bytes up to its own size.

local crypto = require "lurcher.crypto"
local descriptors = require "lurcher.http.descriptors"
local errors = require "lurcher.base.errors"
local fs = require "lurcher.fs"
local json = require "lurcher.json"
local native = require "lurcher.native.fs"
local task = require "lurcher.task"

local patiently = descriptors.patiently

local partial = {}

local VERSION = 1
local MAX_INFO = 64 * 1024 -- bytes
local MAX_NAME = 255 -- bytes of a file's name
local HASHED = 64 * 1024 * 1024 -- bytes: a longer file is hashed while it comes only when that is asked for

-- What changes files goes on when its task is cancelled: it is over before the lock is given back.
local shield = task.shield

---@class lurcher.Partial
---@field target string where the file will be
---@field path string
---@field info table|false
---@field size number bytes of the part; -1: there is none
local Partial = {}
Partial.__index = Partial

-- A name beside a file's. One that would be too long for a file system has a hash in the place of its end.
local function beside(target, suffix)
  local folder, name = target:match("^(.*/)(.*)$")
  folder, name = folder or "", name or target
  if #name + #suffix > MAX_NAME then
    name = name:sub(1, 200) .. "-" .. crypto.sha256(name):sub(1, 16)
  end
  return folder .. name .. suffix
end

local function is_missing(err)
  return err and err.code == "ENOENT"
end

local function is_number(value)
  return type(value) == "number" and value >= 0 and value <= 2 ^ 53
end

local function good_segments(segments)
  if segments == nil then return true end
  if type(segments) ~= "table" then return false end
  for _, segment in ipairs(segments) do
    if type(segment) ~= "table" or not is_number(segment[1]) or not is_number(segment[2])
      or segment[1] >= segment[2] then return false end
  end
  return true
end

-- What the info says, when it is one, and of this URL.
local function parsed(text, url_hash)
  local info = text and json.decode(text)
  if type(info) ~= "table" or info.lurcher_download ~= VERSION or info.url ~= url_hash then return false end
  if info.validator ~= nil and type(info.validator) ~= "string" then return false end
  if info.size ~= nil and not is_number(info.size) or not good_segments(info.segments) then return false end
  return info
end

local function read(self, url_hash)
  local length, text, err
  length, err = native.measure(self.info_path) -- a link there would have us write elsewhere
  if not length then return nil, err end
  text, err = patiently(0, fs.read, self.info_path, { max = MAX_INFO })
  if not text and not is_missing(err) and err.kind ~= "too_large" then return nil, err end
  self.info = parsed(text, url_hash)
  local failure
  self.size, failure = native.measure(self.path)
  if not self.size then return nil, failure end
  local info = self.info
  self.is_foreign = self.size >= 0 and not info
  if info and (self.size < 0 or info.size and self.size > info.size) then self.info = false end
  return true
end

---A part that is not held yet.
---@param target string
---@param url_hash string
---@return lurcher.Partial
function partial.new(target, url_hash)
  return setmetatable({ target = target, path = beside(target, ".part"), info = false, size = -1, is_foreign = false,
    info_path = beside(target, ".part.info"), url_hash = url_hash, lock = false }, Partial)
end

---Takes the lock of the file, which `release` gives back, and looks at what there is of it.
---@return true? ok
---@return lurcher.Error? err code "EWOULDBLOCK": somebody else has it
function Partial:take()
  local lock, err = patiently(0, native.lock, beside(self.target, ".part.lock"), false)
  if lock then
    self.lock = lock
    return read(self, self.url_hash)
  end
  if err.code == "EWOULDBLOCK" then
    err.message = ("'%s' is being downloaded already, by this script or another run (EWOULDBLOCK)"):format(self.target)
  end
  return nil, err
end

---Lets others have it.
function Partial:release()
  if self.lock then self.lock:release() end
  self.lock = false
end

---Where to go on: bytes that are there. 0: from the start.
---@return number
function Partial:offset()
  if not self.info or not self.info.validator or self.size < 0 then return 0 end
  return self.info.segments and 0 or self.size
end

---Notes what is known, so that another run can go on. Without a validator none can, but knows whose part it is.
---@param validator string?
---@param size number?
---@param segments? number[][]
---@return true? ok
---@return lurcher.Error? err
function Partial:note(validator, size, segments)
  self.info = { lurcher_download = VERSION, url = self.url_hash, validator = validator, size = size,
    segments = segments and json.array(segments) }
  return patiently(1, shield, native.write, self.info_path, json.encode(self.info, { sort = true }) .. "\n", true)
end

---Opens the part for writing.
---@param offset number
---@param cut boolean what is behind the offset goes
---@param is_hashed boolean|"all" it is hashed while it is written, if it is not long
---@return userdata? writer
---@return lurcher.Error? err
function Partial:writer(offset, cut, is_hashed)
  local most = is_hashed == "all" and 2 ^ 53 or is_hashed and HASHED or nil
  return patiently(1, shield, native.open_part, self.path, offset, cut, most)
end

---Removes the part and the info.
function Partial:remove()
  self.info = false
  shield(fs.remove, self.path)
  shield(fs.remove, self.info_path)
end

---@return string? digits the SHA-256 of the part
---@return lurcher.Error? err
function Partial:hash()
  return patiently(0, native.hash, self.path)
end

---The part becomes the file.
---@param target string
---@param is_exclusive boolean
---@return true? ok
---@return lurcher.Error? err code "EEXIST": there is a file of that name, and it is exclusive
function Partial:complete(target, is_exclusive)
  return patiently(0, shield, function()
    local ok, err = native.complete(self.path, target, is_exclusive)
    if not ok then return nil, err end
    fs.remove(self.info_path)
    return true
  end)
end

---The error for a target that cannot be downloaded to; nil: it can.
---@param path string
---@return string? resolved links followed
---@return lurcher.Error? err
function partial.place(path)
  local resolved, kind = native.place(path)
  if not resolved then return nil, kind end
  if kind ~= "other" then return resolved end
  return nil, errors.new { kind = "file", code = "EINVAL", path = path,
    message = ("'%s' is a device, a pipe or a socket: a download needs a file (EINVAL)"):format(path) }
end

return partial
