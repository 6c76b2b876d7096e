--- A request for people, or byte by byte: what is sent, or would be.

local body_module = require "lurcher.http.body"
local file = require "lurcher.http.file"
local fs = require "lurcher.fs"
local head = require "lurcher.command.show.head"
local secret = require "lurcher.base.secret"
local units = require "lurcher.base.units"
local views = require "lurcher.command.show.views"

local sent = {}

local MAX_SHOWN = 1024 * 1024 -- bytes of a body on a terminal

-- The bytes of a file that belong to the body.
local function read_file(piece, take)
  local left, skip = piece.length or math.huge, piece.offset
  local reader, err = fs.open(piece.path)
  if not reader then return nil, err end
  while left > 0 do
    local bytes
    bytes, err = reader:read()
    if not bytes then break end
    local dropped = math.min(skip, #bytes)
    bytes, skip = bytes:sub(dropped + 1, dropped + math.min(left, #bytes)), skip - dropped
    left = left - #bytes
    local ok, failure = take(bytes)
    if not ok then return nil, failure end
  end
  reader:close()
  if err then return nil, err end
  return true
end

-- What an iterator gives; nothing when it was asked before.
local function read_producer(produce, take)
  for bytes, err in produce do
    if err then return nil, err end
    local ok, failure = take(secret.reveal(bytes))
    if not ok then return nil, failure end
  end
  return true
end

-- Gives the bytes of a body, whatever it is, to a function that may refuse more.
local function each_piece(content, take)
  if type(content) == "string" then return take(content) end
  for _, piece in ipairs(content.pieces) do
    local ok, err
    if type(piece) == "string" then
      ok, err = take(piece)
    elseif file.is(piece) then
      ok, err = read_file(piece, take)
    else
      ok, err = read_producer(piece, take)
    end
    if not ok then return nil, err end
  end
  return true
end

-- The start of it, as a terminal may be shown it.
local function shown(content, style)
  local parts, size = {}, 0
  each_piece(content, function(bytes)
    parts[#parts + 1], size = bytes, size + #bytes
    return size < MAX_SHOWN
  end)
  local text = table.concat(parts)
  if text:find("%z") then
    local length = type(content) == "string" and #content or content.length
    return ("(%s that are no text)\n"):format(length and units.size(length) or "bytes")
  end
  local view = text:find("^%s*[{%[]") and style.is_pretty and views.json(style, true) or views.text(style)
  text = view:feed(text) .. view:finish()
  return text .. (text:sub(-1) ~= "\n" and "\n" or "")
end

local function write_body(content, style, sink)
  if not content or content == "" then return true end
  if body_module.is(content) and content.begun then return sink:write("(" .. tostring(content) .. ")\n") end
  if style.is_terminal or style.is_pretty then return sink:write(shown(content, style)) end
  return each_piece(content, function(bytes) return sink:write(bytes) end)
end

---Writes head and body of a request.
---@param req lurcher.Request that the layers have seen
---@param sink lurcher.Sink
---@param style lurcher.ShowStyle
---@param opts { secrets: boolean?, version: string?, line_end: string } `version`: of the response
---@return true? ok
---@return lurcher.Error? err
function sent.write(req, sink, style, opts)
  local lines = head.request(req, style, opts.secrets or false, opts.version)
  lines[#lines + 1] = ""
  local ok, err = sink:write(table.concat(lines, opts.line_end) .. opts.line_end)
  if not ok then return nil, err end
  return write_body(req.body, style, sink)
end

return sent
