--- The Link header (RFC 8288): `<https://h/items?page=2>; rel="next", …`.

local url = require "lurcher.native.url"

local links = {}

-- Each link is resolved against the base, and both may be long.
local MAX_LINKS = 1000

-- The next link from `at` on: its reference and where that ends. Nil when there is none. The first find keeps the
-- pattern from trying every blank where there is no ">".
local function reference_at(text, at)
  if not text:find(">", at, true) then return nil end
  return text:match("^[%s,]*<%s*([^>]*)>()", at)
end

-- One parameter from `at` on: name, value and where it ends.
local function parameter(text, at)
  local name, after = text:match("^%s*;[;%s]*([^%s=;,\"]+)%s*()", at) -- empty ones are passed over
  if not name then return nil end
  local equals = text:match("^=%s*()", after)
  if not equals then return name, "", after end
  if text:sub(equals, equals) ~= '"' then
    local value, stop = text:match("^'([^';,]*)'()", equals) -- not of the standard, but of some servers
    if not value then value, stop = text:match("^([^;,%s]*)()", equals) end
    return name, value, stop
  end
  local position = equals + 1
  while true do
    local mark = text:find('["\\]', position)
    if not mark then return name, text:sub(equals + 1), #text + 1 end
    if text:sub(mark, mark) == '"' then
      return name, (text:sub(equals + 1, mark - 1):gsub("\\(.)", "%1")), mark + 1
    end
    position = mark + 2
  end
end

---@param text string the header's value, lines joined by ", "
---@param base string the URL that relative references are resolved against
---@return table<string, table> by_relation each has url, rel and the other parameters; the first counts
function links.parse(text, base)
  local by_relation, at, count = {}, 1, 0
  while count < MAX_LINKS do
    local reference, after = reference_at(text, at)
    if not reference then
      local next_open = text:find(",%s*<", at) -- skip what is no link
      if not next_open or not text:find(">", next_open, true) then return by_relation end
      at = next_open
    else
      reference = reference:match("^(.*%S)") or ""
      count = count + 1
      local link = { url = reference }
      local name, value, stop = parameter(text, after)
      while name do
        name = name:lower()
        if link[name] == nil then link[name] = value end
        after = stop
        name, value, stop = parameter(text, after)
      end
      local is_first = false
      for relation in (link.rel or ""):gmatch("%S+") do
        relation = relation:lower()
        if not by_relation[relation] then by_relation[relation], is_first = link, true end
      end
      if is_first then link.url = url.join(base, reference) or reference end -- it takes time, below a long URL
      at = after
    end
  end
  return by_relation
end

return links
