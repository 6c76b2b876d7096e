--- Cookie files of jars. Several processes may have one: each writes only what it has changed itself since it read
--- the file, under a lock.

local errors = require "lurcher.base.errors"
local fs = require "lurcher.fs"
local give_way = require "lurcher.base.give_way"
local log = require "lurcher.log"
local native = require "lurcher.native.fs"
local netscape = require "lurcher.http.cookies.netscape"
local owned = require "lurcher.task.owned"
local task = require "lurcher.task"
local native_task = require "lurcher.native.task"

local time = native_task.time

local file = {}

local MAX_SIZE = 16 * 1024 * 1024
local STEP = 1000 -- lines after which other tasks have their turn
local MAX_TAKEN = 3000 -- cookies of a file: what a jar has room for; the others stay in the file
local PATIENCE = 30 -- seconds that the lock of another is waited for

local function failure(path, err)
  if err.kind == "denied" then return nil, err end
  return nil, errors.new { kind = "file", path = path, code = err.code,
    message = ("cookie file '%s': %s"):format(path, err.message:match "': (.*)$" or err.message) }
end

-- The text of the file, "" when there is none.
local function read(path)
  local text, err = fs.read(path, { max = MAX_SIZE })
  if text then return text end
  if err.code == "ENOENT" then return "", true end
  return nil, err
end

local function lines_of(text)
  local lines = {}
  for line in (text:find("\n$") and text or text .. "\n"):gmatch("([^\n]*)\n") do
    lines[#lines + 1] = line:gsub("\r$", "")
  end
  if text == "" then lines[1] = nil end
  return lines
end

-- ---- reading ----

-- Puts what is in the file into the jar, and notes it as the state from which changes count.
local function take(jar, path, text)
  local base, now, taken = {}, time(), 0
  for i, line in ipairs(lines_of(text)) do
    if taken == MAX_TAKEN then break end
    if i % STEP == 0 then give_way() end
    local cookie = netscape.read(line)
    if cookie and (not cookie.expires or cookie.expires > now) and jar:restore(cookie) then
      base[netscape.key(cookie)], taken = netscape.write(cookie), taken + 1
    end
  end
  jar.bases[path] = base
end

---Adds the cookies of a file to a jar.
---@param jar lurcher.CookieJar
---@param path string
---@param may_be_missing? boolean
---@return true? ok
---@return lurcher.Error? err kind "file"
function file.load(jar, path, may_be_missing)
  local text, err = read(path)
  if not text then return failure(path, err) end
  if err and not may_be_missing then
    return failure(path, { code = "ENOENT", message = "No such file or directory (ENOENT)" })
  end
  take(jar, path, text)
  return true
end

-- ---- writing ----

-- The lines to write, by key, that differ from what was read, false for what is gone; and what the jar has now.
local function changes_of(jar, base)
  local changed, present, order = {}, {}, {}
  for _, cookie in ipairs(jar:each()) do
    local key, line = netscape.key(cookie), netscape.write(cookie)
    present[key] = line
    if base[key] ~= line and netscape.fits(cookie) then changed[key], order[#order + 1] = line, key end
  end
  for key in pairs(base) do
    if not present[key] then changed[key] = false end
  end
  return changed, order, present
end

-- The file's lines with our changes.
local function merged(lines, changed, order)
  local out, now, done = {}, time(), {}
  for i, line in ipairs(lines) do
    if i % STEP == 0 then give_way() end
    local cookie = netscape.read(line)
    local key = cookie and netscape.key(cookie)
    if not cookie then
      out[#out + 1] = line
    elseif changed[key] ~= nil then
      if changed[key] and not done[key] then out[#out + 1] = changed[key] end
      done[key] = true
    elseif not cookie.expires or cookie.expires > now then
      out[#out + 1] = line
    end
  end
  for _, key in ipairs(order) do
    if not done[key] then out[#out + 1] = changed[key] end
  end
  if not lines[1] then table.insert(out, 1, netscape.HEADER .. "\n") end
  return table.concat(out, "\n") .. "\n"
end

local function write(jar, path)
  local text, err = read(path)
  if not text then return nil, err end
  local is_missing, base = err, jar.bases[path] or {}
  local changed, order, present = changes_of(jar, base)
  if next(changed) or is_missing and not jar.saved[path] then
    if is_missing and next(base) then changed, order, present = changes_of(jar, {}) end -- somebody removed it
    local ok
    ok, err = native.write(path, merged(lines_of(text), changed, order), true)
    if not ok then return nil, err end
  end
  jar.bases[path], jar.saved[path] = present, true
  return true
end

---Writes a jar to a file.
---@param jar lurcher.CookieJar
---@param path string
---@return true? ok
---@return lurcher.Error? err kind "file"
function file.save(jar, path)
  local lock, err = task.timeout(PATIENCE, native.lock, path .. ".lock", true)
  if not lock then
    if err.kind == "timeout" then
      err = { code = "EWOULDBLOCK", message = ("another process has had its lock for %d s"):format(PATIENCE) }
    end
    return failure(path, err)
  end
  return task.shield(function()
    local ok, result, problem = pcall(write, jar, path)
    lock:release()
    if not ok then error(result, 0) end
    if not result then return failure(path, problem) end
    return true
  end)
end

-- ---- a client's own file ----

local attached = setmetatable({}, { __mode = "k" }) -- jars that a task is to save

local function save_own(jar)
  local ok, err = file.save(jar, jar.path)
  if not ok then log.warn("the cookies were not saved", { reason = tostring(err) }) end
end

-- A task that ends, and may be the last to use the jar, saves it.
local keep = owned.registry(function(open)
  for jar in pairs(open) do
    jar.is_left, attached[jar] = true, nil
    save_own(jar)
  end
end)

-- What os.exit cuts off: no task comes to its end then.
native_task.exit_hooks[#native_task.exit_hooks + 1] = function()
  for jar in pairs(attached) do save_own(jar) end
end

local function own(jar)
  attached[jar] = true
  keep(jar)
end

---Has a jar read from a file, and written there when the task that runs ends; nil and an error of kind "file".
---@param jar lurcher.CookieJar
---@param path string
---@return lurcher.CookieJar? jar
---@return lurcher.Error? err
function file.attach(jar, path)
  local ok, err = file.load(jar, path, true)
  if not ok then return nil, err end
  jar.path = path
  own(jar)
  return jar
end

---Cookies came: when the task that made the jar has ended, the running one will save them.
---@param jar lurcher.CookieJar
function file.touched(jar)
  if jar.is_left then own(jar) end
end

return file
