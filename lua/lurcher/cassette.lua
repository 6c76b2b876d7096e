--- Cassettes: what servers answered, recorded once and replayed in tests; no secret reaches the file.
---
---   cassette.use("spec/cassettes/users.json", function()
---     local res = assert(http.get("https://api.example.com/users/7"))
---   end)

local archive = require "lurcher.cassette.archive"
local check = require "lurcher.base.check"
local client = require "lurcher.http.client"
local errors = require "lurcher.base.errors"
local key = require "lurcher.cassette.key"
local log = require "lurcher.log"
local scopes = require "lurcher.task.scope"
local session = require "lurcher.cassette.session"

local cassette = {}

local MODES = { once = true, new = true, none = true, all = true }
local UNUSED = { warn = true, error = true, ignore = true }

local OPTIONS = { mode = "string", match = "table", redact = "table", timing = "boolean", repeats = "boolean",
  unused = "string" }
local REDACT = { headers = "table", query = "table", json = "table", with = "callable" }

local function check_choice(what, name, value, choices)
  if value ~= nil and not choices[value] then
    errors.raise(("%s: %s: %s"):format(what, name, check.unknown(value, choices, "value")))
  end
end

local function check_list(what, name, list)
  for _, one in ipairs(list or {}) do
    if type(one) ~= "string" then
      errors.raise(("%s: %s has to be a list of names, got %s"):format(what, name, check.shown(one)))
    end
  end
end

local function check_match(what, match)
  for _, one in ipairs(match or {}) do
    if type(one) ~= "function" and not key.parts[one] then
      errors.raise(("%s: %s"):format(what, type(one) == "string" and check.unknown(one, key.parts, "match")
        or "match has to be a list of names and functions, got " .. check.shown(one)))
    end
  end
end

-- The options with their defaults.
local function checked(opts, what)
  opts = check.options(opts, OPTIONS, what) or {}
  check_choice(what, "mode", opts.mode, MODES)
  check_choice(what, "unused", opts.unused, UNUSED)
  check_match(what, opts.match)
  local redact = check.options(opts.redact, REDACT, what .. ": redact") or {}
  for _, name in ipairs { "headers", "query", "json" } do check_list(what, "redact." .. name, redact[name]) end
  return { mode = opts.mode or "once", match = opts.match or session.MATCH, redact = redact, timing = opts.timing,
    repeats = opts.repeats, unused = opts.unused }
end

---@class lurcher.CassetteOptions
---@field mode? "once"|"new"|"none"|"all" once (default): record when there is no file, else replay; new: replay, and
---  record what is not in it; none: replay only; all: record everything anew
---@field match? (string|fun(sent: table, recorded: table): boolean)[] what makes requests the same; default method,
---  url and body; also scheme, host, port, path, query, headers
---@field redact? { headers?: string[], query?: string[], json?: string[], with?: fun(entry: table): boolean? } names
---  that are secret besides; `with` changes an entry before it is compared or written, and leaves it out by false
---@field timing? boolean record when pieces came, and replay them so
---@field repeats? boolean an entry answers more than once
---@field unused? "warn"|"error"|"ignore" what to do about entries that nobody asked for

---Opens a cassette as a `transport` for clients. Its `close()` writes what was recorded.
---@param path string
---@param opts? lurcher.CassetteOptions
---@return lurcher.Cassette? cassette
---@return lurcher.Error? err kind "file": it cannot be read, is none, is damaged, or of a newer version
function cassette.open(path, opts)
  check.argument(path, "string", 1, "cassette.open")
  return session.open(path, checked(opts, "cassette.open"))
end

---Makes a cassette of an HAR 1.2 archive, as browsers save them. Secrets are left out.
---@param from string path of the archive
---@param to string path of the cassette
---@param opts? { redact?: table } as of `cassette.use`
---@return integer? entries
---@return lurcher.Error? err kind "file"
function cassette.from_har(from, to, opts)
  check.argument(from, "string", 1, "cassette.from_har")
  check.argument(to, "string", 2, "cassette.from_har")
  return archive.read(from, to, checked(opts, "cassette.from_har").redact)
end

---Writes a cassette as an HAR 1.2 archive, which browsers show.
---@param from string path of the cassette
---@param to string path of the archive
---@return integer? entries
---@return lurcher.Error? err kind "file"
function cassette.to_har(from, to)
  check.argument(from, "string", 1, "cassette.to_har")
  check.argument(to, "string", 2, "cassette.to_har")
  return archive.write(from, to)
end

-- What fn gives, and true when it gives nothing.
local function results_of(count, ...)
  if count == 0 then return true end
  return ...
end

-- Ends it as `fn` ended.
local function finish(self, undo, ok, ...)
  undo()
  self.is_over = true
  if ok then
    local well, err = self:close()
    if not well then return nil, err end
    return results_of(select("#", ...), ...)
  end
  local well, err = self:close(true)
  if not well then log.error(tostring(err)) end
  error((...), 0)
end

---Runs a function with a cassette under every client: what it asks for is answered from the file, or recorded into it.
---@param path string
---@param opts? lurcher.CassetteOptions
---@param fn fun(cassette: lurcher.Cassette): ...
---@return any ... what `fn` returned, or true when it returned nothing; nil and an error when the cassette cannot be
---  read or written
function cassette.use(path, opts, fn)
  if fn == nil and type(opts) == "function" then opts, fn = nil, opts end
  check.argument(path, "string", 1, "cassette.use")
  check.argument(fn, "callable", 3, "cassette.use")
  local self, err = session.open(path, checked(opts, "cassette.use"))
  if not self then return nil, err end
  local undo = client.install_everywhere(self)
  scopes.defer(function() -- cancelled: half a recording is none
    undo()
    self.is_over = true
    self:discard()
  end)
  return finish(self, undo, pcall(fn, self))
end

return cassette
