--- What the name of a spec, or of what it is in, asks for: `#virtual` runs it in virtual time, `#limit=5` gives it five
--- seconds.

local tags = {}

---@param busted table
---@param element table
---@return { virtual: boolean, limit: number? }
function tags.of(busted, element)
  local found = { virtual = false }
  while element do
    local name = type(element.name) == "string" and element.descriptor ~= "file" and element.name or ""
    found.virtual = found.virtual or name:find "#virtual%f[^%w]" ~= nil
    found.limit = found.limit or tonumber(name:match "#limit=(%d+%.?%d*)")
    element = busted.context.parent(element)
  end
  return found
end

return tags
