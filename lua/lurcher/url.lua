--- URLs: taken apart, put together, resolved against each other (RFC 3986). All functions work on the
--- canonical form: scheme and host in lower case, no default port, dot segments removed, and percent-encoding
--- for what may not stand in a URL, while what is encoded already stays as it is.

local check = require "lurcher.check"
local errors = require "lurcher.errors"
local native = require "lurcher.native.url"

local url = {}

local raise = errors.raise

---@class lurcher.Url
---@field scheme string in lower case
---@field user? string percent-encoded, as all that follows but the port
---@field password? string
---@field host? string an IPv6 address without its brackets
---@field port? integer the scheme's default if none was given
---@field path string
---@field query? string without "?"
---@field fragment? string without "#"

local function failure(message)
  return nil, errors.new { kind = "url", message = message }
end

---Takes an absolute URL apart; or nil and an error of kind "url".
---@param text string
---@return lurcher.Url?
---@return lurcher.Error?
function url.parse(text)
  check.argument(text, "string", 1, "url.parse")
  local parts, message = native.parse(text)
  if not parts then return failure(message) end
  return parts
end

---The URL that `reference` means in a document at `base` (RFC 3986 section 5); or nil and an error of kind
---"url".
---@param base string
---@param reference string
---@return string?
---@return lurcher.Error?
function url.join(base, reference)
  check.argument(base, "string", 1, "url.join")
  check.argument(reference, "string", 2, "url.join")
  local text, message = native.join(base, reference)
  if not text then return failure(message) end
  return text
end

---Percent-encodes everything but letters, digits and "-._~", for use in a path or query.
---@param text string
---@return string
function url.encode(text)
  check.argument(text, "string", 1, "url.encode")
  return native.encode(text)
end

---Undoes percent-encoding; a "%" that encodes nothing stays.
---@param text string
---@param opts? { plus?: boolean } "+" means a space, as in forms and most queries
---@return string
function url.decode(text, opts)
  check.argument(text, "string", 1, "url.decode")
  check.options(opts, { plus = "boolean" }, "url.decode")
  return native.decode(text, opts ~= nil and opts.plus or false)
end

local function escape_byte(c)
  return ("%%%02X"):format(c:byte())
end

-- Encodes the characters of the set `delimiters`, which would end the part they stand in.
local function guard(text, delimiters)
  return (text:gsub(delimiters, escape_byte))
end

local function text_of(key, value)
  if type(value) == "number" then
    if value ~= value or value == math.huge or value == -math.huge then
      raise(("url.query: '%s' must be a finite number"):format(key))
    end
    if value % 1 == 0 and math.abs(value) < 2 ^ 53 then return ("%d"):format(value) end
    return native.encode(("%.17g"):format(value))
  elseif type(value) == "boolean" then
    return tostring(value)
  elseif type(value) ~= "string" then
    raise(("url.query: '%s' must be a string, a number, a boolean or a list of these, got %s")
      :format(key, check.shown(value)))
  end
  return native.encode(value)
end

local function append(out, key, value)
  if type(key) ~= "string" then
    raise(("url.query: names must be strings, got %s; to keep an order write { {\"a\", 1}, {\"b\", 2} }")
      :format(check.shown(key)))
  end
  local values = type(value) == "table" and value or { value }
  for i = 1, #values do out[#out + 1] = native.encode(key) .. "=" .. text_of(key, values[i]) end
end

---A query string without "?", encoded. A map is sorted by key, a list of pairs keeps its order; a list as a
---value repeats the key.
---@param parameters table { page = 2, tag = { "a", "b" } } or { { "page", 2 }, { "tag", "a" } }
---@return string
function url.query(parameters)
  check.argument(parameters, "table", 1, "url.query")
  local out = {}
  if type(parameters[1]) == "table" then
    for _, pair in ipairs(parameters) do append(out, pair[1], pair[2]) end
  else
    local keys = {}
    for key in pairs(parameters) do
      if type(key) ~= "string" then append(out, key) end -- raises
      keys[#keys + 1] = key
    end
    table.sort(keys)
    for _, key in ipairs(keys) do append(out, key, parameters[key]) end
  end
  return table.concat(out, "&")
end

local function port_mismatch(value)
  if type(value) ~= "number" or value % 1 ~= 0 or value < 0 or value > 65535 then
    return "a whole number up to 65535"
  end
end

local parts_known = {
  scheme = "string", user = "string", password = "string", host = "string", port = port_mismatch,
  path = "string", query = "string|table", fragment = "string",
}

---Puts a URL together: the inverse of `url.parse`. Characters that would end the part they stand in are
---percent-encoded, a table as query goes through `url.query`. Raises when the parts make no URL.
---@param parts table as from `url.parse`; scheme is required
---@return string
function url.build(parts)
  check.argument(parts, "table", 1, "url.build")
  check.options(parts, parts_known, "url.build")
  local scheme, host, path, query = parts.scheme, parts.host, parts.path or "", parts.query
  if not scheme then raise("url.build: there is no scheme") end
  if not scheme:find("^%a[%w+.-]*$") then raise(("url.build: %q is no scheme"):format(scheme)) end
  local out = { scheme, ":" }
  if host then
    if host:find(":", 1, true) and host:sub(1, 1) ~= "[" then host = "[" .. host .. "]" end
    if host:find("[/?#@\\]") then raise(("url.build: %q is no host"):format(host)) end
    out[#out + 1] = "//"
    if parts.user or parts.password then
      out[#out + 1] = guard(parts.user or "", "[:/?#@%[%]]")
      if parts.password then out[#out + 1] = ":" .. guard(parts.password, "[:/?#@%[%]]") end
      out[#out + 1] = "@"
    end
    out[#out + 1] = host
    if parts.port then out[#out + 1] = ":" .. parts.port end
    if path ~= "" and path:sub(1, 1) ~= "/" then path = "/" .. path end
  elseif parts.user or parts.password or parts.port then
    raise("url.build: there is no host")
  elseif path:sub(1, 2) == "//" then
    path = "/." .. path -- or its first segment would be read as a host
  end
  out[#out + 1] = guard(path, "[?#]")
  if type(query) == "table" then query = url.query(query) end
  if query then out[#out + 1] = "?" .. guard(query, "#") end
  if parts.fragment then out[#out + 1] = "#" .. parts.fragment end
  local text, message = native.normalize(table.concat(out))
  if not text then raise("url.build: " .. message) end
  return text
end

return url
