--- What messages, logs and traces show of URLs: no userinfo, no secret query values.

local native = require "lurcher.native.url"
local secret = require "lurcher.base.secret"

local redact = {}

---@param url string
---@return string
function redact.url(url)
  return secret.scrub(native.redact(url))
end

return redact
