-- What functions raise.

local raising = {}

---What `fn` raises; a failure when it does not.
---@param fn function
---@param ... any its arguments
---@return any
function raising.failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "it did not raise")
  return err
end

---The same as text, without the position in front.
---@param fn function
---@param ... any its arguments
---@return string
function raising.message(fn, ...)
  return (tostring(raising.failure(fn, ...)):gsub("^[^:\n]*:%d+: ", ""))
end

return raising
