--- Small helpers for text from the network, where no pattern may take quadratic time.

local text = {}

---Without the blanks and tabs at both ends.
---@param value string
---@return string
function text.trim(value)
  local first = value:find("[^ \t]")
  return first and value:match("^.*[^ \t]", first) or ""
end

return text
