--- The body of a response for people: something to read, as it comes.

local decoding = require "lurcher.command.show.decoding"
local errors = require "lurcher.base.errors"
local units = require "lurcher.base.units"
local utf8 = require "lurcher.base.utf8"
local views = require "lurcher.command.show.views"

local body = {}

local LOOKED_AT = 8192 -- bytes in which a NUL byte tells that it is no text

---@param res lurcher.Response
---@return string "application/json", in lower case; "": it is not told
function body.media_type(res)
  return (res:header("Content-Type") or ""):match("^%s*([^%s;]*)"):lower()
end

local LINES = { ["application/x-ndjson"] = true, ["application/ndjson"] = true, ["application/jsonl"] = true,
  ["application/x-jsonlines"] = true, ["application/jsonlines"] = true, ["application/json-lines"] = true,
  ["application/stream+json"] = true, ["application/x-jsonl"] = true, ["text/x-ndjson"] = true }

---@param media_type string
---@return boolean
function body.is_lines(media_type) return LINES[media_type] == true end

---@param media_type string
---@return boolean
function body.is_json(media_type)
  return not LINES[media_type] and media_type:find("[/+-]json$") ~= nil
end

local BINARY = { image = true, audio = true, video = true, font = true }

-- Of these types it may still be text.
local function sounds_binary(media_type)
  if BINARY[media_type:match("^[^/]*")] then return not media_type:find("%+xml$") end
  return media_type:find("^application/octet%-stream") or media_type:find("zip$") or media_type:find("pdf$")
end

local function is_binary(first, media_type, is_wide)
  local start = first:sub(1, LOOKED_AT)
  if is_wide then return false end
  if start:find("%z") then return true end
  return sounds_binary(media_type)
    and (start:find("[\1-\8\14-\26\28-\31]") or not utf8.is_valid((start:gsub("[\192-\255][\128-\191]*$", ""))))
end

local function view_of(first, media_type, style)
  if not style.is_pretty then return views.text(style) end
  if LINES[media_type] then return views.lines(style) end
  if body.is_json(media_type) then return views.json(style, false) end
  local says_nothing = media_type == "" or media_type == "text/plain"
  if says_nothing and first:find("^[%s\239\187\191]*[{%[]") then return views.json(style, true) end
  return views.text(style)
end

-- What a terminal is not shown.
local function refuse(res, first, media_type)
  local length = tonumber(res:header("Content-Length") or "", 10)
  local size = length and units.size(length) or res.complete and units.size(#first)
  local what = media_type ~= "" and media_type or size and "bytes that are no text" or nil
  res:close()
  return "binary", ("the body is binary (%s%s%s) and is not shown on a terminal: -o PATH saves it, --download too")
    :format(what or "bytes that are no text", size and ", " or "", size or "")
end

-- Writes what a view makes of the pieces; says in `last` what it ended with.
local function write(sink, text, last)
  if text == "" then return true end
  last[1] = text:byte(-1)
  local ok, err = sink:write(text)
  if not ok then return nil, err end
  sink:flush()
  return true
end

-- Reads all pieces into a function; the error is that of the body, or what the function gave.
local function each_piece(res, first, take)
  local piece, err = first, nil
  while piece do
    local ok, failure = take(piece)
    if not ok then
      res:close()
      return nil, failure
    end
    piece, err = res:read()
  end
  if err then return nil, err end
  return true
end

-- The body for people. What came before a fault is shown, too.
local function read_out(res, first, style, sink)
  local media_type = body.media_type(res)
  local decode, is_wide = decoding.decoder(first, res:header("Content-Type"))
  if style.is_terminal and is_binary(first, media_type, is_wide) then return refuse(res, first, media_type) end
  local decoded, last = decode(first, false), {}
  local view = view_of(decoded, media_type, style)
  local ok, err = each_piece(res, first, function(piece)
    local text = decoded or decode(piece, false)
    decoded = nil
    return write(sink, view:feed(text), last)
  end)
  if not ok and errors.is_error(err) and err.kind == "file" then return nil, err end
  local written, failure = write(sink, view:feed(decode("", true)) .. view:finish(), last)
  if written and last[1] and last[1] ~= 10 then written, failure = write(sink, "\n", last) end
  if not ok then return nil, err end
  return written, failure
end

---Shows the body. `"binary"`: it was not shown, and what is to be told about it.
---@param res lurcher.Response a streamed one
---@param style lurcher.ShowStyle
---@param sink lurcher.Sink
---@return true|"binary"|nil done
---@return lurcher.Error|string|nil problem
function body.show(res, style, sink)
  local first, err = res:read()
  if not first then return not err or nil, err end
  return read_out(res, first, style, sink)
end

return body
