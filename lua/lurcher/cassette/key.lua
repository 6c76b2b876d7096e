--- What makes two requests the same: the parts of them that a cassette compares.

local json = require "lurcher.json"
local url = require "lurcher.url"

local key = {}

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
    texts[i] = type(name) == "string" and key.parts[name](request) or ""
  end
  return table.concat(texts, "\n")
end

-- ---- keys in which secrets were masked that nobody knew yet when the request was made ----

local function part_fits(masked, text)
  if masked == text then return true end
  local at, from = 1, 1
  while true do
    local first, last = masked:find("***", from, true)
    if not first then break end
    local found, stop = text:find(masked:sub(from, first - 1), at, true)
    if not found or from == 1 and found ~= 1 then return false end
    at, from = stop + 1, last + 1
  end
  local rest = masked:sub(from)
  return from > 1 and #text - #rest + 1 >= at and text:sub(#text - #rest + 1) == rest
end

-- What stands between the places that no secret goes beyond.
local function parts_of(text)
  local parts = {}
  for one in (text .. "\n"):gmatch "[^\n/?&]*[\n/?&]" do parts[#parts + 1] = one end
  return parts
end

---Whether a key fits a masked one.
---@param masked string
---@param text string
---@return boolean
function key.fits(masked, text)
  local wanted, parts = parts_of(masked), parts_of(text)
  if #wanted ~= #parts then return false end
  for i, one in ipairs(wanted) do
    if not part_fits(one, parts[i]) then return false end
  end
  return true
end

---Which parts of a masked key are, and the key without them: the same for each that fits it.
---@param masked string
---@return integer count of all parts
---@return string places of those that are masked
---@return string rest
function key.shape(masked)
  local parts, places = parts_of(masked), {}
  for i, one in ipairs(parts) do
    if one:find("***", 1, true) then places[#places + 1], parts[i] = i, "" end
  end
  return #parts, table.concat(places, " "), table.concat(parts)
end

---A key without the parts in those places.
---@param text string
---@param places string
---@return string rest
function key.without(text, places)
  local parts = parts_of(text)
  for place in places:gmatch "%d+" do parts[tonumber(place)] = "" end
  return table.concat(parts)
end

---@param text string
---@return integer parts
function key.count(text) return select(2, text:gsub("[\n/?&]", "")) + 1 end

return key
