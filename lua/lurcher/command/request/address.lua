--- URLs as they are typed: without a scheme, or without the host that is this one.

local address = {}

local function is_local(host)
  return host == "localhost" or host:find("%.localhost$") ~= nil or host:find("^%[") ~= nil
    or host:find("^%d+%.%d+%.%d+%.%d+$") ~= nil
end

---The absolute URL that is meant: ":3000/x" and "/x" are localhost's; without a scheme it is https, but http for
---localhost and addresses.
---@param text string
---@return string
function address.complete(text)
  if text:find("^%a[%w+.-]*://") then return text end
  if text:find("^:%d") or text:find("^:/[^/]") or text == ":" or text == ":/" then
    return "http://localhost" .. (text:gsub("^:(%D)", "%1"):gsub("^:$", ""))
  end
  if text:find("^/[^/]") or text == "/" then return "http://localhost" .. text end
  text = text:gsub("^:?//", "")
  local host = text:match("^[^/?#]*"):gsub("^.*@", "")
  host = host:match("^%[.*%]") or host:gsub(":%d*$", "")
  return (is_local(host:lower()) and "http://" or "https://") .. text
end

return address
