--- Takes secrets out of what is recorded: what headers, parameters, fields and elements hold whose names say that it
--- is a secret, and each value so met wherever else it stands.

local crypto = require "lurcher.crypto"
local json = require "lurcher.json"
local known = require "lurcher.cassette.known"
local markup = require "lurcher.cassette.markup"
local names = require "lurcher.url.names"
local native = require "lurcher.native.url"
local trim = require("lurcher.base.text").trim
local url = require "lurcher.url"

local redactor = {}

local MASK = known.MASK
local MIN_COOKIE = 16 -- of a cookie that is looked for elsewhere, too; a shorter one is a choice of the user's

---@class lurcher.cassette.Redactor
---@field known lurcher.cassette.Known
local Redactor = {}
Redactor.__index = Redactor

local function name_set(list)
  local set = {}
  for _, name in ipairs(list or {}) do set[name:lower()] = true end
  return set
end

---@param own table names that are secret besides: `headers`, `query`, `json`
---@return lurcher.cassette.Redactor
function redactor.new(own)
  local self = setmetatable({ known = known.new(), headers = name_set(own.headers), query = name_set(own.query),
    json = name_set(own.json) }, Redactor)
  self.known:learn_environment()
  return self
end

local function is_parameter(self, name)
  name = url.decode((name:gsub("%+", " ")))
  return self.query[name:lower()] or names.is_parameter(name)
end

local function is_field(self, name)
  if name:find("\\", 1, true) then name = json.decode('"' .. name .. '"') or name end
  return self.json[name:lower()] or names.is_field(name)
end

-- ---- places in a text: { first, last, what stands there instead } ----

