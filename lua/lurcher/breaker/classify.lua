--- What counts as a failure of the other side.

local errors = require "lurcher.base.errors"
local kinds = require "lurcher.base.kinds"
local tables = require "lurcher.base.tables"

---Whether a result is a failure, and the cause to be shown; nil: neither failure nor success.
---@param self lurcher.Breaker
---@param res any
---@param err any nil: it succeeded
---@param seconds number? how long it took
---@return boolean? failed
---@return any cause
return function(self, res, err, seconds)
  if self.counts then return self.counts(res, err), err end
  if err ~= nil then
    local kind = type(err) == "table" and err.kind
    local of_another_matter = kinds.get(kind) and not kinds.is(kind, "peer")
    if of_another_matter or kind == "timeout" and err.phase == "queue" then return nil end
    local status = kind == "status" and err.response and err.response.status
    return not status or status >= 500, err
  end
  if tables.is_a(res, "lurcher.Response") and res.status >= 500 then
    return true, errors.new { kind = "status", message = "status " .. res.status }
  end
  if self.slow and seconds and seconds >= self.slow then
    return true, errors.new { kind = "timeout", message = ("slow: it took %.3g s"):format(seconds) }
  end
  return false
end
