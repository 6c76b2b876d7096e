--- HAR 1.2 archives, as browsers write them (Chrome's dialect), to entries of a cassette and back.

local crypto = require "lurcher.crypto"
local json = require "lurcher.json"
local kinds = require "lurcher.base.kinds"
local url = require "lurcher.url"
local utf8 = require "lurcher.base.utf8"
local version = require "lurcher.native.version"

local utf8_of = require("lurcher.base.text").utf8

local har = {}

-- Of the connection, and what a decoded body has no more.
local DROPPED = { ["content-encoding"] = true, ["transfer-encoding"] = true, connection = true }

local function text_of(value) return type(value) == "string" and value or "" end

-- The objects of a list, as other programs write it.
local function objects(list)
  local found = {}
  for _, one in ipairs(type(list) == "table" and list or {}) do
    if type(one) == "table" then found[#found + 1] = one end
  end
  return found
end

local function flat_headers(list)
  local flat = {}
  for _, one in ipairs(objects(list)) do
    local name, value = text_of(one.name), text_of(one.value)
    local is_well = name ~= "" and not name:find "[:%c%s]" and not value:find "[%z\1-\8\10-\31]"
    if is_well and not DROPPED[name:lower()] then flat[#flat + 1], flat[#flat + 2] = name, value end
  end
  return flat
end

local function http_version(given)
  local lower = text_of(given):lower()
  return (lower == "h2" or lower:find "^http/2") and "2" or lower == "http/1.0" and "1.0" or "1.1"
end

local function form_of(params)
  local fields = {}
  for i, one in ipairs(objects(params)) do
    fields[i] = url.encode(text_of(one.name)) .. "=" .. url.encode(text_of(one.value))
  end
  return table.concat(fields, "&")
end

local function request_body(post)
  if type(post) ~= "table" then return "" end
  local text = text_of(post.text)
  if text == "" and type(post.params) == "table" then return form_of(post.params) end
  if post.encoding == "base64" then return crypto.base64_decode(text) or text end
  return text
end

local function response_body(content)
  if type(content) ~= "table" then return "" end
  local text = text_of(content.text)
  if content.encoding == "base64" then return crypto.base64_decode(text) or text end
  return text
end

local function messages_of(list)
  if type(list) ~= "table" then return nil end
  local messages = {}
  for _, one in ipairs(objects(list)) do
    local name = one.type == "send" and "sent" or "received"
    local is_binary = one.opcode == 2
    if one.opcode == 1 or is_binary then messages[#messages + 1] = { [is_binary and name .. "_base64" or name] =
      text_of(one.data) } end
  end
  return messages
end

-- What Chrome says of requests that failed.
local NET_ERRORS = {
  { "ERR_NAME_", "dns", "connect" }, { "ERR_SSL", "tls", "connect" }, { "ERR_CERT", "tls", "connect" },
  { "TIMED_OUT", "timeout", "read" }, { "CONNECTION_RESET", "closed", "read" }, { "EMPTY_RESPONSE", "closed", "read" },
  { "CONTENT_LENGTH_MISMATCH", "truncated", "read" }, { "INCOMPLETE_CHUNKED", "truncated", "read" },
}

local function failure_of(response)
  local own, why = response._failure, text_of(response._error)
  if type(own) == "table" and kinds.get(own.kind) then
    return { kind = own.kind, phase = type(own.phase) == "string" and own.phase or nil, message = text_of(own.message),
      safe = own.safe == true or nil }
  end
  for _, row in ipairs(NET_ERRORS) do
    if why:find(row[1], 1, true) then return { kind = row[2], phase = row[3], message = why } end
  end
  return { kind = "connect", phase = "connect", message = why ~= "" and why or "no response was recorded" }
end

-- Gives nil and what is wrong with it.
local function entry_of(one)
  local request, response = one.request, type(one.response) == "table" and one.response or {}
  if type(request) ~= "table" or type(request.method) ~= "string" or type(request.url) ~= "string" then
    return nil, "has no request"
  end
  local address = request.url:gsub("#.*$", ""):gsub("^ws", "http")
  local entry = { request = { method = request.method:upper(), url = address,
    headers = flat_headers(request.headers), body = request_body(request.postData) } }
  local status = tonumber(response.status) or 0
  if status < 100 then
    entry.failure = failure_of(response)
    return entry
  end
  if status % 1 ~= 0 or status > 999 then return nil, "has no status from 100 to 999" end
  if response._failure then entry.failure = failure_of(response) end
  entry.response = { status = status, version = http_version(response.httpVersion),
    reason = text_of(response.statusText):gsub("%c", " "), headers = flat_headers(response.headers),
    body = response_body(response.content) }
  entry.messages = messages_of(one._webSocketMessages)
  return entry
end

---The entries of an archive; nil and what is wrong with it.
---@param text string
---@return table[]? entries
---@return string? problem
function har.parse(text)
  local archive, err = json.decode(text)
  if err then return nil, "is no JSON: " .. err.message end
  local log = type(archive) == "table" and archive.log
  if type(log) ~= "table" or type(log.entries) ~= "table" then
    return nil, "is no HAR archive: it has no log.entries"
  end
  local entries = {}
  for i, one in ipairs(log.entries) do
    local entry, problem = entry_of(type(one) == "table" and one or {})
    if not entry then return nil, ("is damaged: its entry %d %s"):format(i, problem) end
    entries[i] = entry
  end
  return entries
end

-- ---- and back ----

local function pairs_of(flat)
  local list = json.array {}
  for i = 1, #flat, 2 do list[#list + 1] = { name = utf8_of(flat[i]), value = utf8_of(flat[i + 1]) } end
  return list
end

local function find(flat, wanted)
  for i = 1, #flat, 2 do
    if flat[i]:lower() == wanted then return flat[i + 1] end
  end
  return ""
end

local function query_of(address)
  local list = json.array {}
  for name, value in (address:match "%?([^#]*)" or ""):gmatch "([^&=]+)=?([^&]*)" do
    list[#list + 1] = { name = utf8_of(url.decode(name)), value = utf8_of(url.decode(value)) }
  end
  return list
end

local function with_text(object, bytes)
  if utf8.is_valid(bytes) then
    object.text = bytes
  else
    object.text, object.encoding = crypto.base64(bytes), "base64"
  end
  return object
end

local VERSIONS = { ["1.0"] = "HTTP/1.0", ["1.1"] = "HTTP/1.1", ["2"] = "h2" }

local function request_object(request, used)
  local object = { method = request.method, url = request.url, httpVersion = VERSIONS[used], cookies = json.array {},
    headers = pairs_of(request.headers), queryString = query_of(request.url), headersSize = -1,
    bodySize = #request.body }
  if request.body ~= "" then
    object.postData = with_text({ mimeType = utf8_of(find(request.headers, "content-type")) }, request.body)
  end
  return object
end

local NONE = { status = 0, version = "1.1", reason = "", headers = {}, body = "" }

local function response_object(response, failure)
  return { status = response.status, statusText = utf8_of(response.reason), httpVersion = VERSIONS[response.version],
    cookies = json.array {}, headers = pairs_of(response.headers),
    redirectURL = utf8_of(find(response.headers, "location")),
    content = with_text({ size = #response.body, mimeType = utf8_of(find(response.headers, "content-type")) },
      response.body),
    headersSize = -1, bodySize = -1,
    _failure = failure, _error = failure and ("%s: %s"):format(failure.kind, failure.message or "") or nil }
end

local function message_objects(messages)
  local list = json.array {}
  for _, one in ipairs(messages) do
    for _, name in ipairs { "sent", "received" } do
      local text, coded = one[name], one[name .. "_base64"]
      if text or coded then
        list[#list + 1] = { type = name == "sent" and "send" or "receive", time = 0, opcode = coded and 2 or 1,
          data = text or coded }
      end
    end
  end
  return list
end

local function object_of(entry)
  local response = entry.response or NONE
  local at = response.at or {}
  local first, last = (at[1] or 0) * 1000, (at[#at] or 0) * 1000
  return { startedDateTime = "1970-01-01T00:00:00.000Z", time = last, request = request_object(entry.request,
    response.version), response = response_object(response, entry.failure), cache = json.object {},
    timings = { send = 0, wait = first, receive = last - first },
    _webSocketMessages = entry.messages and message_objects(entry.messages) or nil }
end

---An archive of entries.
---@param entries table[]
---@return string
function har.format(entries)
  local list = json.array {}
  for i, entry in ipairs(entries) do list[i] = object_of(entry) end
  return json.encode({ log = { version = "1.2", creator = { name = "lurcher", version = version },
    entries = list } }, { pretty = true, sort = true }) .. "\n"
end

return har