local function add(spans, first, last, instead)
  if last >= first then spans[#spans + 1] = { first, last, instead or MASK } end
end

-- The last byte of a string of JSON before its quote; `quote`: how that is written.
local function string_end(text, from)
  local at = from
  while true do
    local stop = text:find('["\\]', at)
    if not stop then return #text end
    if text:byte(stop) == 34 then return stop - 1 end
    at = stop + 2
  end
end

local function unescaped(part)
  if not part:find("\\", 1, true) then return part end
  return json.decode('"' .. part .. '"') or part
end

local NUMERIC = { password = true, passwd = true, pin = true, otp = true, passcode = true, secret = true }

-- Every text in an array or object that begins there. Gives where it ends.
local function mask_within(self, spans, text, from, name)
  local depth, at = 0, from
  while true do
    local found = text:find('["%[%]{}]', at)
    if not found then return #text + 1 end
    local c = text:sub(found, found)
    if c == '"' then
      local last = string_end(text, found + 1)
      if not text:find("^%s*:", last + 2) then
        self.known:learn(unescaped(text:sub(found + 1, last)), name)
        add(spans, found + 1, last)
      end
      at = last + 2
    else
      depth = depth + ((c == "[" or c == "{") and 1 or -1)
      at = found + 1
      if depth == 0 then return at end
    end
  end
end

-- Fields of JSON, wherever it stands: as the whole, in lines, in events.
local function find_fields(self, spans, text)
  local at = 1
  while true do
    local _, stop, name = text:find('"([^"]*)"%s*:%s*', at)
    if not stop then return end
    at = stop + 1
    if name ~= "" and name:sub(-1) ~= "\\" and is_field(self, name) then
      local where, c = ('the field "%s"'):format(name), text:sub(at, at)
      if c == '"' then
        local last = string_end(text, at + 1)
        self.known:learn(unescaped(text:sub(at + 1, last)), where)
        add(spans, at + 1, last)
        at = last + 2
      elseif c == "[" or c == "{" and self.json[name:lower()] then
        at = mask_within(self, spans, text, at, where)
      else
        local number = text:match("^-?%d[%d.eE+-]*", at)
        if number and (self.json[name:lower()] or NUMERIC[name:lower()]) then
          add(spans, at, at + #number - 1, "0")
        end
      end
    end
  end
end

local MAX_ESCAPED = 7 -- backslashes before a quote: of JSON in JSON in JSON

-- Where the quote is that has so many backslashes before it.
local function escaped_end(text, from, count)
  local at = from
  while true do
    local first, last = text:find('\\*"', at)
    if not first or last - first <= count then return first and last - first == count and first or nil end
    at = last + 1
  end
end

-- The same within strings of JSON.
local function find_escaped_fields(self, spans, text)
  for name, slashes, first in text:gmatch '%f[\\]\\+"([%w_.-]+)\\+"%s*:%s*(\\+)"()' do
    local stop = #slashes <= MAX_ESCAPED and is_field(self, name) and escaped_end(text, first, #slashes)
    if stop then
      local value = text:sub(first, stop - 1)
      add(spans, first, stop - 1)
      while value ~= unescaped(value) do value = unescaped(value) end
      self.known:learn(value, ('the field "%s"'):format(name))
    end
  end
end

-- The same within parameters.
local function find_encoded_fields(self, spans, text)
  for _, space in ipairs { "", "+", "%20" } do
    for name, first in text:gmatch("%%22([%w_.-]+)%%22%%3[Aa]" .. space:gsub("%p", "%%%0") .. "%%22()") do
      local stop = is_field(self, name) and text:find("%22", first, true)
      if stop then
        local value = url.decode((text:sub(first, stop - 1):gsub("%+", " ")))
        self.known:learn(unescaped(value), ('the field "%s"'):format(name))
        add(spans, first, stop - 1)
      end
    end
  end
end

-- Parameters of URLs in a text, and of a form.
local function find_parameters(self, spans, text, is_form)
  local function visit(name, first, last)
    if not is_parameter(self, name) then return end
    local value = text:sub(first, last - 1)
    self.known:learn(url.decode((value:gsub("%+", " "))), ('the parameter "%s"'):format(name))
    self.known:learn(value, ('the parameter "%s"'):format(name))
    add(spans, first, last - 1)
  end
  for name, first, last in text:gmatch '[?&;#]([%w_.%%%[%]-]+)=()[^&%s"\'<>\\#;]*()' do visit(name, first, last) end
  -- In a URL that is a parameter's value.
  for name, first, last in text:gmatch '%%[23][36Ff]([%w_.-]+)%%3[Dd]()[^&%s"\'<>%%#]*()' do
    visit(name, first, last)
  end
  if is_form or text:find "^[%w_.%[%]-]+=[^%s]*$" then
    local name, first, last = text:match '^([^=&]+)=()[^&]*()'
    if name then visit(name, first, last) end
  end
end

-- What stands in headers that a peer sends back, and userinfo of URLs.
local function find_credentials(self, spans, text)
  for first, last in text:gmatch "[Bb]earer%s+()[%w._~+/=-]+()" do
    local value = text:sub(first, last - 1)
    if #value >= 8 and value:find "[%d._+/=-]" then
      self.known:learn(value, "a bearer token")
      add(spans, first, last - 1)
    end
  end
  for first, last in text:gmatch "[Bb]asic%s+()[%w+/]+=*()" do
    local value = text:sub(first, last - 1)
    local password = #value >= 6 and (crypto.base64_decode(value) or ""):match "^[^%c:]*:(.*)$"
    if password then
      self.known:learn(value, "credentials")
      self.known:learn(password, "a password")
      add(spans, first, last - 1)
    end
  end
  for first, last in text:gmatch "://()[^%s/?#\"'<>@]+()@" do
    local password = text:sub(first, last - 1):match ":(.*)$"
    if password then self.known:learn(url.decode(password), "a password in a URL") end
    add(spans, first, last - 1)
  end
end

-- What other texts have behind names.
local function find_markup(self, spans, text)
  markup.find(text, function(name) return is_field(self, name) end, function(first, last, where)
    self.known:learn(text:sub(first, last), where)
    add(spans, first, last)
  end)
end

-- Parts of multipart bodies.
local function find_parts(self, spans, text)
  local at = 1
  while true do
    local _, head_start = text:find("form-data; name=\"", at, true)
    local _, head_end = text:find("\r\n\r\n", head_start or at, true)
    local stop = head_end and text:find("\r\n--", head_end - 1, true)
    if not (head_start and stop) then return end
    local name = text:match('^[^"\r\n]*', head_start + 1)
    if is_field(self, name) or is_parameter(self, name) then
      self.known:learn(text:sub(head_end + 1, stop - 1), ('the part "%s"'):format(name))
      add(spans, head_end + 1, stop - 1)
    end
    at = stop + 1
  end
end

-- Those that follow one another; of those that overlap, one.
local function merged(spans)
  table.sort(spans, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] > b[2]
  end)
  local list = {}
  for _, span in ipairs(spans) do
    local last = list[#list]
    if last and span[1] <= last[2] then
      last[2] = math.max(last[2], span[2])
    else
      list[#list + 1] = span
    end
  end
  return list
end

-- The text with other texts in those places, and where its pieces end then.
local function replaced(text, spans, ends)
  if not spans[1] then return text, ends end
  local out, from, moved, piece = {}, 1, {}, 1
  local shift = 0
  for _, span in ipairs(merged(spans)) do
    while ends and ends[piece] and ends[piece] < span[1] do
      moved[piece] = ends[piece] + shift
      piece = piece + 1
    end
    shift = shift + #span[3] - (span[2] - span[1] + 1)
    while ends and ends[piece] and ends[piece] <= span[2] do -- within: with the end of what stands there now
      moved[piece] = span[2] + shift
      piece = piece + 1
    end
    out[#out + 1], out[#out + 2] = text:sub(from, span[1] - 1), span[3]
    from = span[2] + 1
  end
  while ends and ends[piece] do
    moved[piece] = ends[piece] + shift
    piece = piece + 1
  end
  out[#out + 1] = text:sub(from)
  return table.concat(out), ends and moved
end

-- ---- what others ask for ----

---A text without the secrets that names in it tell of.
---@param text string
---@param kind? "form"|"multipart"|"line"
---@param ends? integer[] where its pieces end
---@return string text
---@return integer[]? ends
function Redactor:text(text, kind, ends)
  local spans = {}
  if text:find('"', 1, true) then
    find_fields(self, spans, text)
    if text:find('\\"', 1, true) then find_escaped_fields(self, spans, text) end
  end
  if text:find("%22", 1, true) then find_encoded_fields(self, spans, text) end
  if text:find("=", 1, true) then find_parameters(self, spans, text, kind == "form") end
  if text:find("[Bb]asic%s") or text:find("[Bb]earer%s") or text:find("@", 1, true) then
    find_credentials(self, spans, text)
  end
  if kind == "multipart" then find_parts(self, spans, text) end
  if not kind then find_markup(self, spans, text) end
  return replaced(text, spans, ends)
end

---@param address string
---@return string
function Redactor:url(address)
  return native.redact((self:text(address, "line")))
end

-- "Bearer ***": what kind of credentials they are is worth to know.
local function credentials(self, value)
  local scheme, rest = value:match "^([%w-]+)%s+(.+)$"
  if not scheme then
    self.known:learn(value, "a header")
    return MASK
  end
  self.known:learn(rest, "a header")
  if scheme:lower() == "basic" then
    local password = (crypto.base64_decode(rest) or ""):match "^[^:]*:(.*)$"
    if password then self.known:learn(password, "a password") end
  end
  return scheme .. " " .. MASK
end

-- One "name=value" of a cookie header. What has no name is all value.
local function cookie(self, text)
  local equals = text:find("=", 1, true)
  local name = equals and text:sub(1, equals - 1) or ""
  local value, bare = trim(text:sub((equals or 0) + 1)):match '^"?([^"]*)', trim(name)
  if #value >= MIN_COOKIE or names.is_parameter(bare) then self.known:learn(value, "the cookie " .. bare) end
  return (equals and name .. "=" or text:match "^ ?") .. MASK
end

local COOKIES = {
  cookie = function(self, value)
    return (value:gsub("[^;]+", function(one) return one:find "%S" and cookie(self, one) or one end))
  end,
  ["set-cookie"] = function(self, value)
    return (value:gsub("^[^;]+", function(one) return cookie(self, one) end))
  end,
}

---@param name string
---@param value string
---@return string
function Redactor:header(name, value)
  local lower = name:lower()
  if COOKIES[lower] then return COOKIES[lower](self, value) end
  if lower == "authorization" or lower == "proxy-authorization" then return credentials(self, value) end
  if self.headers[lower] or names.is_header(lower) then
    self.known:learn(value, "the header " .. name)
    return MASK
  end
  return (self:text(value, "line"))
end

return redactor
