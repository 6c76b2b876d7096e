--- What every client does when the circuit breaker of another client of its pool opens while a request waits for a
--- slot: the request is submitted again.

local resubmit = {}

---True when it was refused in the queue, because a circuit opened.
---@param err lurcher.Error
---@return boolean?
function resubmit.is_due(err)
  return err.kind == "circuit_open" and err.retry_safe
end

---The layer of clients without breakers.
---@param request lurcher.Request
---@param next function
---@return lurcher.Response? res
---@return lurcher.Error? err
function resubmit.layer(request, next)
  while true do
    local res, err = next(request)
    if res or not resubmit.is_due(err) then return res, err end
  end
end

return resubmit
