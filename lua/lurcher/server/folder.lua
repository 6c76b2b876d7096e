--- Files of a folder as responses: `server.folder("public")` is a handler.

local check = require "lurcher.base.check"
local crypto = require "lurcher.crypto"
local date = require "lurcher.date"
local errors = require "lurcher.base.errors"
local fs = require "lurcher.fs"
local media_types = require "lurcher.base.media_types"
local native = require "lurcher.native.fs"
local owned = require "lurcher.task.owned"
local ranges = require "lurcher.server.ranges"
local rows = require "lurcher.base.rows"
local url = require "lurcher.url"

local folder = {}

local OPTIONS, DEFAULT = rows.of("server.folder", "lurcher.server.FolderOptions", {
  { "index", check = "string|false", default = "index.html", help = "the file that stands for a folder",
    example = 'index = "default.htm"' },
  { "listing", check = "boolean", default = false, help = "a page of names for a folder without that file",
    example = "listing = true" },
  { "hidden", check = "boolean", default = false, help = "also what begins with a dot", example = "hidden = true" },
  { "headers", check = "table", type = "table<string, string>", help = "headers for all its files",
    example = 'headers = { ["Cache-Control"] = "no-store" }' },
})

local PIECE = 65536
local MAX_NAME = 4096

-- Files whose client went away.
local keep = owned.registry(function(open)
  for reader in pairs(open) do reader:close() end
end)

local function plain(status, more)
  return { status = status, body = status == 404 and "not found\n" or nil, headers = more }
end

-- ---- names ----

-- The name in the folder that a path means; nil: it is malformed, or may not be asked for.
local function name_of(text, hidden)
  if #text > MAX_NAME or text:find("%z") then return nil end
  for segment in text:gmatch("[^/]+") do
    if segment == "." or segment == ".." or not hidden and segment:sub(1, 1) == "." then return nil end
  end
  return (text:gsub("^/+", ""))
end

local function decoded(text)
  if text:find("%%%X") or text:find("%%.?$") or text:find("%%.%X") then return nil end
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- ---- pieces of an open file ----

local function next_bytes(reader, most)
  while true do
    local bytes = reader:take(most)
    if bytes or reader:ended() then return bytes end
    local ok, err = reader:fill()
    if not ok then error(err, 0) end
  end
end

