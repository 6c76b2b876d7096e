--- Which lines go into the history: not those that hold secrets.

local redact = require "lurcher.base.redact"
local secret = require "lurcher.base.secret"

local history = {}

local MAX_ENTRY = 64 * 1024 -- bytes

-- Parts of the names of secrets, in lower case.
local NAMES = { "token", "passw", "passphrase", "%f[%a]pwd", "secret", "credential", "api[_%-]?key", "private[_%-]?key",
  "auth[_%-]?key", "access[_%-]?key", "x%-auth" }

-- What is followed by a secret that is written out, in lower case.
local WRITTEN = {
  "secret%s*[%(\"'%[]", -- http.secret
  "bearer%s*%(?%s*[\"'%[]", "bearer%s+[%w%-._~+/]+=*", "%f[%a]basic%s*%(", "%f[%a]basic%s+[%w+/]+=*",
  "%f[%a]digest%s*%(", "auth%s*=%s*{", "auth%s*=%s*[\"'%[]", "aws_sigv4", "oauth2%s*[%({]", "authorization",
  "cookie[\"'%]%s]*=%s*[\"'%[]", "cookies%s*=%s*{", "cookie:%s*%S",
}

-- What follows options of curl that take one.
local OF_CURL = { "%s%-%a*[ub]%s*%S", "%-%-use?r?[%s=]", "%-%-proxy%-user", "%-%-oauth2%-bearer", "%-%-cookie[%s=]",
  "%-%-pass[%s=]", "%f[^%s\"'=][^%s/?#\"'=:]+:[^%s/?#\"']*@" }

for _, name in ipairs(NAMES) do
  local whole = name .. "[%w_%-]*"
  WRITTEN[#WRITTEN + 1] = whole .. "[\"'%]%s]*[=:,]%s*[\"'%[]"
  WRITTEN[#WRITTEN + 1] = "[\"'&]" .. whole .. "=[^%s&\"']" -- a form
  WRITTEN[#WRITTEN + 1] = whole .. "%s*=%s*{[^}\"'%[]*[\"'%[]"
  WRITTEN[#WRITTEN + 1] = whole .. "%s*,[%w_,%s]*=%s*[\"'%[]"
  OF_CURL[#OF_CURL + 1] = whole .. "[\"']?%s*[=:]%s*[\"']?[^%s$\"']"
end

-- Tokens that some services mark as such.
local MARKED = { "%f[%w]gh[oprsu]_%w%w%w%w%w%w%w%w", "github_pat_%w", "%f[%w]glpat%-%w",
  "%f[%w]sk[_%-][%w_%-]*%w%w%w%w%w%w%w%w",
  "%f[%w]xox[abeprs]%-%w", "%f[%w]eyJ[%w_%-]+%.eyJ", "%f[%w]A[KS]IA%u%w%w%w%w%w%w%w", "hooks%.slack%.com/services/%w" }

local function has_any(entry, patterns)
  for _, pattern in ipairs(patterns) do
    if entry:find(pattern) then return true end
  end
  return false
end

-- Userinfo, or a query value whose name says that it is secret.
local function has_secret_url(entry)
  for parameter in entry:gmatch("[?&]([%w_%-.%%]+=[^%s\"'&%]]+)") do
    local url = "http://host/?" .. parameter
    if redact.url(url) ~= url then return true end
  end
  for url in entry:gmatch("%a[%w+.-]*://[^%s\"'%]]+") do
    if url:find("^%a[%w+.-]*://[^/?#]*@") or redact.url(url) ~= url then return true end
  end
  return false
end

-- What is called so is no secret itself.
local ABOUT = { "ur[li]$", "name$", "type$", "endpoint$", "^max" }

---Whether what has this name is a secret.
---@param name string
---@return boolean
function history.names_secret(name)
  local lower = name:lower()
  return has_any(lower, NAMES) and not has_any(lower, ABOUT)
end

---A text at the first token that its service marks as such.
---@param text string
---@return string? before nil: there is none
---@return string token
---@return string after
function history.split_at_token(text)
  for _, pattern in ipairs(MARKED) do
    local first = text:find(pattern)
    if first then
      local token = text:match("^[%w_%-.+/=]+", first)
      return text:sub(1, first - 1), token, text:sub(first + #token)
    end
  end
  return nil, "", ""
end

---@param entry string
---@return boolean
function history.keeps(entry)
  if #entry > MAX_ENTRY or not entry:find("%S") then return false end
  local lower = entry:lower()
  if has_any(lower, WRITTEN) or has_any(entry, MARKED) or has_secret_url(entry) then return false end
  if lower:find("curl", 1, true) and has_any(lower, OF_CURL) then return false end
  return secret.scrub(entry) == entry
end

return history
