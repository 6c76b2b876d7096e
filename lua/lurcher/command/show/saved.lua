--- Bodies that go into files: -o PATH and --download.

local errors = require "lurcher.base.errors"
local overlay = require("lurcher.base.tables").overlay
local send = require "lurcher.command.request.send"
local text = require "lurcher.base.text"
local units = require "lurcher.base.units"

local saved = {}

-- What the user can do about a path that is a folder.
local function advised(err)
  if err.code == "EISDIR" then err.message = err.message .. "; --download=FOLDER/ takes the server's name for it" end
  return nil, err
end

local function tell(self, path, bytes, seconds)
  if not self.style.is_terminal then return end
  self.streams.err:write(("%s in %s (%s)\n"):format(units.size(bytes), text.printable(path), units.duration(seconds)))
end

---Writes the body to the file that -o names, which is replaced when the body is complete.
---@param self lurcher.command.Showing
---@param res lurcher.Response a streamed one
---@return true? ok
---@return lurcher.Error? err
function saved.save(self, res)
  local path = self.settings.output
  local bytes, err = res:save(path, { progress = path })
  if not bytes then
    res:close()
    return advised(err)
  end
  tell(self, path, bytes, res.elapsed)
  return true
end

-- The folder or file that --download names.
local function target(settings)
  return settings.download == true and "./" or settings.download
end

---Downloads to a file, of the server's name unless there is one: an interrupted download goes on.
---@param self lurcher.command.Showing
---@return integer status
function saved.download(self)
  local record = self.record
  if record.method ~= "GET" then
    self:say(("--download is for get, not for %s; -o PATH saves what comes"):format(record.method:lower()))
    return 2
  end
  local client = send.client(record)
  local started = require("lurcher.task").now()
  local opts = overlay(record.opts, { progress = true, overwrite = self.settings.download ~= true or nil })
  local ok, done, err = pcall(client.download, client, record.url, target(self.settings), opts)
  if not ok and not errors.is_error(done) then
    self:say(text.line((tostring(done):gsub("^[%w_/.-]+%.lua:%d+: ", ""))))
    return 2
  elseif not ok then
    error(done, 0)
  elseif not done then
    local _, told = advised(err)
    return self:fail(told)
  end
  tell(self, done.path, done.bytes, require("lurcher.task").now() - started)
  return 0
end

return saved
