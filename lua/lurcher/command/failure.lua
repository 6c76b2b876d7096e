--- What is said in the shell of a request that failed.

local errors = require "lurcher.base.errors"

-- Options that a message tells a script to give -> what they are called in the shell.
local OPTIONS = { ["tls.ca"] = "--cacert" }

---@param err any
---@return string
return function(err)
  local words = tostring(err)
  if not errors.is_error(err) or err.kind ~= "tls" then return words end
  return (words:gsub("%f[%w]tls%.%w+", OPTIONS))
end
