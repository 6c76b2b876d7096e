--- How a text reads in URLs, forms and JSON: the spellings in which a server may send a secret back.

local function percent(c)
  return ("%%%02X"):format(c:byte())
end

local JSON_ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n",
  ["\r"] = "\\r", ["\t"] = "\\t" }

local function json_escape(c)
  return JSON_ESCAPES[c] or ("\\u%04x"):format(c:byte())
end

-- A character of several bytes as JSON in ASCII has it.
local function unicode_escape(character)
  local code = character:byte()
  code = code < 0xE0 and code % 0x20 or code < 0xF0 and code % 0x10 or code % 8
  for i = 2, #character do code = code * 64 + character:byte(i) % 64 end
  if code < 0x10000 then return ("\\u%04x"):format(code) end
  code = code - 0x10000
  return ("\\u%04x\\u%04x"):format(0xD800 + math.floor(code / 0x400), 0xDC00 + code % 0x400)
end

local function in_urls(text, note)
  local encoded = text:gsub("[^%w%-._~]", percent)
  if encoded == text then return end
  note(encoded)
  if text:find(" ", 1, true) then note((encoded:gsub("%%20", "+"))) end
  note((text:gsub("[^%w%-._~!$&'()*+,;=:@/]", percent))) -- what a path and most of a query leave alone
  note((text:gsub("[^%w%-._~!$&'()*+,;=]", percent))) -- what userinfo does
end

local function in_json(text, note)
  local escaped = text:gsub('[%c"\\]', json_escape)
  if escaped ~= text then note(escaped) end
  if text:find("/", 1, true) then note((escaped:gsub("/", "\\/"))) end
  if text:find("[\128-\255]") then note((escaped:gsub("[\194-\244][\128-\191]+", unicode_escape))) end
end

---Calls `note` with each spelling that differs from the text.
---@param text string
---@param note fun(spelling: string)
return function(text, note)
  if not text:find("[^%w%-._~]") then return end
  in_urls(text, note)
  in_json(text, note)
end
