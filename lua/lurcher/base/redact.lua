--- What messages, logs and traces show of URLs: no userinfo, no secret query values.

local native = require "lurcher.native.url"
local secret = require "lurcher.base.secret"

local redact = {}

---@param url string|lurcher.Secret
---@return string
function redact.url(url)
  return secret.scrub(native.redact(secret.reveal(url)))
end

---The URL as a script may have it: one that holds a marked secret prints without it.
---@param url string
---@return string|lurcher.Secret
function redact.held(url)
  local scrubbed = secret.scrub(url)
  if scrubbed == url then return url end
  return secret.partly(url, native.redact(scrubbed))
end

return redact
