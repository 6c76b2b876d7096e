--- Names for files that a server chose: one component, harmless, never a path.

local content_disposition = require "lurcher.http.download.content_disposition"
local secret = require "lurcher.base.secret"
local url = require "lurcher.native.url"

local file_name = {}

local MAX_NAME, MAX_ENDING = 250, 32 -- bytes
local MAX_LOOKED_AT = 4096 -- bytes of what is given

-- What no name has: control characters, of Latin-1 in UTF-8, too, and those that turn the direction of text, so
-- that "exe.txt" can be shown for a name that ends otherwise.
local UNWANTED = { "[%z\1-\31\127]", "\194[\128-\159]", "\226\128[\142\143\168-\174]", "\226\129[\166-\169]" }

-- Not half a character at the end.
local function cut(text, length)
  if #text <= length then return text end
  while length > 0 and text:byte(length + 1) >= 0x80 and text:byte(length + 1) < 0xC0 do length = length - 1 end
  return text:sub(1, length)
end

-- "a.tar.gz" as "a" and ".tar.gz".
local function split(name)
  local at = name:match("^.+()%.[^.]*$")
  if not at or #name - at >= MAX_ENDING then return name, "" end
  if at > 5 and name:sub(at - 4, at - 1):lower() == ".tar" then at = at - 4 end
  return name:sub(1, at - 1), name:sub(at)
end

-- The names that downloads give to what is not complete: a server must not make us take its bytes for those of
-- another server's file.
local function is_ours(name)
  local lower = name:lower()
  return lower:find "%.part$" or lower:find "%.part%.info$" or lower:find "%.part%.lock$"
end

---A name made harmless; nil when nothing is left of it.
---@param given string
---@return string?
function file_name.safe(given)
  local name = given:sub(1, MAX_LOOKED_AT)
  for _, pattern in ipairs(UNWANTED) do name = name:gsub(pattern, "") end
  name = (name:match("^.*[/\\](.*)$") or name):gsub("^%a:", ""):gsub("^[%s.]+", "")
  name = name:match("^.*[^%s.]") or ""
  if name == "" then return nil end
  local stem, ending = split(name)
  name = cut(stem, MAX_NAME - 1 - #ending) .. ending
  return is_ours(name) and name .. "_" or name
end

---The n-th name beside one that is taken: "a (1).txt".
---@param name string
---@param n integer 0: the name itself
---@return string
function file_name.numbered(name, n)
  if n == 0 then return name end
  local stem, ending = split(name)
  ending = (" (%d)"):format(n) .. ending
  return cut(stem, MAX_NAME - #ending) .. ending
end

-- The last segment of a URL's path, decoded.
local function of_url(address)
  local path = address:match("^%a[%w+.-]*://[^/?#]*([^?#]*)") or ""
  return url.decode(path:match("^.*/(.*)$") or "")
end

---The name for what a response brings.
---@param res lurcher.Response
---@return string
function file_name.of(res)
  local header = res:header("Content-Disposition")
  local said = header and content_disposition.file_name(header)
  return said and file_name.safe(said) or file_name.safe(of_url(secret.reveal(res.url))) or "download"
end

return file_name
