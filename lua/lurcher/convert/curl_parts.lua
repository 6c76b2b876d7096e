--- Forms, proxies and signatures of a curl command as options of a request.

local data = require "lurcher.convert.data"
local mime = require "lurcher.convert.mime"
local multipart = require "lurcher.http.multipart"
local parameters = require "lurcher.convert.parameters"
local refusal = require "lurcher.convert.refusal"

local curl_parts = {}

local shown = parameters.shown

-- ---- forms ----

-- Lines as a map, in which those of one name are a list.
local function header_map(lines)
  local map, spelled = {}, {}
  for _, line in ipairs(lines) do
    local key = line[1]:lower()
    local name = spelled[key] or line[1]
    local before = map[name]
    spelled[key] = name
    if type(before) == "table" then
      table.insert(before, line[2])
    else
      map[name] = before and { before, line[2] } or line[2]
    end
  end
  return map
end

-- A part of -F as one of `multipart`. Several files within one make a body that is written out.
local function part_of(given)
  local part = { name = given.name, value = given.value, file = given.file, type = given.type,
    filename = given.filename, headers = given.headers }
  if given.content then
    local content = data.file(given.content)
    if data.is(content) then
      part.value = content
    else
      part.body, part.filename = content, given.filename or false
    end
  elseif given.mixed then
    local text, boundary = mime.mixed(given.mixed)
    part.value, part.type = text, "multipart/mixed; boundary=" .. boundary
  end
  return part
end

---Sets `multipart`, or, where the command gives another type than multipart/form-data, a body that is written out.
---@param settings lurcher.CurlSettings
---@param opts table
---@param content_type? string[] the header that is given
function curl_parts.set_form(settings, opts, content_type)
  local parts = {}
  for i, given in ipairs(settings.form) do parts[i] = part_of(given) end
  local given = content_type and content_type[2]
  if not given or given:lower():find("^multipart/form%-data%s*%f[;%z]") then
    for _, part in ipairs(parts) do part.headers = part.headers and header_map(part.headers) end
    opts.multipart = parts
    return
  end
  local boundary = multipart.boundary()
  opts.body = mime.form(parts, boundary, "attachment")
  opts.content_type = given .. "; boundary=" .. boundary
end

-- ---- proxies ----

local PORTS = { http = 1080, https = 443, socks5 = 1080, socks5h = 1080 }

local function percent_encoded(text)
  if parameters.is_in(text) then return text end
  return (text:gsub("[^%w%-._~]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

---The option `proxy`.
---@param settings lurcher.CurlSettings
---@return string|table|false
function curl_parts.proxy(settings)
  local given = settings.proxy
  if given == "" then return false end
  if given:sub(1, 1) == "\0" then return given end
  local scheme, rest = given:match("^(%a[%w]*)://(.*)$")
  scheme, rest = scheme and scheme:lower() or "http", rest or given
  if not PORTS[scheme] then
    refusal.raise(("the proxy %s is not understood: http, https, socks5 and socks5h are"):format(shown(given)))
  end
  local userinfo, place = rest:match("^(.*)@([^@]*)$")
  place = (place or rest):gsub("/.*$", "")
  if not place:find(":%d+$") and not parameters.is_in(place) then place = place .. ":" .. PORTS[scheme] end
  if settings.proxy_user then
    local user, password = settings.proxy_user:match("^([^:]*):?(.*)$")
    userinfo = percent_encoded(user) .. ":" .. percent_encoded(password)
  end
  local url = scheme .. "://" .. (userinfo and userinfo .. "@" or "") .. place
  if next(settings.proxy_tls) == nil then return url end
  local tls = {}
  for key, value in pairs(settings.proxy_tls) do tls[key] = value end
  return { url = url, tls = tls }
end

-- ---- signatures ----

---The scheme for `aws:amz:region:service`.
---@param value string
---@param user? string[]
---@return table
function curl_parts.aws_sigv4(value, user)
  local region, service = value:match("^[aA][wW][sS]:[aA][mM][zZ]:([^:]+):([^:]+)$")
  if not region then
    refusal.raise(("--aws-sigv4 %s is not understood: aws:amz:REGION:SERVICE is"):format(shown(value)))
  end
  if not user then refusal.raise "--aws-sigv4 needs --user KEY:SECRET" end
  return { scheme = "aws_sigv4",
    { access_key = user[1], secret_key = user[2], region = region, service = service } }
end

return curl_parts
