--- What makes two requests the same: the parts of them that a cassette compares.

local crypto = require "lurcher.crypto"
local json = require "lurcher.json"
local url = require "lurcher.url"

local key = {}

local MAX_PLAIN = 64 -- a longer body is compared by its digest

local function header(request, wanted)
  for i = 1, #request.headers, 2 do
    if request.headers[i]:lower() == wanted then return request.headers[i + 1] end
  end
end

local function sorted_fields(text)
  local list = {}
  for one in text:gmatch "[^&]+" do list[#list + 1] = one end
  table.sort(list)
  return table.concat(list, "&")
end

-- The body without what differs from one sending to the next: the order of members in JSON and of fields in forms, the
-- boundary of parts.
local function plain_body(request)
  local body = request.body
  if body == "" then return "" end
  if body:find "^%s*[{%[]" then
    local value, err = json.decode(body)
    if not err then body = json.encode(value, { sort = true }) end
    return body
  end
  local kind = header(request, "content-type") or ""
  if kind:find "^application/x%-www%-form%-urlencoded" then return sorted_fields(body) end
  local boundary = kind:match '^multipart/.*boundary="?([^";]+)'
  if not boundary then return body end
  return (body:gsub("%-%-" .. boundary:gsub("%p", "%%%0"), "--boundary"))
end

local function sorted_query(address)
  return sorted_fields(address:match "%?([^#]*)" or "")
end

local function part(name)
  return function(request)
    local parsed = url.parse(request.url)
    return parsed and tostring(parsed[name] or "") or request.url
  end
end

local function sorted_headers(request)
  local lines = {}
  for i = 1, #request.headers, 2 do lines[#lines + 1] = request.headers[i]:lower() .. ": " .. request.headers[i + 1] end
  table.sort(lines)
  return table.concat(lines, "\n")
end

-- Each: what of a request is compared, as text.
key.parts = {
  method = function(request) return request.method end,
  url = function(request) return request.url end,
  scheme = part "scheme", host = part "host", port = part "port", path = part "path",
  query = function(request) return sorted_query(request.url) end,
  headers = sorted_headers,
  body = plain_body,
}

---A text that is the same for requests that are the same.
---@param match (string|function)[]
---@param request table redacted: method, url, headers, body
---@return string
function key.of(match, request)
  local texts = {}
  for i, name in ipairs(match) do
    local text = type(name) == "string" and key.parts[name](request) or ""
    if name == "body" and #text > MAX_PLAIN and not text:find("***", 1, true) then text = crypto.sha256(text, "raw") end
    texts[i] = text
  end
  return table.concat(texts, "\n")
end

---Whether a key fits one in which secrets were masked that nobody knew yet when the request was made.
---@param masked string
---@param text string
---@return boolean
function key.fits(masked, text)
  local at, from = 1, 1
  while true do
    local first, last = masked:find("***", from, true)
    local literal = masked:sub(from, first and first - 1)
    local found, stop = text:find(literal, at, true)
    if not found or from == 1 and found ~= 1 then return false end
    if not first then return #text - #literal + 1 >= at and text:sub(#text - #literal + 1) == literal end
    if from > 1 and text:sub(at, found - 1):find "[\n/?&]" then return false end
    at, from = stop + 1, last + 1
  end
end

return key
