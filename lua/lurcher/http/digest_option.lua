--- The option `sha256` of what is saved.

local digest_option = {}

---A type spec.
---@param value any
---@return string? mismatch
function digest_option.check(value)
  if type(value) == "string" and #value == 64 and not value:find("%X") then return nil end
  return "64 hexadecimal digits"
end

return digest_option
