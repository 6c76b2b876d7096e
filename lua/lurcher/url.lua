--- URLs: taken apart, put together, resolved against each other (RFC 3986). All functions work on the
--- canonical form: scheme and host in lower case, no default port, dot segments removed, and percent-encoding
--- for what may not stand in a URL, while what is encoded already stays as it is.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local native = require "lurcher.native.url"
local query = require "lurcher.url.query"
local secret = require "lurcher.base.secret"

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

-- A URL that is given; that of a response may be a secret.
local function check_url(value, position, what)
  value = secret.reveal(value)
  check.argument(value, "string", position, what)
  return value
end

---Takes an absolute URL apart; or nil and an error of kind "url".
---@param text string|lurcher.Secret
---@return lurcher.Url?
---@return lurcher.Error?
function url.parse(text)
  local parts, message = native.parse(check_url(text, 1, "url.parse"))
  if not parts then return failure(message) end
  return parts
end

-- Whether an authority ends the text's hierarchy: "http://h?q", "//h".
local function lacks_path(text)
  local after = text:match("^%a[%w+.-]*://[^/?#]*(.?)") or text:match("^//[^/?#]*(.?)")
  return after ~= nil and after ~= "/"
end

---The URL that `reference` means in a document at `base` (RFC 3986 section 5); or nil and an error of kind
---"url".
---@param base string|lurcher.Secret
---@param reference string
---@return string?
---@return lurcher.Error?
function url.join(base, reference)
  base = check_url(base, 1, "url.join")
  check.argument(reference, "string", 2, "url.join")
  local text, message = native.join(base, reference)
  if not text then return failure(message) end
  -- A request has a path, but RFC 3986 gives none to a URL without one.
  if lacks_path(reference:find("^[?#]") and base or reference == "" and base or reference) then
    text = text:gsub("^([^/]*//[^/?#]*)/", "%1", 1)
  end
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

-- Where layers of parameters are merged, false removes one; here it is text.
local function false_as_text(parameters)
  local copy = {}
  for key, value in pairs(parameters) do
    if value == false then
      value = "false"
    elseif type(key) == "number" and type(value) == "table" then
      value = { value[1], value[2] == false and "false" or value[2] }
    end
    copy[key] = value
  end
  return copy
end

---A query string without "?", encoded. A map is sorted by key, a list of pairs keeps its order; a list as a
---value repeats the key.
---@param parameters table { page = 2, tag = { "a", "b" } } or { { "page", 2 }, { "tag", "a" } }
---@return string
function url.query(parameters)
  check.argument(parameters, "table", 1, "url.query")
  return query.encode({ false_as_text(parameters) }, "%20", "parameter")
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
  local scheme, host, path, search = parts.scheme, parts.host, parts.path or "", parts.query
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
  if type(search) == "table" then search = url.query(search) end
  if search then out[#out + 1] = "?" .. guard(search, "#") end
  if parts.fragment then out[#out + 1] = "#" .. parts.fragment end
  local text, message = native.normalize(table.concat(out))
  if not text then raise("url.build: " .. message) end
  return text
end

return url
