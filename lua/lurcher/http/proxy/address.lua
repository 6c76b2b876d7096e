--- The URL of a proxy, taken apart.

local secret = require "lurcher.base.secret"
local url = require "lurcher.native.url"

local address = {}

local DEFAULT_PORTS = { http = 80, https = 443, socks5 = 1080, socks5h = 1080 }
local MAX_SOCKS_WORD = 255 -- bytes of a user name or password that SOCKS has room for

---@class lurcher.Proxy
---@field scheme string
---@field name string "host:port"
---@field url string "scheme://host:port", without credentials
---@field user? string
---@field password? string
---@field holds table secrets that stay masked as long as this lives
---@field tls? table
---@field login? table see login.lua
---@field profile? userdata of transfers that go through it

-- Why user name and password cannot be sent to a proxy, or nil.
local function unfit(scheme, user, password)
  if (user .. password):find("[%z\1-\31\127]") then return "user name or password hold a control character" end
  local is_socks = scheme:find("^socks")
  if is_socks and math.max(#user, #password) > MAX_SOCKS_WORD then
    return ("user name and password of a SOCKS proxy have at most %d bytes"):format(MAX_SOCKS_WORD)
  end
  if not is_socks and user:find(":", 1, true) then return "the user name holds a colon" end
end

local function set_credentials(self, parts)
  local user, password = url.decode(parts.user or ""), url.decode(parts.password or "")
  if user == "" and password == "" then return end
  self.user, self.password, self.holds = user, password, { secret.new(password) }
  return unfit(self.scheme, user, password)
end

---Takes a proxy's URL apart; without a scheme it is http://.
---@param text string
---@return lurcher.Proxy? proxy
---@return string? why what is wrong, without quoting what may be secret
function address.parse(text)
  text = text:match("^%s*(.-)%s*$")
  local scheme, rest = text:match("^(%a[%w+.-]*)://(.*)$")
  scheme, rest = (scheme or "http"):lower(), rest or text
  if not DEFAULT_PORTS[scheme] then
    return nil, "a proxy's URL begins with http://, https://, socks5:// or socks5h://"
  end
  local authority = rest:match("^[^/?#\\]*")
  local port = authority:match("[^@]*$"):match(":(%d+)$")
  local parts, why = url.parse("http://" .. rest)
  if not parts then return nil, why end
  if parts.path ~= "/" or parts.query or parts.fragment then return nil, "nothing may stand behind its port" end
  if port and tonumber(port) == 0 then return nil, "port 0 is none" end
  local host = parts.host:find(":", 1, true) and "[" .. parts.host .. "]" or parts.host
  local name = ("%s:%d"):format(host, port and tonumber(port) or DEFAULT_PORTS[scheme])
  local self = { scheme = scheme, name = name, url = scheme .. "://" .. name, holds = {} }
  why = set_credentials(self, parts)
  if why then return nil, why end
  return self
end

return address
