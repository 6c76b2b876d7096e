--- The canonical request of AWS's Signature Version 4: what client and server both make of a request, so that
--- both sign the same text.

local secret = require "lurcher.base.secret"
local sorted_keys = require("lurcher.base.tables").sorted_keys
local trim = require("lurcher.base.text").trim
local url = require "lurcher.native.url"

local canonical = {}

-- Headers that may change between us and the server, or that the runtime adds below.
local UNSIGNED = {}
for name in ([[authorization connection keep-alive proxy-authenticate proxy-authorization proxy-connection te
  trailer transfer-encoding upgrade expect user-agent accept-encoding x-amzn-trace-id via forwarded
  x-forwarded-for x-forwarded-host x-forwarded-proto cookie cache-control pragma traceparent
  tracestate]]):gmatch("%S+") do
  UNSIGNED[name] = true
end

-- A path of which "/" stays and all that is not unreserved is encoded.
local function encode_path(path)
  return (path:gsub("[^/]+", url.encode))
end

---A URL taken apart as it is: nothing is decoded, no dot segment removed.
---@param text string
---@return { base: string, path: string, query: string, host: string } `host`: as the header Host has it
function canonical.target(text)
  local base, path, query = text:match("^(%s*%a[%w+.-]*://[^/?#]*)([^?#]*)%??([^#]*)")
  local parts = url.parse(base .. "/")
  local host = parts.host:find(":", 1, true) and "[" .. parts.host .. "]" or parts.host
  local default = parts.scheme == "https" and 443 or 80
  if parts.port and parts.port ~= default then host = ("%s:%d"):format(host, parts.port) end
  return { base = trim(base), path = path == "" and "/" or path, query = query, host = host }
end

-- Without dot segments and empty ones.
local function normalized(path)
  local kept = {}
  for segment in path:gmatch("[^/]+") do
    if segment == ".." then
      kept[#kept] = nil
    elseif segment ~= "." then
      kept[#kept + 1] = segment
    end
  end
  local is_folder = path:find("/%.?%.?$") and kept[1]
  return "/" .. table.concat(kept, "/") .. (is_folder and "/" or "")
end

---The path that is signed: S3's is encoded once, that of others, which is encoded already, once more.
---@param path string
---@param rules { is_s3: boolean, normalize: boolean }
---@return string
function canonical.path(path, rules)
  if rules.is_s3 then return encode_path(url.decode(path, false)) end
  return encode_path(rules.normalize and normalized(path) or path)
end

---The parameters, encoded in the one way, in the order of their bytes.
---@param query string as in a URL
---@return string
function canonical.query(query)
  local pairs_of = {}
  for part in query:gmatch("[^&]+") do
    local name, value = part:match("^([^=]*)=?(.*)$")
    pairs_of[#pairs_of + 1] = { url.encode(url.decode(name, false)), url.encode(url.decode(value, false)) }
  end
  table.sort(pairs_of, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  for i, pair in ipairs(pairs_of) do pairs_of[i] = pair[1] .. "=" .. pair[2] end
  return table.concat(pairs_of, "&")
end

local function clean(value)
  value = secret.reveal(value)
  if type(value) == "number" then value = ("%.14g"):format(value) end
  return (trim((tostring(value):gsub("[ \t\r\n]+", " "))))
end

local function add(fields, name, value)
  local key = name:lower()
  if UNSIGNED[key] then return end
  fields[key] = fields[key] and fields[key] .. "," .. clean(value) or clean(value)
end

---The headers to sign of a map of names to values, or lists of them: name in lower case -> value.
---@param map table
---@return table<string, string>
function canonical.fields(map)
  local fields = {}
  for name, value in pairs(map) do
    if type(value) == "table" and not secret.is(value) then
      for _, line in ipairs(value) do add(fields, name, line) end
    elseif value then
      add(fields, name, value)
    end
  end
  return fields
end

---The same of a flat list {name, value, …}.
---@param flat table
---@return table<string, string>
function canonical.fields_of_list(flat)
  local fields = {}
  for i = 1, #flat, 2 do add(fields, flat[i], flat[i + 1]) end
  return fields
end

---The headers as they are signed, and their names.
---@param fields table<string, string>
---@return string lines
---@return string names "host;x-amz-date"
function canonical.headers(fields)
  local names, lines = sorted_keys(fields), {}
  for i, name in ipairs(names) do lines[i] = name .. ":" .. fields[name] .. "\n" end
  return table.concat(lines), table.concat(names, ";")
end

---@param method string
---@param path string
---@param query string
---@param lines string
---@param names string
---@param digest string
---@return string
function canonical.request(method, path, query, lines, names, digest)
  return table.concat({ method, path, query, lines, names, digest }, "\n")
end

return canonical
