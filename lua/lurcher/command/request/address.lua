--- URLs as they are typed: without a scheme, or without the host that is this one.

local caret = require "lurcher.command.caret"
local native = require "lurcher.native.url"

local address = {}

local function is_local(host)
  return host == "localhost" or host:find("%.localhost$") ~= nil or host:find("^%[") ~= nil
    or host:find("^%d+%.%d+%.%d+%.%d+$") ~= nil
end

---The absolute URL that is meant: ":3000/x" and "/x" are localhost's; without a scheme it is https, but http for
---localhost and addresses. With a base, "/x" and what has no scheme are below it.
---@param text string
---@param base? string
---@return string
function address.complete(text, base)
  if text:find("^%s*%a[%w+.-]*://") then return text end
  if text:find("^:%d") then return "http://localhost" .. text end
  if text == ":" or text:find("^:/[^/]") or text == ":/" then return "http://localhost" .. text:sub(2) end
  if base and not text:find("^:?//") then return (base:gsub("/+$", "")) .. "/" .. text:gsub("^/+", "") end
  if text:find("^/[^/]") or text == "/" then return "http://localhost" .. text end
  text = text:gsub("^:?//", "")
  local host = text:match("^[^/?#]*"):gsub("^.*@", "")
  host = host:match("^%[.*%]") or host:gsub(":%d*$", "")
  return (is_local(host:lower()) and "http://" or "https://") .. text
end

---The absolute URL of a command line; raises wrong usage when that is none.
---@param text string
---@param base? string
---@return string
function address.check(text, base)
  if text == "" and not base then caret.refuse("the URL is empty", text, 1) end
  local url = address.complete(text, base)
  local canonical, problem = native.normalize(url)
  if canonical and not canonical:find("^https?://") then
    caret.refuse("only http and https URLs can be requested", text, 1, #canonical:match("^[^:]*"))
  elseif not canonical then
    local place = tonumber(problem:match("at byte (%d+)$"))
    local added = #url - #text -- bytes in front of what was typed
    place = place and math.max(1, math.min(place - added, #text + 1))
    caret.refuse((problem:gsub(" at byte %d+$", "")), text, place or 1, place or #text)
  end
  return url
end

return address
