--- Which lines go into the history: not those that hold secrets.

local redact = require "lurcher.base.redact"
local secret = require "lurcher.base.secret"

local history = {}

local MAX_ENTRY = 64 * 1024 -- bytes

-- What is followed by a secret that is written out, in lower case.
local WRITTEN = {
  "secret%s*[%(\"'%[]", -- http.secret
  "bearer%s*%(?%s*[\"'%[]", "bearer%s+[%w%-._~+/]+=*", "%f[%a]basic%s*%(", "%f[%a]basic%s+[%w+/]+=*",
  "%f[%a]digest%s*%(", "auth%s*=%s*{", "auth%s*=%s*[\"'%[]", "aws_sigv4", "oauth2%s*[%({]", "authorization",
  "cookie[\"'%]%s]*=%s*[\"'%[]", "cookie:%s*%S", "token[%w_]*[\"'%]%s]*[=:]%s*[\"'%[]",
  "passw[%w_]*[\"'%]%s]*[=:]%s*[\"'%[]", "secret[%w_]*[\"'%]%s]*[=:]%s*[\"'%[]",
  "api[_%-]?key[%w_]*[\"'%]%s]*[=:]%s*[\"'%[]",
}

-- Options of curl that take one.
local OF_CURL = { "%s%-[ub]%s*%S", "%-%-user[%s=]", "%-%-proxy%-user", "%-%-oauth2%-bearer", "%-%-cookie[%s=]",
  "%-%-pass[%s=]" }

local function has_any(entry, patterns)
  for _, pattern in ipairs(patterns) do
    if entry:find(pattern) then return true end
  end
  return false
end

-- Userinfo, or a query value whose name says that it is secret.
local function has_secret_url(entry)
  for url in entry:gmatch("%a[%w+.-]*://[^%s\"'%]]+") do
    if url:find("^%a[%w+.-]*://[^/?#]*@") or redact.url(url) ~= url then return true end
  end
  return false
end

---@param entry string
---@return boolean
function history.keeps(entry)
  if #entry > MAX_ENTRY or not entry:find("%S") then return false end
  local lower = entry:lower()
  if has_any(lower, WRITTEN) or lower:find("curl", 1, true) and has_any(lower, OF_CURL) then return false end
  return not has_secret_url(entry) and secret.scrub(entry) == entry
end

return history
