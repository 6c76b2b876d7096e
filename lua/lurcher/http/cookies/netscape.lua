--- Netscape cookie files: lines of seven fields between tabs, as curl and others write them.
---
---     domain  hosts-below  path  secure  expires  name  value
---
--- A line that begins with #HttpOnly_ is a cookie, too; others with # are comments. Expires is Unix time; 0: until
--- the session ends, which with a file is never.

local parse = require "lurcher.http.cookies.parse"
local suffixes = require "lurcher.native.suffixes"

local netscape = {}

---The first line, by which others know such a file.
netscape.HEADER = "# Netscape HTTP Cookie File"

local HTTP_ONLY = "#HttpOnly_"
local MAX_TIME = 2 ^ 53
local BOOLEAN = { TRUE = true, FALSE = false }

local function split(line)
  local fields, n = {}, 0
  for field in (line .. "\t"):gmatch("([^\t]*)\t") do
    n = n + 1
    if n > 7 then return nil end
    fields[n] = field
  end
  if n == 6 then fields[7], n = "", 7 end -- the value is empty
  return n == 7 and fields
end

-- Seconds, false for a session's, nil for what is no time.
local function expiry(text)
  if text == "" then return false end
  local seconds = text:find("^%-?%d+%.?%d*$") and tonumber(text)
  if not seconds then return nil end
  return seconds ~= 0 and math.min(seconds, MAX_TIME)
end

-- Whether it may be sent as it is, and is no cookie for strangers.
local function is_sound(cookie)
  local name, value, domain = cookie.name, cookie.value, cookie.domain
  if name == "" or name:find("[%z\1-\31\127=;]") or value:find("[%z\1-\31\127;]") then return false end
  if cookie.path:find("[%z\1-\31\127;]") or #name + #value > parse.MAX_SIZE then return false end
  if domain == "" or domain:find("[%z\1-\32\127;/]") or domain:sub(-1) == "." then return false end
  if not cookie.host_only and suffixes.is_public(cookie.domain) then return false end
  return parse.keeps_promises(cookie, { secure = true })
end

---A line of a file as a cookie; nil: it is none, or none that may be sent.
---@param line string without its end
---@return lurcher.Cookie?
function netscape.read(line)
  local http_only = line:sub(1, #HTTP_ONLY) == HTTP_ONLY
  if http_only then line = line:sub(#HTTP_ONLY + 1) elseif line:sub(1, 1) == "#" then return nil end
  local fields = split(line)
  if not fields then return nil end
  local below, secure, expires = BOOLEAN[fields[2]:upper()], BOOLEAN[fields[4]:upper()], expiry(fields[5])
  if below == nil or secure == nil or expires == nil then return nil end
  local domain = parse.canonical_domain(fields[1])
  local cookie = { domain = domain, host_only = not below or parse.is_address(domain),
    path = fields[3]:sub(1, 1) == "/" and fields[3] or "/", path_given = true, secure = secure,
    expires = expires or nil, name = fields[6], value = fields[7], http_only = http_only }
  return is_sound(cookie) and cookie or nil
end

---Whether a line can hold it: fields are apart by tabs.
---@param cookie lurcher.Cookie
---@return boolean
function netscape.fits(cookie)
  return not (cookie.name .. cookie.value .. cookie.path):find("\t", 1, true)
end

---@param cookie lurcher.Cookie
---@return string line
function netscape.write(cookie)
  local expires = cookie.expires and math.max(1, math.min(cookie.expires, MAX_TIME)) or 0
  return table.concat({ (cookie.http_only and HTTP_ONLY or "") .. (cookie.host_only and "" or ".") .. cookie.domain,
    cookie.host_only and "FALSE" or "TRUE", cookie.path, cookie.secure and "TRUE" or "FALSE",
    ("%.0f"):format(expires), cookie.name, cookie.value }, "\t")
end

---What makes two cookies the same one.
---@param cookie lurcher.Cookie
---@return string
function netscape.key(cookie)
  return table.concat({ cookie.domain, tostring(cookie.host_only), cookie.path, cookie.name }, "\t")
end

return netscape