-- Gives `count` bytes from `first`; fewer when the file was cut meanwhile, which ends the connection.
local function part(reader, first, count)
  local begun = false
  return function()
    if not begun then
      if not reader:seek(first, PIECE) then error("the file cannot be read at that place", 0) end
      begun = true
    end
    if count == 0 then return nil end
    local bytes = next_bytes(reader, math.min(count, PIECE))
    count = count - (bytes and #bytes or count)
    return bytes
  end
end

local function closing(reader, iterator)
  local open = keep(reader)
  return function()
    local bytes = iterator()
    if not bytes and open[reader] then
      open[reader] = nil
      reader:close()
    end
    return bytes
  end
end

-- One iterator after the other; strings among them are given as they are.
local function chained(list)
  local at = 1
  return function()
    while list[at] do
      local one = list[at]
      if type(one) == "string" then
        at = at + 1
        return one
      end
      local bytes = one()
      if bytes then return bytes end
      at = at + 1
    end
  end
end

-- ---- responses ----

---@class lurcher.server.FoundFile
---@field reader table
---@field size integer
---@field modified integer
---@field etag string
---@field type string

local function content_range(range, size)
  return ("bytes %d-%d/%d"):format(range.first, range.last, size)
end

local function whole(found, headers)
  headers["Content-Length"] = found.size
  return 200, part(found.reader, 0, found.size)
end

local function one_range(found, headers, range)
  local count = range.last - range.first + 1
  headers["Content-Length"], headers["Content-Range"] = count, content_range(range, found.size)
  return 206, part(found.reader, range.first, count)
end

local function several(found, headers, list)
  local boundary = crypto.hex(crypto.random(12))
  local pieces, length = {}, 0
  for _, range in ipairs(list) do
    local head = ("\r\n--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n")
      :format(boundary, found.type, content_range(range, found.size))
    local count = range.last - range.first + 1
    pieces[#pieces + 1] = head
    pieces[#pieces + 1] = part(found.reader, range.first, count)
    length = length + #head + count
  end
  pieces[#pieces + 1] = ("\r\n--%s--\r\n"):format(boundary)
  headers["Content-Length"] = length + #pieces[#pieces]
  headers["Content-Type"] = "multipart/byteranges; boundary=" .. boundary
  return 206, chained(pieces)
end

local function respond_with(found, req, headers)
  local list = ranges.still_same(req.headers["if-range"], found.etag, found.modified)
    and req.method == "GET" and ranges.parse(req.headers.range, found.size) or nil
  if not list then return whole(found, headers) end
  if not list[1] then
    headers["Content-Range"] = ("bytes */%d"):format(found.size)
    return 416
  end
  return (list[2] and several or one_range)(found, headers, list[2] and list or list[1])
end

local function send_file(found, req, settings)
  local headers = { ["Content-Type"] = found.type, ETag = found.etag, ["Accept-Ranges"] = "bytes",
    ["Last-Modified"] = date.format(found.modified, "http"), ["X-Content-Type-Options"] = "nosniff" }
  for name, value in pairs(settings.headers or {}) do headers[name] = value end
  local status, body = ranges.condition(req.headers, found.etag, found.modified), nil
  if not status then status, body = respond_with(found, req, headers) end
  if not body or req.method == "HEAD" then
    found.reader:close()
    body = nil
  end
  return { status = status, headers = headers, body = body and closing(found.reader, body) }
end

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

local function escaped(text) return (text:gsub("[&<>\"']", ESCAPES)) end

local function listing(path, name, settings)
  local entries, err = fs.list(path, { details = true })
  if not entries then return nil, err end
  local lines = { ("<!DOCTYPE html>\n<meta charset=utf-8>\n<title>/%s</title>\n<ul>\n"):format(escaped(name)) }
  if name ~= "" then lines[2] = '<li><a href="../">../</a>\n' end
  for _, entry in ipairs(entries) do
    if settings.hidden or entry.name:sub(1, 1) ~= "." then
      local slash = entry.type == "directory" and "/" or ""
      lines[#lines + 1] = ('<li><a href="./%s%s">%s%s</a>\n')
        :format(url.encode(entry.name), slash, escaped(entry.name), slash)
    end
  end
  lines[#lines + 1] = "</ul>\n"
  return { headers = { ["Content-Type"] = "text/html; charset=utf-8" }, body = table.concat(lines) }
end

local function media_type(name)
  local kind = media_types.of(name) or media_types.UNKNOWN
  return kind:find("^text/") and kind .. "; charset=utf-8" or kind
end

-- Opens what a name means: the file, or nil and the kind of thing that it is, or nil.
local function open(settings, name)
  local reader, size, modified, tag = native.open_beneath(settings.path, name)
  if not reader then return nil, nil end
  if type(reader) == "string" then return nil, reader end
  return { reader = reader, size = size, modified = modified, etag = '"' .. tag .. '"', type = media_type(name) }
end

-- A folder's address ends in a slash, so that links in its pages lead into it. One slash in front: two would lead to
-- another host.
local function with_slash(req)
  local path = "/" .. req.path:gsub("^[/\\]+", "") .. "/"
  return { status = 301, headers = { Location = path .. (req.query_string and "?" .. req.query_string or "") } }
end

local function send_folder(settings, name, req)
  if req.path:sub(-1) ~= "/" then return with_slash(req) end
  local below = name == "" and "" or name:gsub("/+$", "") .. "/"
  local found = settings.index and open(settings, below .. settings.index)
  if found then return send_file(found, req, settings) end
  if not settings.listing then return plain(404) end
  return listing(settings.path .. "/" .. below, below, settings) or plain(404)
end

---A handler that answers with the files of a folder. Behind a route that ends in `{path*}` it is that part that names
---them.
---@param path string
---@param opts? lurcher.server.FolderOptions
---@return fun(req: lurcher.server.Request): table
function folder.handler(path, opts)
  check.argument(path, "string", 1, "server.folder")
  if path:find("%z") then errors.raise("server.folder: a path cannot contain a NUL byte") end
  opts = check.options(opts, OPTIONS, "server.folder") or {}
  local settings = { path = path, index = opts.index == nil and DEFAULT.index or opts.index, listing = opts.listing,
    hidden = opts.hidden, headers = opts.headers }
  return function(req)
    if req.method ~= "GET" and req.method ~= "HEAD" then return plain(405, { Allow = "GET, HEAD" }) end
    local text = req.params and req.params.path or decoded(req.path)
    local name = text and name_of(text, settings.hidden)
    if not name then return plain(404) end
    local found, other = open(settings, name)
    if other == "directory" then return send_folder(settings, name, req) end
    if not found or name:sub(-1) == "/" then
      if found then found.reader:close() end
      return plain(404)
    end
    return send_file(found, req, settings)
  end
end

return folder
