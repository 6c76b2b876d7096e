--- HTTP archives (HAR 1.2), as Chrome, Firefox and others write them, as requests.

local crypto = require "lurcher.native.crypto"
local errors = require "lurcher.base.errors"
local json = require "lurcher.json"

local har = {}

-- Headers of a recorded request that are not the script's to set: the connection's, and those that our own have.
local DROPPED = {}
for name in ([[host connection keep-alive proxy-connection content-length content-encoding transfer-encoding te
  trailer upgrade expect accept-encoding http2-settings]]):gmatch("%S+") do
  DROPPED[name] = true
end

local function failure(message, ...)
  return nil, errors.new { kind = "decode", message = message:format(...) }
end

local function text_of(value)
  return type(value) == "string" and value or nil
end

local function table_of(value)
  return type(value) == "table" and value or {}
end

-- The objects of a list.
local function list_of(value)
  local objects = {}
  for _, item in ipairs(table_of(value)) do
    if type(item) == "table" then objects[#objects + 1] = item end
  end
  return objects
end

-- ---- filters ----

-- What scripts of a page request, as Chrome calls it.
local IS_SCRIPTED = { xhr = true, fetch = true, eventsource = true }

-- Firefox tells no kind, but browsers send where a request comes from, and for what.
local function is_scripted(entry)
  local kind = text_of(entry._resourceType)
  if kind then return IS_SCRIPTED[kind] or false end
  local said
  for _, header in ipairs(list_of(entry.request.headers)) do
    local name = (text_of(header.name) or ""):lower()
    if name == "x-requested-with" then return true end
    if name == "sec-fetch-dest" then said = header.value == "empty" end
  end
  if said ~= nil then return said end
  local content = table_of(table_of(entry.response).content)
  return (text_of(content.mimeType) or ""):find("json") ~= nil
end

---The function that tells whether a URL is wanted: one that holds the text, in which "*" stands for anything; a text
---in ^…$ is a Lua pattern.
---@param wanted string
---@return fun(url: string): boolean
function har.filter(wanted)
  local pattern = wanted
  if not wanted:find("^%^.*%$$") then
    pattern = wanted:gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*+", ".-")
  end
  return function(url) return url:find(pattern) ~= nil end
end

-- ---- one request ----

local function is_name(name)
  return name ~= "" and not name:find("[^%w!#$%%&'*+%-.^_`|~]")
end

local function add_line(headers, spelled, name, value)
  local key = name:lower()
  local known = spelled[key]
  if not known then
    spelled[key], headers[name] = name, value
  elseif key == "cookie" then -- HTTP/2 sends them in pieces
    headers[known] = headers[known] .. "; " .. value
  elseif type(headers[known]) == "table" then
    table.insert(headers[known], value)
  else
    headers[known] = { headers[known], value }
  end
end

-- The headers of a request, without what is sent anyway; cookies once.
local function headers_of(request)
  local headers, spelled = {}, {}
  for _, line in ipairs(list_of(request.headers)) do
    local name, value = text_of(line.name), text_of(line.value)
    if name and value and is_name(name) and not DROPPED[name:lower()] then
      add_line(headers, spelled, name, (value:gsub("[%z\1-\8\10-\31\127]+", " ")))
    end
  end
  if not spelled.cookie then
    for _, cookie in ipairs(list_of(request.cookies)) do
      local name, value = text_of(cookie.name), text_of(cookie.value)
      if name and value then add_line(headers, spelled, "Cookie", name .. "=" .. value) end
    end
  end
  return headers, spelled
end

local function media_type(post, headers, spelled)
  local given = spelled["content-type"] and headers[spelled["content-type"]]
  local text = text_of(given) or text_of(post.mimeType) or ""
  return text:lower():match("^%s*([^;%s]*)")
end

-- Whether names and values are percent-encoded already: some browsers write them so.
local function is_encoded(params)
  local found = false
  for _, param in ipairs(params) do
    local text = (text_of(param.name) or "") .. (text_of(param.value) or "")
    if text:find("[^%w%-._~%%+*]") then return false end
    found = found or text:find("%%%x%x") ~= nil
  end
  return found
end

local function form_of(params)
  local list, pieces = {}, {}
  for i, param in ipairs(params) do
    local name, value = text_of(param.name) or "", text_of(param.value) or ""
    list[i], pieces[i] = { name, value }, name .. "=" .. value
  end
  if is_encoded(params) then return nil, table.concat(pieces, "&") end
  return list
end

-- The parts of a form with files, whose contents the archive does not have.
local function parts_of(params, warnings)
  local parts = {}
  for i, param in ipairs(params) do
    local filename, value = text_of(param.fileName), text_of(param.value)
    local part = { name = text_of(param.name) or "", type = text_of(param.contentType) }
    if filename and (value == nil or value == "") then
      part.file = filename
      warnings[#warnings + 1] = ("the file '%s' is not in the archive: it is read from where the script runs")
        :format(filename)
    else
      part.value, part.filename = value or "", filename
    end
    parts[i] = part
  end
  return parts
end

local function drop(headers, spelled, name)
  if spelled[name] then headers[spelled[name]], spelled[name] = nil, nil end
end

local function set_body(opts, post, headers, spelled, warnings)
  if type(post) ~= "table" then return end
  local text, params = text_of(post.text), list_of(post.params)
  local kind = media_type(post, headers, spelled)
  if text and text ~= "" then
    local encoding = post.encoding or post._encoding
    if encoding == "base64" then text = crypto.base64_decode(text) or text end
    opts.body = text
    if not spelled["content-type"] and text_of(post.mimeType) and post.mimeType ~= "" then
      add_line(headers, spelled, "Content-Type", post.mimeType)
    end
  elseif params[1] and kind == "multipart/form-data" then
    drop(headers, spelled, "content-type") -- its boundary was another body's
    opts.multipart = parts_of(params, warnings)
  elseif params[1] then
    opts.form, opts.body = form_of(params)
    if opts.body then
      headers[spelled["content-type"] or "Content-Type"] = "application/x-www-form-urlencoded"
    elseif kind == "application/x-www-form-urlencoded" then
      drop(headers, spelled, "content-type")
    end
  end
end

local function url_of(request)
  local url, query = request.url:match("^[^#]*"), {}
  if url:find("?", 1, true) then return url end
  for _, param in ipairs(list_of(request.queryString)) do
    local name, value = text_of(param.name), text_of(param.value)
    if name then query[#query + 1] = { name, value or "" } end
  end
  return url, query[1] and query or nil
end

local function request_of(entry)
  local request, opts, warnings = entry.request, {}, {}
  local url, params = url_of(request)
  local headers, spelled = headers_of(request)
  set_body(opts, request.postData, headers, spelled, warnings)
  opts.headers, opts.params = next(headers) ~= nil and headers or nil, params
  return { method = request.method, url = url, opts = opts, parameters = {}, warnings = warnings }
end

-- ---- the archive ----

local CREDENTIALS = { cookie = true, authorization = true, ["set-cookie"] = true }

local function has_credentials(entries)
  for _, entry in ipairs(entries) do
    for _, message in ipairs { entry.request, table_of(entry.response) } do
      for _, line in ipairs(list_of(message.headers)) do
        if CREDENTIALS[(text_of(line.name) or ""):lower()] then return true end
      end
      if list_of(message.cookies)[1] then return true end
    end
  end
  return false
end

local function is_request(entry)
  local request = type(entry) == "table" and entry.request
  return type(request) == "table" and text_of(request.method) and text_of(request.url)
    and is_name(request.method)
end

-- Whether an entry is wanted; what is no HTTP request is counted.
local function is_wanted(entry, settings, count)
  local url = entry.request.url
  if settings.matches and not settings.matches(url) then return false end
  if entry._webSocketMessages or url:find("^wss?:") then
    count.sockets = count.sockets + 1
    return false
  end
  if not url:lower():find("^https?://") then
    count.others = count.others + 1
    return false
  end
  return not settings.xhr or is_scripted(entry)
end

local function notes_of(entries, count)
  local notes = {}
  if not has_credentials(entries) then
    notes[1] = "the archive has neither cookies nor Authorization: browsers leave them out unless it is exported with "
      .. "sensitive data; requests that need them will be refused"
  end
  if count.sockets > 0 then
    notes[#notes + 1] = ("WebSockets are left out (%d): lurcher ws URL opens one"):format(count.sockets)
  end
  if count.others > 0 then
    notes[#notes + 1] = ("what is no http or https request is left out (%d)"):format(count.others)
  end
  if count.broken > 0 then
    notes[#notes + 1] = ("entries without method or URL are left out (%d)"):format(count.broken)
  end
  return notes
end

---The requests of an archive.
---@param text string
---@param settings? { only?: string, xhr?: boolean } which are wanted, see har.filter; those that scripts made
---@return lurcher.CurlRequest[]? requests
---@return lurcher.Error|string[] notes what is missing in them; or an error of kind "decode"
function har.read(text, settings)
  settings = settings or {}
  local value, err = json.decode(text:sub(1, 3) == "\239\187\191" and text:sub(4) or text)
  if err then
    err.message = "the archive is no JSON, or it was cut: " .. err.message:gsub("^JSON ", "it ")
    return nil, err
  end
  local entries = type(value) == "table" and type(value.log) == "table" and value.log.entries
  if type(entries) ~= "table" then return failure "that is no HTTP archive: log.entries is missing" end
  local filter = { matches = settings.only and har.filter(settings.only), xhr = settings.xhr }
  local requests, usable, count = {}, {}, { sockets = 0, others = 0, broken = 0 }
  for _, entry in ipairs(entries) do
    if not is_request(entry) then
      count.broken = count.broken + 1
    else
      usable[#usable + 1] = entry
      if is_wanted(entry, filter, count) then requests[#requests + 1] = request_of(entry) end
    end
  end
  if not requests[1] then
    return failure("the archive has no request that is wanted: it has %d entries", #entries)
  end
  return requests, notes_of(usable, count)
end

return har
