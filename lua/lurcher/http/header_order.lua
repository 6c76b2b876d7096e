--- The order in which header lines go over the wire: Accept, what libcurl does not look for, the others. See
--- runtime/net/curl/header_list.c.

local reveal = require("lurcher.base.secret").reveal

local LATE = {}
for name in ("host content-type content-length te connection expect upgrade cookie authorization"):gmatch("%S+") do
  LATE[name] = true
end

---@param given { [1]: string, [2]: string|lurcher.Secret }[] names and values
---@return { [1]: string, [2]: string|lurcher.Secret }[]
return function(given)
  local accept, early, late = nil, {}, {}
  for _, line in ipairs(given) do
    local key, text = line[1]:lower(), reveal(line[2])
    if key == "accept" and not accept and text ~= "" then
      accept = line
    else
      table.insert((LATE[key] or key == "accept" or text == "") and late or early, line)
    end
  end
  if not accept then return given end
  table.insert(early, 1, accept)
  for _, line in ipairs(late) do early[#early + 1] = line end
  return early
end
