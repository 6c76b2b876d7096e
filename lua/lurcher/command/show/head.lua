--- The heads of requests and responses, for people.

local header_order = require "lurcher.http.header_order"
local native = require "lurcher.native.http"
local palette = require "lurcher.command.show.palette"
local redact = require "lurcher.base.redact"
local secret = require "lurcher.base.secret"
local text = require "lurcher.base.text"
local units = require "lurcher.base.units"

local head = {}

local HIDDEN = "***"

local function version_text(version)
  return "HTTP/" .. (version ~= "" and version or "1.1")
end

---"HTTP/1.1 200 OK"
---@param res lurcher.Response
---@param colours lurcher.Palette
---@return string
function head.status(res, colours)
  local reason = res.reason ~= "" and " " .. text.printable(res.reason) or ""
  return ("%s %s%d%s%s"):format(version_text(res.http_version), colours[palette.of_status(res.status)], res.status,
    reason, colours.off)
end

---The line that stands on standard error above what is shown: the status, the time, and what comes.
---@param res lurcher.Response
---@param colours lurcher.Palette
---@return string
function head.status_line(res, colours)
  local parts = { units.duration(res.elapsed) }
  local media_type = (res:header("Content-Type") or ""):match("^[^;]*")
  if media_type ~= "" then parts[2] = text.cut(text.printable(media_type), 60) end
  local length = tonumber(res:header("Content-Length") or "", 10)
  if length and res.method ~= "HEAD" then parts[#parts + 1] = units.size(length) end
  return ("%s  %s%s%s\n"):format(head.status(res, colours), colours.dim, table.concat(parts, ", "), colours.off)
end

-- A credential's scheme may be seen.
local function masked(value)
  local scheme = value:match("^(%a[%w-]*) +%S")
  return scheme and scheme .. " " .. HIDDEN or HIDDEN
end

local SET_COOKIE_ATTRIBUTES = { path = true, domain = true, expires = true, ["max-age"] = true, secure = true,
  httponly = true, samesite = true, partitioned = true, priority = true }

-- A Set-Cookie line without what the cookie holds: some values have a `;` in them, some lines no name, so only what
-- stands behind the value and is an attribute may be seen.
local function without_cookie(value)
  local name, rest = value:match("^([^=;]*=)(.*)$")
  rest = rest or value
  local _, quoted_to = rest:find('^%s*"[^"]*"')
  local shown = { (name or "") .. HIDDEN }
  local from = rest:find(";", quoted_to or 1, true)
  for attribute in (from and rest:sub(from + 1) or ""):gmatch("[^;]+") do
    local word = attribute:match("^%s*([^=%s]*)")
    if SET_COOKIE_ATTRIBUTES[word:lower()] then shown[#shown + 1] = attribute end
  end
  return table.concat(shown, ";")
end

local function header_line(out, name, value, style)
  if style.is_terminal then name, value = text.printable(name), text.printable(value) end
  local gap = value ~= "" and " " or ""
  out[#out + 1] = ("%s%s%s:%s%s"):format(style.colours.name, name, style.colours.off, gap, value)
end

---The lines of a response's head.
---@param res lurcher.Response
---@param style lurcher.ShowStyle
---@param hides boolean cookies that are set are not shown
---@return string[]
function head.response(res, style, hides)
  local out = { head.status(res, style.colours) }
  for _, name, value in native.head_next, res.head, 0 do
    if hides and name:lower() == "set-cookie" then value = without_cookie(value) end
    header_line(out, name, value, style)
  end
  return out
end

-- What frames the body: { name, value }, or nil.
local function framing(req)
  local content = req.body
  if type(content) == "string" and content ~= "" then return { "Content-Length", tostring(#content) } end
  if type(content) == "table" then
    if not content.length then return { "Transfer-Encoding", "chunked" } end
    return { "Content-Length", ("%.0f"):format(content.length) }
  end
  if req.method == "POST" or req.method == "PUT" or req.method == "PATCH" then return { "Content-Length", "0" } end
end

-- What goes out as headers, in the order of the wire: { { name, value }, … }, as the layers have put it together.
local function sent(req)
  local flat, lines, host = req:flat_headers(), {}, nil
  local own = { cookie = req.cookie, authorization = req.authorization, ["content-type"] = req.content_type }
  for i = 1, #flat, 2 do
    local line, key = { flat[i], flat[i + 1] }, flat[i]:lower()
    if key == "host" and not host then
      host = line
    elseif not own[key] then
      lines[#lines + 1] = line
    end
  end
  for _, name in ipairs { "Content-Type", "Cookie", "Authorization" } do
    local value = own[name:lower()]
    if value then lines[#lines + 1] = { name, value } end
  end
  lines = header_order(lines)
  table.insert(lines, 1, host or { "Host", (req.url:match("^%a+://([^/?#]*)"):gsub("^.*@", "")) })
  lines[#lines + 1] = framing(req)
  return lines
end

-- Path and query, as they are sent.
local function target(req, shows_secrets)
  local raw = req.options and req.options.raw_target
  if raw then return raw end
  local url = shows_secrets and req.url or redact.url(req.url)
  local path = url:match("^%a+://[^/?#]*([^#]*)")
  return path:sub(1, 1) == "/" and path or "/" .. path
end

---The lines of a request's head, as it is or was sent.
---@param req lurcher.Request that the layers have seen
---@param style lurcher.ShowStyle
---@param shows_secrets boolean
---@param version? string of the response
---@return string[]
function head.request(req, style, shows_secrets, version)
  local hidden = req.client:credential_headers()
  local where = target(req, shows_secrets)
  if style.is_terminal then where = text.printable(where) end
  local out = { ("%s%s%s %s %s"):format(style.colours.name, req.method, style.colours.off, where,
    version_text(version or "1.1")) }
  for _, line in ipairs(sent(req)) do
    local name, value = line[1], secret.reveal(line[2])
    local lower = name:lower()
    if not shows_secrets and lower ~= "host" then
      value = hidden[lower] and masked(value) or secret.scrub(value)
    end
    header_line(out, name, tostring(value), style)
  end
  return out
end

return head
