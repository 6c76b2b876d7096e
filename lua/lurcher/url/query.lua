--- Query parameters and forms: maps and lists of pairs, merged in layers, in the end one encoded string.

local errors = require "lurcher.base.errors"
local native = require "lurcher.native.url"
local secret = require "lurcher.base.secret"

local raise = errors.raise

local query = {}

local function escape_byte(c)
  return ("%%%02X"):format(c:byte())
end

---Percent-encodes all but letters, digits and "-._~".
---@param text string
---@return string
local function encode(text)
  if not text:find("[^%w%-._~]") then return text end
  return (text:gsub("[^%w%-._~]", escape_byte))
end

-- The encoded text of one scalar; `space` is what stands for a blank.
local function encode_value(key, value, space, what)
  local kind = type(value)
  if kind == "number" then
    if value ~= value or value == math.huge or value == -math.huge then
      raise(("%s '%s' must be a finite number"):format(what, key))
    end
    if value % 1 == 0 and math.abs(value) < 2 ^ 53 then return ("%d"):format(value) end
    local short = ("%.14g"):format(value)
    return encode(tonumber(short) == value and short or ("%.17g"):format(value))
  elseif kind == "boolean" then
    return tostring(value)
  end
  local text = secret.reveal(value)
  if type(text) ~= "string" then
    raise(("%s '%s' must be a string, a number, a boolean, or a list of these, got a %s")
      :format(what, key, kind))
  end
  local encoded = encode(text)
  if space ~= "%20" then encoded = encoded:gsub("%%20", space) end
  return encoded
end

local function is_pair_list(params)
  return type(params[1]) == "table"
end

-- Appends "key=value" once per value.
local function append(out, key, value, space, what)
  if type(key) ~= "string" then
    raise(("%s names must be strings, got %s (an ordered list has the form { {\"a\", 1}, {\"b\", 2} })")
      :format(what, tostring(key)))
  end
  local name = encode_value(key, key, space, what)
  if type(value) == "table" and not secret.is(value) then
    if value[1] == nil and next(value) ~= nil then
      raise(("%s '%s' must be a string, a number, a boolean, or a list of these, got a map")
        :format(what, key))
    end
    for i = 1, #value do out[#out + 1] = name .. "=" .. encode_value(key, value[i], space, what) end
  elseif value ~= nil then
    out[#out + 1] = name .. "=" .. encode_value(key, value, space, what)
  end
end

-- The names a layer speaks about.
local function names_of(layer, what)
  local names = {}
  if not is_pair_list(layer) then
    for name in pairs(layer) do names[name] = true end
    return names
  end
  for _, pair in ipairs(layer) do
    if type(pair) ~= "table" or pair[1] == nil then
      raise(("a list of %ss holds pairs: { {\"a\", 1}, {\"b\", 2} }"):format(what))
    end
    names[pair[1]] = true
  end
  return names
end

-- The last word of all layers: a map, and a list of pairs.
local function merge(layers, what)
  local map, list = {}, {}
  for _, layer in ipairs(layers) do
    local names, kept = names_of(layer, what), {}
    for name in pairs(names) do map[name] = nil end
    for _, pair in ipairs(list) do
      if not names[pair[1]] then kept[#kept + 1] = pair end
    end
    if is_pair_list(layer) then
      for _, pair in ipairs(layer) do
        if pair[2] ~= false then kept[#kept + 1] = pair end
      end
    else
      for name, value in pairs(layer) do map[name] = value or nil end
    end
    list = kept
  end
  return map, list
end

---Merges layers by key: a later layer replaces an earlier one, false removes a key. What comes from maps is
---sorted by key; a list of pairs keeps its order and follows.
---@param layers table[] each a map or a list of pairs
---@param space string "%20" or "+"
---@param what string for messages: "parameter", "form field"
---@return string encoded without "?"; may be empty
function query.encode(layers, space, what)
  local map, list = layers[1] or {}, {}
  if layers[2] or is_pair_list(map) then map, list = merge(layers, what) end
  local keys, out = {}, {}
  for key, value in pairs(map) do
    if type(key) ~= "string" then append(out, key, nil, space, what) end -- raises
    if value ~= false then keys[#keys + 1] = key end
  end
  if keys[2] then table.sort(keys) end
  for i = 1, #keys do append(out, keys[i], map[keys[i]], space, what) end
  for i = 1, #list do append(out, list[i][1], list[i][2], space, what) end
  return table.concat(out, "&")
end

---Takes a query or a form apart, as it is sent.
---@param text? string without "?"
---@return table<string, string|string[]> found decoded; a repeated name has a list
function query.parse(text)
  local found = {}
  for part in (text or ""):gmatch "[^&]+" do
    local equals = part:find("=", 1, true)
    local name = native.decode(equals and part:sub(1, equals - 1) or part, true)
    local value = equals and native.decode(part:sub(equals + 1), true) or ""
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

---Puts an encoded query behind the one a URL has already, before the fragment.
---@param url string
---@param encoded string
---@return string
function query.add(url, encoded)
  if encoded == "" then return url end
  if not url:find("[?#]") then return url .. "?" .. encoded end
  local before, fragment = url:match("^([^#]*)(.*)$")
  local last = before:sub(-1)
  local joint = not before:find("?", 1, true) and "?" or (last == "?" or last == "&") and "" or "&"
  return before .. joint .. encoded .. fragment
end

return query
