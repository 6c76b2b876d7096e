--- Queries and forms as they are sent, taken apart.

local url = require "lurcher.url"

local parameters = {}

---@param text? string
---@return table<string, string|string[]> found decoded; a repeated name has a list
function parameters.parse(text)
  local found = {}
  for part in (text or ""):gmatch "[^&]+" do
    local equals = part:find("=", 1, true)
    local name = url.decode(part:sub(1, (equals or #part + 1) - 1), { plus = true })
    local value = equals and url.decode(part:sub(equals + 1), { plus = true }) or ""
    local known = found[name]
    if known == nil then
      found[name] = value
    elseif type(known) == "table" then
      known[#known + 1] = value
    else
      found[name] = { known, value }
    end
  end
  return found
end

return parameters
